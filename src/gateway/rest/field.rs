//! Request fields that check themselves: a value that breaks its rule is never built, and the same
//! place that checks it describes it in the API document, so that the two cannot differ.

use super::json::Wire;
use crate::model::{
    ClientMessageId, ConversationId, DeviceId, DeviceName, DisplayName, MediaId, NUMBER_MAX,
    Password, ProfileChange, Secret, Sequence, Title, UserId, Username,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::time::Duration;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// How the message of a broken rule begins, by which it is told from a wrong type.
pub(super) const RULE_PREFIX: &str = "must be ";

/// A type with a rule for its values.
pub(super) trait Checked: Sized {
    /// What it is in JSON.
    type Wire: Wire;
    /// Its name in the API document.
    const NAME: &'static str;
    /// The rule, to stand behind [`RULE_PREFIX`].
    const RULE: &'static str;

    /// Applies the rule.
    fn check(wire: Self::Wire) -> Option<Self>;

    /// The rule as a schema.
    fn schema(description: String) -> RefOr<Schema>;
}

/// A checked value of a request.
#[derive(Clone, Debug)]
pub(super) struct Field<T>(pub(super) T);

impl<'de, T: Checked> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = T::Wire::read(deserializer)?;
        let rule = || Error::custom(format_args!("{RULE_PREFIX}{}", T::RULE));
        T::check(wire).map(Self).ok_or_else(rule)
    }
}

impl<T: Checked> PartialSchema for Field<T> {
    fn schema() -> RefOr<Schema> {
        let description = format!("{}{}.", RULE_PREFIX.replacen('m', "M", 1), T::RULE);
        T::schema(description)
    }
}

impl<T: Checked> ToSchema for Field<T> {
    fn name() -> Cow<'static, str> {
        T::NAME.into()
    }
}

/// An integer between two bounds.
fn integer(min: u64, max: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(min))
        .maximum(Some(max))
}

/// A text of a number of characters that match a pattern.
fn text(min: usize, max: usize, pattern: Option<&str>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(min))
        .max_length(Some(max))
        .pattern(pattern)
}

/// No control characters.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

macro_rules! checked {
    ($($alias:ident = $type:ty, $name:literal, $wire:ty, $rule:literal, $check:expr, $schema:expr;)*) => {
        $(
            impl Checked for $type {
                type Wire = $wire;
                const NAME: &'static str = $name;
                const RULE: &'static str = $rule;

                fn check(wire: $wire) -> Option<Self> {
                    let check: fn($wire) -> Option<Self> = $check;
                    check(wire)
                }

                fn schema(description: String) -> RefOr<Schema> {
                    $schema.description(Some(description)).into()
                }
            }

            pub(super) type $alias = Field<$type>;
        )*
    };
}

/// How many items a page holds at most.
pub(super) const PAGE_MAX: u64 = 100;
/// How many seconds a long poll waits at most.
pub(super) const WAIT_SECONDS_MAX: u64 = 25;
/// How many users one request names at most.
const USERS_MAX: usize = 100;

/// The number of items asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLimit(pub(super) usize);

/// How long a long poll waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait(pub(super) Duration);

/// A position that may lie before the first entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound(pub(super) Sequence);

/// The words of a profile.
#[derive(Clone, Debug)]
pub(super) struct About(pub(super) String);

/// A few users, at least one.
#[derive(Clone, Debug)]
pub(super) struct UserList(pub(super) Vec<UserId>);

/// The first members of a group besides its creator.
#[derive(Clone, Debug)]
pub(super) struct MemberList(pub(super) Vec<UserId>);

/// The kind of an entry that the server only carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpaqueKind(pub(super) crate::model::EntryKind);

/// Any number that the protocol carries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Number(pub(super) u64);

checked! {
    UserField = UserId, "UserId", u64, "a user id: 1 to 2^53-1",
        UserId::new, integer(1, NUMBER_MAX);
    DeviceField = DeviceId, "DeviceId", u64, "a device id: 1 to 2^53-1",
        DeviceId::new, integer(1, NUMBER_MAX);
    ChatField = ConversationId, "ChatId", u64, "a chat id: 1 to 2^53-1",
        ConversationId::new, integer(1, NUMBER_MAX);
    ClientMessageField = ClientMessageId, "ClientId", u64,
        "a random number from 1 to 2^53-1, chosen by the client, the same on every attempt",
        ClientMessageId::new, integer(1, NUMBER_MAX);
    MediaField = MediaId, "MediaId", u64, "a media id: 1 to 2^53-1",
        MediaId::new, integer(1, NUMBER_MAX);
    SequenceField = Sequence, "Sequence", u64, "a sequence: 1 to 2^53-1",
        |number| Sequence::new(number).filter(|s| *s >= Sequence::FIRST), integer(1, NUMBER_MAX);
    BoundField = Bound, "Bound", u64, "a sequence, or 0 for before the first: 0 to 2^53-1",
        |number| Sequence::new(number).map(Bound), integer(0, NUMBER_MAX);
    NumberField = Number, "Number", u64, "0 to 2^53-1",
        |number| (number <= NUMBER_MAX).then_some(Number(number)), integer(0, NUMBER_MAX);
    KindField = OpaqueKind, "OpaqueKind", u64, "an application's entry kind: 16 to 2^53-1",
        |number| crate::model::EntryKind::new(number).filter(|k| k.is_opaque()).map(OpaqueKind),
        integer(crate::model::EntryKind::OPAQUE_FIRST.get(), NUMBER_MAX);
    LimitField = PageLimit, "PageLimit", u64, "a number of items: 1 to 100",
        |number| (1..=PAGE_MAX).contains(&number).then_some(number)
            .and_then(|number| usize::try_from(number).ok()).map(PageLimit),
        integer(1, PAGE_MAX);
    WaitField = Wait, "Wait", u64, "a number of seconds: 0 to 25",
        |number| (number <= WAIT_SECONDS_MAX).then(|| Wait(Duration::from_secs(number))),
        integer(0, WAIT_SECONDS_MAX);
    UsernameField = Username, "Username", String,
        "3 to 32 of a-z 0-9 . _ -, beginning with a letter or digit; upper case is folded",
        |name| Username::new(&name),
        text(Username::CHARACTERS_MIN, Username::CHARACTERS_MAX, Some(USERNAME));
    PasswordField = Password, "Password", String, "8 to 64 characters",
        |password| password_fits(&password).then(|| Password::new(&password)).flatten(),
        text(Password::BYTES_MIN, PASSWORD_CHARACTERS_MAX, None)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    DisplayNameField = DisplayName, "DisplayName", String,
        "1 to 64 characters without control characters",
        |name| DisplayName::new(&name), text(1, DisplayName::CHARACTERS_MAX, Some(PLAIN));
    DeviceNameField = DeviceName, "DeviceName", String,
        "up to 64 characters without control characters",
        |name| DeviceName::new(&name), text(0, DeviceName::CHARACTERS_MAX, Some(PLAIN));
    TitleField = Title, "Title", String, "1 to 128 characters without control characters",
        |title| Title::new(&title), text(1, Title::CHARACTERS_MAX, Some(PLAIN));
    AboutField = About, "About", String, "up to 500 characters",
        |about| (about.chars().count() <= ProfileChange::ABOUT_CHARACTERS_MAX).then_some(About(about)),
        text(0, ProfileChange::ABOUT_CHARACTERS_MAX, None);
    SecretField = Secret, "Token", String, "a token of 1 to 4096 characters",
        |token| (1..=TOKEN_CHARACTERS_MAX).contains(&token.chars().count())
            .then(|| Secret::new(&token)),
        text(1, TOKEN_CHARACTERS_MAX, None);
    BlobField = Bytes, "Base64", String, "base64 with padding",
        |blob| STANDARD.decode(blob).ok().map(Bytes::from),
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(BASE64))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Byte)));
    UsersField = UserList, "UserList", Vec<u64>, "1 to 100 user ids",
        |ids| users(&ids, 1).map(UserList), user_array(1);
    MembersField = MemberList, "MemberList", Vec<u64>, "up to 100 user ids",
        |ids| users(&ids, 0).map(MemberList), user_array(0);
}

/// A user name as typed.
const USERNAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";
/// Base64 in groups of four.
const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
/// The most characters of a password: whatever they are, their bytes are within
/// [`Password::BYTES_MAX`].
const PASSWORD_CHARACTERS_MAX: usize = Password::BYTES_MAX / 4;
/// The most characters of a token.
const TOKEN_CHARACTERS_MAX: usize = 4_096;

fn password_fits(password: &str) -> bool {
    (Password::BYTES_MIN..=PASSWORD_CHARACTERS_MAX).contains(&password.chars().count())
}

fn users(ids: &[u64], min: usize) -> Option<Vec<UserId>> {
    let fits = (min..=USERS_MAX).contains(&ids.len());
    fits.then(|| ids.iter().copied().map(UserId::new).collect()).flatten()
}

/// An array of user ids.
fn user_array(min: usize) -> ArrayBuilder {
    ArrayBuilder::new()
        .items(UserField::schema())
        .min_items((min > 0).then_some(min))
        .max_items(Some(USERS_MAX))
}

/// A field of a change: absent, `null` or a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Change<T> {
    /// Absent: it stays.
    #[default]
    Keep,
    /// `null`: it is taken away.
    Clear,
    /// The new value.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}
