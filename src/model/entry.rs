//! One entry of a conversation's log.

use super::{ClientMessageId, Content, Ordinal, Sequence, Timestamp, UserId};

/// Why and by whom a body was removed; the number is the wire's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure(pub u64);

/// One entry: what happened in a conversation at one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position in the log.
    pub sequence: Sequence,
    /// How many entries up to and including this one count as unread.
    pub ordinal: Ordinal,
    /// Who said it; `None` for the server itself.
    pub sender: Option<UserId>,
    /// When the owner accepted it; never less than the entry before it.
    pub sent_at: Timestamp,
    /// The client's id for it, by which a resend is recognised. Entries of the server that are
    /// effects of another entry carry one computed from their cause.
    pub client_message: Option<ClientMessageId>,
    /// The hash of the content as it was sent, see [`Content::fingerprint`].
    pub fingerprint: u64,
    /// What it says.
    pub content: Content,
    /// The sequence of the last edit that was applied to it.
    pub edited: Option<Sequence>,
    /// Set once its body was removed.
    pub erased: Option<Erasure>,
}

impl Entry {
    /// Takes out what was said, and notes why. The fingerprint stays that of what was sent.
    pub fn erase(&mut self, erasure: Erasure) {
        self.content.erase();
        self.erased = Some(erasure);
    }
}

/// The end of a log: the position of its last entry, or all zero while it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The last sequence.
    pub sequence: Sequence,
    /// The last ordinal.
    pub ordinal: Ordinal,
    /// When the last entry was sent.
    pub sent_at: Timestamp,
}

impl From<&Entry> for Head {
    fn from(last: &Entry) -> Self {
        Self { sequence: last.sequence, ordinal: last.ordinal, sent_at: last.sent_at }
    }
}
