//! The ends of the logs that were written to lately: what an append is checked against.

use crate::model::{ConversationId, Head};
use std::collections::HashMap;

type Generation = HashMap<ConversationId, Head, ahash::RandomState>;

/// A bounded map that forgets what has not been used for a while.
///
/// It keeps two generations. A head enters the young one when it is used; when that is full it
/// becomes the old one, and what the old one still held is forgotten. So at most twice the bound is
/// kept, and no entry carries a clock or a link.
pub(super) struct Heads {
    young: Generation,
    old: Generation,
    generation_max: usize,
}

impl Heads {
    /// Remembers at least this many of the heads used last, and at most twice as many.
    pub(super) fn new(generation_max: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), generation_max }
    }

    /// The head of a log, if it is remembered.
    pub(super) fn get(&mut self, conversation: ConversationId) -> Option<Head> {
        if let Some(head) = self.young.get(&conversation) {
            return Some(*head);
        }
        let head = self.old.remove(&conversation)?;
        self.set(conversation, head);
        Some(head)
    }

    /// Remembers the head of a log.
    pub(super) fn set(&mut self, conversation: ConversationId, head: Head) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&conversation) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(conversation, head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sequence;

    fn head(number: u64) -> Head {
        Head { sequence: Sequence::new(number).expect("small"), ..Head::default() }
    }

    fn log(number: u64) -> ConversationId {
        ConversationId::new(number).expect("in range")
    }

    #[test]
    fn a_head_in_use_outlives_many_others() {
        let mut heads = Heads::new(4);
        heads.set(log(1), head(7));
        for number in 2..100 {
            heads.set(log(number), head(1));
            assert_eq!(heads.get(log(1)), Some(head(7)), "after {number}");
        }
    }

    #[test]
    fn the_number_of_heads_is_bounded() {
        let mut heads = Heads::new(4);
        for number in 1..1_000 {
            heads.set(log(number), head(number));
            assert!(heads.young.len() + heads.old.len() <= 8);
        }
        assert_eq!(heads.get(log(1)), None);
        assert_eq!(heads.get(log(999)), Some(head(999)));
    }

    #[test]
    fn the_newest_value_counts_whichever_generation_held_the_older() {
        let mut heads = Heads::new(2);
        heads.set(log(1), head(1));
        heads.set(log(2), head(1));
        heads.set(log(3), head(1));
        heads.set(log(1), head(2));
        assert_eq!(heads.get(log(1)), Some(head(2)));
    }
}
