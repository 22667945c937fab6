//! The only reader of the clock; everything else is told what time it is.
//!
//! The time of a server never goes back, and begins no earlier than what its store has seen: entries
//! of a conversation keep their order in time even if the system's clock was set back. While the
//! system's clock is behind, time goes on at half speed until the two meet again, so that nothing
//! that waits for a moment waits for ever.

use crate::model::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Tells the time. Clones tell the same; may be used from any thread.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[derive(Debug)]
struct Inner {
    started: Instant,
    /// The latest moment told, in milliseconds.
    told: AtomicU64,
    /// Up to where time since the start has been used up for going on at half speed.
    slewed: Mutex<Duration>,
}

/// The most by which one reading advances a clock that is ahead of the system's.
const STEP_MAX: Duration = Duration::from_millis(500);

impl Clock {
    /// A clock that tells no moment before `earliest`.
    #[expect(clippy::disallowed_methods, reason = "this is where time enters")]
    pub fn new(earliest: Timestamp) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            told: AtomicU64::new(earliest.as_millis()),
            slewed: Mutex::default(),
        }))
    }

    /// The time now: never before what any clone has told.
    pub fn now(&self) -> Timestamp {
        self.0.tell(system(), || self.0.started.elapsed())
    }

    /// The time since this clock was made: for measuring durations, untouched by what anybody sets.
    pub fn monotonic(&self) -> Duration {
        self.0.started.elapsed()
    }
}

/// The system's time of day. The runtime's own way to it is followed by every tool; a shorter one that
/// calls the kernel's page itself cannot be run under valgrind.
#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn system() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::ZERO.plus(since_1970)
}

impl Inner {
    fn tell(&self, system: Timestamp, elapsed: impl Fn() -> Duration) -> Timestamp {
        let system = system.as_millis();
        // Most readings find a millisecond that was told already, and need not write what all share.
        if self.told.load(Ordering::Acquire) == system {
            return Timestamp::from_millis(system);
        }
        let told = self.told.fetch_max(system, Ordering::AcqRel);
        if system >= told {
            return Timestamp::from_millis(system);
        }
        let step = self.half_of_elapsed(elapsed());
        let before = self.told.fetch_add(step, Ordering::AcqRel);
        Timestamp::from_millis(before.saturating_add(step))
    }

    /// Half of the time since this was last asked, in whole milliseconds; the rest is kept.
    fn half_of_elapsed(&self, elapsed: Duration) -> u64 {
        let mut slewed = self.slewed.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = elapsed.saturating_sub(*slewed);
        if passed > STEP_MAX.saturating_mul(2) {
            *slewed = elapsed;
            return u64::try_from(STEP_MAX.as_millis()).unwrap_or(0);
        }
        let step = u64::try_from(passed.as_millis() / 2).unwrap_or(0);
        *slewed = slewed.saturating_add(Duration::from_millis(step.saturating_mul(2)));
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn it_tells_the_systems_time() {
        let clock = Clock::new(Timestamp::ZERO);
        let year_2020 = at(1_577_836_800_000);
        assert!(clock.now() > year_2020);
    }

    #[test]
    fn it_begins_no_earlier_than_told_and_clones_agree() {
        let future = at((1 << 47) + 5);
        let clock = Clock::new(future);
        let other = clock.clone();
        let mut last = future;
        for _ in 0..1_000 {
            for clock in [&clock, &other] {
                let now = clock.now();
                assert!(now >= last);
                last = now;
            }
        }
    }

    #[test]
    fn a_clock_that_is_ahead_goes_on_at_half_speed_until_the_system_has_caught_up() {
        let Clock(inner) = Clock::new(at(10_000));
        let told: Vec<u64> = (0..=20)
            .map(|step: u64| {
                let elapsed = Duration::from_millis(step * 100);
                inner.tell(at(9_000 + step * 100), || elapsed).as_millis()
            })
            .collect();
        assert_eq!(told[..3], [10_000, 10_050, 10_100]);
        assert_eq!(told[18..], [10_900, 10_900, 11_000], "met after about twice the difference");
        assert!(told.is_sorted());
        assert_eq!(inner.tell(at(11_500), || Duration::ZERO), at(11_500));
    }

    #[test]
    fn halves_of_milliseconds_are_not_lost() {
        let Clock(inner) = Clock::new(at(10_000));
        let mut last = 0;
        for micros in (0..=100_000).step_by(300) {
            last = inner.tell(at(0), || Duration::from_micros(micros)).as_millis();
        }
        assert_eq!(last, 10_049);
    }

    #[test]
    fn a_long_silence_does_not_push_it_further_ahead() {
        let Clock(inner) = Clock::new(at(10_000));
        assert_eq!(inner.tell(at(0), || Duration::from_hours(5)), at(10_500));
        assert_eq!(inner.tell(at(0), || Duration::from_hours(5)), at(10_500));
    }
}
