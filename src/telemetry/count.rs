//! Numbers that one thread counts and any thread may read.
//!
//! A hot path must be able to count without a bus lock and without hashing a name, so each shard has
//! counters of its own and whoever reads them adds up. Invariant: a [`Count`] has one writer. A second
//! one would do no harm to memory, but its increments could be lost.

use crate::model::ErrorCode;
use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only its one writer changes.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts `number` more: a plain addition, no locked instruction.
    pub fn add(&self, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        self.0.store(self.get().wrapping_add(number), Ordering::Relaxed);
    }

    /// Takes one back, where what is counted comes and goes.
    pub fn subtract_one(&self) {
        self.0.store(self.get().saturating_sub(1), Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many error codes there are.
const CODES: usize = ErrorCode::ALL.len();

/// Refusals by their code.
#[derive(Debug, Default)]
pub struct Refusals([Count; CODES]);

impl Refusals {
    /// Counts one.
    pub fn count(&self, code: ErrorCode) {
        let place = ErrorCode::ALL.iter().position(|known| *known == code);
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.add(1);
        }
    }

    /// How many there are of each code.
    pub fn tally(&self) -> Tally {
        Tally(array::from_fn(|place| self.0.get(place).map_or(0, Count::get)))
    }
}

/// Refusals by their code, as they were at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; CODES]);

impl Tally {
    /// Adds another one to it.
    pub fn add(&mut self, other: &Self) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum += number;
        }
    }

    /// Every code with its number.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        ErrorCode::ALL.iter().copied().zip(self.0)
    }
}

/// How many buckets a histogram has, besides the one for all that lasted longer.
const BUCKETS: usize = 12;

/// The bound of the first bucket; each next one has twice the bound.
const FIRST_BOUND: Duration = Duration::from_micros(125);

/// Durations by their size, in buckets from 125 microseconds to 256 milliseconds.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Count; BUCKETS],
    above: Count,
    nanos: Count,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, duration: Duration) {
        let bucket = Self::bounds().position(|bound| duration <= bound);
        bucket.and_then(|bucket| self.buckets.get(bucket)).unwrap_or(&self.above).add(1);
        self.nanos.add(usize::try_from(duration.as_nanos()).unwrap_or(usize::MAX));
    }

    /// For each bound, how many were not longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut sum = 0;
        Self::bounds().zip(&self.buckets).map(move |(bound, bucket)| {
            sum += bucket.get();
            (bound, sum)
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Count::get).sum::<u64>() + self.above.get()
    }

    /// How long all of them lasted together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos.get())
    }

    fn bounds() -> impl Iterator<Item = Duration> {
        (0..)
            .map_while(|step| 1_u32.checked_shl(step))
            .map(|factor| FIRST_BOUND * factor)
            .take(BUCKETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_place_of_its_own() {
        let refusals = Refusals::default();
        for (times, code) in ErrorCode::ALL.iter().enumerate() {
            for _ in 0..times {
                refusals.count(*code);
            }
        }
        let mut tally = refusals.tally();
        tally.add(&refusals.tally());
        for (times, (code, number)) in (0..).zip(tally.iter()) {
            assert_eq!(number, 2 * times, "{code}");
        }
    }

    #[test]
    fn a_duration_counts_in_every_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for micros in [1, 125, 126, 300_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative.len(), BUCKETS);
        assert_eq!(cumulative[0], (FIRST_BOUND, 2));
        assert_eq!(cumulative[1], (FIRST_BOUND * 2, 3));
        assert_eq!(cumulative[BUCKETS - 1], (Duration::from_millis(256), 3));
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum(), Duration::from_micros(300_252));
    }
}
