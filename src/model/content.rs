//! What an entry says: one variant per entry kind that the server understands, and [`Content::Opaque`]
//! for the kinds it only carries.
//!
//! A content is moved several times between the frame it came in and the entry it becomes, so it is
//! small: what is long lies elsewhere, and what is mostly absent takes a word.

use super::{DeviceId, DeviceName, MediaId, Role, Sequence, Title, UserId};
use bytes::Bytes;
use std::hash::Hasher;
use thin_vec::ThinVec;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The kind number of an entry, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKind(u64);

impl EntryKind {
    /// A text message.
    pub const MESSAGE: Self = Self(1);
    /// An edit of a message.
    pub const EDIT: Self = Self(2);
    /// The removal of a message by its sender.
    pub const UNSEND: Self = Self(3);
    /// A reaction to a message.
    pub const REACTION: Self = Self(4);
    /// A message pinned or unpinned.
    pub const PIN: Self = Self(5);
    /// A change of membership.
    pub const MEMBER: Self = Self(6);
    /// A change of the conversation's settings.
    pub const SETTINGS: Self = Self(7);
    /// A change of a contact (journal only).
    pub const CONTACT: Self = Self(8);
    /// A device added or revoked (journal only).
    pub const DEVICE: Self = Self(9);
    /// The first kind that the server carries without understanding it.
    pub const OPAQUE_FIRST: Self = Self(16);

    /// Wraps a kind number up to [`super::NUMBER_MAX`].
    pub const fn new(number: u64) -> Option<Self> {
        if number <= super::NUMBER_MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether the server carries this kind without understanding it.
    pub const fn is_opaque(self) -> bool {
        self.0 >= Self::OPAQUE_FIRST.0
    }

    /// Whether an entry of this kind counts as unread: messages, and the even opaque kinds.
    pub const fn counts(self) -> bool {
        self.0 == Self::MESSAGE.0 || (self.is_opaque() && self.0.is_multiple_of(2))
    }
}

/// Text, copied once on its way from socket to log.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Text(Box<str>);

impl Text {
    /// Copies `bytes` if they are UTF-8; `None` if not.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(Self::from)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The longest prefix of at most `bytes_max` bytes that ends at a character.
    #[must_use]
    pub fn truncated(&self, bytes_max: usize) -> Self {
        let end = self.0.floor_char_boundary(bytes_max);
        Self::from(self.0.get(..end).unwrap_or_default())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Text {
    /// Shows the length only: bodies never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// A file that a message refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The stored file.
    pub media: MediaId,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type, such as `image/jpeg`.
    pub media_type: String,
    /// Its name for people.
    pub name: String,
    /// Width in pixels, 0 where it has none.
    pub width: u64,
    /// Height in pixels, 0 where it has none.
    pub height: u64,
    /// Length in milliseconds, 0 where it has none.
    pub duration_ms: u64,
    /// A tiny picture of it.
    pub preview: Bytes,
}

/// What a person wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The text; may be empty beside an attachment.
    pub text: Text,
    /// Files it carries.
    pub attachments: ThinVec<Attachment>,
    /// The entry it answers.
    pub reply_to: Option<Sequence>,
    /// The people it names.
    pub mentions: ThinVec<UserId>,
}

/// Messages without more, up to so many bytes, are hashed in one go: most are such.
const SHORT_BYTES_MAX: usize = 232;

/// The three numbers in front of the text and behind it.
const SHORT_NUMBERS_BYTES: usize = 3 * 8;

/// A text alone.
impl From<Text> for Message {
    fn from(text: Text) -> Self {
        let (attachments, mentions) = Default::default();
        Self { text, attachments, reply_to: None, mentions }
    }
}

impl Message {
    /// The fingerprint of a short text without anything else.
    fn short_fingerprint(&self) -> Option<u64> {
        let Self { text, attachments, reply_to, mentions } = self;
        let text = text.as_bytes();
        if text.len() > SHORT_BYTES_MAX || !attachments.is_empty() || !mentions.is_empty() {
            return None;
        }
        let mut bytes = [0; SHORT_BYTES_MAX + SHORT_NUMBERS_BYTES];
        let (before, after) = bytes.split_at_mut_checked(16)?;
        let (kind, len) = before.split_at_mut_checked(8)?;
        kind.copy_from_slice(&EntryKind::MESSAGE.get().to_be_bytes());
        len.copy_from_slice(&u64::try_from(text.len()).ok()?.to_be_bytes());
        let (place, after) = after.split_at_mut_checked(text.len())?;
        place.copy_from_slice(text);
        let answered = reply_to.map_or(0, Sequence::get).to_be_bytes();
        after.get_mut(..8)?.copy_from_slice(&answered);
        bytes.get(..SHORT_NUMBERS_BYTES + text.len()).map(xxh3_64)
    }
}

/// What a member entry did to the users it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// They were added or joined.
    Added,
    /// They left.
    Left,
    /// They were removed.
    Removed,
    /// Their role changed.
    Role,
}

/// How a user stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactState {
    /// Asked by the journal's owner.
    RequestedByYou,
    /// Asked by the other.
    RequestedByThem,
    /// On the contact list.
    Accepted,
    /// Blocked.
    Blocked,
    /// No longer a contact.
    None,
}

/// What happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// It was signed in.
    Added,
    /// It was signed out or revoked.
    Revoked,
}

/// The content of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Kind 1.
    Message(Message),
    /// Kind 2: the new text of the message at `target`.
    Edit {
        /// The entry that is edited.
        target: Sequence,
        /// Its new text.
        text: Text,
    },
    /// Kind 3: takes back the message at `target`.
    Unsend {
        /// The entry that is taken back.
        target: Sequence,
    },
    /// Kind 4: an emoji on the message at `target`; empty takes it back.
    Reaction {
        /// The entry that is reacted to.
        target: Sequence,
        /// The emoji.
        emoji: Text,
    },
    /// Kind 5: pins or unpins the message at `target`.
    Pin {
        /// The entry concerned.
        target: Sequence,
        /// Whether it is pinned now.
        pinned: bool,
    },
    /// Kind 6: a change of membership.
    Member {
        /// Who it concerns.
        users: Vec<UserId>,
        /// What happened to them.
        change: MemberChange,
        /// Their role from now on, where it is set.
        role: Option<Role>,
    },
    /// Kind 7: the settings that changed.
    Settings {
        /// The new title.
        title: Option<Title>,
        /// The new picture.
        picture: Option<MediaId>,
    },
    /// Kind 8: a change of a contact.
    Contact {
        /// The other user.
        user: UserId,
        /// How the journal's owner stands to them now.
        state: ContactState,
    },
    /// Kind 9: a change of a device.
    Device {
        /// The device.
        device: DeviceId,
        /// What happened to it.
        change: DeviceChange,
        /// Its name.
        name: DeviceName,
    },
    /// Kinds from 16 on: carried, not understood.
    Opaque {
        /// The kind.
        kind: EntryKind,
        /// The body.
        body: Box<[u8]>,
        /// Tagged values from tag 64 on, tags ascending.
        attributes: ThinVec<(u64, Bytes)>,
    },
}

const _: () = assert!(size_of::<Content>() <= 48, "a content is moved several times");

impl Content {
    /// The kind number of this content.
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Message(_) => EntryKind::MESSAGE,
            Self::Edit { .. } => EntryKind::EDIT,
            Self::Unsend { .. } => EntryKind::UNSEND,
            Self::Reaction { .. } => EntryKind::REACTION,
            Self::Pin { .. } => EntryKind::PIN,
            Self::Member { .. } => EntryKind::MEMBER,
            Self::Settings { .. } => EntryKind::SETTINGS,
            Self::Contact { .. } => EntryKind::CONTACT,
            Self::Device { .. } => EntryKind::DEVICE,
            Self::Opaque { kind, .. } => *kind,
        }
    }

    /// Takes out what a person said. What it refers to, and what changed by it, stays.
    pub fn erase(&mut self) {
        match self {
            Self::Message(message) => *message = Message::default(),
            Self::Edit { text, .. } | Self::Reaction { emoji: text, .. } => *text = Text::default(),
            Self::Opaque { body, attributes, .. } => {
                *body = Box::default();
                attributes.clear();
            }
            Self::Unsend { .. }
            | Self::Pin { .. }
            | Self::Member { .. }
            | Self::Settings { .. }
            | Self::Contact { .. }
            | Self::Device { .. } => {}
        }
    }

    /// A hash of everything said, by which a reused client message id is told from a resend. It is
    /// kept with the entry, since a later edit or erasure changes the content itself.
    ///
    /// Only what a client can send is compared by it; kinds 6 to 9 hash their kind alone.
    pub fn fingerprint(&self) -> u64 {
        if let Self::Message(message) = self
            && let Some(hash) = message.short_fingerprint()
        {
            return hash;
        }
        let mut hash = Fields(Xxh3::new());
        hash.number(self.kind().get());
        match self {
            Self::Message(message) => hash.message(message),
            Self::Edit { target, text } | Self::Reaction { target, emoji: text } => {
                hash.number(target.get());
                hash.bytes(text.as_bytes());
            }
            Self::Unsend { target } => hash.number(target.get()),
            Self::Pin { target, pinned } => {
                hash.number(target.get());
                hash.number(u64::from(*pinned));
            }
            Self::Opaque { kind: _, body, attributes } => {
                hash.bytes(body);
                for (tag, value) in attributes {
                    hash.number(*tag);
                    hash.bytes(value);
                }
            }
            Self::Member { .. }
            | Self::Settings { .. }
            | Self::Contact { .. }
            | Self::Device { .. } => {}
        }
        hash.0.finish()
    }
}

/// Feeds fields to a hash so that no two sequences of fields look alike: each carries its length.
struct Fields(Xxh3);

impl Fields {
    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.update(bytes);
    }

    fn message(&mut self, message: &Message) {
        self.bytes(message.text.as_bytes());
        self.number(message.reply_to.map_or(0, Sequence::get));
        for user in &message.mentions {
            self.number(user.get());
        }
        for attachment in &message.attachments {
            let Attachment { media, size, media_type, name, width, height, duration_ms, preview } =
                attachment;
            for number in [media.get(), *size, *width, *height, *duration_ms] {
                self.number(number);
            }
            for bytes in [media_type.as_bytes(), name.as_bytes(), preview] {
                self.bytes(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_even_opaque_kinds_count_as_unread() {
        let counting: Vec<u64> =
            (0..20).filter(|n| EntryKind::new(*n).is_some_and(EntryKind::counts)).collect();
        assert_eq!(counting, [1, 16, 18]);
    }

    #[test]
    fn the_fingerprint_tells_apart_what_was_said() {
        let say = |text: &str, reply_to| {
            let message = Message { text: text.into(), reply_to, ..Message::default() };
            Content::Message(message).fingerprint()
        };
        assert_eq!(say("hi", None), say("hi", None));
        assert_ne!(say("hi", None), say("ho", None));
        assert_ne!(say("hi", None), say("hi", Some(Sequence::FIRST)));
    }

    #[test]
    fn a_short_text_has_the_fingerprint_that_its_fields_one_by_one_have() {
        for (len, reply_to) in [(0, None), (64, Some(Sequence::FIRST)), (SHORT_BYTES_MAX, None)] {
            let text = Text::from("x".repeat(len));
            let message = Message { text, reply_to, ..Message::default() };
            let mut hash = Fields(Xxh3::new());
            hash.number(EntryKind::MESSAGE.get());
            hash.message(&message);
            assert_eq!(Content::Message(message).fingerprint(), hash.0.finish(), "{len} bytes");
        }
    }

    #[test]
    fn a_preview_ends_at_a_character() {
        assert_eq!(Text::from("a\u{e9}").truncated(2).as_str(), "a");
        assert_eq!(Text::from("a\u{e9}").truncated(3).as_str(), "a\u{e9}");
    }

    #[test]
    fn text_is_never_shown_by_debug() {
        assert_eq!(format!("{:?}", Text::from("secret")), "Text(6 bytes)");
    }
}
