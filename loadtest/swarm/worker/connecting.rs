//! How connections come and go: who waits for one, how many are made at a time, and when one that was
//! lost is made again.

use super::Worker;
use super::command::{Cut, How};
use super::seat::Seat;
use crate::client::transport::Transport;
use crate::client::{Alarm, Broken, Context, State};
use crate::clock::{MILLISECOND, SECOND};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

/// The first and the longest wait before connecting again, each at random up to this.
const BACKOFF: u64 = SECOND / 2;
const BACKOFF_MAX: u64 = 60 * SECOND;

/// Close codes from here on say that coming back is of no use.
const STOP_FIRST: u16 = 4500;

/// Members that wait for a connection, and how many are being made.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<u32>,
    connecting: usize,
    connecting_max: usize,
}

impl Queue {
    /// An empty one that makes so many connections at a time.
    pub(super) fn new(connecting_max: usize) -> Self {
        Self { waiting: VecDeque::new(), connecting: 0, connecting_max: connecting_max.max(1) }
    }

    /// Connects a member when its turn comes.
    pub(super) fn push(&mut self, index: u32) {
        self.waiting.push_back(index);
    }

    fn pop(&mut self) -> Option<u32> {
        if self.connecting < self.connecting_max { self.waiting.pop_front() } else { None }
    }

    fn release(&mut self, seat: &mut Seat) {
        if std::mem::take(&mut seat.connecting) {
            self.connecting -= 1;
        }
    }

    /// A member has everything.
    pub(super) fn on_ready(&mut self, seat: &mut Seat, ctx: &mut Context<'_>) {
        if seat.connecting {
            ctx.tally.counts.ready += 1;
            ctx.tally.connect_to_ready.record(ctx.now.saturating_sub(seat.began));
        }
        if let Some(since) = seat.down_since.take() {
            ctx.tally.down_to_caught_up.record(ctx.now.saturating_sub(since));
        }
        seat.failures = 0;
        self.release(seat);
        let sending = ctx.traffic.is_some_and(|traffic| traffic.span.contains(&ctx.now));
        if ctx.member.slow && sending && !seat.trickles {
            seat.trickles = true;
            ctx.wake_at(ctx.now + SECOND, Alarm::Trickle);
        }
    }
}

impl Worker {
    /// Begins as many connections as may be made at a time.
    pub(super) fn start_connecting(&mut self, now: u64) {
        while let Some(index) = self.queue.pop() {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let Some(seat) = self.seats.get_mut(at) else { continue };
            let Some(member) = self.plan.members.get(at) else { continue };
            let Some(address) = self.plan.servers.get(member.server) else { continue };
            if seat.client.state != State::Down {
                continue;
            }
            let from = source(self.plan.turn.0, index, seat.attempts);
            seat.attempts += 1;
            seat.began = now;
            seat.connecting = true;
            self.queue.connecting += 1;
            let opened =
                Transport::connect(from, *address, self.tls.as_ref()).and_then(|transport| {
                    self.reactor.add(&transport, index)?;
                    Ok(transport)
                });
            match opened {
                Ok(transport) => {
                    seat.transport = Some(transport);
                    seat.client.state = State::Connecting;
                }
                Err(_) => self.on_failed(index, now),
            }
        }
    }

    /// TCP has answered.
    pub(super) fn on_connected(&mut self, index: u32, now: u64) {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(seat) = self.seats.get_mut(at) else { return };
        if !seat.transport.as_ref().is_some_and(Transport::connected) {
            return self.on_failed(index, now);
        }
        let server = self.plan.members.get(at).and_then(|it| self.plan.servers.get(it.server));
        let host = server.map(ToString::to_string).unwrap_or_default();
        self.with(index, now, |seat, _, _| seat.client.connected(&host));
    }

    /// A connection could not be made: later again, after longer and longer waits.
    fn on_failed(&mut self, index: u32, now: u64) {
        self.tally.counts.connect_failed += 1;
        self.drop_connection(index, now);
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(seat) = self.seats.get_mut(at) else { return };
        let longest = BACKOFF.saturating_mul(1 << seat.failures.min(10)).min(BACKOFF_MAX);
        seat.failures += 1;
        let wait = self.random.below(longest);
        self.timers.set(now + wait, index, Alarm::Connect);
    }

    /// A connection is over.
    pub(super) fn on_broken(&mut self, index: u32, now: u64, broken: &Broken) {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(seat) = self.seats.get(at) else { return };
        match broken {
            _ if seat.client.state < State::CatchingUp => return self.on_failed(index, now),
            Broken::Closed(1000) => {}
            Broken::Closed(code) => {
                self.tally.counts.ended_by_server += 1;
                if *code >= STOP_FIRST {
                    self.tally.counts.faults += 1;
                }
            }
            Broken::Upgrade(_) | Broken::Undecodable(_) => self.tally.counts.faults += 1,
        }
        self.drop_connection(index, now);
        let wait = self.random.below(BACKOFF);
        self.timers.set(now + wait, index, Alarm::Connect);
    }

    fn drop_connection(&mut self, index: u32, now: u64) {
        self.with(index, now, |seat, ctx, _| {
            if seat.client.state >= State::CatchingUp {
                seat.down_since.get_or_insert(ctx.now);
            }
            seat.transport = None;
            (seat.trickles, seat.dirty) = (false, false);
            seat.client.disconnected(ctx);
        });
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        if let Some(seat) = self.seats.get_mut(at) {
            self.queue.release(seat);
        }
    }

    /// Cuts a share of the connections; they come back at once, as far as as many may be made at a
    /// time.
    pub(super) fn cut(&mut self, cut: &Cut, now: u64) {
        const PARTS: u64 = 1_000_000;
        let all = u64::try_from(self.seats.len()).unwrap_or_default();
        for index in (0..all).filter_map(|index| u32::try_from(index).ok()) {
            let chance = self.random.below(PARTS);
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let Some(seat) = self.seats.get_mut(at) else { continue };
            let hit = std::time::Duration::from_micros(chance).as_secs_f64() < cut.share;
            if !hit || seat.client.state != State::Live {
                continue;
            }
            let mut moves = super::Moves::default();
            match (cut.how, &seat.transport) {
                (How::Reset, Some(transport)) => transport.abort_on_close(),
                (How::Halfway, _) => {
                    seat.client.stammer();
                    // Whether all of it gets out does not matter.
                    seat.flush(&mut moves).ok();
                }
                _ => {}
            }
            self.tally.counts.cut += 1;
            self.drop_connection(index, now);
            self.queue.push(index);
        }
    }
}

/// The address a connection comes from: a worker has some thousands for its own, a connection moves on
/// with each attempt, so that the ports of one suffice.
fn source(worker: u32, index: u32, attempts: u32) -> IpAddr {
    let [.., worker] = (worker % 250 + 1).to_be_bytes();
    let [.., last] = ((index / 4000 + attempts) % 250 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 0, worker, last))
}

/// How long opening may take without one more being ready.
pub(super) const PATIENCE: u64 = 60_000 * MILLISECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_an_address_suffice() {
        let of = |index, attempts| source(0, index, attempts);
        let mut counts = std::collections::HashMap::new();
        for index in 0..19_000 {
            *counts.entry(of(index, 0)).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count <= 4000));
        assert_ne!(of(0, 0), of(0, 1), "a port that waits for stray packets is left alone");
        assert_ne!(source(0, 0, 0), source(1, 0, 0));
    }

    #[test]
    fn no_more_connect_at_a_time_than_may() {
        let mut queue = Queue::new(2);
        (0..3).for_each(|index| queue.push(index));
        let mut seat = Seat { connecting: true, ..Seat::default() };
        assert_eq!(queue.pop(), Some(0));
        queue.connecting = 2;
        assert_eq!(queue.pop(), None);
        queue.release(&mut seat);
        queue.release(&mut seat);
        assert_eq!(queue.connecting, 1, "released once");
        assert_eq!(queue.pop(), Some(1));
    }
}
