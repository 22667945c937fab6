//! Registers: cells of which the highest value ever written is the one that is read.
//!
//! The database keeps, of two writes to a cell, the one with the higher timestamp. A register is
//! written with a timestamp that grows with its value, never with the time of day, so that writes may
//! be repeated, reordered and lost in retries. It is never deleted: a tombstone would need a timestamp
//! that no later value reaches.
//!
//! ```text
//! a position in a log     restores 24 | position 40
//! a moment                milliseconds since 1970
//! ```
//!
//! A store that was restored from a backup gives sequences out again, while cells may have come back
//! that were written with higher ones. The count of restores in front puts everything that is written
//! in a later life above them. Time needs no such count: it goes on.

use crate::model::{Sequence, Timestamp};

/// How many bits of a timestamp are a position: at ten thousand entries a second, a log takes three
/// years to use them up.
const POSITION_BITS: u32 = 40;

/// What turns positions in logs into timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    restores: i64,
}

impl Life {
    /// The most restores: the timestamps of one more would lie in the future, counted in microseconds
    /// since 1970, and servers refuse those.
    pub(super) const RESTORES_MAX: i64 = 1_600;

    /// The life after so many restores; `None` if that is out of range.
    pub(super) fn new(restores: i64) -> Option<Self> {
        (0..=Self::RESTORES_MAX).contains(&restores).then_some(Self { restores })
    }

    /// The timestamp of what stands at, or was set by, a position.
    pub(super) fn at(self, position: Sequence) -> i64 {
        const POSITION_MAX: u64 = (1 << POSITION_BITS) - 1;
        let position = position.get().min(POSITION_MAX);
        self.restores << POSITION_BITS | position.cast_signed()
    }
}

/// The timestamp of what is as old as a moment.
pub(super) fn at_time(moment: Timestamp) -> i64 {
    moment.as_millis().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(number: u64) -> Sequence {
        Sequence::new(number).expect("in range")
    }

    fn life(restores: i64) -> Life {
        Life::new(restores).expect("in range")
    }

    #[test]
    fn a_later_position_has_the_higher_timestamp() {
        let positions = [0, 1, 2, 255, 256, 65_536, (1 << 40) - 2, (1 << 40) - 1];
        for pair in positions.windows(2) {
            assert!(life(3).at(position(pair[0])) < life(3).at(position(pair[1])), "{pair:?}");
        }
        assert_eq!(life(0).at(Sequence::ZERO), 0);
    }

    #[test]
    fn a_later_life_is_above_everything_of_an_earlier_one() {
        for restores in 0..Life::RESTORES_MAX {
            assert!(life(restores).at(Sequence::MAX) < life(restores + 1).at(Sequence::ZERO));
        }
    }

    #[test]
    fn no_timestamp_lies_in_the_future() {
        // The first microsecond of 2026.
        const WRITTEN: i64 = 1_767_225_600_000_000;
        assert!(life(Life::RESTORES_MAX).at(Sequence::MAX) < WRITTEN);
        assert!(at_time(Timestamp::from_millis(u64::MAX)) < WRITTEN);
        assert_eq!(Life::new(Life::RESTORES_MAX + 1), None);
        assert_eq!(Life::new(-1), None);
    }

    #[test]
    fn a_later_moment_has_the_higher_timestamp() {
        let at = |millis| at_time(Timestamp::from_millis(millis));
        assert!(at(0) < at(1) && at(1_790_000_000_000) < at(1_790_000_000_001));
        assert!(at(1_790_000_000_001) < at(u64::MAX));
    }
}
