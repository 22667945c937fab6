//! Where logs end, as far as this process has seen: what spares an append or a read the look for its
//! bucket.
//!
//! A hint: what is remembered was true once, and every change that goes by it is checked by the
//! database. Bounded.

use super::roll::Tail;
use crate::model::ConversationId;
use crate::store::generations::Generations;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many logs are remembered at least; twice as many take about 13 MiB.
const LOGS_MAX: usize = 65_536;

/// See the module.
#[derive(Debug)]
pub(super) struct Tails(Mutex<Generations<Tail>>);

impl Default for Tails {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(LOGS_MAX)))
    }
}

impl Tails {
    /// The end of a log as it was seen last.
    pub(super) fn get(&self, conversation: ConversationId) -> Option<Tail> {
        self.lock().get(conversation)
    }

    /// Remembers the end of a log, unless a later one is known.
    pub(super) fn saw(&self, conversation: ConversationId, tail: Tail) {
        let mut tails = self.lock();
        if tails.get(conversation).is_none_or(|known| tail.replaces(&known)) {
            tails.set(conversation, tail);
        }
    }

    /// Forgets a log: what was remembered has proven wrong.
    pub(super) fn forget(&self, conversation: ConversationId) {
        self.lock().forget(conversation);
    }

    fn lock(&self) -> MutexGuard<'_, Generations<Tail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::roll::Bucket;
    use super::*;
    use crate::model::{Head, Sequence};

    fn log(number: u64) -> ConversationId {
        ConversationId::new(number).expect("in range")
    }

    fn tail(bucket: u64, last: u64) -> Tail {
        let sequence = Sequence::new(last).expect("in range");
        Tail::unopened(Bucket(bucket), Head { sequence, ..Head::default() })
    }

    #[test]
    fn only_a_later_end_replaces_one() {
        let tails = Tails::default();
        assert_eq!(tails.get(log(1)), None);
        for (seen, known) in
            [((5, 9), (5, 9)), ((5, 8), (5, 9)), ((4, 9), (5, 9)), ((6, 9), (6, 9))]
        {
            tails.saw(log(1), tail(seen.0, seen.1));
            assert_eq!(tails.get(log(1)), Some(tail(known.0, known.1)), "{seen:?}");
        }
        tails.forget(log(1));
        assert_eq!(tails.get(log(1)), None);
    }

    #[test]
    fn an_end_learns_that_it_is_indexed() {
        let tails = Tails::default();
        tails.saw(log(1), tail(5, 9));
        tails.saw(log(1), Tail { indexed: true, ..tail(5, 9) });
        tails.saw(log(1), tail(5, 9));
        assert_eq!(tails.get(log(1)), Some(Tail { indexed: true, ..tail(5, 9) }));
    }
}
