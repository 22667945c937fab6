//! Conversations: what they are, who claimed them, what is set on them.

use super::{ClientMessageId, ConversationId, MediaId, Sequence, Timestamp, UserId};

/// The three kinds of conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationKind {
    /// A user's own log of account events and notes.
    Journal,
    /// Two users.
    Direct,
    /// Any number of users, with a title.
    Group,
}

/// What makes a conversation unique: the first to claim it gives it its id, whoever comes later
/// finds that id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The journal of a user.
    Journal(UserId),
    /// The direct chat of two users. Built by [`Claim::direct`], which puts the lower id first.
    Direct(UserId, UserId),
    /// The group that a user created under an id of their choice.
    Group(UserId, ClientMessageId),
}

impl Claim {
    /// The claim of a direct chat, the same whoever of the two asks; `None` for one user twice.
    pub fn direct(one: UserId, other: UserId) -> Option<Self> {
        match one.cmp(&other) {
            std::cmp::Ordering::Less => Some(Self::Direct(one, other)),
            std::cmp::Ordering::Greater => Some(Self::Direct(other, one)),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// The kind of conversation claimed.
    pub const fn kind(&self) -> ConversationKind {
        match self {
            Self::Journal(_) => ConversationKind::Journal,
            Self::Direct(..) => ConversationKind::Direct,
            Self::Group(..) => ConversationKind::Group,
        }
    }
}

/// A conversation as its record says it: what never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it was claimed as.
    pub claim: Claim,
    /// When it was claimed.
    pub created_at: Timestamp,
}

impl Conversation {
    /// Its kind.
    pub const fn kind(&self) -> ConversationKind {
        self.claim.kind()
    }
}

/// A group's title: 1 to 128 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(Box<str>);

impl Title {
    /// The most characters.
    pub const CHARACTERS_MAX: usize = 128;

    /// Checks a title; `None` if it is empty, too long or holds control characters.
    pub fn new(title: &str) -> Option<Self> {
        let fits = (1..=Self::CHARACTERS_MAX).contains(&title.chars().count());
        (fits && !title.chars().any(char::is_control)).then(|| Self(title.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What is set on a group: the result of its settings and member entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The title.
    pub title: Option<Title>,
    /// The picture.
    pub picture: Option<MediaId>,
    /// How many belong to it; 0 where that follows from the claim.
    pub member_count: u64,
    /// The sequence of the entry that last changed them; of two copies the higher is right.
    pub set_by: Sequence,
    /// When that entry was sent.
    pub changed_at: Timestamp,
}
