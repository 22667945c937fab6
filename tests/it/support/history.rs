//! What a client did and was told, in order: what a checker holds against the log afterwards.

use bytes::Bytes;
use chasqui::model::{ClientMessageId, ConversationId, Sequence, UserId};
use chasqui::protocol::EntryFrame;

/// One entry as a client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its position.
    pub sequence: Sequence,
    /// Who said it; `None` for the server.
    pub sender: Option<UserId>,
    /// Its sender's id for it, as far as the viewer is told.
    pub client_message: Option<ClientMessageId>,
    /// Its kind.
    pub kind: u64,
    /// Its body.
    pub body: Bytes,
}

impl Line {
    /// What an ENTRY tells.
    pub(crate) fn of(entry: &EntryFrame<'_>) -> Self {
        Self {
            sequence: entry.sequence,
            sender: entry.sender,
            client_message: entry.client_message,
            kind: entry.kind,
            body: Bytes::copy_from_slice(entry.body),
        }
    }
}

impl Line {
    /// Whether both show the same entry; the client message id is told to some only.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let ids = (self.client_message, other.client_message);
        self.sequence == other.sequence
            && self.sender == other.sender
            && self.kind == other.kind
            && self.body == other.body
            && (ids.0 == ids.1 || ids.0.is_none() || ids.1.is_none())
    }
}

/// Why it is not known whether an attempt stored a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The server said that it did not know.
    Answered,
    /// The connection was lost before the server said anything.
    Unanswered,
}

/// One thing that happened at a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A message entered the outbox.
    Queued {
        /// Where it is to go.
        conversation: ConversationId,
        /// Its id.
        client_message: ClientMessageId,
        /// Its body.
        body: Bytes,
    },
    /// The server acknowledged it.
    Sent {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        client_message: ClientMessageId,
        /// At which position it is stored.
        sequence: Sequence,
        /// Whether the server said that an earlier attempt had stored it; `None` if it only showed the
        /// entry.
        duplicate: Option<bool>,
    },
    /// An attempt ended without a certain outcome.
    Doubted {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        client_message: ClientMessageId,
        /// What the server said about it.
        by: Doubt,
    },
    /// The server refused it for good, and every attempt was surely not applied.
    Refused {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        client_message: ClientMessageId,
    },
    /// An entry was shown.
    Shown {
        /// Where.
        conversation: ConversationId,
        /// What.
        line: Line,
    },
}

/// Everything that happened at one client.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Whose client it is.
    pub user: UserId,
    /// What happened.
    pub events: Vec<Event>,
    /// How many SENDs it wrote, resends included.
    pub attempts: usize,
    /// How many of them were surely not applied and may be tried again.
    pub put_off: usize,
}

impl History {
    /// Nothing yet.
    pub(crate) const fn new(user: UserId) -> Self {
        Self { user, events: Vec::new(), attempts: 0, put_off: 0 }
    }
}
