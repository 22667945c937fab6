//! What a client holds of one conversation: which sequences, and what they say.

use crate::support::history::Line;
use chasqui::model::Sequence;
use std::collections::BTreeMap;

/// One conversation as a client keeps it.
#[derive(Clone, Debug)]
pub(crate) struct HeldLog {
    /// Ranges whose every visible entry is held, first to last, inclusive, never touching.
    ranges: BTreeMap<Sequence, Sequence>,
    /// The entries.
    lines: BTreeMap<Sequence, Line>,
    /// Where the range that is followed begins.
    begin: Sequence,
    /// The highest head that SYNCED told.
    pub told: Sequence,
    /// The highest sequence that anything named.
    pub named: Sequence,
    /// Up to where the server was told that entries are stored.
    pub acknowledged: Sequence,
    /// Up to where the user has read.
    pub read: Sequence,
}

impl HeldLog {
    /// Nothing yet; follows the log from `begin` on.
    pub(crate) fn new(begin: Sequence) -> Self {
        let zero = Sequence::ZERO;
        let (ranges, lines) = (BTreeMap::new(), BTreeMap::new());
        Self { ranges, lines, begin, told: zero, named: zero, acknowledged: zero, read: zero }
    }

    /// Where the range that is followed begins.
    pub(crate) const fn begin(&self) -> Sequence {
        self.begin
    }

    /// The end of the range that is followed; everything visible up to there is held.
    pub(crate) fn have(&self) -> Sequence {
        self.range_at(self.begin).map_or(self.begin.minus(1), |(_, last)| last)
    }

    /// Whether a sequence is held.
    pub(crate) fn holds(&self, sequence: Sequence) -> bool {
        self.range_at(sequence).is_some()
    }

    /// Whether every sequence from `first` to `last` is held; an empty range is.
    pub(crate) fn holds_all(&self, first: Sequence, last: Sequence) -> bool {
        first > last || self.range_at(first).is_some_and(|(_, end)| end >= last)
    }

    /// Whether something is known to be missing.
    pub(crate) fn has_gap(&self) -> bool {
        self.have() < self.told.max(self.named)
    }

    /// Keeps an entry; tells whether it is new.
    pub(crate) fn keep(&mut self, line: Line) -> bool {
        let sequence = line.sequence;
        self.named = self.named.max(sequence);
        if self.holds(sequence) {
            return false;
        }
        self.lines.insert(sequence, line);
        self.hold(sequence, sequence);
        true
    }

    /// Takes a range as held, whether or not each sequence of it was seen.
    pub(crate) fn hold(&mut self, mut first: Sequence, mut last: Sequence) {
        if first > last {
            return;
        }
        self.named = self.named.max(last);
        let touching: Vec<(Sequence, Sequence)> = self
            .ranges
            .range(..=last.next())
            .map(|(first, last)| (*first, *last))
            .filter(|(_, end)| end.next() >= first)
            .collect();
        for (begin, end) in touching {
            self.ranges.remove(&begin);
            first = first.min(begin);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
    }

    /// Forgets what is held: the server was restored from a backup.
    pub(crate) fn forget(&mut self, head: Sequence) {
        let read = self.read.min(head);
        *self = Self { told: head, named: head, read, ..Self::new(self.begin) };
    }

    /// The entries, ascending.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    fn range_at(&self, sequence: Sequence) -> Option<(Sequence, Sequence)> {
        let (first, last) = self.ranges.range(..=sequence).next_back()?;
        (*last >= sequence).then_some((*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> Sequence {
        Sequence::new(number).expect("small")
    }

    fn line(number: u64) -> Line {
        let body = bytes::Bytes::new();
        Line { sequence: at(number), sender: None, client_message: None, kind: 1, body }
    }

    #[test]
    fn ranges_grow_together() {
        let mut log = HeldLog::new(at(1));
        assert_eq!(log.have(), at(0));
        for number in [1, 2, 5, 4] {
            assert!(log.keep(line(number)), "{number}");
        }
        assert!(!log.keep(line(2)));
        assert_eq!(log.have(), at(2));
        assert!(log.has_gap());
        assert!(log.holds_all(at(4), at(5)) && !log.holds_all(at(2), at(4)));
        assert!(log.keep(line(3)));
        assert_eq!(log.have(), at(5));
        assert!(!log.has_gap());
    }

    #[test]
    fn a_fetched_range_is_held_though_parts_of_it_are_invisible() {
        let mut log = HeldLog::new(at(3));
        log.keep(line(9));
        log.hold(at(3), at(8));
        assert_eq!(log.have(), at(9));
        assert_eq!(log.lines().count(), 1);
    }
}
