//! When messages are due: at a fixed rate, whatever becomes of those before.
//!
//! An open loop. Message number `j` of a worker is due at `begin + j * step`, and its writers take
//! turns, so nothing is stored for a message that is due and not yet written: a writer's `k`th has
//! the number `k * writers + its turn`. The workers of a run are offset against each other, so that
//! together they are as even as one.

/// The plan of one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// When the first is due.
    begin: u64,
    /// How many are due in all.
    count: u64,
    /// Nanoseconds between two.
    step: f64,
    /// Between how many the messages are shared.
    writers: u64,
    /// How many have been announced as due.
    told: u64,
}

impl Schedule {
    /// The plan for worker `turn.0` of `turn.1`, who together send `rate` messages a second from
    /// `begin` to `end`, this one through `writers` connections.
    pub(crate) fn new(begin: u64, end: u64, rate: f64, turn: (u32, u32), writers: u64) -> Self {
        let all = if rate > 0.0 { 1e9 / rate } else { f64::INFINITY };
        let step = all * f64::from(turn.1);
        let begin = begin.saturating_add(whole(all * f64::from(turn.0)));
        let span = real(end.saturating_sub(begin));
        let count = if writers == 0 { 0 } else { whole((span / step).ceil()) };
        Self { begin, count, step, writers, told: 0 }
    }

    /// When message `k` of the writer whose turn is `turn` is due.
    pub(crate) fn due(&self, turn: u64, k: u64) -> u64 {
        self.moment(k.saturating_mul(self.writers).saturating_add(turn))
    }

    /// The next turn that has come by `now`, and when it was due.
    pub(crate) fn pop(&mut self, now: u64) -> Option<(u64, u64)> {
        let moment = self.next().filter(|moment| *moment <= now)?;
        let turn = self.told.checked_rem(self.writers)?;
        self.told += 1;
        Some((turn, moment))
    }

    /// When the next is due; `None` after the last.
    pub(crate) fn next(&self) -> Option<u64> {
        (self.told < self.count).then(|| self.moment(self.told))
    }

    fn moment(&self, number: u64) -> u64 {
        self.begin.saturating_add(whole(real(number) * self.step))
    }
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "exact up to 2^53")]
fn real(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "saturates, and fractions of a nanosecond do not matter"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn messages_are_due_at_the_rate_and_writers_take_turns() {
        let mut schedule = Schedule::new(SECOND, 2 * SECOND, 4.0, (0, 1), 3);
        let due: Vec<_> = std::iter::from_fn(|| schedule.pop(u64::MAX)).collect();
        let at = |quarters: u64| SECOND + quarters * SECOND / 4;
        assert_eq!(due, [(0, at(0)), (1, at(1)), (2, at(2)), (0, at(3))]);
        assert_eq!(schedule.next(), None);
        assert_eq!((schedule.due(1, 0), schedule.due(0, 1)), (at(1), at(3)));
    }

    #[test]
    fn nothing_is_due_before_its_moment_and_a_late_call_keeps_the_moment() {
        let mut schedule = Schedule::new(0, SECOND, 10.0, (0, 1), 1);
        assert_eq!(schedule.pop(0), Some((0, 0)));
        assert_eq!(schedule.pop(99_999_999), None);
        assert_eq!(schedule.next(), Some(100_000_000));
        assert_eq!(schedule.pop(950_000_000), Some((0, 100_000_000)));
        assert_eq!(schedule.pop(950_000_000), Some((0, 200_000_000)));
    }

    #[test]
    fn workers_together_are_as_even_as_one() {
        let mut all: Vec<u64> = Vec::new();
        for turn in 0..4 {
            let mut schedule = Schedule::new(0, SECOND, 1000.0, (turn, 4), 7);
            all.extend(std::iter::from_fn(|| schedule.pop(u64::MAX)).map(|(_, due)| due));
        }
        all.sort_unstable();
        let expected: Vec<u64> = (0..1000).map(|number| number * 1_000_000).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn no_rate_and_no_writers_mean_no_messages() {
        assert_eq!(Schedule::new(0, SECOND, 0.0, (0, 1), 5).next(), None);
        assert_eq!(Schedule::new(0, SECOND, 5.0, (0, 1), 0).next(), None);
    }
}
