//! Clients on their way in, and what every connection holds of the process's admission.
//!
//! Owns the pace at which tokens are checked: a signature costs as much as many messages, and after
//! a restart everyone comes with one. So a turn checks a few, in the order in which they were
//! presented, and the rest wait while the shard serves those who are in.
//!
//! Invariants: a handshake is held until its client is answered or its connection begins to close;
//! a pass until the socket is closed.

use super::ConnectionKey;
use super::connection::{Connection, Role};
use super::connections::{Connections, Event};
use crate::admission::{Admitted, Handshake, Passes};
use crate::model::Secret;
use std::collections::{HashMap, VecDeque};

/// How many tokens one turn checks: under a millisecond of work.
const CHECKS_PER_TURN: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Entrance {
    /// Tokens to be checked, first come, first served.
    queue: VecDeque<(ConnectionKey, Secret)>,
    /// How many more this turn checks.
    checks_left: usize,
    /// Of those not welcomed yet.
    handshakes: HashMap<ConnectionKey, Handshake, ahash::RandomState>,
    passes: Passes,
}

impl Entrance {
    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.checks_left = CHECKS_PER_TURN;
    }

    /// Whether tokens wait for a further turn.
    pub(super) fn is_queued_at(&self) -> bool {
        !self.queue.is_empty()
    }

    /// A client presents its token.
    pub(super) fn queue_up(&mut self, key: ConnectionKey, token: Secret) {
        self.queue.push_back((key, token));
    }

    /// Ends the handshake of a client that has its answer, or gets none any more.
    pub(super) fn pass_through(&mut self, key: ConnectionKey) {
        drop(self.handshakes.remove(&key));
    }

    /// A socket is closed.
    pub(super) fn leave(&mut self, key: ConnectionKey) {
        self.pass_through(key);
        self.passes.release(key.slot);
    }
}

#[cfg(test)]
impl Connections {
    /// How many tokens wait.
    pub(super) fn entrance_len(&self) -> usize {
        self.entrance.queue.len()
    }
}

impl Connections {
    /// Holds what a connection was admitted with. Every connection of a shard has that, or none.
    pub(super) fn admit(&mut self, key: ConnectionKey, admitted: Admitted) {
        let Admitted { pass, handshake } = admitted;
        let Some(connection) = self.slab.get(key) else { return };
        self.entrance.passes.keep(key.slot, pass);
        // Else nobody is to be welcomed.
        if connection.is_served() && matches!(connection.role, Role::Client(_)) {
            self.entrance.handshakes.insert(key, handshake);
        }
    }

    /// The next token to be checked in this turn, unless whoever presented it is gone.
    pub(super) fn next_greeting(&mut self) -> Option<Event> {
        while self.entrance.checks_left > 0 {
            let (key, token) = self.entrance.queue.pop_front()?;
            if self.slab.get(key).is_some_and(Connection::is_served) {
                self.entrance.checks_left -= 1;
                return Some(Event::Authenticate { key, token });
            }
        }
        None
    }
}
