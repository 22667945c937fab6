//! Reading a part of a log, from either end.
//!
//! Every sequence up to the end has a row in exactly one bucket, so the sequence that comes next is
//! always known: a row that is missing, doubled or in the wrong bucket is found out here and never
//! handed on.

use super::Inner;
use super::head::corrupt;
use super::roll::{Bucket, Link, Tail};
use super::row::{bigint, number, typed};
use crate::model::{ConversationId, Entry, Sequence};
use crate::store::records::{self, entry_key};
use crate::store::{Direction, Range, StoreError};
use scylla::response::query_result::QueryRowsResult;

/// The most rows of a statement. With the longest bodies they make 8 MiB: the most that a read holds
/// beyond what it returns, however wrong its guess of their size was.
const ROWS_MAX: usize = 256;

/// About how many bytes a statement fetches at most.
const FETCH_BYTES: usize = 512 * 1024;

/// What an entry is taken to have while nothing is known.
const ENTRY_BYTES: usize = 1_024;

impl Inner {
    pub(super) async fn entries(
        &self,
        conversation: ConversationId,
        range: Range,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut reading = Reading::new(conversation, range);
        if reading.next().is_none() {
            return Ok(Vec::new());
        }
        // Every bucket before the one at the end is sealed, hence in the index.
        let tail = self.end_beyond(conversation, reading.high).await?;
        reading.high = reading.high.min(tail.head.sequence);
        reading.average = tail.average_bytes().unwrap_or(ENTRY_BYTES);
        let mut is_second_try = false;
        while let Some(next) = reading.next() {
            let link = self.link_in(&tail, conversation, next).await?;
            if self.read_bucket(&mut reading, link.bucket, is_second_try).await? > 0 {
                continue;
            }
            if is_second_try {
                return Err(corrupt(conversation, "an entry is missing"));
            }
            // The index is only a hint: whatever it lacks is found along the chain. And the end may have been
            // read from a node that had an append before a quorum did: a serial read waits for that.
            self.walk(conversation, Link::FIRST).await?;
            is_second_try = true;
        }
        Ok(reading.entries)
    }

    /// The bucket that holds a sequence of a log that ends in `tail`.
    pub(super) async fn link_in(
        &self,
        tail: &Tail,
        conversation: ConversationId,
        sequence: Sequence,
    ) -> Result<Link, StoreError> {
        if sequence >= tail.first {
            return Ok(tail.link());
        }
        self.link_of(conversation, sequence).await
    }

    /// Reads what comes next from a bucket, as far as the bucket goes; how many entries it had. Where
    /// `is_settled`, what appends have begun in it is finished first.
    async fn read_bucket(
        &self,
        reading: &mut Reading,
        bucket: Bucket,
        is_settled: bool,
    ) -> Result<usize, StoreError> {
        let log = &self.statements.log;
        let statement = match (reading.direction, is_settled) {
            (Direction::Ascending, false) => &log.ascending,
            (Direction::Descending, false) => &log.descending,
            (Direction::Ascending, true) => &log.ascending_settled,
            (Direction::Descending, true) => &log.descending_settled,
        };
        let mut taken = 0;
        while reading.next().is_some() {
            let rows_max = reading.rows_max();
            let values = (
                bigint(reading.conversation.get()),
                bigint(bucket.0),
                bigint(reading.low.get()),
                bigint(reading.high.get()),
                i32::try_from(rows_max).unwrap_or(i32::MAX),
            );
            let rows = self.database.read(statement, values).await?;
            let count = reading.take(&rows)?;
            taken += count;
            if count < rows_max {
                break;
            }
        }
        Ok(taken)
    }
}

/// What has been read and what is left to be.
struct Reading {
    conversation: ConversationId,
    /// The lowest and the highest sequence that are left.
    low: Sequence,
    high: Sequence,
    direction: Direction,
    entries_max: usize,
    bytes_max: usize,
    entries: Vec<Entry>,
    /// The size of their records.
    bytes: usize,
    /// About the size of a record.
    average: usize,
}

impl Reading {
    fn new(conversation: ConversationId, range: Range) -> Self {
        let Range { from, to, direction, entries_max, bytes_max } = range;
        Self {
            conversation,
            low: from.max(Sequence::FIRST),
            high: to,
            direction,
            entries_max,
            bytes_max,
            entries: Vec::new(),
            bytes: 0,
            average: ENTRY_BYTES,
        }
    }

    /// The sequence that comes next; `None` if that is all.
    fn next(&self) -> Option<Sequence> {
        let count = self.entries.len();
        if self.low > self.high || count >= self.entries_max {
            return None;
        }
        if count > 0 && self.bytes >= self.bytes_max {
            return None;
        }
        Some(match self.direction {
            Direction::Ascending => self.low,
            Direction::Descending => self.high,
        })
    }

    /// How many rows to ask for: about as many as are wanted, by their average size.
    fn rows_max(&self) -> usize {
        let bytes = self.bytes_max.saturating_sub(self.bytes).min(FETCH_BYTES);
        let entries = self.entries_max.saturating_sub(self.entries.len());
        entries.min(bytes.div_ceil(self.average.max(1))).clamp(1, ROWS_MAX)
    }

    /// Takes the rows that come next; how many did.
    fn take(&mut self, rows: &QueryRowsResult) -> Result<usize, StoreError> {
        let mut count = 0;
        for row in typed::<(i64, &[u8])>(rows)? {
            let (sequence, record) = row?;
            let Some(next) = self.next() else { break };
            if number(sequence) != Some(next.get()) {
                break;
            }
            let entry: Entry = records::decode(&entry_key(self.conversation, next), record)?;
            self.entries.push(entry);
            self.bytes += record.len();
            match self.direction {
                Direction::Ascending => self.low = next.next(),
                Direction::Descending => self.high = next.minus(1),
            }
            count += 1;
        }
        self.average = self.bytes.checked_div(self.entries.len()).unwrap_or(self.average);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
