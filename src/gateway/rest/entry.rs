//! Entries in JSON: one flat object whose fields depend on the kind.

use crate::model::{
    Actor, Attachment, ClientMessageId, ContactState, Content, ConversationId, DeviceChange, Entry,
    EntryKind, MediaId, MemberChange, Role, Sequence, UserId,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! names {
    ($(#[$doc:meta])* $name:ident of $model:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl From<$model> for $name {
            fn from(value: $model) -> Self {
                match value {
                    $($model::$variant => Self::$variant,)*
                }
            }
        }

        impl From<$name> for $model {
            fn from(name: $name) -> Self {
                match name {
                    $($name::$variant => Self::$variant,)*
                }
            }
        }
    };
}

names! {
    /// How a user stands to another.
    ContactStateName of ContactState { RequestedByYou, RequestedByThem, Accepted, Blocked, None, }
}
names! {
    /// What a member may do.
    RoleName of Role { Member, Admin, Owner, }
}
/// What happened to the members named (`added`, `left`, `removed`, `role`) or to the device (`added`,
/// `revoked`).
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChangeName {
    Added,
    Left,
    Removed,
    Role,
    Revoked,
}

impl From<MemberChange> for ChangeName {
    fn from(change: MemberChange) -> Self {
        match change {
            MemberChange::Added => Self::Added,
            MemberChange::Left => Self::Left,
            MemberChange::Removed => Self::Removed,
            MemberChange::Role => Self::Role,
        }
    }
}

impl From<DeviceChange> for ChangeName {
    fn from(change: DeviceChange) -> Self {
        match change {
            DeviceChange::Added => Self::Added,
            DeviceChange::Revoked => Self::Revoked,
        }
    }
}

/// The kinds that the server understands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KindName {
    Message,
    Edit,
    Unsend,
    Reaction,
    Pin,
    Member,
    Settings,
    Contact,
    Device,
}

/// The kind of an entry: its name, or from 16 on its number.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum KindView {
    Name(KindName),
    Number(u64),
}

/// A file that a message refers to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttachmentView {
    /// The stored file.
    #[schema(minimum = 1)]
    media: u64,
    /// Its size in bytes.
    size: u64,
    /// Its media type.
    #[serde(rename = "type")]
    media_type: String,
    /// Its name for people.
    name: String,
    /// Width in pixels, 0 where it has none.
    width: u64,
    /// Height in pixels, 0 where it has none.
    height: u64,
    /// Length in milliseconds, 0 where it has none.
    duration_ms: u64,
    /// A tiny picture of it, base64.
    preview: String,
}

impl From<Attachment> for AttachmentView {
    fn from(attachment: Attachment) -> Self {
        let Attachment { media, size, media_type, name, width, height, duration_ms, preview } =
            attachment;
        let preview = STANDARD.encode(preview);
        Self { media: media.get(), size, media_type, name, width, height, duration_ms, preview }
    }
}

/// A tagged value that the server carries without understanding it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AttributeView {
    /// The tag.
    #[schema(minimum = 64)]
    tag: u64,
    /// The value, base64.
    value: String,
}

/// Fields that most kinds leave out are listed once here, with their description.
macro_rules! entry_view {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// One entry of a chat's log. Which of the optional fields are there depends on `kind`.
        #[derive(Debug, Serialize, ToSchema)]
        #[schema(as = Entry, example = json!({
            "chat": 1_122_334_455_667_u64, "sequence": 42, "ord": 40,
            "sender": 4_503_599_627_370_497_u64, "sent_at": 1_790_000_000_000_u64,
            "kind": "message", "text": "hi"
        }))]
        pub(super) struct EntryView {
            /// Where.
            #[schema(minimum = 1)]
            chat: u64,
            /// Its position in the log.
            #[schema(minimum = 1)]
            sequence: u64,
            /// How many entries up to and including this one count as unread.
            ord: u64,
            /// Who said it; null for the server itself.
            #[schema(required, minimum = 1)]
            sender: Option<u64>,
            /// When it was accepted.
            sent_at: u64,
            kind: KindView,
            $(
                $(#[$attribute])*
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false)]
                $field: Option<$type>,
            )*
        }

        impl EntryView {
            /// An entry whose kind leaves out every optional field.
            fn bare(chat: ConversationId, entry: &Entry, kind: KindView) -> Self {
                Self {
                    chat: chat.get(),
                    sequence: entry.sequence.get(),
                    ord: entry.ordinal.get(),
                    sender: entry.sender.map(UserId::get),
                    sent_at: entry.sent_at.as_millis(),
                    kind,
                    $($field: None,)*
                }
            }
        }
    };
}

entry_view! {
    /// The client's id for it; only on the caller's own.
    client_id: u64,
    /// message, edit: the text. reaction: the emoji, empty where it was taken back.
    text: String,
    /// From kind 16: the body, base64.
    body: String,
    /// From kind 16: tagged values.
    attributes: Vec<AttributeView>,
    /// message: the sequence it answers.
    reply_to: u64,
    /// message: files it carries.
    attachments: Vec<AttachmentView>,
    /// message: the users it names.
    mentions: Vec<u64>,
    /// edit, unsend, reaction, pin: the sequence concerned.
    target: u64,
    /// pin: whether it is pinned now.
    pinned: bool,
    /// member: whom it concerns.
    users: Vec<u64>,
    /// member, device: what happened.
    change: ChangeName,
    /// member: the role from now on.
    role: RoleName,
    /// settings: the new title.
    title: String,
    /// settings: the media id of the new picture.
    picture: u64,
    /// contact: the other user.
    user: u64,
    /// contact: how the journal's owner stands to them now.
    state: ContactStateName,
    /// device: which.
    device: u64,
    /// device: its name.
    name: String,
    /// message: the sequence of the last edit.
    edited: u64,
    /// Set once the content was removed: why.
    erased: u64,
}

/// Drops what is empty, so that it is left out.
fn filled<T, U>(list: impl IntoIterator<Item = T>, view: impl Fn(T) -> U) -> Option<Vec<U>> {
    let views: Vec<U> = list.into_iter().map(view).collect();
    (!views.is_empty()).then_some(views)
}

impl EntryView {
    /// An entry as one reader sees it.
    pub(super) fn new(reader: Actor, chat: ConversationId, entry: Entry) -> Self {
        let mut view = Self::bare(chat, &entry, kind(entry.content.kind()));
        let own = entry.sender == Some(reader.user);
        view.client_id = entry.client_message.filter(|_| own).map(ClientMessageId::get);
        view.edited = entry.edited.map(Sequence::get);
        view.erased = entry.erased.map(|erasure| erasure.0);
        view.tell(entry.content);
        view
    }

    fn tell(&mut self, content: Content) {
        match content {
            Content::Message(message) => {
                self.text = Some(message.text.as_str().to_owned());
                self.reply_to = message.reply_to.map(Sequence::get);
                self.attachments = filled(message.attachments, AttachmentView::from);
                self.mentions = filled(message.mentions, UserId::get);
            }
            Content::Edit { target, text } | Content::Reaction { target, emoji: text } => {
                self.target = Some(target.get());
                self.text = Some(text.as_str().to_owned());
            }
            Content::Unsend { target } => self.target = Some(target.get()),
            Content::Pin { target, pinned } => {
                self.target = Some(target.get());
                self.pinned = Some(pinned);
            }
            Content::Member { users, change, role } => {
                self.users = Some(users.into_iter().map(UserId::get).collect());
                self.change = Some(change.into());
                self.role = role.map(RoleName::from);
            }
            Content::Settings { title, picture } => {
                self.title = title.map(|title| title.as_str().to_owned());
                self.picture = picture.map(MediaId::get);
            }
            Content::Contact { user, state } => {
                self.user = Some(user.get());
                self.state = Some(state.into());
            }
            Content::Device { device, change, name } => {
                self.device = Some(device.get());
                self.change = Some(change.into());
                self.name = Some(name.as_str().to_owned());
            }
            Content::Opaque { kind: _, body, attributes } => {
                self.body = Some(STANDARD.encode(body));
                self.attributes = filled(attributes, |(tag, value)| AttributeView {
                    tag,
                    value: STANDARD.encode(value),
                });
            }
        }
    }
}

fn kind(kind: EntryKind) -> KindView {
    KindView::Name(match kind {
        EntryKind::MESSAGE => KindName::Message,
        EntryKind::EDIT => KindName::Edit,
        EntryKind::UNSEND => KindName::Unsend,
        EntryKind::REACTION => KindName::Reaction,
        EntryKind::PIN => KindName::Pin,
        EntryKind::MEMBER => KindName::Member,
        EntryKind::SETTINGS => KindName::Settings,
        EntryKind::CONTACT => KindName::Contact,
        EntryKind::DEVICE => KindName::Device,
        opaque => return KindView::Number(opaque.get()),
    })
}

/// The entries of one chat, as one reader sees them.
pub(super) fn views(reader: Actor, chat: ConversationId, entries: Vec<Entry>) -> Vec<EntryView> {
    entries.into_iter().map(|entry| EntryView::new(reader, chat, entry)).collect()
}
