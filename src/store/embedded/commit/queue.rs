//! The bounded queue of changes in front of the commit thread.

use super::backlog::Backlog;
use super::pace::{Next, Pace};
use super::{Change, Draft};
use crate::clock::Stopwatch;
use crate::store::StoreError;
use crate::store::embedded::options::Options;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// A change in the queue, whatever its kind.
pub(super) trait Job: Send {
    /// Checks the change against the draft and adds its rows to it. Called once.
    fn stage(&mut self, draft: &mut Draft<'_>);

    /// Answers the caller with what staging found, once that is committed.
    fn committed(self: Box<Self>);

    /// Answers the caller that the change was not made, or that it is not known.
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Waiting<C: Change> {
    change: Option<C>,
    outcome: Result<C::Outcome, StoreError>,
    caller: oneshot::Sender<Result<C::Outcome, StoreError>>,
}

impl<C: Change> Job for Waiting<C> {
    fn stage(&mut self, draft: &mut Draft<'_>) {
        if let Some(change) = self.change.take() {
            self.outcome = draft.stage(change);
        }
    }

    fn committed(self: Box<Self>) {
        answer(self.caller, self.outcome);
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        answer(self.caller, Err(error));
    }
}

/// A caller that has gone away needs no answer.
fn answer<T>(caller: oneshot::Sender<T>, answer: T) {
    drop(caller.send(answer));
}

/// What waits to be committed.
pub(in crate::store::embedded) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    jobs_max: usize,
    bytes_max: usize,
    running: Stopwatch,
}

struct State {
    jobs: Vec<Box<dyn Job>>,
    backlog: Backlog,
    pace: Pace,
    closed: bool,
}

impl Queue {
    /// An empty queue with the bounds and the pace of these options.
    pub(in crate::store::embedded) fn new(options: &Options) -> Self {
        let state = State {
            jobs: Vec::new(),
            backlog: Backlog::new(options.wait_max),
            pace: Pace::new(options.sync_interval),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            jobs_max: options.queue_max,
            bytes_max: options.queue_bytes_max,
            running: Stopwatch::start(),
        }
    }

    /// Queues a change and gives what its answer arrives on; unavailable when full or closed, behind
    /// when the change gives way and would wait for too long.
    pub(in crate::store::embedded) fn push<C: Change>(
        &self,
        change: C,
    ) -> Result<oneshot::Receiver<Result<C::Outcome, StoreError>>, StoreError> {
        let (bytes, gives_way) = (change.bytes(), change.gives_way());
        let (caller, answer) = oneshot::channel();
        // Replaced by staging; a job is answered as committed only after it.
        let outcome = Err(StoreError::Unknown);
        let job = Box::new(Waiting { change: Some(change), outcome, caller });
        let mut state = self.lock();
        let fits = state.jobs.len() < self.jobs_max
            && (state.jobs.is_empty()
                || state.backlog.waiting().saturating_add(bytes) <= self.bytes_max);
        if state.closed || !fits {
            return Err(StoreError::Unavailable);
        }
        if gives_way && let Some(wait) = state.backlog.too_long(|| self.running.elapsed()) {
            return Err(StoreError::Behind { wait });
        }
        state.backlog.joined(bytes);
        state.jobs.push(job);
        let waiting = state.jobs.len();
        // Waking the thread costs a system call.
        let wake = state.pace.joined(waiting, || self.running.elapsed());
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(answer)
    }

    /// Takes everything that is queued into `jobs` when it is time to; what was taken before is
    /// committed, and `is_synced` tells whether all is durable. False once the queue is closed and
    /// empty.
    pub(super) fn take(&self, jobs: &mut Vec<Box<dyn Job>>, is_synced: bool) -> bool {
        let mut state = self.lock();
        let mut now = self.running.elapsed();
        state.backlog.ended(now, is_synced);
        while !state.closed {
            let waiting = state.jobs.len();
            state = match state.pace.next(waiting, now) {
                Next::Commit => break,
                Next::Wait(longest) => {
                    let woken = self.filled.wait_timeout(state, longest);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                Next::Rest => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            now = self.running.elapsed();
        }
        state.backlog.began(now);
        std::mem::swap(&mut state.jobs, jobs);
        !jobs.is_empty()
    }

    /// Takes no more changes; those that wait are still committed.
    pub(in crate::store::embedded) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
