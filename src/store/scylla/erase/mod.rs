//! Taking out of an entry what was said in it.
//!
//! The record of the row is replaced on the condition that it is still the one that was read, so that
//! an erasure never loses against another change of the entry, nor undoes one. The database lets go
//! of the old record when it compacts the files of the table; `docs/storage.md` says when.

use super::Inner;
use super::head::corrupt;
use super::roll::{Bucket, Link, Tail};
use super::row::{bigint, first};
use crate::model::{ConversationId, Entry, Erasure, Sequence};
use crate::store::StoreError;
use crate::store::records::{self, Encode, entry_key};

/// How often an erasure is tried when the entry changes under it.
const ATTEMPTS_MAX: usize = 5;

impl Inner {
    pub(super) async fn erase(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
        erasure: Erasure,
    ) -> Result<bool, StoreError> {
        let tail = self.end_beyond(conversation, sequence).await?;
        if sequence == Sequence::ZERO || sequence > tail.head.sequence {
            return Ok(false);
        }
        let key = entry_key(conversation, sequence);
        for _ in 0..ATTEMPTS_MAX {
            let (bucket, record) = self.record(&tail, conversation, sequence).await?;
            let mut entry: Entry = records::decode(&key, &record)?;
            if entry.erased.is_some() {
                return Ok(true);
            }
            entry.erase(erasure);
            let erased: Vec<u8> = entry.encode(&key);
            let (log, at) = (bigint(conversation.get()), bigint(sequence.get()));
            let values = (erased, log, bigint(bucket.0), at, record);
            if self.database.once(&self.statements.log.erase, values).await?.is_applied() {
                return Ok(true);
            }
        }
        Err(StoreError::Unavailable)
    }

    /// The record of an entry of a log that ends in `tail`, and the bucket it is in.
    async fn record(
        &self,
        tail: &Tail,
        conversation: ConversationId,
        sequence: Sequence,
    ) -> Result<(Bucket, Vec<u8>), StoreError> {
        for is_walked in [false, true] {
            if is_walked {
                // The index is only a hint: whatever it lacks is found along the chain.
                self.walk(conversation, Link::FIRST).await?;
            }
            let Link { bucket, .. } = self.link_in(tail, conversation, sequence).await?;
            let values = (bigint(conversation.get()), bigint(bucket.0), bigint(sequence.get()));
            let rows = self.database.read(&self.statements.log.entry, values).await?;
            if let Some((record,)) = first::<(Vec<u8>,)>(&rows)? {
                return Ok((bucket, record));
            }
        }
        Err(corrupt(conversation, "an entry is missing"))
    }
}

#[cfg(test)]
mod tests;
