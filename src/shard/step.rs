//! One step of a client's session, and what follows from it.
//!
//! What a session wants done is done as it says so: frames go into the outbox of its connection, commands
//! become events for the rest of the shard. Ending the connection takes more than the connection, so it
//! waits until the step is over; what a session says after that is not done any more.

use super::ConnectionKey;
use super::connection::{Connection, Flags, Role};
use super::connections::{Connections, Event, Outgoing};
use super::counters::Counters;
use super::entrance::Entrance;
use super::outbox::{Outbox, Overflow};
use crate::model::{Actor, Command, Secret, Timestamp};
use crate::protocol::CloseCode;
use crate::session::{Effects, Limits, Session};
use fastwebsockets::OpCode;
use std::collections::VecDeque;

/// How many bytes of a frame room is kept for.
const FRAME_BYTES_KEPT: usize = 64 << 10;

/// Does what the session of one connection wants done.
pub(super) struct Step<'c> {
    key: ConnectionKey,
    actor: Option<Actor>,
    outbox: &'c mut Option<Box<Outbox>>,
    flags: &'c mut Flags,
    executing: &'c mut u16,
    outbox_bound: usize,
    outgoing: &'c mut Outgoing,
    events: &'c mut VecDeque<Event>,
    entrance: &'c mut Entrance,
    counters: &'c Counters,
    /// Set once nothing more is done.
    end: Option<End>,
}

/// Why nothing more is done.
enum End {
    /// The connection had ended before.
    Unserved,
    /// The session closes.
    Closed(CloseCode),
    /// The peer does not take its replies.
    Slow,
}

impl Effects for Step<'_> {
    fn authenticate(&mut self, token: Secret) {
        if self.end.is_none() {
            *self.executing = self.executing.saturating_add(1);
            self.entrance.queue_up(self.key, token);
        }
    }

    fn execute(&mut self, rid: u64, command: Command, resumes: u32) {
        let Some(actor) = self.actor.filter(|_| self.end.is_none()) else { return };
        self.counters.messages.add(usize::from(matches!(command, Command::Send { .. })));
        if rid != 0 {
            *self.executing = self.executing.saturating_add(1);
        }
        self.events.push_back(Event::Execute { key: self.key, actor, rid, command, resumes });
    }

    fn write(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.end.is_some() {
            return;
        }
        let mut frame = std::mem::take(&mut self.outgoing.frame);
        frame.clear();
        encode(&mut frame);
        self.counters.note_reply(&frame);
        let outbox = self.outgoing.outbox(self.key, self.outbox, self.flags);
        match outbox.reply(OpCode::Binary, &frame, self.outbox_bound) {
            Ok(dropped) => self.counters.deliveries_dropped.add(dropped),
            Err(Overflow) => self.end = Some(End::Slow),
        }
        if frame.capacity() <= FRAME_BYTES_KEPT {
            self.outgoing.frame = frame;
        }
    }

    fn close(&mut self, code: CloseCode) {
        self.end.get_or_insert(End::Closed(code));
    }
}

impl Connections {
    /// Runs one step of a client's session and what follows from it.
    pub(super) fn step(
        &mut self,
        key: ConnectionKey,
        run: impl FnOnce(&mut Session, Timestamp, &Limits, &mut Step<'_>),
    ) {
        self.step_as(key, None, run);
    }

    /// The same where the step itself tells the session who its actor is. A session that closes
    /// forgets its actor, and its last commands still need one.
    pub(super) fn step_as(
        &mut self,
        key: ConnectionKey,
        granted: Option<Actor>,
        run: impl FnOnce(&mut Session, Timestamp, &Limits, &mut Step<'_>),
    ) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        let outbox_bound = self.settings.outbox_bound(&connection.role);
        let end = (!connection.is_served()).then_some(End::Unserved);
        let Connection { role: Role::Client(session), outbox, flags, executing, .. } = connection
        else {
            return;
        };
        let actor = granted.or_else(|| session.actor());
        let mut step = Step {
            key,
            actor,
            outbox,
            flags,
            executing,
            outbox_bound,
            outgoing: &mut self.outgoing,
            events: &mut self.events,
            entrance: &mut self.entrance,
            counters: &self.counters,
            end,
        };
        run(session, self.now, &self.settings.limits, &mut step);
        match step.end {
            None | Some(End::Unserved) => {}
            Some(End::Closed(code)) => self.begin_close(key, actor, Some(code.number())),
            Some(End::Slow) => self.begin_slow_close(key, actor),
        }
    }
}
