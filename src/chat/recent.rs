//! The ring of recent entries of one conversation: what a resend is recognised by without reading
//! the log.
//!
//! Invariants: it holds committed entries only; it is complete from [`Recent::complete_from`] up to
//! the head that was pushed last, so a look-up whose floor lies below that must read the log first
//! and hand the entries to [`Recent::extend_back`].

use crate::model::{ClientMessageId, Entry, Ordinal, Sequence, Timestamp, UserId};
use std::collections::{HashMap, VecDeque};

/// How far back a resend may reach: entries between the floor of a send and the head.
pub const FLOOR_SPAN_MAX: u64 = 4_096;

/// The most entries of a ring: the same number.
const RING_ENTRIES_MAX: usize = 4_096;

/// Up to so many entries are looked through in line. A floor is seldom further from the head, and a table
/// would take more than the entries.
const IN_LINE_MAX: usize = 64;

/// A stored copy of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) sequence: Sequence,
    pub(super) ordinal: Ordinal,
    pub(super) sent_at: Timestamp,
    pub(super) fingerprint: u64,
}

type Key = (UserId, ClientMessageId);

/// See the module.
#[derive(Debug)]
pub(super) struct Recent {
    /// The entries from `complete_from` on, in sequence order without holes.
    ring: VecDeque<(Option<Key>, Copy)>,
    complete_from: Sequence,
    table: Table,
}

/// Where the newest copy of each send lies, brought up to date when it is asked.
#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Key, Sequence, ahash::RandomState>,
    /// It covers the ring from its beginning to below this.
    covers_below: Sequence,
}

impl Recent {
    /// An empty ring over a log that ends at `head`.
    pub(super) fn after(head: Sequence) -> Self {
        Self { ring: VecDeque::new(), complete_from: head.next(), table: Table::default() }
    }

    /// The lowest sequence from which on nothing is missing.
    pub(super) fn complete_from(&self) -> Sequence {
        self.complete_from
    }

    /// How many entries it holds.
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Takes the entry that follows the last one.
    pub(super) fn push(&mut self, entry: &Entry) {
        if self.ring.len() == RING_ENTRIES_MAX {
            self.forget_oldest();
        }
        self.ring.push_back(remember(entry));
    }

    /// Takes the entries that end just below [`Recent::complete_from`], in ascending order.
    pub(super) fn extend_back(&mut self, entries: &[Entry]) {
        for entry in entries.iter().rev() {
            self.ring.push_front(remember(entry));
            self.complete_from = entry.sequence;
        }
        self.table = Table::default();
    }

    /// The copy of a send that lies at `floor` or above, if it is in the ring.
    pub(super) fn find(
        &mut self,
        sender: UserId,
        client_message: ClientMessageId,
        floor: Sequence,
    ) -> Option<Copy> {
        let first = self.index(floor);
        if self.ring.len() - first <= IN_LINE_MAX {
            let is_it = |(key, _): &&(Option<Key>, Copy)| {
                key.is_some_and(|(user, id)| id == client_message && user == sender)
            };
            return self.ring.range(first..).rev().find(is_it).map(|(_, copy)| *copy);
        }
        self.table.cover(&self.ring, self.complete_from);
        let sequence = *self.table.by_key.get(&(sender, client_message))?;
        let (_, copy) = self.ring.get(self.index(sequence))?;
        (floor <= sequence).then_some(*copy)
    }

    /// Where an entry is in the ring; its end for one above.
    fn index(&self, sequence: Sequence) -> usize {
        let index = usize::try_from(sequence.since(self.complete_from));
        index.map_or(self.ring.len(), |index| index.min(self.ring.len()))
    }

    fn forget_oldest(&mut self) {
        let Some((key, oldest)) = self.ring.pop_front() else { return };
        self.table.forget(key, oldest.sequence);
        self.complete_from = oldest.sequence.next();
    }
}

impl Table {
    /// Takes what is new in the ring, which begins at `first`.
    fn cover(&mut self, ring: &VecDeque<(Option<Key>, Copy)>, first: Sequence) {
        let known = usize::try_from(self.covers_below.since(first)).unwrap_or(usize::MAX);
        for (key, copy) in ring.iter().skip(known) {
            self.covers_below = copy.sequence.next();
            if let Some(key) = key {
                self.by_key.insert(*key, copy.sequence);
            }
        }
    }

    fn forget(&mut self, key: Option<Key>, sequence: Sequence) {
        if sequence < self.covers_below
            && let Some(key) = key
            && self.by_key.get(&key) == Some(&sequence)
        {
            self.by_key.remove(&key);
        }
    }
}

fn remember(entry: &Entry) -> (Option<Key>, Copy) {
    let copy = Copy {
        sequence: entry.sequence,
        ordinal: entry.ordinal,
        sent_at: entry.sent_at,
        fingerprint: entry.fingerprint,
    };
    (entry.sender.zip(entry.client_message), copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Message};

    fn entry(sequence: u64, client_message: u64) -> Entry {
        let content = Content::Message(Message { text: "hi".into(), ..Message::default() });
        Entry {
            sequence: Sequence::new(sequence).expect("small"),
            ordinal: Ordinal::new(sequence).expect("small"),
            sender: UserId::new(7),
            sent_at: Timestamp::ZERO,
            client_message: ClientMessageId::new(client_message),
            fingerprint: content.fingerprint(),
            content,
            edited: None,
            erased: None,
        }
    }

    fn find_from(recent: &mut Recent, client_message: u64, floor: u64) -> Option<u64> {
        let id = ClientMessageId::new(client_message).expect("not zero");
        let floor = Sequence::new(floor).expect("small");
        let copy = recent.find(UserId::new(7).expect("not zero"), id, floor)?;
        Some(copy.sequence.get())
    }

    fn find(recent: &mut Recent, client_message: u64) -> Option<u64> {
        find_from(recent, client_message, 1)
    }

    #[test]
    fn it_knows_from_where_on_it_is_complete() {
        let mut recent = Recent::after(Sequence::new(10).expect("small"));
        assert_eq!(recent.complete_from().get(), 11);
        recent.push(&entry(11, 111));
        assert_eq!((find(&mut recent, 111), find(&mut recent, 109)), (Some(11), None));
        recent.extend_back(&[entry(9, 109), entry(10, 110)]);
        assert_eq!(recent.complete_from().get(), 9);
        assert_eq!(find(&mut recent, 109), Some(9));
    }

    #[test]
    fn few_entries_above_a_floor_take_no_table_and_many_are_found_all_the_same() {
        let mut recent = Recent::after(Sequence::new(100).expect("small"));
        for n in 101..=300 {
            recent.push(&entry(n, n));
            assert_eq!(find_from(&mut recent, n, 250), (n >= 250).then_some(n));
        }
        assert_eq!(
            (find_from(&mut recent, 249, 250), find_from(&mut recent, 249, 249)),
            (None, Some(249))
        );
        assert_eq!(recent.table.by_key.capacity(), 0);
        for n in [101, 180, 299, 300] {
            assert_eq!(find_from(&mut recent, n, 101), Some(n));
            assert_eq!(find_from(&mut recent, n, 102), (n > 101).then_some(n));
        }
        assert_eq!(recent.table.by_key.len(), 200);
        recent.push(&entry(301, 301));
        assert_eq!(find(&mut recent, 301), Some(301), "the table follows");
        recent.extend_back(&[entry(99, 99), entry(100, 100)]);
        assert_eq!((find(&mut recent, 99), find(&mut recent, 301)), (Some(99), Some(301)));
    }

    #[test]
    fn of_two_copies_the_newest_is_found() {
        let mut recent = Recent::after(Sequence::ZERO);
        for n in 1..=200 {
            recent.push(&entry(n, if n % 100 == 0 { 7_000 } else { n }));
        }
        assert_eq!(
            (find_from(&mut recent, 7_000, 180), find(&mut recent, 7_000)),
            (Some(200), Some(200))
        );
    }

    #[test]
    fn it_forgets_the_oldest_beyond_its_span() {
        let mut recent = Recent::after(Sequence::ZERO);
        for n in 1..=FLOOR_SPAN_MAX + 2 {
            recent.push(&entry(n, n));
        }
        assert_eq!(recent.complete_from().get(), 3);
        assert_eq!((find(&mut recent, 2), find(&mut recent, 3)), (None, Some(3)));
        recent.push(&entry(FLOOR_SPAN_MAX + 3, 1));
        assert_eq!((find(&mut recent, 3), find(&mut recent, 4)), (None, Some(4)));
        assert_eq!(recent.table.by_key.len(), RING_ENTRIES_MAX);
        assert_eq!(recent.len(), RING_ENTRIES_MAX);
    }
}
