//! A bounded map that forgets what has not been used for a while: what a store remembers of logs.
//!
//! It keeps two generations. A value enters the young one when it is used; when that is full it
//! becomes the old one, and what the old one still held is forgotten. So at most twice the bound is
//! kept, and no value carries a clock or a link.

use crate::model::ConversationId;
use std::collections::HashMap;

type Generation<V> = HashMap<ConversationId, V, ahash::RandomState>;

/// See the module.
#[derive(Debug)]
pub(super) struct Generations<V> {
    young: Generation<V>,
    old: Generation<V>,
    generation_max: usize,
}

impl<V: Copy> Generations<V> {
    /// Remembers at least this many of the values used last, and at most twice as many.
    pub(super) fn new(generation_max: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), generation_max }
    }

    /// The value of a log, if it is remembered.
    pub(super) fn get(&mut self, conversation: ConversationId) -> Option<V> {
        if let Some(value) = self.young.get(&conversation) {
            return Some(*value);
        }
        let value = self.old.remove(&conversation)?;
        self.set(conversation, value);
        Some(value)
    }

    /// Remembers the value of a log.
    pub(super) fn set(&mut self, conversation: ConversationId, value: V) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&conversation) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(conversation, value);
    }

    /// Forgets the value of a log.
    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.young.remove(&conversation);
        self.old.remove(&conversation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(number: u64) -> ConversationId {
        ConversationId::new(number).expect("in range")
    }

    #[test]
    fn a_value_in_use_outlives_many_others() {
        let mut values = Generations::new(4);
        values.set(log(1), 7);
        for number in 2..100 {
            values.set(log(number), 1);
            assert_eq!(values.get(log(1)), Some(7), "after {number}");
        }
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let mut values = Generations::new(4);
        for number in 1..1_000 {
            values.set(log(number), number);
            assert!(values.young.len() + values.old.len() <= 8);
        }
        assert_eq!(values.get(log(1)), None);
        assert_eq!(values.get(log(999)), Some(999));
    }

    #[test]
    fn the_newest_value_counts_whichever_generation_held_the_older() {
        let mut values = Generations::new(2);
        values.set(log(1), 1);
        values.set(log(2), 1);
        values.set(log(3), 1);
        values.set(log(1), 2);
        assert_eq!(values.get(log(1)), Some(2));
    }

    #[test]
    fn what_is_forgotten_is_in_neither_generation() {
        let mut values = Generations::new(2);
        for number in 1..=3 {
            values.set(log(number), number);
        }
        for number in 1..=3 {
            values.forget(log(number));
            assert_eq!(values.get(log(number)), None);
        }
    }
}
