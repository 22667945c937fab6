//! Cursors, pending marks and single numbers as rows.

use super::{Decode, Encode, Value, access, seal};
use crate::model::{ConversationId, Cursor, Ordinal, Sequence, Timestamp, UserId};
use crate::store::Pending;
use crate::store::copy::Progress;
use rkyv::{Archive, Serialize};

#[derive(Archive, Serialize)]
struct CursorV1 {
    delivered: u64,
    read: u64,
    read_ordinal: u64,
    changed_at: u64,
}

impl Encode for Cursor {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let record = CursorV1 {
            delivered: self.delivered.get(),
            read: self.read.get(),
            read_ordinal: self.read_ordinal.get(),
            changed_at: self.changed_at.as_millis(),
        };
        seal(1, key, &record)
    }
}

impl Decode for Cursor {
    const WHAT: &'static str = "cursor";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedCursorV1>(archive)?.cursor(),
            _ => None,
        }
    }
}

impl ArchivedCursorV1 {
    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor {
            delivered: Sequence::new(self.delivered.to_native())?,
            read: Sequence::new(self.read.to_native())?,
            read_ordinal: Ordinal::new(self.read_ordinal.to_native())?,
            changed_at: Timestamp::from_millis(self.changed_at.to_native()),
        })
    }
}

/// A row whose key ends in the conversation it is about.
pub(in crate::store) struct InConversation<R> {
    /// The conversation in the key.
    pub(in crate::store) conversation: ConversationId,
    /// The row.
    pub(in crate::store) row: R,
}

impl<R: Decode> Decode for InConversation<R> {
    const WHAT: &'static str = R::WHAT;

    fn decode(version: u8, key: &[u8], archive: &[u8]) -> Option<Self> {
        let (_, id) = key.split_last_chunk::<8>()?;
        let conversation = ConversationId::new(u64::from_be_bytes(*id))?;
        Some(Self { conversation, row: R::decode(version, key, archive)? })
    }
}

/// A conversation's pending mark: which of its entries may have unwritten effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Marked {
    /// The first such entry.
    pub(in crate::store) from: Sequence,
    /// The last such entry.
    pub(in crate::store) to: Sequence,
}

#[derive(Archive, Serialize)]
struct MarkedV1 {
    from: u64,
    to: u64,
}

impl Encode for Marked {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        seal(1, key, &MarkedV1 { from: self.from.get(), to: self.to.get() })
    }
}

impl Decode for Marked {
    const WHAT: &'static str = "pending mark";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => {
                let record = access::<ArchivedMarkedV1>(archive)?;
                let from = Sequence::new(record.from.to_native())?;
                Some(Self { from, to: Sequence::new(record.to.to_native())? })
            }
            _ => None,
        }
    }
}

impl From<InConversation<Marked>> for Pending {
    fn from(mark: InConversation<Marked>) -> Self {
        Self { conversation: mark.conversation, from: mark.row.from }
    }
}

#[derive(Archive, Serialize)]
struct NumberV1(u64);

macro_rules! number_row {
    ($name:ident, $what:literal, $get:path, $new:expr) => {
        impl Encode for $name {
            fn encode<V: Value>(&self, key: &[u8]) -> V {
                seal(1, key, &NumberV1($get(*self)))
            }
        }

        impl Decode for $name {
            const WHAT: &'static str = $what;

            fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
                match version {
                    1 => $new(access::<ArchivedNumberV1>(archive)?.0.to_native()),
                    _ => None,
                }
            }
        }
    };
}

number_row!(UserId, "reference to a user", Self::get, Self::new);
number_row!(ConversationId, "claim", Self::get, Self::new);
number_row!(Sequence, "device cursor", Self::get, Self::new);
number_row!(Progress, "progress of a copy", Self::to_number, Self::from_number);
number_row!(Timestamp, "time", Self::as_millis, |millis| Some(Self::from_millis(millis)));
