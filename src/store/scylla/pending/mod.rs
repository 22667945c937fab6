//! Marks on conversations whose effects may be unwritten.
//!
//! A mark is a row for each append with effects, written before the append is sent: a crash at any
//! moment leaves the mark of everything that can be in the log. It may then cover entries that were
//! never appended, and does not count as long as the log ends before them.

use super::append::Appending;
use super::row::{bigint, first, number, typed};
use super::{Inner, STATEMENTS_MAX};
use crate::model::{ConversationId, Sequence};
use crate::store::{Pending, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;

/// How many partitions the marks are spread over; part of the layout.
const SLOTS: u64 = 64;

const CORRUPT: StoreError = StoreError::Corrupt { what: "pending mark" };

/// The first marked entry of each conversation.
type Marks = BTreeMap<ConversationId, Sequence>;

/// The partition that holds the marks of a conversation.
fn slot_of(conversation: ConversationId) -> i8 {
    i8::try_from(conversation.get() % SLOTS).unwrap_or_default()
}

impl Inner {
    /// Marks the entries of an append.
    pub(super) async fn mark(&self, append: &Appending) -> Result<(), StoreError> {
        let Appending { conversation, expected, head, .. } = append;
        let values = (
            slot_of(*conversation),
            bigint(conversation.get()),
            bigint(head.sequence.get()),
            bigint(expected.next().get()),
        );
        self.database.change(&self.statements.log.mark, values).await
    }

    pub(super) async fn settle(
        &self,
        conversation: ConversationId,
        through: Sequence,
    ) -> Result<(), StoreError> {
        let id = bigint(conversation.get());
        let values = (slot_of(conversation), id, bigint(through.get()));
        self.database.change(&self.statements.log.unmark, values).await
    }

    pub(super) async fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        let slots = stream::iter(0..SLOTS).map(|slot| self.marks(slot)).buffered(STATEMENTS_MAX);
        let marks: Vec<Marks> = slots.try_collect().await?;
        let pending = stream::iter(marks.into_iter().flatten())
            .map(|(conversation, from)| self.counted(conversation, from))
            .buffered(STATEMENTS_MAX);
        let pending: Vec<Option<Pending>> = pending.try_collect().await?;
        Ok(pending.into_iter().flatten().collect())
    }

    /// The first marked entry of every conversation in a slot.
    async fn marks(&self, slot: u64) -> Result<Marks, StoreError> {
        let slot = (i8::try_from(slot).unwrap_or_default(),);
        let rows = self.database.read(&self.statements.log.marks, slot).await?;
        let mut marks = Marks::new();
        for row in typed::<(i64, i64)>(&rows)? {
            let (conversation, from) = row?;
            let conversation = number(conversation).and_then(ConversationId::new).ok_or(CORRUPT)?;
            let from = number(from).and_then(Sequence::new).ok_or(CORRUPT)?;
            marks.entry(conversation).and_modify(|first| *first = from.min(*first)).or_insert(from);
        }
        Ok(marks)
    }

    pub(super) async fn pending_of(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Pending>, StoreError> {
        let values = (slot_of(conversation), bigint(conversation.get()));
        let rows = self.database.read(&self.statements.log.marks_of, values).await?;
        // The marks come in the order of their entries, and those of two appends do not overlap.
        let Some((from,)) = first::<(i64,)>(&rows)? else { return Ok(None) };
        let from = number(from).and_then(Sequence::new).ok_or(CORRUPT)?;
        self.counted(conversation, from).await
    }

    /// A mark from an entry on, if there is such an entry.
    async fn counted(
        &self,
        conversation: ConversationId,
        from: Sequence,
    ) -> Result<Option<Pending>, StoreError> {
        let head = self.end(conversation).await?.head;
        Ok((from <= head.sequence).then_some(Pending { conversation, from }))
    }
}

#[cfg(test)]
mod tests;
