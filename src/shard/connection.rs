//! The record of one connection, as small as it can be while nothing happens on it.
//!
//! Owns the layout and the phases. What is needed only now and then is boxed: a message that came
//! in part, bytes that the socket did not take.
//!
//! ```text
//! Open -- peer's FIN ----------> Finishing -- last reply written --------------> gone
//!   |                                |
//!   '-- close frame either way ------'--> Closing -- written --> Lingering --FIN--> gone
//! ```
//!
//! Any error of the socket, and the deadline of every phase but the first, lead to gone.

use super::inbound::Partial;
use super::outbox::Outbox;
use crate::model::Timestamp;
use crate::session::Session;
use crate::tls::Channel;
use std::net::TcpStream;
use std::time::Duration;

/// Who is at the other end.
#[derive(Debug)]
pub(super) enum Role {
    /// A client of the messenger.
    Client(Session),
    /// A conformance suite that wants its messages back.
    Echo,
}

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Alive.
    Open,
    /// The peer sends no more; what it asked for is still answered.
    Finishing,
    /// The last message is queued, a close frame; what comes in is discarded.
    Closing,
    /// Everything is written and our side is shut; the end of the peer's side is awaited, so that
    /// the kernel does not discard what it has not read yet.
    Lingering,
}

/// Yes-or-no state in one byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// Bytes may be waiting, in the socket or kept undecoded.
    pub(super) const READABLE: Self = Self(1);
    /// The peer has ended its side: a short read is not the end of what there is to read.
    pub(super) const FINISHED: Self = Self(2);
    /// In the list of those to be read.
    pub(super) const QUEUED: Self = Self(4);
    /// In the list of those to be written.
    pub(super) const DIRTY: Self = Self(8);

    /// Sets a flag; tells whether it was not set before.
    pub(super) fn set(&mut self, flag: Self) -> bool {
        let fresh = !self.has(flag);
        self.0 |= flag.0;
        fresh
    }

    /// Clears a flag.
    pub(super) fn clear(&mut self, flag: Self) {
        self.0 &= !flag.0;
    }

    /// Whether a flag is set.
    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    /// What encrypts the socket, if anything does.
    pub(super) tls: Option<Box<Channel>>,
    pub(super) generation: u32,
    pub(super) role: Role,
    pub(super) partial: Option<Box<Partial>>,
    pub(super) outbox: Option<Box<Outbox>>,
    /// When it is dropped whatever its peer does, in seconds since 1970; zero while open.
    ends_at: u32,
    /// How many commands of this connection are being executed.
    pub(super) executing: u16,
    pub(super) phase: Phase,
    pub(super) flags: Flags,
}

/// What an idle connection costs, besides its place in the registry.
const RECORD_BYTES_MAX: usize = 128;
const _: () = assert!(size_of::<Connection>() <= RECORD_BYTES_MAX);
const _: () = assert!(size_of::<Option<Connection>>() <= RECORD_BYTES_MAX);

impl Connection {
    /// A connection on a socket that was just upgraded.
    pub(super) fn new(socket: TcpStream, generation: u32, role: Role) -> Self {
        Self {
            socket,
            tls: None,
            generation,
            role,
            partial: None,
            outbox: None,
            ends_at: 0,
            executing: 0,
            phase: Phase::Open,
            flags: Flags::default(),
        }
    }

    /// Whether commands of this connection are still taken and answered.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Finishing)
    }

    /// Whether something is owed to the peer.
    pub(super) fn owes(&self) -> bool {
        self.outbox.is_some() || (self.phase == Phase::Finishing && self.executing > 0)
    }

    /// Whether what the peer sends next must wait: until it is known who it is, or until it has
    /// taken replies.
    pub(super) fn must_wait(&self, outbox_bound: usize) -> bool {
        let crowded = self.outbox.as_ref().is_some_and(|outbox| outbox.is_crowded(outbox_bound));
        crowded || matches!(&self.role, Role::Client(session) if session.is_authenticating())
    }

    /// Lets it live on for `grace` at most, to within a second.
    pub(super) fn end_within(&mut self, now: Timestamp, grace: Duration) {
        let seconds = now.plus(grace).as_millis().div_ceil(1_000);
        self.ends_at = u32::try_from(seconds).unwrap_or(u32::MAX);
    }

    /// Whether its time is over.
    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.phase != Phase::Open && now.as_millis() / 1_000 >= u64::from(self.ends_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_independent() {
        let mut flags = Flags::default();
        assert!(flags.set(Flags::QUEUED) && !flags.set(Flags::QUEUED));
        assert!(flags.set(Flags::DIRTY) && flags.has(Flags::QUEUED) && !flags.has(Flags::READABLE));
        flags.clear(Flags::QUEUED);
        assert!(flags.has(Flags::DIRTY) && !flags.has(Flags::QUEUED));
    }

    #[test]
    fn only_a_connection_that_ends_has_a_deadline() {
        let null = std::fs::File::open("/dev/null").expect("a device");
        let socket = TcpStream::from(std::os::fd::OwnedFd::from(null));
        let mut connection = Connection::new(socket, 1, Role::Echo);
        let start = Timestamp::from_millis(1_790_000_000_500);
        connection.end_within(start, Duration::from_secs(2));
        assert!(!connection.has_ended(start.plus(Duration::from_mins(1))), "it is open");
        connection.phase = Phase::Closing;
        assert!(!connection.has_ended(start.plus(Duration::from_secs(2))));
        assert!(connection.has_ended(start.plus(Duration::from_secs(3))));
    }
}
