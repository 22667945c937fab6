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

/// Up to so many entries are looked through in line: most conversations never hold more at once, and a
/// table would take more than the entries.
const IN_LINE_MAX: usize = 8;

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
    /// Where the newest copy of each send lies, once there are more than [`IN_LINE_MAX`] entries.
    by_key: HashMap<Key, Sequence, ahash::RandomState>,
    complete_from: Sequence,
}

impl Recent {
    /// An empty ring over a log that ends at `head`.
    pub(super) fn after(head: Sequence) -> Self {
        let by_key = HashMap::default();
        Self { ring: VecDeque::new(), by_key, complete_from: head.next() }
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
        let (key, copy) = remember(entry);
        let was_indexed = self.is_indexed();
        self.ring.push_back((key, copy));
        if !was_indexed {
            self.index();
        } else if let Some(key) = key {
            self.by_key.insert(key, copy.sequence);
        }
        if self.ring.len() > RING_ENTRIES_MAX {
            self.forget_oldest();
        }
    }

    /// Takes the entries that end just below [`Recent::complete_from`], in ascending order.
    pub(super) fn extend_back(&mut self, entries: &[Entry]) {
        let was_indexed = self.is_indexed();
        for entry in entries.iter().rev() {
            let (key, copy) = remember(entry);
            self.ring.push_front((key, copy));
            if let Some(key) = key.filter(|_| was_indexed) {
                self.by_key.entry(key).or_insert(copy.sequence);
            }
            self.complete_from = entry.sequence;
        }
        if !was_indexed {
            self.index();
        }
    }

    /// The copy of a send, if it is in the ring.
    pub(super) fn find(&self, sender: UserId, client_message: ClientMessageId) -> Option<Copy> {
        let key = (sender, client_message);
        if !self.is_indexed() {
            let found = self.ring.iter().rev().find(|(known, _)| *known == Some(key));
            return found.map(|(_, copy)| *copy);
        }
        let index = usize::try_from(self.by_key.get(&key)?.since(self.complete_from)).ok()?;
        self.ring.get(index).map(|(_, copy)| *copy)
    }

    fn is_indexed(&self) -> bool {
        self.ring.len() > IN_LINE_MAX
    }

    /// Makes the table of a ring that has just outgrown [`IN_LINE_MAX`].
    fn index(&mut self) {
        if self.is_indexed() {
            let keyed = self.ring.iter().filter_map(|(key, copy)| Some(((*key)?, copy.sequence)));
            self.by_key.extend(keyed);
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, oldest)) = self.ring.pop_front() else { return };
        if let Some(key) = key
            && self.by_key.get(&key) == Some(&oldest.sequence)
        {
            self.by_key.remove(&key);
        }
        self.complete_from = oldest.sequence.next();
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

    fn find(recent: &Recent, client_message: u64) -> Option<u64> {
        let id = ClientMessageId::new(client_message).expect("not zero");
        let copy = recent.find(UserId::new(7).expect("not zero"), id)?;
        Some(copy.sequence.get())
    }

    #[test]
    fn it_knows_from_where_on_it_is_complete() {
        let mut recent = Recent::after(Sequence::new(10).expect("small"));
        assert_eq!(recent.complete_from().get(), 11);
        recent.push(&entry(11, 111));
        assert_eq!((find(&recent, 111), find(&recent, 109)), (Some(11), None));
        recent.extend_back(&[entry(9, 109), entry(10, 110)]);
        assert_eq!(recent.complete_from().get(), 9);
        assert_eq!(find(&recent, 109), Some(9));
    }

    #[test]
    fn few_entries_take_no_table_and_many_are_found_all_the_same() {
        let mut recent = Recent::after(Sequence::new(100).expect("small"));
        for n in 101..=108 {
            recent.push(&entry(n, n));
        }
        assert_eq!((recent.by_key.capacity(), find(&recent, 101)), (0, Some(101)));
        let mut grown = Recent::after(Sequence::new(100).expect("small"));
        for (recent, older, next) in [(&mut recent, 95..=100, 109), (&mut grown, 1..=100, 101)] {
            let older: Vec<Entry> = older.map(|n| entry(n, n)).collect();
            recent.extend_back(&older);
            recent.push(&entry(next, next));
            let oldest = older.first().map(|entry| entry.sequence.get());
            assert_eq!(oldest.and_then(|n| find(recent, n)), oldest);
            assert_eq!((find(recent, 100), find(recent, next)), (Some(100), Some(next)));
            assert_eq!(recent.by_key.len(), recent.len());
        }
    }

    #[test]
    fn it_forgets_the_oldest_beyond_its_span() {
        let mut recent = Recent::after(Sequence::ZERO);
        for n in 1..=FLOOR_SPAN_MAX + 2 {
            recent.push(&entry(n, n));
        }
        assert_eq!(recent.complete_from().get(), 3);
        assert_eq!((find(&recent, 2), find(&recent, 3)), (None, Some(3)));
        assert_eq!(recent.len(), RING_ENTRIES_MAX);
    }
}
