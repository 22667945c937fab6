//! Which bucket an append goes to: when a bucket is left for the next one, and what the answer to a
//! statement says about where to go on.
//!
//! Nothing here reads or writes. A log is a chain of buckets. Each but the last is sealed and names its
//! successor, which was chosen by the statement that sealed it; only the last can be appended to.
//! The first is [`Bucket::FIRST`] in every log, so that nobody has to be asked for it.
//!
//! Three rules keep an append single, however many try it and whatever was lost on the way:
//!
//! - A bucket is sealed on the head it ends at, so nothing can be appended behind the seal.
//! - A bucket is opened together with its first append, on the condition that it is not open: one
//!   found open was opened by another append, or by an earlier try of this one, and is never taken
//!   for success.
//! - A bucket's name is greater than its predecessor's whatever the clocks say: else a log could
//!   come back to a bucket it has left.

use crate::model::{Head, Sequence, Timestamp};
use std::time::Duration;

/// The name of a bucket: when it was opened, in milliseconds since 1970, or a little later where
/// clocks disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket(pub(super) u64);

impl Bucket {
    /// The first bucket of every log.
    pub(super) const FIRST: Self = Self(0);

    /// The name of the bucket that follows this one when it is left at `now`.
    fn successor(self, now: Timestamp) -> Self {
        Self(now.as_millis().max(self.0 + 1))
    }

    /// When it counts as opened, if its first append comes at `now`.
    fn opened_at(self, now: Timestamp) -> Timestamp {
        if self == Self::FIRST { now } else { Timestamp::from_millis(self.0) }
    }
}

/// When a bucket is left for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// It was opened this long ago.
    pub window: Duration,
    /// It would hold more entries than this.
    pub entries: u64,
    /// It would hold more bytes than this.
    pub bytes: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { window: Duration::from_hours(10 * 24), entries: 50_000, bytes: 32 << 20 }
    }
}

/// The bucket at which a log ends, as it was when it was last seen. What it says can be outdated, but
/// was true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Which.
    pub(super) bucket: Bucket,
    /// The first entry in it; while it is not open, the one it will be opened with.
    pub(super) first: Sequence,
    /// When it was opened.
    pub(super) opened_at: Timestamp,
    /// The end of the log. It lies before `first` while the bucket is not open.
    pub(super) head: Head,
    /// How many bytes its entries take.
    pub(super) bytes: u64,
    /// Whether the index surely knows it.
    pub(super) indexed: bool,
}

impl Tail {
    /// The end of a log without entries.
    pub(super) fn of_empty_log() -> Self {
        Self::unopened(Bucket::FIRST, Head::default())
    }

    /// A bucket that nobody has opened yet, in a log that ends at `head`.
    pub(super) fn unopened(bucket: Bucket, head: Head) -> Self {
        Self {
            bucket,
            first: head.sequence.next(),
            opened_at: Timestamp::ZERO,
            head,
            bytes: 0,
            indexed: bucket == Bucket::FIRST,
        }
    }

    /// How many entries it holds.
    fn entries(&self) -> u64 {
        self.head.sequence.next().since(self.first)
    }

    /// The average size of its entries; `None` if it has none.
    pub(super) fn average_bytes(&self) -> Option<usize> {
        self.bytes.checked_div(self.entries()).and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// The bucket itself.
    pub(super) fn link(&self) -> Link {
        Link { bucket: self.bucket, indexed: self.indexed }
    }

    fn is_open(&self) -> bool {
        self.entries() > 0
    }

    /// The end once `size` has been appended in this bucket and ends at `head`.
    #[must_use]
    pub(super) fn extended(self, size: Size, head: Head) -> Self {
        let opened_at =
            if self.is_open() { self.opened_at } else { self.bucket.opened_at(size.now) };
        Self { opened_at, head, bytes: self.bytes + size.bytes, ..self }
    }

    /// Whether this says more than `other`, seen of the same log: it lies further on, or is known to be
    /// indexed.
    pub(super) fn replaces(&self, other: &Self) -> bool {
        (self.bucket, self.head.sequence, self.indexed)
            > (other.bucket, other.head.sequence, other.indexed)
    }
}

/// What an append adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Entries.
    pub(super) entries: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// When its last entry was accepted.
    pub(super) now: Timestamp,
}

impl Size {
    /// Counts an entry.
    pub(super) fn add(&mut self, bytes: usize, sent_at: Timestamp) {
        self.entries += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.now = sent_at;
    }
}

/// A bucket that is known to be, and whether the index surely knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Which.
    pub(super) bucket: Bucket,
    /// Whether the index surely knows it.
    pub(super) indexed: bool,
}

impl Link {
    /// The first bucket, which no index has to name.
    pub(super) const FIRST: Self = Self { bucket: Bucket::FIRST, indexed: true };
}

/// What is to be done at the end of a log, for an append on that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The bucket takes the append.
    Extend,
    /// The append opens the bucket.
    Open,
    /// The bucket is to be sealed first, with this successor.
    Seal(Bucket),
}

/// What an append of `size` on the head that `tail` knows has to do.
pub(super) fn step(tail: &Tail, size: Size, caps: &Caps) -> Step {
    if !tail.is_open() {
        return Step::Open;
    }
    let is_full = size.now.since(tail.opened_at) >= caps.window
        || tail.entries() + size.entries > caps.entries
        || tail.bytes + size.bytes > caps.bytes;
    if is_full { Step::Seal(tail.bucket.successor(size.now)) } else { Step::Extend }
}

/// What a refused statement tells of its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where its entries end.
    pub(super) last: Sequence,
    /// Its successor, if it is sealed.
    pub(super) next: Option<Bucket>,
}

impl Refusal {
    /// The bucket that an append on `expected` is to open next; `None` if where the log goes on, or
    /// ends, has to be read.
    pub(super) fn successor_on(self, expected: Sequence) -> Option<Bucket> {
        self.next.filter(|_| self.last == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn at(number: u64) -> Sequence {
        Sequence::new(number).expect("in range")
    }

    fn time(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn head(sequence: u64) -> Head {
        Head { sequence: at(sequence), ..Head::default() }
    }

    fn size(entries: u64, bytes: u64, now: u64) -> Size {
        Size { entries, bytes, now: time(now) }
    }

    /// A bucket opened at 1,000 with entries 11 to 20 of 100 bytes.
    fn tail() -> Tail {
        let tail = Tail::unopened(Bucket(1_000), head(10));
        tail.extended(size(10, 1_000, 1_000), head(20))
    }

    #[test]
    fn a_log_begins_in_the_first_bucket_when_its_first_entry_comes() {
        let empty = Tail::of_empty_log();
        assert_eq!(step(&empty, size(1, 10, 77), &Caps::default()), Step::Open);
        let tail = empty.extended(size(1, 10, 77), head(1));
        let opened_at = time(77);
        let expected =
            Tail { bytes: 10, opened_at, indexed: true, ..Tail::unopened(Bucket(0), head(0)) };
        assert_eq!(tail, Tail { head: head(1), ..expected });
    }

    #[test]
    fn a_bucket_is_left_at_each_of_its_caps() {
        let caps = Caps { window: Duration::from_secs(10), entries: 13, bytes: 1_500 };
        let step = |size| step(&tail(), size, &caps);
        let left = |at| Step::Seal(Bucket(at));
        assert_eq!(step(size(3, 500, 10_999)), Step::Extend);
        assert_eq!(step(size(4, 400, 10_999)), left(10_999));
        assert_eq!(step(size(1, 501, 10_999)), left(10_999));
        assert_eq!(step(size(1, 100, 11_000)), left(11_000));
    }

    #[test]
    fn an_append_larger_than_a_bucket_has_one_of_its_own() {
        let caps = Caps { entries: 5, ..Caps::default() };
        assert_eq!(step(&tail(), size(9, 1, 2_000), &caps), Step::Seal(Bucket(2_000)));
        let next = Tail::unopened(Bucket(2_000), head(20));
        assert_eq!(step(&next, size(9, 1, 2_000), &caps), Step::Open);
    }

    #[test]
    fn a_successor_is_greater_whatever_the_clock_says() {
        let caps = Caps { entries: 1, ..Caps::default() };
        for now in [0, 999, 1_000] {
            assert_eq!(step(&tail(), size(1, 1, now), &caps), Step::Seal(Bucket(1_001)));
        }
        let next = Tail::unopened(Bucket(1_001), head(20)).extended(size(1, 1, 500), head(21));
        assert_eq!(next.opened_at, time(1_001));
    }

    #[test]
    fn the_default_window_is_ten_days() {
        let left = |now| step(&tail(), size(1, 1, now), &Caps::default()) != Step::Extend;
        assert!(!left(10 * DAY + 999));
        assert!(left(10 * DAY + 1_000));
    }

    #[test]
    fn only_a_bucket_sealed_on_the_expected_head_is_followed_by_the_append() {
        let successor = |last, next| Refusal { last: at(last), next }.successor_on(at(7));
        let next = Some(Bucket(9));
        assert_eq!(successor(7, next), next);
        for (last, next) in [(6, next), (8, next), (6, None), (7, None), (8, None)] {
            assert_eq!(successor(last, next), None, "{last} {next:?}");
        }
    }

    #[test]
    fn of_two_sights_of_an_end_the_later_says_more() {
        let earlier = tail();
        let longer = earlier.extended(size(1, 1, 0), head(21));
        let rolled = Tail::unopened(Bucket(1_001), head(20));
        assert!(longer.replaces(&earlier) && rolled.replaces(&longer));
        assert!(!earlier.replaces(&earlier) && !longer.replaces(&rolled));
    }
}
