//! The loop that drives a shard: one local task, woken by sockets, by the mailbox and by whoever
//! enters from outside.
//!
//! Owns the order of a round and the waking. It knows neither the mailbox nor what executes
//! commands: these are closures of the caller.
//!
//! ```text
//! mailbox -> one turn of the sockets -> events -> owners -> sweep -> one write per dirty connection
//! ```
//!
//! Invariants: connections are borrowed only between two points where nothing else runs, never
//! across an await. Whoever enters from outside the loop wakes it, because what it leaves (bytes to
//! write, frames to decode, events) is seen by nobody else. The readiness of the epoll set is cleared
//! only after an answer, asked for under the same guard, that left nothing in it.

use super::closing::SWEEP_PERIOD;
use super::connections::{Connections, Event};
use super::counters::Counters;
use super::epoll::Readiness;
use super::settings::Settings;
use super::wakes::Derived;
use crate::deferral::{Deferral, deferrable};
use crate::model::Timestamp;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The connections of a shard and the loop that drives them.
pub(crate) struct Reactor {
    connections: RefCell<Connections>,
    waker: RefCell<Option<Waker>>,
    in_round: Cell<bool>,
}

/// What the rest of the shard brings to the loop.
struct Hooks<C, M, H, W> {
    clock: C,
    mailbox: M,
    handle: H,
    work: W,
}

impl Reactor {
    /// A reactor without connections.
    pub(crate) fn new(settings: Settings, counters: Arc<Counters>) -> io::Result<Self> {
        Ok(Self {
            connections: RefCell::new(Connections::new(settings, counters)?),
            waker: RefCell::new(None),
            in_round: Cell::new(false),
        })
    }

    /// Does something with the connections and has the loop see to what follows from it. Must not
    /// be nested.
    pub(crate) fn enter<R>(&self, now: Timestamp, act: impl FnOnce(&mut Connections) -> R) -> R {
        self.hand_over(|connections| {
            connections.set_now(now);
            act(connections)
        })
    }

    /// The same for what cares little about the time: that of the last round is good enough.
    pub(crate) fn hand_over<R>(&self, act: impl FnOnce(&mut Connections) -> R) -> R {
        let result = act(&mut self.connections.borrow_mut());
        self.nudge();
        result
    }

    /// Has the loop go round, unless it does so now.
    pub(crate) fn nudge(&self) {
        if !self.in_round.get()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// Drives the connections for as long as the future is polled. Ends only with the error of an
    /// epoll set that cannot be waited for.
    ///
    /// `clock` tells the time, once a round. `mailbox` receives a bounded number of messages for this
    /// shard and acts on them; it tells whether there may be more, else it has registered the waker.
    /// `handle` acts on what a connection asks for. `work` does what was put off until then, and tells
    /// whether there is more already. The last three may [`Self::enter`].
    pub(crate) async fn run<C, M, H, W>(
        &self,
        clock: C,
        mailbox: M,
        handle: H,
        work: W,
    ) -> io::Error
    where
        C: Fn() -> Timestamp,
        M: FnMut(&mut Context<'_>, Timestamp) -> bool,
        H: FnMut(Event),
        W: FnMut(&mut Context<'_>, Timestamp) -> bool,
    {
        let mut hooks = Hooks { clock, mailbox, handle, work };
        let registered = self.connections.borrow().readiness();
        let readiness = match registered {
            Ok(readiness) => readiness,
            Err(error) => return error,
        };
        let mut sweeps = interval(SWEEP_PERIOD);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut others = Derived::default();
        poll_fn(|cx| {
            self.waker.replace(Some(cx.waker().clone()));
            self.in_round.set(true);
            let mut others = Context::from_waker(others.of(cx.waker(), deferrable));
            let round = self.round(&mut others, &readiness, &mut sweeps, &mut hooks);
            self.in_round.set(false);
            match round {
                Ok(again) => {
                    if again {
                        // Unlike waking oneself, yielding lets the runtime poll its driver first.
                        let yielding = pin!(tokio::task::yield_now());
                        let _pending = yielding.poll(cx);
                    }
                    Poll::Pending
                }
                Err(error) => Poll::Ready(error),
            }
        })
        .await
    }

    /// One round. Tells whether another must follow without waiting. Other threads may put off to wake it.
    fn round<C, M, H, W>(
        &self,
        cx: &mut Context<'_>,
        readiness: &Readiness,
        sweeps: &mut Interval,
        hooks: &mut Hooks<C, M, H, W>,
    ) -> io::Result<bool>
    where
        C: Fn() -> Timestamp,
        M: FnMut(&mut Context<'_>, Timestamp) -> bool,
        H: FnMut(Event),
        W: FnMut(&mut Context<'_>, Timestamp) -> bool,
    {
        let now = (hooks.clock)();
        self.begin_round(now);
        let deferral = Deferral::begin();
        let received = (hooks.mailbox)(cx, now);
        let mut again = self.turn(cx, readiness)?;
        while let Some(event) = self.next_event() {
            (hooks.handle)(event);
        }
        again |= (hooks.work)(cx, now);
        // Mostly nothing has come meanwhile, and then no further round is needed to learn that.
        again |= received && (hooks.mailbox)(cx, now);
        // Others work on what they were sent while this shard writes.
        drop(deferral);
        let mut connections = self.connections.borrow_mut();
        while sweeps.poll_tick(cx).is_ready() {
            connections.sweep();
        }
        connections.tell_drain();
        connections.flush_dirty();
        Ok(again | connections.has_backlog())
    }

    /// Takes a turn if the sockets or an earlier turn give a reason to. Tells whether there may be
    /// more; if not, the waker is registered.
    fn turn(&self, cx: &mut Context<'_>, readiness: &Readiness) -> io::Result<bool> {
        let guard = match readiness.poll_read_ready(cx) {
            Poll::Ready(guard) => Some(guard?),
            Poll::Pending => None,
        };
        let mut connections = self.connections.borrow_mut();
        if guard.is_none() && !connections.has_backlog() {
            return Ok(false);
        }
        let drained = connections.turn(guard.is_some())?;
        let Some(mut guard) = guard else { return Ok(false) };
        if !drained {
            return Ok(true);
        }
        guard.clear_ready();
        drop(guard);
        Ok(readiness.poll_read_ready(cx).is_ready())
    }

    fn begin_round(&self, now: Timestamp) {
        let mut connections = self.connections.borrow_mut();
        connections.set_now(now);
        connections.counters.rounds.add(1);
    }

    fn next_event(&self) -> Option<Event> {
        self.connections.borrow_mut().pop_event()
    }
}

impl std::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}
