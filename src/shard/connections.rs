//! All connections of one shard, and what the rest of the shard may ask of them.
//!
//! Owns the table, the sockets' readiness, the lists of what is to be read and written, and the
//! events for the rest of the shard. It executes no command and knows no user: commands leave as
//! [`Event`]s, and replies and pushes come back by [`ConnectionKey`]. What happens in a turn is in
//! `turn`, what follows from a session's step in `step`, how bytes leave in `flush`, how a connection ends
//! in `closing`.
//!
//! Invariants: a key whose connection is gone does nothing. Every event with a command is answered
//! by [`Connections::grant`] or [`Connections::reply`], and [`Event::Closed`] comes once for every
//! client, after its last command.

use super::connection::{Connection, Flags, Phase, Role};
use super::counters::Counters;
use super::entrance::Entrance;
use super::epoll::{Batch, Epoll, Readiness};
use super::inbound::{Partial, Unread};
use super::outbox::{Outbox, PushClass, ResyncReason, Spares};
use super::settings::{Mode, Settings};
use super::slab::Slab;
use super::turn::{EVENTS_PER_TURN, READ_BYTES};
use super::websocket::Message;
use super::{ConnectionKey, turn::Budget};
use crate::model::{Actor, Command, CommandError, Outcome, Secret, Timestamp};
use crate::protocol::{CloseCode, Goaway};
use crate::session::{GrantError, Granted, Session};
use crate::tls::Channel;
use fastwebsockets::OpCode;
use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;

/// What connections ask of the rest of the shard.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client presents a token; to be answered by [`Connections::grant`].
    Authenticate {
        /// Whose.
        key: ConnectionKey,
        /// The token.
        token: Secret,
    },
    /// A client wants a command executed; to be answered by [`Connections::reply`] unless `rid` is 0.
    Execute {
        /// Whose.
        key: ConnectionKey,
        /// Who they are.
        actor: Actor,
        /// By what the client recognises the answer.
        rid: u64,
        /// The command.
        command: Command,
        /// How often the connection has resumed.
        resumes: u32,
    },
    /// A client is gone or about to be; nothing more reaches it.
    Closed {
        /// Whose.
        key: ConnectionKey,
        /// Who they were, if they had authenticated.
        actor: Option<Actor>,
    },
}

/// Who has something to be written, and outboxes for those who will.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Connections with something to write and a socket that may take it.
    pub(super) dirty: VecDeque<ConnectionKey>,
    pub(super) spares: Spares,
    /// Where replies are laid out.
    pub(super) frame: Vec<u8>,
}

impl Outgoing {
    /// The outbox of a connection, which is listed for writing.
    pub(super) fn outbox<'c>(
        &mut self,
        key: ConnectionKey,
        outbox: &'c mut Option<Box<Outbox>>,
        flags: &mut Flags,
    ) -> &'c mut Outbox {
        let outbox = self.spares.lend(outbox);
        if outbox.stalled_since().is_none() && flags.set(Flags::DIRTY) {
            self.dirty.push_back(key);
        }
        outbox
    }
}

/// The connections of one shard.
pub(crate) struct Connections {
    pub(super) settings: Settings,
    pub(super) counters: Arc<Counters>,
    pub(super) now: Timestamp,
    pub(super) slab: Slab,
    pub(super) epoll: Epoll,
    pub(super) batch: Batch,
    /// Where every socket is read to.
    pub(super) buffer: Vec<u8>,
    /// Connections with something to read that their last visit left.
    pub(super) queued: VecDeque<ConnectionKey>,
    pub(super) outgoing: Outgoing,
    pub(super) budget: Budget,
    /// What the rest of the shard has not taken yet.
    pub(super) events: VecDeque<Event>,
    pub(super) entrance: Entrance,
    /// The next slot that the sweep visits.
    pub(super) swept: u32,
    /// Set while the server shuts down, with the next slot to be told.
    pub(super) draining: Option<(Goaway, u32)>,
}

impl Connections {
    /// No connections yet.
    pub(crate) fn new(settings: Settings, counters: Arc<Counters>) -> io::Result<Self> {
        Ok(Self {
            settings,
            counters,
            now: Timestamp::ZERO,
            slab: Slab::new(),
            epoll: Epoll::new()?,
            batch: Batch::with_capacity(EVENTS_PER_TURN),
            buffer: vec![0; READ_BYTES],
            queued: VecDeque::new(),
            outgoing: Outgoing::default(),
            budget: Budget::default(),
            events: VecDeque::new(),
            entrance: Entrance::default(),
            swept: 0,
            draining: None,
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Tells the time of what follows.
    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Watches the sockets from the current runtime.
    pub(super) fn readiness(&self) -> io::Result<Readiness> {
        self.epoll.readiness()
    }

    /// The next thing that the rest of the shard has to do.
    pub(super) fn pop_event(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.next_greeting())
    }

    /// Takes over a socket whose upgrade was just answered, and what encrypts it. `early` is what
    /// the client had sent behind its request.
    pub(crate) fn adopt(
        &mut self,
        socket: TcpStream,
        tls: Option<Box<Channel>>,
        early: &[u8],
        mode: Mode,
    ) -> io::Result<ConnectionKey> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let role = match mode {
            Mode::Client => Role::Client(Session::new(self.now)),
            Mode::Echo => Role::Echo,
        };
        let key = self
            .slab
            .insert(|generation| {
                let mut connection = Connection::new(socket, generation, role);
                connection.tls = tls;
                Partial::keep(&mut connection.partial, Unread::copy_of(early));
                connection
            })
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let added =
            self.slab.get_mut(key).map(|connection| self.epoll.add(&connection.socket, key));
        if let Some(Err(error)) = added {
            self.slab.remove(key);
            return Err(error);
        }
        self.counters.handshakes.add(1);
        self.counters.connections.add(1);
        if let Some(connection) = self.slab.get_mut(key)
            && connection.tls.as_ref().is_some_and(|channel| channel.has_outgoing())
        {
            // An outbox, though empty, is what has them written.
            self.outgoing.spares.lend(&mut connection.outbox);
            self.write_later(key);
        }
        if !early.is_empty() {
            self.read_later(key);
        }
        if let Some((goaway, _)) = self.draining {
            self.step(key, |session, _, _, effects| session.handle_drain(goaway, effects));
        }
        Ok(key)
    }

    /// Answers [`Event::Authenticate`]. Tells whether the client is still there; if not, it must be
    /// detached from where it was registered.
    pub(crate) fn grant(
        &mut self,
        key: ConnectionKey,
        result: Result<Granted, GrantError>,
    ) -> bool {
        let served = self.answered(key);
        self.entrance.pass_through(key);
        if served {
            let actor = result.as_ref().ok().map(|granted| granted.actor);
            self.step_as(key, actor, |session, now, limits, effects| {
                session.handle_grant(now, limits, result, effects);
            });
            self.read_on(key);
            self.settle(key);
        }
        served
    }

    /// Answers [`Event::Execute`].
    pub(crate) fn reply(
        &mut self,
        key: ConnectionKey,
        rid: u64,
        result: &Result<Outcome, CommandError>,
    ) {
        if self.answered(key) {
            self.step(key, |session, _, _, effects| session.handle_outcome(rid, result, effects));
            self.settle(key);
        }
    }

    /// Queues a push, a WebSocket message with its head, unless the connection is gone, full, has
    /// not asked for such pushes or has not been welcomed yet: then its first SYNC will tell.
    pub(crate) fn deliver(&mut self, key: ConnectionKey, message: &Message, class: PushClass) {
        let bound = self.settings.outbox_bytes_max;
        if let Some(outbox) = self.outbox_for(key, |session| class.is_wanted(session)) {
            let dropped = outbox.push(message, class, bound);
            self.counters.deliveries.add(usize::from(dropped == 0));
            self.counters.deliveries_dropped.add(dropped);
        }
    }

    /// Tells a client that pushes for it were lost, once everything queued for it has been written.
    pub(crate) fn mark_resync(&mut self, key: ConnectionKey, reason: ResyncReason) {
        if let Some(outbox) = self.outbox_for(key, Session::is_active) {
            let dropped = outbox.resync_later(reason);
            self.counters.deliveries_dropped.add(dropped);
        }
    }

    /// Closes a connection after everything queued for it.
    pub(crate) fn close(&mut self, key: ConnectionKey, code: CloseCode) {
        self.step(key, |session, _, _, effects| session.handle_close(code, effects));
        self.begin_close(key, None, Some(code.number()));
    }

    /// Tells every client, and everyone who comes later, that the server is going away: so many a
    /// turn.
    pub(crate) fn drain(&mut self, goaway: Goaway) {
        self.draining = Some((goaway, 0));
    }

    /// Queues a reply as one WebSocket message; closes a connection that cannot take it.
    pub(super) fn send(
        &mut self,
        key: ConnectionKey,
        actor: Option<Actor>,
        opcode: OpCode,
        payload: &[u8],
    ) {
        if !self.queue(key, opcode, payload) {
            self.begin_slow_close(key, actor);
        }
    }

    /// Queues a reply as one WebSocket message; tells whether there was room.
    pub(super) fn queue(&mut self, key: ConnectionKey, opcode: OpCode, payload: &[u8]) -> bool {
        let Some(connection) = self.slab.get_mut(key) else { return true };
        let bound = self.settings.outbox_bound(&connection.role);
        let Connection { outbox, flags, .. } = connection;
        let queued = self.outgoing.outbox(key, outbox, flags).reply(opcode, payload, bound);
        self.counters.deliveries_dropped.add(queued.unwrap_or(0));
        queued.is_ok()
    }

    /// Says that a client is gone.
    pub(super) fn announce_closed(&mut self, key: ConnectionKey, actor: Option<Actor>) {
        if let Some(Connection { role: Role::Client(_), .. }) = self.slab.get(key) {
            self.events.push_back(Event::Closed { key, actor });
        }
    }

    /// Whose connection this is.
    pub(super) fn actor(&self, key: ConnectionKey) -> Option<Actor> {
        match &self.slab.get(key)?.role {
            Role::Client(session) => session.actor(),
            Role::Echo => None,
        }
    }

    /// Lists a connection for writing.
    pub(super) fn write_later(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.slab.get_mut(key)
            && let Some(outbox) = &connection.outbox
            && outbox.stalled_since().is_none()
            && connection.flags.set(Flags::DIRTY)
        {
            self.outgoing.dirty.push_back(key);
        }
    }

    /// Lists a connection for reading.
    pub(super) fn read_later(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.slab.get_mut(key) {
            connection.flags.set(Flags::READABLE);
            if connection.flags.set(Flags::QUEUED) {
                self.queued.push_back(key);
            }
        }
    }

    /// Counts an answer; tells whether there is someone to take it.
    fn answered(&mut self, key: ConnectionKey) -> bool {
        let Some(connection) = self.slab.get_mut(key) else { return false };
        connection.executing = connection.executing.saturating_sub(1);
        connection.is_served()
    }

    /// Where a push goes, if the session wants it. The connection is listed for writing.
    fn outbox_for(
        &mut self,
        key: ConnectionKey,
        wants: impl FnOnce(&Session) -> bool,
    ) -> Option<&mut Outbox> {
        let connection = self.slab.get_mut(key)?;
        let takes = connection.phase == Phase::Open
            && matches!(&connection.role, Role::Client(session) if wants(session));
        let Connection { outbox, flags, .. } = connection;
        takes.then(|| self.outgoing.outbox(key, outbox, flags))
    }
}

impl PushClass {
    fn is_wanted(self, session: &Session) -> bool {
        match self {
            Self::Entry => session.is_active(),
            Self::Cursor => session.wants_cursor(),
            Self::Ephemeral => session.wants_ephemeral(),
        }
    }
}
