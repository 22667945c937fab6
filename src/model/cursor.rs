//! How far a user has come in a conversation.

use super::{ConversationId, Ordinal, Sequence, Timestamp, UserId};

/// A user's progress in one conversation. It only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last sequence that some device of the user has stored.
    pub delivered: Sequence,
    /// The last sequence that the user has read.
    pub read: Sequence,
    /// The ordinal at `read`, so that unread is a subtraction.
    pub read_ordinal: Ordinal,
    /// When it last moved or, in a direct chat, when the other user's did: what tells SYNC that the
    /// conversation changed for this user.
    pub changed_at: Timestamp,
}

impl Cursor {
    /// Takes the further of each part of the two; tells whether anything moved.
    pub fn merge(&mut self, other: &Self) -> bool {
        let before = *self;
        self.delivered = self.delivered.max(other.delivered);
        if other.read > self.read {
            self.read = other.read;
            self.read_ordinal = other.read_ordinal;
        }
        self.changed_at = self.changed_at.max(other.changed_at);
        *self != before
    }
}

/// One cursor to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorAdvance {
    /// Whose cursor.
    pub user: UserId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Where it stands now.
    pub cursor: Cursor,
}
