//! One bounded turn through the sockets that have something to say.
//!
//! A turn acts on what epoll reported, then on connections that earlier visits left, each under a
//! budget of frames, so that neither a flood on one connection nor a flood of connections keeps the
//! rest of the shard waiting. Fresh events may use three quarters of the budget; the others get at
//! least one, first come, first served.
//!
//! Invariants: an edge is never lost: a connection is left either with nothing to read, or listed,
//! or with an outbox so full of replies that writing them lists it. Bytes are decoded in order.

use super::ConnectionKey;
use super::connection::{Connection, Flags, Phase, Role};
use super::connections::Connections;
use super::epoll::Event;
use super::inbound::{Partial, Step, Unread};
use super::websocket::HEAD_BYTES_MAX;
use fastwebsockets::OpCode;
use std::io::{self, Read};

/// How many events one turn takes from epoll.
pub(super) const EVENTS_PER_TURN: usize = 256;

/// How much is read at once.
pub(super) const READ_BYTES: usize = 64 << 10;

/// How many frames one turn decodes, and how many of them for fresh events.
const FRAMES_PER_TURN: usize = 512;
const FRAMES_FOR_EVENTS: usize = FRAMES_PER_TURN / 4 * 3;

/// How many frames one visit to a connection decodes, and how often it reads.
const FRAMES_PER_VISIT: usize = 64;
const READS_PER_VISIT: usize = 4;

/// So many bytes count as a further frame: a large message holds many frames of the protocol.
const BYTES_PER_FRAME: usize = 512;

/// What is left of a turn and of a visit in it, in frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    turn: usize,
    visit: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) {
        let cost = 1 + bytes / BYTES_PER_FRAME;
        self.turn = self.turn.saturating_sub(cost);
        self.visit = self.visit.saturating_sub(cost);
    }

    fn is_spent(&self) -> bool {
        self.turn == 0 || self.visit == 0
    }
}

/// Why decoding came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// More bytes are needed.
    Starved,
    /// The budget is spent.
    Spent,
    /// Something else must come first: the answer to who the peer is, or its taking of replies.
    Waiting,
    /// Nothing more is wanted.
    Closed,
}

/// What a read led to.
pub(super) enum Received {
    /// So many bytes, and whether the socket may have more.
    Bytes(usize, bool),
    /// Nothing for now.
    Nothing,
    /// The peer has ended its side.
    End,
    /// The connection is broken.
    Broken,
}

impl Connections {
    /// Takes one turn. epoll is asked only if the set `is_ready`: nobody else need wait for its answer.
    /// Tells whether it was asked and has reported everything.
    pub(super) fn turn(&mut self, is_ready: bool) -> io::Result<bool> {
        self.budget.turn = FRAMES_FOR_EVENTS;
        self.entrance.begin_turn();
        let mut events_left = EVENTS_PER_TURN;
        let mut drained = None;
        while self.budget.turn > 0 && events_left > 0 {
            if let Some(event) = self.batch.pop() {
                events_left -= 1;
                self.react(event);
            } else if is_ready && drained.is_none() {
                self.counters.epoll_waits.add(1);
                drained = Some(self.batch.refill(&self.epoll)?);
            } else {
                break;
            }
        }
        self.budget.turn += FRAMES_PER_TURN - FRAMES_FOR_EVENTS;
        for _ in 0..self.queued.len() {
            if self.budget.turn == 0 {
                break;
            }
            let Some(key) = self.queued.pop_front() else { break };
            if let Some(connection) = self.slab.get_mut(key) {
                connection.flags.clear(Flags::QUEUED);
                self.visit(key);
            }
        }
        Ok(drained.unwrap_or(false))
    }

    /// Whether there is something to do without waiting for a socket.
    pub(super) fn has_backlog(&self) -> bool {
        !self.batch.is_empty()
            || !self.queued.is_empty()
            || !self.outgoing.dirty.is_empty()
            || !self.events.is_empty()
            || self.entrance.is_queued_at()
            || self.is_telling_drain()
    }

    fn react(&mut self, event: Event) {
        let Some(connection) = self.slab.get_mut(event.key) else { return };
        if event.is_finished() {
            connection.flags.set(Flags::FINISHED);
        }
        if event.is_writable()
            && let Some(outbox) = &mut connection.outbox
        {
            outbox.unblock();
            self.write_later(event.key);
        }
        if event.is_readable()
            && let Some(connection) = self.slab.get_mut(event.key)
        {
            connection.flags.set(Flags::READABLE);
            if !connection.flags.has(Flags::QUEUED) {
                self.visit(event.key);
            }
        }
    }

    /// Reads and decodes what one connection has to say, within a visit's budget.
    fn visit(&mut self, key: ConnectionKey) {
        self.budget.visit = FRAMES_PER_VISIT;
        for _ in 0..READS_PER_VISIT {
            let Some(connection) = self.slab.get_mut(key) else { return };
            if !connection.flags.has(Flags::READABLE) {
                return;
            }
            let bound = self.settings.outbox_bound(&connection.role);
            let stop = match connection.phase {
                Phase::Open if connection.must_wait(bound) => return,
                Phase::Open => match self.decode_kept(key) {
                    Stop::Starved => self.read_and_decode(key),
                    stop @ (Stop::Spent | Stop::Waiting | Stop::Closed) => stop,
                },
                Phase::Finishing => return,
                Phase::Closing | Phase::Lingering => self.discard(key),
            };
            match stop {
                Stop::Starved | Stop::Closed => {}
                Stop::Waiting => return,
                Stop::Spent => break,
            }
        }
        self.read_on(key);
    }

    /// Decodes what was read before, where it lies.
    fn decode_kept(&mut self, key: ConnectionKey) -> Stop {
        let Some(connection) = self.slab.get_mut(key) else { return Stop::Closed };
        let mut unread = Partial::take_unread(&mut connection.partial);
        let (used, stop) = self.decode(key, unread.as_mut_slice());
        unread.advance(used);
        self.keep(key, unread);
        stop
    }

    /// Reads once, behind the start of a head if one is kept, and decodes.
    fn read_and_decode(&mut self, key: ConnectionKey) -> Stop {
        let mut buffer = std::mem::take(&mut self.buffer);
        let stop = self.read_into(key, &mut buffer);
        self.buffer = buffer;
        stop
    }

    fn read_into(&mut self, key: ConnectionKey, buffer: &mut [u8]) -> Stop {
        let Some(connection) = self.slab.get_mut(key) else { return Stop::Closed };
        let unread = Partial::take_unread(&mut connection.partial);
        debug_assert!(unread.as_slice().len() < HEAD_BYTES_MAX, "only a head's start may starve");
        let held = unread.copy_to(buffer);
        self.counters.reads.add(1);
        let (count, more) = match connection.receive(buffer.get_mut(held..).unwrap_or_default()) {
            Received::Bytes(count, more) => (count, more),
            Received::Nothing => (0, false),
            Received::End => {
                self.end_of_stream(key);
                return Stop::Closed;
            }
            Received::Broken => {
                self.drop_connection(key);
                return Stop::Closed;
            }
        };
        if !more {
            connection.flags.clear(Flags::READABLE);
        }
        let bytes = buffer.get_mut(..held + count).unwrap_or_default();
        let (used, stop) = self.decode(key, bytes);
        self.keep(key, Unread::copy_of(bytes.get(used..).unwrap_or_default()));
        if matches!(stop, Stop::Spent | Stop::Waiting)
            && let Some(connection) = self.slab.get_mut(key)
        {
            connection.flags.set(Flags::READABLE);
        }
        stop
    }

    /// Decodes and acts on whole messages that came from no socket, however many.
    #[cfg(feature = "testing")]
    pub(super) fn decode_in_memory(&mut self, key: ConnectionKey, bytes: &mut [u8]) {
        self.budget = Budget { turn: usize::MAX, visit: usize::MAX };
        self.entrance.begin_turn();
        self.decode(key, bytes);
    }

    fn keep(&mut self, key: ConnectionKey, unread: Unread) {
        if let Some(connection) = self.slab.get_mut(key) {
            if connection.phase == Phase::Open {
                Partial::keep(&mut connection.partial, unread);
            } else {
                connection.partial = None;
            }
        }
    }

    /// Decodes and acts on as much of `bytes` as may be; returns how much that was.
    fn decode(&mut self, key: ConnectionKey, bytes: &mut [u8]) -> (usize, Stop) {
        let mut used = 0;
        loop {
            let Some(connection) = self.slab.get_mut(key) else { return (used, Stop::Closed) };
            if connection.phase != Phase::Open {
                return (used, Stop::Closed);
            }
            let rest = bytes.get_mut(used..).unwrap_or_default();
            if rest.is_empty() {
                return (used, Stop::Starved);
            }
            if self.budget.is_spent() {
                return (used, Stop::Spent);
            }
            let bound = self.settings.outbox_bound(&connection.role);
            if connection.must_wait(bound) {
                return (used, Stop::Waiting);
            }
            let rules = self.settings.rules(&connection.role);
            let echoes = matches!(connection.role, Role::Echo);
            match Partial::step(&mut connection.partial, rules, rest) {
                Ok((count, step)) => {
                    used += count;
                    self.budget.spend(count);
                    if step == Step::Starved {
                        return (used, Stop::Starved);
                    }
                    self.act(key, echoes, step);
                }
                Err(violation) => {
                    self.fail(key, violation);
                    return (used, Stop::Closed);
                }
            }
        }
    }

    fn act(&mut self, key: ConnectionKey, echoes: bool, step: Step<'_>) {
        match step {
            Step::Message { text, payload } if echoes => {
                let opcode = if text { OpCode::Text } else { OpCode::Binary };
                self.send(key, None, opcode, &payload);
            }
            Step::Message { payload, .. } => {
                self.step(key, |session, now, limits, effects| {
                    session.handle_message(now, limits, &payload, effects);
                });
            }
            Step::Ping(payload) => {
                self.hear(key);
                self.send(key, self.actor(key), OpCode::Pong, &payload);
            }
            Step::Pong => self.hear(key),
            Step::Close(code) => {
                self.begin_close(key, self.actor(key), code);
            }
            Step::Fragment | Step::Starved => {}
        }
    }

    fn hear(&mut self, key: ConnectionKey) {
        self.step(key, |session, now, _, _| session.heard(now));
    }

    /// Reads and forgets what a peer sends after it is no longer listened to.
    fn discard(&mut self, key: ConnectionKey) -> Stop {
        let Some(connection) = self.slab.get_mut(key) else { return Stop::Closed };
        self.budget.spend(READ_BYTES / 4);
        self.counters.reads.add(1);
        match receive(connection, &mut self.buffer) {
            Received::Bytes(_, true) => {}
            Received::Bytes(_, false) | Received::Nothing => {
                connection.flags.clear(Flags::READABLE);
            }
            Received::End => self.end_of_stream(key),
            Received::Broken => self.drop_connection(key),
        }
        if self.budget.is_spent() { Stop::Spent } else { Stop::Starved }
    }
}

/// Reads the socket once. A short read means that nothing is left, unless the peer has ended its side: that
/// end is still to be read then.
pub(super) fn receive(connection: &mut Connection, buffer: &mut [u8]) -> Received {
    match (&connection.socket).read(buffer) {
        Ok(0) => Received::End,
        Ok(count) => {
            let more = count == buffer.len() || connection.flags.has(Flags::FINISHED);
            Received::Bytes(count, more)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Received::Bytes(0, true),
        Err(_broken) => Received::Broken,
    }
}
