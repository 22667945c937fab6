//! Which connections of a shard missed a delivery, until they are told to synchronise again.
//!
//! Any thread marks them; the shard takes them in portions.

use super::ConnectionKey;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The slots that missed a delivery, a bit each, so that it cannot overflow. A bit of a slot that
/// was given to another connection meanwhile costs that one a needless SYNC.
#[derive(Debug, Default)]
pub(super) struct Missed {
    any: AtomicBool,
    slots: Mutex<Vec<u64>>,
}

impl Missed {
    /// Marks the slots of these connections.
    pub(super) fn mark(&self, targets: &[ConnectionKey]) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        for key in targets {
            let Ok(word) = usize::try_from(key.slot / 64) else { continue };
            if slots.len() <= word {
                slots.resize(word + 1, 0);
            }
            if let Some(bits) = slots.get_mut(word) {
                *bits |= 1 << (key.slot % 64);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// Takes up to `limit` of them, the lowest first, and tells whether there are more.
    pub(super) fn take(&self, limit: usize) -> (Vec<u32>, bool) {
        if self.is_empty() {
            return (Vec::new(), false);
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        let mut more = false;
        for (word, bits) in (0_u32..).zip(slots.iter_mut()) {
            while *bits != 0 && taken.len() < limit {
                taken.push(word * 64 + bits.trailing_zeros());
                *bits &= *bits - 1;
            }
            more |= *bits != 0;
        }
        self.any.store(more, Ordering::Release);
        (taken, more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32) -> ConnectionKey {
        ConnectionKey { slot, generation: 1 }
    }

    #[test]
    fn what_was_missed_is_told_in_portions() {
        let missed = Missed::default();
        missed.mark(&(0..100).map(key).collect::<Vec<_>>());
        let (first, more) = missed.take(64);
        assert_eq!((first.len(), more), (64, true));
        let (rest, more) = missed.take(64);
        assert_eq!((rest.len(), more), (36, false));
    }
}
