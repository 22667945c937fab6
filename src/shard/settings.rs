//! What connections are held to, by what is spoken on them.
//!
//! Owns the bounds of a message and of an outbox. What a session allows is in its own limits.

use super::connection::Role;
use super::inbound::Rules;
use crate::protocol::constants::limit;
use crate::session::Limits;

/// The most that an echoed message may be: what a conformance suite asks for.
const ECHO_BYTES_MAX: usize = 16 << 20;

/// The least bound of an outbox. Replies up to half of it stop the reading, and what may have been
/// asked for by then must fit below twice the bound: pages, and as much again as one message may
/// cause.
pub(crate) const OUTBOX_BYTES_MIN: usize =
    (limit::READS_MAX * limit::PAGE_BYTES_MAX + limit::MESSAGE_BYTES_MAX) * 2 / 3;
const _: () = assert!(OUTBOX_BYTES_MIN <= limit::OUTBOX_BYTES_MAX);

/// What connections are held to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The limits of the protocol.
    pub(crate) limits: Limits,
    /// The most bytes queued for one client; at least [`OUTBOX_BYTES_MIN`].
    pub(crate) outbox_bytes_max: usize,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The protocol of the messenger.
    Client,
    /// Every message is sent back: for conformance suites.
    Echo,
}

impl Settings {
    /// What a peer may send, and how much.
    pub(super) fn rules(&self, role: &Role) -> Rules {
        match role {
            Role::Client(_) => {
                Rules { message_bytes_max: self.limits.message_bytes_max, text: false }
            }
            Role::Echo => Rules { message_bytes_max: ECHO_BYTES_MAX, text: true },
        }
    }

    /// The most bytes queued for a peer. A suite that wants its messages back sends large ones.
    pub(super) fn outbox_bound(&self, role: &Role) -> usize {
        match role {
            Role::Client(_) => self.outbox_bytes_max,
            Role::Echo => 2 * ECHO_BYTES_MAX,
        }
    }
}
