//! Appending to a log.
//!
//! The entries and the new end of the log go in one conditional batch over one partition: they are
//! stored together, on the end that the caller expects, or not at all. Where a bucket is to be left,
//! it is sealed first and the batch opens its successor; `roll` says when, and what an answer means.
//!
//! Only the batch carries entries. Whatever fails before it was sent, an append surely was not made
//! by this call.

use super::Inner;
use super::database::Statement;
use super::outcome::{self, Answer};
use super::roll::{Bucket, Refusal, Size, Step, Tail, step};
use super::row::{bigint, number};
use crate::model::{ConversationId, Head, Sequence};
use crate::store::records::{Encode, entry_key};
use crate::store::{Append, Appended, StoreError};
use scylla::errors::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

/// The most statements that one append may be refused: more than a roll and a race with another
/// writer at each of its steps come to.
const REFUSALS_MAX: usize = 8;

/// An append with its rows ready: encoding them is the caller's share of the work.
pub(super) struct Appending {
    pub(super) conversation: ConversationId,
    /// Where the log has to end.
    pub(super) expected: Sequence,
    /// Where it will end.
    pub(super) head: Head,
    has_effects: bool,
    size: Size,
    rows: Vec<Row>,
}

struct Row {
    sequence: Sequence,
    record: Vec<u8>,
}

impl Appending {
    /// Encodes the entries.
    ///
    /// # Panics
    ///
    /// If there are no entries or their numbers do not follow on `expected`: a hole in a log could
    /// never be mended.
    pub(super) fn new(append: &Append<'_>) -> Self {
        let Append { conversation, expected, entries, has_effects } = append;
        let mut size = Size::default();
        let mut head = Head { sequence: *expected, ..Head::default() };
        let mut rows = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            assert!(entry.sequence.since(head.sequence) == 1, "entries are numbered without holes");
            head = Head::from(entry);
            let record: Vec<u8> = entry.encode(&entry_key(*conversation, entry.sequence));
            size.add(record.len(), entry.sent_at);
            rows.push(Row { sequence: entry.sequence, record });
        }
        assert!(!rows.is_empty(), "an append has entries");
        let (conversation, expected, has_effects) = (*conversation, *expected, *has_effects);
        Self { conversation, expected, head, has_effects, size, rows }
    }
}

impl Inner {
    pub(super) async fn append(&self, append: &Appending) -> Result<Appended, StoreError> {
        let Appending { conversation, expected, .. } = *append;
        let mut tail = match self.tails.get(conversation) {
            Some(tail) if tail.head.sequence == expected => tail,
            Some(_) | None => self.end(conversation).await?,
        };
        if append.has_effects && tail.head.sequence == expected {
            self.mark(append).await.map_err(outcome::unchanged)?;
        }
        for _ in 0..REFUSALS_MAX {
            if tail.head.sequence != expected {
                return Ok(Appended::Stale(tail.head));
            }
            let (answer, sealed_for) = match step(&tail, append.size, &self.caps) {
                Step::Extend => (self.extend(append, &tail).await?, None),
                Step::Open => (self.open(append, &tail).await?, None),
                Step::Seal(next) => (self.seal(conversation, &tail, next).await?, Some(next)),
            };
            tail = match (answer.is_applied(), sealed_for) {
                (true, Some(next)) => Tail::unopened(next, tail.head),
                (true, None) => {
                    self.appended(append, tail).await;
                    return Ok(Appended::Applied);
                }
                (false, _) => self.go_on(append, tail, refusal(&answer)).await?,
            };
        }
        tracing::warn!(%conversation, "an append was refused again and again");
        Err(StoreError::Unavailable)
    }

    /// Where the log ends, now that a statement was refused.
    async fn go_on(
        &self,
        append: &Appending,
        tail: Tail,
        refusal: Option<Refusal>,
    ) -> Result<Tail, StoreError> {
        let Appending { conversation, expected, .. } = *append;
        let Some(refusal) = refusal else {
            // There is no such bucket: what was remembered of this log is wrong.
            self.tails.forget(conversation);
            return self.end(conversation).await;
        };
        match refusal.successor_on(expected) {
            Some(next) => Ok(Tail::unopened(next, tail.head)),
            None => self.walk(conversation, tail.link()).await,
        }
    }

    /// Appends to an open bucket.
    async fn extend(&self, append: &Appending, tail: &Tail) -> Result<Answer, StoreError> {
        let after = tail.extended(append.size, append.head);
        let Appending { conversation, expected, head, .. } = append;
        let first = Line::Extend((
            bigint(head.sequence.get()),
            bigint(head.ordinal.get()),
            bigint(head.sent_at.as_millis()),
            bigint(after.bytes),
            bigint(conversation.get()),
            bigint(tail.bucket.0),
            bigint(expected.get()),
        ));
        self.send(&self.statements.log.extend, first, append, tail.bucket).await
    }

    /// Opens a bucket with an append.
    async fn open(&self, append: &Appending, tail: &Tail) -> Result<Answer, StoreError> {
        let after = tail.extended(append.size, append.head);
        let Appending { conversation, head, .. } = append;
        let first = Line::Open((
            bigint(head.sequence.get()),
            bigint(head.ordinal.get()),
            bigint(head.sent_at.as_millis()),
            bigint(after.bytes),
            bigint(after.first.get()),
            bigint(after.opened_at.as_millis()),
            bigint(conversation.get()),
            bigint(tail.bucket.0),
        ));
        self.send(&self.statements.log.open, first, append, tail.bucket).await
    }

    /// Sends the batch of an append: a condition and the change that hangs on it, then the entries.
    async fn send<'a>(
        &self,
        condition: &Statement,
        first: Line<'a>,
        append: &'a Appending,
        bucket: Bucket,
    ) -> Result<Answer, StoreError> {
        let conversation = bigint(append.conversation.get());
        let entry = |row: &'a Row| {
            let record = row.record.as_slice();
            Line::Insert((conversation, bigint(bucket.0), bigint(row.sequence.get()), record))
        };
        let lines: Vec<Line<'a>> =
            std::iter::once(first).chain(append.rows.iter().map(entry)).collect();
        let inserts = std::iter::repeat_n(&self.statements.log.insert, append.rows.len());
        self.database.batch(std::iter::once(condition).chain(inserts), lines).await
    }

    /// Seals the bucket that a log ends in and names its successor. The index has to know the bucket
    /// before: nobody opens a bucket whose predecessor is not in the index, so it has no holes.
    pub(super) async fn seal(
        &self,
        conversation: ConversationId,
        tail: &Tail,
        next: Bucket,
    ) -> Result<Answer, StoreError> {
        if !tail.indexed {
            self.note(conversation, tail).await.map_err(outcome::unchanged)?;
        }
        let last = bigint(tail.head.sequence.get());
        let values = (bigint(next.0), bigint(conversation.get()), bigint(tail.bucket.0), last);
        self.database.once(&self.statements.log.seal, values).await.map_err(outcome::unchanged)
    }

    /// Remembers where the log ends now.
    async fn appended(&self, append: &Appending, tail: Tail) {
        let mut after = tail.extended(append.size, append.head);
        if !after.indexed {
            // Not for the answer to wait for in vain: sealing the bucket waits for it.
            after.indexed = self.note(append.conversation, &after).await.is_ok();
        }
        self.tails.saw(append.conversation, after);
    }
}

/// How a bucket stands whose condition did not hold; `None` if there is no such bucket.
fn refusal(answer: &Answer) -> Option<Refusal> {
    let last = number(answer.number("last_sequence")?).and_then(Sequence::new)?;
    let next = answer.number("next_bucket").and_then(number).map(Bucket);
    Some(Refusal { last, next })
}

/// The values of one statement in the batch of an append.
enum Line<'a> {
    Extend((i64, i64, i64, i64, i64, i64, i64)),
    Open((i64, i64, i64, i64, i64, i64, i64, i64)),
    Insert((i64, i64, i64, &'a [u8])),
}

impl SerializeRow for Line<'_> {
    fn serialize(
        &self,
        ctx: &RowSerializationContext<'_>,
        writer: &mut RowWriter<'_>,
    ) -> Result<(), SerializationError> {
        match self {
            Self::Extend(values) => values.serialize(ctx, writer),
            Self::Open(values) => values.serialize(ctx, writer),
            Self::Insert(values) => values.serialize(ctx, writer),
        }
    }

    fn is_empty(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
