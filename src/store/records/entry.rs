//! Entries as rows. The sequence of an entry stands in its key alone.

use super::content::{ArchivedContentV1, ContentV1};
use super::{Decode, Encode, Value, access, optional, seal};
use crate::model::{
    ClientMessageId, ConversationId, Entry, Erasure, Head, Ordinal, Sequence, Timestamp, UserId,
};
use rkyv::{Archive, Serialize};

/// What an entry is sealed with, and its key where a key is bytes: conversation and sequence in
/// network byte order.
pub(in crate::store) type EntryKey = [u8; 16];

/// The key of an entry.
pub(in crate::store) fn entry_key(conversation: ConversationId, sequence: Sequence) -> EntryKey {
    let both = u128::from(conversation.get()) << 64 | u128::from(sequence.get());
    both.to_be_bytes()
}

/// The sequence in an entry's key.
pub(super) fn entry_sequence(key: &[u8]) -> Option<Sequence> {
    let (_, sequence) = key.split_first_chunk::<8>()?;
    Sequence::new(u64::from_be_bytes(sequence.try_into().ok()?))
}

#[derive(Archive, Serialize)]
struct EntryV1<'a> {
    ordinal: u64,
    sender: u64,
    sent_at: u64,
    client_message: u64,
    fingerprint: u64,
    edited: u64,
    erased: Option<u64>,
    content: ContentV1<'a>,
}

impl Encode for Entry {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let record = EntryV1 {
            ordinal: self.ordinal.get(),
            sender: self.sender.map_or(0, UserId::get),
            sent_at: self.sent_at.as_millis(),
            client_message: self.client_message.map_or(0, ClientMessageId::get),
            fingerprint: self.fingerprint,
            edited: self.edited.map_or(0, Sequence::get),
            erased: self.erased.map(|erasure| erasure.0),
            content: ContentV1::from(&self.content),
        };
        seal(1, key, &record)
    }
}

impl Decode for Entry {
    const WHAT: &'static str = "entry";

    fn decode(version: u8, key: &[u8], archive: &[u8]) -> Option<Self> {
        let sequence = entry_sequence(key)?;
        match version {
            1 => access::<ArchivedEntryV1<'_>>(archive)?.entry(sequence),
            _ => None,
        }
    }
}

impl ArchivedEntryV1<'_> {
    fn entry(&self, sequence: Sequence) -> Option<Entry> {
        let Head { ordinal, sent_at, .. } = self.head(sequence)?;
        let content: &ArchivedContentV1<'_> = &self.content;
        Some(Entry {
            sequence,
            ordinal,
            sender: optional(self.sender.to_native(), UserId::new)?,
            sent_at,
            client_message: optional(self.client_message.to_native(), ClientMessageId::new)?,
            fingerprint: self.fingerprint.to_native(),
            content: content.content()?,
            edited: optional(self.edited.to_native(), Sequence::new)?,
            erased: self.erased.as_ref().map(|reason| Erasure(reason.to_native())),
        })
    }

    fn head(&self, sequence: Sequence) -> Option<Head> {
        let ordinal = Ordinal::new(self.ordinal.to_native())?;
        let sent_at = Timestamp::from_millis(self.sent_at.to_native());
        Some(Head { sequence, ordinal, sent_at })
    }
}

/// The last row of a log, read without its content.
pub(in crate::store) struct LogEnd(pub(in crate::store) Head);

impl Decode for LogEnd {
    const WHAT: &'static str = "entry";

    fn decode(version: u8, key: &[u8], archive: &[u8]) -> Option<Self> {
        let sequence = entry_sequence(key)?;
        match version {
            1 => access::<ArchivedEntryV1<'_>>(archive)?.head(sequence).map(Self),
            _ => None,
        }
    }
}
