//! What a server says, frame by frame, as values that a test can keep and compare.

use crate::support::history::Line;
use bytes::Bytes;
use chasqui::model::{ConversationId, EphemeralKind, ErrorCode, Ordinal, Sequence, UserId};
use chasqui::protocol::{CursorFrame, Goaway, Record, ServerFrame, Welcome, frames};

/// A conversation in a SYNCED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Which.
    pub conversation: ConversationId,
    /// The visible head.
    pub last_sequence: Sequence,
    /// How many entries count as unread.
    pub unread: u64,
    /// How far this user has read.
    pub read: Sequence,
    /// How far this user's devices have stored.
    pub delivered: Sequence,
    /// The first visible sequence.
    pub first_visible: Sequence,
    /// Whether this user no longer belongs to it.
    pub left: bool,
}

/// A frame as it arrived, or the end of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// WELCOME.
    Welcome(Welcome),
    /// ERROR.
    Error {
        /// Of which request.
        rid: u64,
        /// Why.
        code: ErrorCode,
        /// Bits of what it means.
        flags: u8,
    },
    /// PONG.
    Pong(u64),
    /// GOAWAY.
    Goaway(Goaway),
    /// SENT.
    Sent {
        /// Of which request.
        rid: u64,
        /// Where it is stored.
        sequence: Sequence,
        /// Whether an earlier copy was found.
        duplicate: bool,
    },
    /// ENTRY.
    Entry(ConversationId, Line),
    /// CURSOR.
    Cursor(CursorFrame),
    /// SYNCED.
    Synced {
        /// Of which request.
        rid: u64,
        /// Bits of what it means.
        flags: u8,
        /// What to hand back.
        token: Bytes,
        /// The conversations.
        records: Vec<Listed>,
        /// How many bytes the message had.
        bytes: usize,
    },
    /// FETCHED.
    Fetched {
        /// Of which request.
        rid: u64,
        /// The end that was evaluated.
        to: Sequence,
        /// Where to read on; zero if complete.
        next: Sequence,
    },
    /// RESYNC.
    Resync,
    /// EPHEMERAL.
    Ephemeral(ConversationId, Option<UserId>, EphemeralKind),
    /// Anything else.
    Other,
    /// The connection was closed with a code, or broke.
    Ended(Option<u16>),
}

/// The frames of a message.
///
/// # Panics
/// If the server breaks the layout.
pub(super) fn decode(message: &[u8]) -> Vec<Seen> {
    let decode = |frame| ServerFrame::decode(&frame).expect("the server keeps the layout");
    let frames = frames(message).map(|frame| frame.expect("the server sends whole frames"));
    frames.filter_map(decode).map(|frame| own(&frame, message.len())).collect()
}

fn own(frame: &ServerFrame<'_>, bytes: usize) -> Seen {
    match *frame {
        ServerFrame::Welcome(welcome) => Seen::Welcome(welcome),
        ServerFrame::Error(refusal) => Seen::Error {
            rid: refusal.rid,
            code: refusal.known().expect("a code that is known"),
            flags: refusal.flags,
        },
        ServerFrame::Pong { nonce } => Seen::Pong(nonce),
        ServerFrame::Goaway(goaway) => Seen::Goaway(goaway),
        ServerFrame::Sent { rid, sequence, duplicate, .. } => {
            Seen::Sent { rid, sequence, duplicate }
        }
        ServerFrame::Entry(entry) => {
            let line = Line::of(&entry);
            Seen::Entry(entry.conversation, line)
        }
        ServerFrame::Cursor(cursor) => Seen::Cursor(cursor),
        ServerFrame::Synced { rid, flags, token, records } => Seen::Synced {
            rid,
            flags,
            token: Bytes::copy_from_slice(token),
            records: records.iter().map(|record| listed(&record)).collect(),
            bytes,
        },
        ServerFrame::Fetched { rid, to, next, .. } => Seen::Fetched { rid, to, next },
        ServerFrame::Resync { .. } => Seen::Resync,
        ServerFrame::Ephemeral(ephemeral) => {
            Seen::Ephemeral(ephemeral.conversation, ephemeral.user, ephemeral.kind)
        }
        ServerFrame::Ping { .. } | ServerFrame::Presence { .. } => Seen::Other,
    }
}

fn listed(record: &Record<'_>) -> Listed {
    Listed {
        conversation: record.conversation,
        last_sequence: record.last_sequence,
        unread: Ordinal::since(record.last_ordinal, record.read_ordinal),
        read: record.read,
        delivered: record.delivered,
        first_visible: record.first_visible,
        left: record.left,
    }
}
