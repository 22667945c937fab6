//! Those that wait for a handshake, in one line per source.
//!
//! Lines are served in turn, so that a long one makes nobody wait but its own. Invariant: at most
//! `max` wait, and at most half as many in one line.

use crate::admission::{Crowded, Handshake, Handshakes, Source};
use std::collections::{HashMap, VecDeque};

/// See the module.
#[derive(Debug)]
pub(super) struct Queue<T> {
    max: usize,
    waiting: usize,
    lines: HashMap<Source, VecDeque<T>, ahash::RandomState>,
    /// The sources of all lines, the next to be served in front.
    turns: VecDeque<Source>,
}

impl<T> Queue<T> {
    /// A queue for at most so many.
    pub(super) fn new(max: usize) -> Self {
        Self { max, waiting: 0, lines: HashMap::default(), turns: VecDeque::new() }
    }

    /// Puts one at the end of its line; gives it back if it is too long.
    pub(super) fn push(&mut self, source: Source, item: T) -> Result<(), T> {
        let length = self.lines.get(&source).map_or(0, VecDeque::len);
        if self.waiting >= self.max || length >= self.max.div_ceil(2) {
            return Err(item);
        }
        if length == 0 {
            self.turns.push_back(source);
        }
        self.lines.entry(source).or_default().push_back(item);
        self.waiting += 1;
        Ok(())
    }

    /// The next whose handshake may begin.
    pub(super) fn pop(&mut self, handshakes: &Handshakes) -> Option<(T, Handshake)> {
        for _ in 0..self.turns.len() {
            let source = self.turns.pop_front()?;
            match handshakes.begin(source) {
                Ok(handshake) => return self.pop_of(source).map(|item| (item, handshake)),
                Err(Crowded::Source) => self.turns.push_back(source),
                Err(Crowded::Whole) => {
                    self.turns.push_front(source);
                    return None;
                }
            }
        }
        None
    }

    /// Forgets everyone.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    fn pop_of(&mut self, source: Source) -> Option<T> {
        let line = self.lines.get_mut(&source)?;
        let item = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        self.waiting -= 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    #[test]
    fn a_long_line_makes_nobody_wait_but_its_own() {
        let mut queue = Queue::new(20);
        for number in 0..8 {
            queue.push(source(1), (1, number)).expect("room");
        }
        queue.push(source(2), (2, 0)).expect("room");
        queue.push(source(2), (2, 1)).expect("room");
        let handshakes = Handshakes::new(0);
        let order: Vec<_> =
            std::iter::from_fn(|| queue.pop(&handshakes)).map(|(item, _)| item).collect();
        assert_eq!(order[..5], [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2)]);
        assert_eq!(order.len(), 10);
        assert!(queue.lines.is_empty() && queue.turns.is_empty() && queue.waiting == 0);
    }

    #[test]
    fn a_source_with_its_half_of_the_handshakes_is_passed_over() {
        let (mut queue, handshakes) = (Queue::new(20), Handshakes::new(4));
        for number in 0..5 {
            queue.push(source(1), number).expect("room");
        }
        let mut open: Vec<_> = (0..2).map(|_| queue.pop(&handshakes).expect("free")).collect();
        assert!(queue.pop(&handshakes).is_none());
        queue.push(source(2), 9).expect("room");
        assert_eq!(queue.pop(&handshakes).map(|(item, _)| item), Some(9));
        open.pop();
        assert_eq!(queue.pop(&handshakes).map(|(item, _)| item), Some(2));
    }

    #[test]
    fn a_full_queue_gives_back_what_it_cannot_take() {
        let mut queue = Queue::new(4);
        assert_eq!(queue.push(source(1), 1), Ok(()));
        assert_eq!(queue.push(source(1), 2), Ok(()));
        assert_eq!(queue.push(source(1), 3), Err(3), "its half");
        assert_eq!(queue.push(source(2), 4), Ok(()));
        assert_eq!(queue.push(source(3), 5), Ok(()));
        assert_eq!(queue.push(source(4), 6), Err(6), "all of it");
        queue.clear();
        assert_eq!(queue.push(source(1), 7), Ok(()));
    }
}
