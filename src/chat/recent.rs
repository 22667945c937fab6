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
    /// Where the newest copy of each send lies.
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
        self.ring.push_back((key, copy));
        if let Some(key) = key {
            self.by_key.insert(key, copy.sequence);
        }
        if self.ring.len() > RING_ENTRIES_MAX {
            self.forget_oldest();
        }
    }

    /// Takes the entries that end just below [`Recent::complete_from`], in ascending order.
    pub(super) fn extend_back(&mut self, entries: &[Entry]) {
        for entry in entries.iter().rev() {
            let (key, copy) = remember(entry);
            self.ring.push_front((key, copy));
            if let Some(key) = key {
                self.by_key.entry(key).or_insert(copy.sequence);
            }
            self.complete_from = entry.sequence;
        }
    }

    /// The copy of a send, if it is in the ring.
    pub(super) fn find(&self, sender: UserId, client_message: ClientMessageId) -> Option<Copy> {
        let sequence = self.by_key.get(&(sender, client_message))?;
        let index = usize::try_from(sequence.since(self.complete_from)).ok()?;
        self.ring.get(index).map(|(_, copy)| *copy)
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
