//! What an entry says: one variant per entry kind that the server understands, and [`Content::Opaque`]
//! for the kinds it only carries.
//!
//! A content is moved several times between the frame it came in and the entry it becomes, so it is
//! small: what is long lies elsewhere, and what is mostly absent takes a word.

use super::{DeviceId, DeviceName, MediaId, Role, Sequence, Title, UserId};
use bytes::Bytes;
use thin_vec::ThinVec;

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

/// A text alone.
impl From<Text> for Message {
    fn from(text: Text) -> Self {
        let (attachments, mentions) = Default::default();
        Self { text, attachments, reply_to: None, mentions }
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
    fn a_preview_ends_at_a_character() {
        assert_eq!(Text::from("a\u{e9}").truncated(2).as_str(), "a");
        assert_eq!(Text::from("a\u{e9}").truncated(3).as_str(), "a\u{e9}");
    }

    #[test]
    fn text_is_never_shown_by_debug() {
        assert_eq!(format!("{:?}", Text::from("secret")), "Text(6 bytes)");
    }
}
