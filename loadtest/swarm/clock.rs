//! The one clock of a run: nanoseconds that every process of this machine agrees on.
//!
//! A message carries the moment it was due, and another process takes the difference when it arrives.
//! So this is the system's monotonic clock as it is, not the time since some start.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// Nanoseconds in a millisecond.
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// The time now, in nanoseconds since the machine was started.
pub(crate) fn now() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(tv_sec).unwrap_or_default();
    seconds * SECOND + u64::try_from(tv_nsec).unwrap_or_default()
}

/// Waits until a moment of this clock; returns at once if it has passed.
pub(crate) fn sleep_until(moment: u64) {
    std::thread::sleep(Duration::from_nanos(moment.saturating_sub(now())));
}

/// Nanoseconds of a duration.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of a number of seconds that may have a fraction.
pub(crate) fn from_seconds(seconds: f64) -> u64 {
    nanos(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// Seconds of a number of nanoseconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}
