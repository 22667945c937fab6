//! How connections end, and the sweep that ends those that do not end by themselves.
//!
//! The kernel throws away what a peer has not read yet when a socket is closed with unread bytes in
//! it. So after the last message our side is shut, and what still comes is discarded until the peer
//! ends its side too, for a bounded time. There is no timer per connection: a sweep visits every
//! connection once in four seconds, a part at a time.

use super::ConnectionKey;
use super::connection::{Connection, Flags, Phase, Role};
use super::connections::Connections;
use super::websocket::Violation;
use fastwebsockets::OpCode;
use std::net::Shutdown;
use std::time::Duration;

use crate::model::Actor;
use crate::protocol::constants::limit;
use crate::protocol::{CloseCode, Fault, ProtocolError};

/// How long a connection that ends may take to do so.
const END_GRACE: Duration = Duration::from_secs(5);

/// How often a part of the connections is swept, and in how many parts: all in four seconds.
pub(super) const SWEEP_PERIOD: Duration = Duration::from_millis(250);
const SWEEP_PARTS: u32 = 16;

/// How many connections one turn tells that the server is going away.
const DRAINS_PER_TURN: u32 = 512;

/// Close codes of RFC 6455.
const CLOSE_PROTOCOL_ERROR: u16 = 1002;
const CLOSE_UNACCEPTABLE: u16 = 1003;
const CLOSE_NOT_UTF8: u16 = 1007;
const CLOSE_TOO_BIG: u16 = 1009;

impl Connections {
    /// Queues a close frame as the last message and stops listening.
    pub(super) fn begin_close(
        &mut self,
        key: ConnectionKey,
        actor: Option<Actor>,
        code: Option<u16>,
    ) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        if !connection.is_served() {
            return;
        }
        connection.partial = None;
        connection.phase = Phase::Closing;
        connection.end_within(self.now, END_GRACE);
        self.entrance.pass_through(key);
        self.announce_closed(key, actor);
        let code = code.map(u16::to_be_bytes);
        let payload = code.as_ref().map_or(&[][..], |code| code);
        if !self.queue(key, OpCode::Close, payload) {
            self.abandon_outbox(key);
            self.queue(key, OpCode::Close, payload);
        }
    }

    /// Closes a connection whose peer does not take what it is owed.
    pub(super) fn begin_slow_close(&mut self, key: ConnectionKey, actor: Option<Actor>) {
        self.abandon_outbox(key);
        self.begin_close(key, actor, Some(CloseCode::SlowConsumer.number()));
    }

    fn abandon_outbox(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.slab.get_mut(key)
            && let Some(outbox) = &mut connection.outbox
        {
            outbox.abandon();
        }
    }

    /// Closes a connection whose peer broke the rules of WebSocket. What the protocol above has a
    /// word for, its session says.
    pub(super) fn fail(&mut self, key: ConnectionKey, violation: Violation) {
        let (code, fault) = match violation {
            Violation::Framing(_) => (CLOSE_PROTOCOL_ERROR, None),
            Violation::NotUtf8 => (CLOSE_NOT_UTF8, None),
            Violation::TooBig => (CLOSE_TOO_BIG, Some(Fault::MessageTooLarge)),
            Violation::Text => (CLOSE_UNACCEPTABLE, Some(Fault::TextMessage)),
        };
        if let Some(fault) = fault {
            let error = ProtocolError::closing(fault, 0);
            self.step(key, |session, _, _, effects| session.handle_violation(&error, effects));
        }
        self.begin_close(key, self.actor(key), Some(code));
    }

    /// The peer has ended its side.
    pub(super) fn end_of_stream(&mut self, key: ConnectionKey) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        connection.flags.clear(Flags::READABLE);
        match connection.phase {
            Phase::Open => {
                connection.partial = None;
                connection.phase = Phase::Finishing;
                connection.end_within(self.now, END_GRACE);
                self.settle(key);
            }
            Phase::Finishing => {}
            Phase::Closing => {
                connection.flags.set(Flags::FINISHED);
            }
            Phase::Lingering => self.drop_connection(key),
        }
    }

    /// Takes the next step of a connection that ends, once nothing is owed to its peer.
    pub(super) fn settle(&mut self, key: ConnectionKey) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        if connection.owes() {
            return;
        }
        match connection.phase {
            Phase::Open | Phase::Lingering => {}
            Phase::Finishing => self.drop_connection(key),
            Phase::Closing if connection.flags.has(Flags::FINISHED) => self.drop_connection(key),
            Phase::Closing => {
                connection.phase = Phase::Lingering;
                if connection.socket.shutdown(Shutdown::Write).is_err() {
                    self.drop_connection(key);
                }
            }
        }
    }

    /// Forgets a connection and closes its socket.
    pub(super) fn drop_connection(&mut self, key: ConnectionKey) {
        if self.slab.get_mut(key).is_some_and(|connection| connection.is_served()) {
            self.announce_closed(key, self.actor(key));
        }
        if self.slab.remove(key).is_some() {
            self.counters.connections.subtract_one();
            self.entrance.leave(key);
        }
    }

    /// Visits the next part of the connections: silence, stalls, deadlines.
    pub(super) fn sweep(&mut self) {
        let slots = self.slab.slots();
        let part = slots.div_ceil(SWEEP_PARTS);
        if self.swept >= slots {
            self.swept = 0;
        }
        let after = self.swept.saturating_add(part).min(slots);
        for slot in self.swept..after {
            if let Some(key) = self.slab.key_at(slot) {
                self.age(key);
            }
        }
        self.swept = after;
    }

    fn age(&mut self, key: ConnectionKey) {
        let now = self.now;
        let Some(connection) = self.slab.get_mut(key) else { return };
        if connection.has_ended(now) {
            return self.drop_connection(key);
        }
        let stalled = connection.outbox.as_ref().and_then(|outbox| outbox.stalled_since());
        if connection.is_served()
            && stalled.is_some_and(|since| now.since(since) >= limit::DRAIN_DEADLINE)
        {
            return self.begin_slow_close(key, self.actor(key));
        }
        if let Connection { role: Role::Client(_), phase: Phase::Open, .. } = connection {
            self.step(key, |session, now, limits, effects| {
                session.handle_tick(now, limits, effects);
            });
        }
    }

    /// Whether connections are still to be told that the server is going away.
    pub(super) fn is_telling_drain(&self) -> bool {
        self.draining.is_some_and(|(_, next)| next < self.slab.slots())
    }

    /// Tells the next of them.
    pub(super) fn tell_drain(&mut self) {
        let Some((goaway, next)) = self.draining else { return };
        let after = next.saturating_add(DRAINS_PER_TURN).min(self.slab.slots());
        self.draining = Some((goaway, after));
        for slot in next..after {
            if let Some(key) = self.slab.key_at(slot) {
                self.step(key, |session, _, _, effects| session.handle_drain(goaway, effects));
            }
        }
    }
}
