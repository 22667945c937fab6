//! How what is owed leaves: one write per connection and turn.
//!
//! Many messages for one connection leave in one write, and a turn makes a bounded number of
//! writes. Invariant: a connection with an outbox is listed for writing, or its socket is full and
//! will report when it is not.

use super::ConnectionKey;
use super::connection::{Flags, Phase};
use super::connections::Connections;
use super::outbox::{Flush, ResyncReason};
use crate::protocol::ServerFrame;
use fastwebsockets::OpCode;

/// How many writes one turn makes.
const WRITES_PER_TURN: usize = 512;

impl Connections {
    /// Writes once to every connection that is owed something, up to a bound.
    pub(super) fn flush_dirty(&mut self) {
        for _ in 0..self.outgoing.dirty.len().min(WRITES_PER_TURN) {
            let Some(key) = self.outgoing.dirty.pop_front() else { return };
            if let Some(connection) = self.slab.get_mut(key) {
                connection.flags.clear(Flags::DIRTY);
                self.flush(key);
            }
        }
    }

    fn flush(&mut self, key: ConnectionKey) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        let Some(outbox) = &mut connection.outbox else { return };
        self.counters.writes.add(1);
        match outbox.write_to(&mut &connection.socket, self.now) {
            Ok(Flush::Drained) => self.drained(key),
            Ok(Flush::More) => self.write_later(key),
            Ok(Flush::Blocked) => {}
            Err(_broken) => return self.drop_connection(key),
        }
        self.read_on(key);
    }

    /// Everything is written: what was dropped must be told, else the outbox has done its service.
    pub(super) fn drained(&mut self, key: ConnectionKey) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        let Some(mut outbox) = connection.outbox.take() else { return };
        let resync = outbox.take_resync();
        self.outgoing.spares.put(outbox);
        match resync {
            Some(reason) => {
                self.counters.resyncs.add(1);
                self.send(key, self.actor(key), OpCode::Binary, &told(reason));
            }
            None => self.settle(key),
        }
    }

    /// Lists a connection for reading if it has something to say and nothing must come first.
    pub(super) fn read_on(&mut self, key: ConnectionKey) {
        let Some(connection) = self.slab.get_mut(key) else { return };
        let bound = self.settings.outbox_bound(&connection.role);
        let waits = connection.flags.has(Flags::READABLE) && connection.phase != Phase::Finishing;
        if waits && !connection.must_wait(bound) {
            self.read_later(key);
        }
    }
}

/// The frame that tells a client to synchronise again.
fn told(reason: ResyncReason) -> Vec<u8> {
    let mut frame = Vec::new();
    ServerFrame::Resync { reason: reason.number() }.encode(&mut frame);
    frame
}
