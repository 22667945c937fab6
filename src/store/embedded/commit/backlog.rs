//! How far the commit thread is behind, and whether a change that can wait should come later.
//!
//! A queue that is bounded in memory alone bounds no wait: on a slow disk it holds a minute of work,
//! and everyone waits for that minute. So what gives way is refused while a change would wait for
//! longer than it should, judged by the pace at which bytes were stored lately.
//!
//! - A pace says little while commits are short: then the fixed cost of a sync hides what the disk can
//!   take. So nothing is refused unless a commit was seen to be slow, just now or a moment ago; a burst
//!   on a disk that is fast is never refused.
//! - Of the last two commits the larger one tells the pace: a small one takes as long to sync, and a
//!   disk may take little at once and much only slowly.
//! - A little is always taken: however slow the disk, it has work, and what it takes is seen.
//! - Pure: time is an argument, counted from any moment. The bytes are those of [`Change::bytes`].
//!
//! [`Change::bytes`]: super::Change::bytes

use std::time::Duration;

/// What is always taken, about a hundred messages.
const ALWAYS_BYTES: usize = 16 << 10;

/// A commit is slow when it takes this part of the longest wait.
const SLOW_PART: u32 = 4;

/// For how many times the longest wait one slow commit is remembered: until the next one, which comes
/// sooner if the disk is no faster.
const SLOW_MEMORY: u32 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Backlog {
    wait_max: Duration,
    /// What waits.
    waiting: usize,
    /// What is being committed, and since when.
    under_way: Option<(usize, Duration)>,
    /// The last synced commit, and the one before it.
    last: Commit,
    before: Commit,
    /// What was written since, without a sync.
    unsynced: Commit,
    /// Until when commits count as slow.
    slow_until: Duration,
}

/// Bytes, and the time that storing them took.
#[derive(Clone, Copy, Debug, Default)]
struct Commit {
    bytes: usize,
    took: Duration,
}

impl Commit {
    fn with(self, bytes: usize, took: Duration) -> Self {
        Self { bytes: self.bytes.saturating_add(bytes), took: self.took.saturating_add(took) }
    }

    /// The one with more bytes, the first where they are equal.
    fn or_larger(self, other: Self) -> Self {
        if other.bytes > self.bytes { other } else { self }
    }

    /// How long so many bytes take at its pace.
    fn time_for(self, bytes: usize) -> Duration {
        let nanos = self.took.as_nanos().saturating_mul(u128::try_from(bytes).unwrap_or(u128::MAX));
        let nanos = nanos / u128::try_from(self.bytes.max(1)).unwrap_or(1);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Backlog {
    /// Nothing waits, nothing is known, and nothing is to wait for longer than `wait_max`.
    pub(super) fn new(wait_max: Duration) -> Self {
        Self {
            wait_max,
            waiting: 0,
            under_way: None,
            last: Commit::default(),
            before: Commit::default(),
            unsynced: Commit::default(),
            slow_until: Duration::ZERO,
        }
    }

    /// The bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// A change has joined those that wait.
    pub(super) fn joined(&mut self, bytes: usize) {
        self.waiting = self.waiting.saturating_add(bytes);
    }

    /// All that waited is being committed.
    pub(super) fn began(&mut self, now: Duration) {
        self.under_way = Some((std::mem::take(&mut self.waiting), now));
    }

    /// What was under way is committed. What was only written counts towards the next sync.
    pub(super) fn ended(&mut self, now: Duration, is_synced: bool) {
        let Some((bytes, since)) = self.under_way.take() else { return };
        let took = now.saturating_sub(since);
        let commit = self.unsynced.with(bytes, took);
        if is_synced {
            self.before = std::mem::replace(&mut self.last, commit);
            self.unsynced = Commit::default();
        } else {
            self.unsynced = commit;
        }
        if self.is_slow(took) {
            self.slow_until = now.saturating_add(self.wait_max.saturating_mul(SLOW_MEMORY));
        }
    }

    /// How long a change that comes now is likely to wait, where that is too long. `now` is asked only
    /// when more waits than is always taken.
    pub(super) fn too_long(&self, now: impl FnOnce() -> Duration) -> Option<Duration> {
        let ahead = self.under_way.map_or(0, |(bytes, _)| bytes).saturating_add(self.waiting);
        if ahead <= ALWAYS_BYTES {
            return None;
        }
        let wait = self.wait(now())?;
        (wait > self.wait_max).then_some(wait)
    }

    /// How long what comes now is likely to wait until its turn; `None` while commits are not slow.
    fn wait(&self, now: Duration) -> Option<Duration> {
        let lately = self.last.or_larger(self.before);
        let Some((bytes, since)) = self.under_way else {
            return (now < self.slow_until).then(|| lately.time_for(self.waiting));
        };
        let elapsed = now.saturating_sub(since);
        if now >= self.slow_until && !self.is_slow(elapsed) {
            return None;
        }
        let expected = lately.time_for(bytes);
        if let Some(rest) = expected.checked_sub(elapsed) {
            return Some(rest.saturating_add(lately.time_for(self.waiting)));
        }
        // What is overdue may well take as long again, and if it is large the pace is no better.
        let overdue = elapsed.saturating_sub(expected);
        let pace = Commit { bytes, took: elapsed }.or_larger(lately);
        Some(overdue.saturating_add(pace.time_for(self.waiting)))
    }

    fn is_slow(&self, took: Duration) -> bool {
        took >= self.wait_max / SLOW_PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const TICK: Duration = Duration::from_millis(1);
    const WAIT_MAX: Duration = Duration::from_secs(1);

    /// A disk: what a sync costs, however little it holds, and what it takes in a second.
    #[derive(Clone, Copy)]
    struct Disk {
        sync: Duration,
        bytes_per_second: usize,
    }

    impl Disk {
        fn takes(self, bytes: usize) -> Duration {
            let millis = (bytes * 1_000).div_ceil(self.bytes_per_second);
            self.sync + Duration::from_millis(millis.try_into().expect("small"))
        }
    }

    /// A queue and a commit thread on a clock of their own.
    struct World {
        backlog: Backlog,
        now: Duration,
        disk: Disk,
        /// When what waits, and what is under way, came.
        waiting: VecDeque<Duration>,
        under_way: VecDeque<Duration>,
        until: Duration,
        /// Since they were last looked at.
        refused: usize,
        stored: usize,
        longest: Duration,
    }

    /// The bytes of each change.
    const BYTES: usize = 1_000;

    impl World {
        fn new(disk: Disk) -> Self {
            Self {
                backlog: Backlog::new(WAIT_MAX),
                now: Duration::from_secs(100),
                disk,
                waiting: VecDeque::new(),
                under_way: VecDeque::new(),
                until: Duration::ZERO,
                refused: 0,
                stored: 0,
                longest: Duration::ZERO,
            }
        }

        fn arrive(&mut self, changes: usize) {
            for _ in 0..changes {
                if self.backlog.too_long(|| self.now).is_some() {
                    self.refused += 1;
                } else {
                    self.backlog.joined(BYTES);
                    self.waiting.push_back(self.now);
                }
            }
        }

        /// Lets a millisecond pass; whether a commit ended.
        fn pass(&mut self) -> bool {
            self.now += TICK;
            let ended = !self.under_way.is_empty() && self.now >= self.until;
            if ended {
                self.backlog.ended(self.now, true);
                self.stored += self.under_way.len();
                for came in self.under_way.drain(..) {
                    self.longest = self.longest.max(self.now.saturating_sub(came));
                }
            }
            if self.under_way.is_empty() && !self.waiting.is_empty() {
                std::mem::swap(&mut self.waiting, &mut self.under_way);
                self.until = self.now + self.disk.takes(self.under_way.len() * BYTES);
                self.backlog.began(self.now);
            }
            ended
        }

        /// So many changes arrive in each millisecond, for some seconds.
        fn steady(&mut self, changes: usize, seconds: u32) {
            (self.refused, self.stored, self.longest) = (0, 0, Duration::ZERO);
            for _ in 0..seconds * 1_000 {
                self.arrive(changes);
                self.pass();
            }
        }
    }

    const FAST: Disk = Disk { sync: Duration::from_millis(4), bytes_per_second: 20_000_000 };
    const SLOW: Disk = Disk { sync: Duration::ZERO, bytes_per_second: 100_000 };

    #[test]
    fn a_burst_out_of_nothing_is_taken() {
        for quiet in [false, true] {
            let mut world = World::new(FAST);
            if quiet {
                // A pace of tiny commits, far below what the disk can take.
                for _ in 0..1_000 {
                    world.arrive(usize::from(world.under_way.is_empty()));
                    world.pass();
                }
            }
            world.arrive(4_000);
            assert_eq!(world.refused, 0);
            world.steady(15, 2);
            assert_eq!((world.refused, world.longest < WAIT_MAX), (0, true));
        }
    }

    #[test]
    fn ten_times_what_a_disk_takes_waits_no_longer_than_it_may_and_keeps_the_disk_busy() {
        let mut world = World::new(SLOW);
        world.steady(1, 5);
        world.steady(1, 30);
        assert!(world.longest <= WAIT_MAX * 2, "{:?}", world.longest);
        assert!(world.stored >= 30 * 97, "{}", world.stored);
        assert!(world.refused > 30 * 800, "{}", world.refused);
    }

    #[test]
    fn so_do_many_that_wait_for_the_same_commit_and_come_back_at_once() {
        let mut world = World::new(SLOW);
        world.steady(1, 5);
        (world.stored, world.longest) = (0, Duration::ZERO);
        for _ in 0..30_000 {
            if world.pass() {
                world.arrive(1);
                // The first of them is taken up before the others have come.
                world.pass();
                world.arrive(5_000);
            }
        }
        assert!(world.longest <= WAIT_MAX * 2, "{:?}", world.longest);
        assert!(world.stored >= 30 * 97, "{}", world.stored);
    }

    #[test]
    fn a_stall_is_noticed_while_it_lasts_and_over_when_it_is_over() {
        let mut world = World::new(FAST);
        world.steady(2, 2);
        assert_eq!(world.refused, 0);
        world.disk.sync = Duration::from_secs(5);
        world.steady(2, 1);
        let taken = 2_000 - world.refused;
        assert!(taken < 1_200, "{taken}");
        world.disk = FAST;
        world.steady(2, 5);
        world.steady(2, 2);
        assert_eq!((world.refused, world.stored), (0, 4_000));
    }

    #[test]
    fn a_sync_that_is_slow_by_itself_is_shared_by_all_that_come() {
        let mut world = World::new(Disk { sync: Duration::from_millis(400), ..FAST });
        world.steady(2, 10);
        world.steady(2, 10);
        assert_eq!(world.refused, 0);
    }

    #[test]
    fn a_disk_beyond_hope_goes_on_storing() {
        let mut world = World::new(Disk { sync: Duration::from_secs(3), bytes_per_second: 10_000 });
        world.steady(1, 100);
        let before = world.stored;
        world.steady(1, 100);
        assert!(before > 200 && world.stored > 200, "{before} {}", world.stored);
    }

    #[test]
    fn what_is_only_written_counts_with_the_next_sync() {
        let mut backlog = Backlog::new(WAIT_MAX);
        let mut commit = |bytes, from, to, is_synced| {
            backlog.joined(bytes);
            backlog.began(Duration::from_millis(from));
            backlog.ended(Duration::from_millis(to), is_synced);
        };
        commit(50_000, 0, 0, false);
        commit(50_000, 0, 1_000, true);
        assert_eq!(backlog.last.time_for(100_000), Duration::from_secs(1));
    }
}
