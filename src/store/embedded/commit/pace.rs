//! When the next commit begins: at once, or a little later so that more changes share its sync.
//!
//! A sync costs the same for one change as for a hundred, and so do the system calls around it. Where
//! changes come faster than they would be missed, a commit waits until [`ENOUGH`] of them are there or an
//! interval has passed since the last commit began. Under load nothing waits: enough come by themselves.
//!
//! - Whoever comes after a pause of that length is committed at once.
//! - Waiting pays where others come on their own. It does not where all writers wait for the answers
//!   they are kept from: then nobody comes for the rest of the interval. So a wait that brought nobody
//!   in its second half, or no second change at all, is not repeated for some commits; each further one
//!   doubles their number.
//! - Pure: time is an argument, counted from any moment.

use std::time::Duration;

/// So many changes are not kept waiting.
const ENOUGH: usize = 8;

/// The most commits in a row that do not wait because waiting did not pay. A writer that is alone loses
/// one interval in so many commits.
const UNPACED_MAX: u32 = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// Until when the next commit waits for enough changes.
    until: Duration,
    /// With how many changes the commit thread wants to be woken; 0 while it is awake.
    wake_at: usize,
    /// Whether the next commit has been kept waiting.
    waited: bool,
    /// When the last change came for which the thread was waiting.
    joined: Duration,
    /// How many commits do not wait from now on, and how many if the next wait does not pay.
    unpaced: u32,
    unpaced_next: u32,
}

/// What the commit thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It commits what waits.
    Commit,
    /// It waits for so long at most.
    Wait(Duration),
    /// It waits for a first change.
    Rest,
}

impl Pace {
    /// No commit has begun yet, and two are to begin no closer than `interval` unless enough waits.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            until: Duration::ZERO,
            wake_at: 0,
            waited: false,
            joined: Duration::ZERO,
            unpaced: 0,
            unpaced_next: 0,
        }
    }

    /// A change has joined, so that this many wait. Tells whether the commit thread is to be woken for
    /// it. `now` is asked only while the thread waits.
    pub(super) fn joined(&mut self, waiting: usize, now: impl FnOnce() -> Duration) -> bool {
        if self.wake_at == 0 {
            return false;
        }
        self.joined = now();
        let wakes = waiting >= self.wake_at;
        if wakes {
            self.wake_at = 0;
        }
        wakes
    }

    /// What the commit thread, which is awake, does about the changes that wait.
    pub(super) fn next(&mut self, waiting: usize, now: Duration) -> Next {
        let rest = self.until.saturating_sub(now);
        if waiting < ENOUGH && !rest.is_zero() {
            self.wake_at = ENOUGH;
            self.waited = true;
            return Next::Wait(rest);
        }
        if waiting == 0 {
            self.wake_at = 1;
            self.waited = false;
            return Next::Rest;
        }
        self.wake_at = 0;
        self.judge(waiting);
        self.until = if self.unpaced == 0 { now.saturating_add(self.interval) } else { now };
        self.unpaced = self.unpaced.saturating_sub(1);
        Next::Commit
    }

    /// Learns from the wait that ends with this many changes, if there was one.
    fn judge(&mut self, waiting: usize) {
        let second_half = self.until.saturating_sub(self.interval / 2);
        if waiting >= ENOUGH || (waiting > 1 && self.waited && self.joined >= second_half) {
            (self.unpaced, self.unpaced_next) = (0, 0);
        } else if self.waited {
            self.unpaced = self.unpaced_next;
            self.unpaced_next = (self.unpaced_next * 2).clamp(1, UNPACED_MAX);
        }
        self.waited = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    const INTERVAL: Duration = Duration::from_millis(4);
    const COMMIT: Duration = Duration::from_micros(150);
    const SECOND: u32 = 1_000_000;

    /// Who writes: one change that comes by itself, or a writer that sends the next one so long after
    /// the answer.
    type Writer = Option<Duration>;

    /// A commit thread and its writers on a clock of their own.
    struct World {
        pace: Pace,
        now: Duration,
        coming: BinaryHeap<Reverse<(Duration, Writer)>>,
        waiting: Vec<(Duration, Writer)>,
        commits: u32,
        stored: u32,
        /// The longest that a change has waited for its commit to begin.
        longest: Duration,
    }

    impl World {
        fn new(interval: Duration) -> Self {
            Self {
                pace: Pace::new(interval),
                now: Duration::from_secs(100),
                coming: BinaryHeap::new(),
                waiting: Vec::new(),
                commits: 0,
                stored: 0,
                longest: Duration::ZERO,
            }
        }

        /// So many changes a second for a second, as unevenly as those of many people.
        fn arrive(&mut self, rate: u32) {
            let mut random = 1_u32;
            for _ in 0..rate {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let micros = u64::from((random >> 8) % SECOND);
                self.coming.push(Reverse((self.now + Duration::from_micros(micros), None)));
            }
        }

        /// Writers that each wait for the answer to one change before they send the next.
        fn write_in_turn(&mut self, writers: u32, think: Duration) {
            for _ in 0..writers {
                self.coming.push(Reverse((self.now, Some(think))));
            }
        }

        /// Lets changes join until then, or until one wakes the thread.
        fn join_until(&mut self, end: Duration) {
            while let Some(Reverse((at, writer))) = self.coming.pop() {
                if at > end {
                    self.coming.push(Reverse((at, writer)));
                    break;
                }
                self.waiting.push((at, writer));
                if self.pace.joined(self.waiting.len(), || at) {
                    self.now = at;
                    return;
                }
            }
            self.now = end;
        }

        fn step(&mut self) {
            match self.pace.next(self.waiting.len(), self.now) {
                Next::Commit => {
                    let batch = std::mem::take(&mut self.waiting);
                    self.commits += 1;
                    let began = self.now;
                    self.join_until(began + COMMIT);
                    for (came, writer) in batch {
                        self.stored += 1;
                        self.longest = self.longest.max(began.saturating_sub(came));
                        let again = writer.map(|think| Reverse((self.now + think, writer)));
                        self.coming.extend(again);
                    }
                }
                Next::Wait(rest) => self.join_until(self.now + rest),
                Next::Rest => {
                    let next = self.coming.peek().map(|Reverse((at, _))| *at);
                    self.join_until(next.expect("someone comes"));
                    assert_eq!(self.waiting.len(), 1, "woken by the first");
                }
            }
        }

        /// Commits so many changes; how long that took.
        fn store(&mut self, changes: u32) -> Duration {
            let (began, before) = (self.now, self.stored);
            (self.commits, self.longest) = (0, Duration::ZERO);
            while self.stored < before + changes {
                self.step();
            }
            self.now.saturating_sub(began)
        }
    }

    #[test]
    fn changes_that_come_on_their_own_share_commits_and_wait_no_longer_than_the_interval() {
        for (rate, shared_by) in [(1_000, 3.0), (2_000, 6.0), (10_000, 7.5)] {
            let mut world = World::new(INTERVAL);
            world.arrive(rate);
            world.store(rate);
            let share = f64::from(rate) / f64::from(world.commits);
            assert!(share >= shared_by, "{rate} a second: {share} to a commit");
            assert!(world.longest <= INTERVAL, "{:?}", world.longest);
        }
    }

    #[test]
    fn what_comes_after_a_pause_is_committed_at_once() {
        let mut world = World::new(INTERVAL);
        world.write_in_turn(1, INTERVAL);
        world.store(1_000);
        assert_eq!((world.commits, world.longest), (1_000, Duration::ZERO));
    }

    #[test]
    fn enough_changes_do_not_wait() {
        let mut world = World::new(Duration::from_hours(1));
        let think = Duration::from_micros(100);
        world.write_in_turn(8, think);
        world.store(8_000);
        // At most until the first of them, committed alone, is followed by its writer's next.
        assert!(world.longest <= COMMIT + think, "{:?}", world.longest);
    }

    #[test]
    fn writers_that_wait_for_their_answers_are_hardly_held_up() {
        let think = Duration::from_micros(50);
        for writers in 1..=7 {
            let (mut paced, mut free) = (World::new(INTERVAL), World::new(Duration::ZERO));
            for world in [&mut paced, &mut free] {
                world.write_in_turn(writers, think);
                // Until it is known that waiting does not pay.
                world.store(2_000);
            }
            let (paced, free) = (paced.store(10_000), free.store(10_000));
            assert!(paced <= free * 11 / 10, "{writers} writers: {paced:?} against {free:?}");
        }
    }

    #[test]
    fn waiting_is_taken_up_again_when_others_come() {
        let mut world = World::new(INTERVAL);
        world.write_in_turn(1, Duration::from_micros(50));
        world.store(5_000);
        world.coming.clear();
        world.waiting.clear();
        world.arrive(5_000);
        world.store(2_000);
        world.store(2_000);
        assert!(world.commits <= 350, "{}", world.commits);
    }

    #[test]
    fn without_an_interval_nothing_waits() {
        let mut world = World::new(Duration::ZERO);
        world.arrive(2_000);
        world.store(2_000);
        assert!(world.longest <= COMMIT, "{:?}", world.longest);
    }
}
