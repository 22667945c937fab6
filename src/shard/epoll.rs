//! The shard's own epoll set: one registration per upgraded socket, edge-triggered, and the set's
//! descriptor as a single readiness source of the runtime.
//!
//! Owns the descriptor of the set and the meaning of an event. It does not read, write or know
//! connections; it names them by [`ConnectionKey`].
//!
//! Invariants: a socket is registered once, for everything, and never modified; closing its only
//! descriptor removes it. An edge is reported once, so whoever gets it must act on it or remember
//! it. This is the one module of the crate that may use `unsafe`: to hand tokio the descriptor.
#![expect(unsafe_code, reason = "registering a descriptor with the runtime is an unsafe call")]

use super::ConnectionKey;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The descriptor of an epoll set, as the runtime watches it.
pub(super) type Readiness = AsyncFd<Rc<OwnedFd>>;

/// An epoll set of edge-triggered sockets.
#[derive(Debug)]
pub(super) struct Epoll {
    fd: Rc<OwnedFd>,
}

impl Epoll {
    /// Opens an empty set.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { fd: Rc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?) })
    }

    /// Registers a socket for good. What it is ready for already is reported as a first event.
    pub(super) fn add(&self, socket: impl AsFd, key: ConnectionKey) -> io::Result<()> {
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        epoll::add(&*self.fd, socket, epoll::EventData::new_u64(key.to_token()), interest)?;
        Ok(())
    }

    /// Watches the set from the current runtime: readable while it holds unreported events.
    pub(super) fn readiness(&self) -> io::Result<Readiness> {
        // SAFETY: `AsyncFd` owns a count of the `Rc`, so the descriptor stays open and the same for
        // as long as it is registered, and `Rc<OwnedFd>` always answers with that descriptor.
        let registered =
            unsafe { AsyncFd::register_with_interest(Rc::clone(&self.fd), Interest::READABLE) };
        Ok(registered?)
    }
}

/// Events taken from the set and not yet acted on. They outlive a turn.
pub(super) struct Batch {
    events: Vec<epoll::Event>,
    next: usize,
}

impl Batch {
    /// An empty batch that takes up to `capacity` events at a time.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { events: Vec::with_capacity(capacity.max(1)), next: 0 }
    }

    /// Whether every event has been taken out.
    pub(super) fn is_empty(&self) -> bool {
        self.next >= self.events.len()
    }

    /// Fetches what the set has to report now, without waiting, after the last batch has been
    /// taken out. Tells whether the set was drained: an answer that fills the batch may have left
    /// events behind.
    pub(super) fn refill(&mut self, set: &Epoll) -> io::Result<bool> {
        debug_assert!(self.is_empty(), "an edge not acted on would be lost");
        self.events.clear();
        self.next = 0;
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let count = loop {
            match epoll::wait(&*set.fd, spare_capacity(&mut self.events), Some(&now)) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        Ok(count < self.events.capacity())
    }

    /// Takes the next event out.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.get(self.next)?;
        self.next += 1;
        let (data, flags) = (event.data, event.flags);
        Some(Event { key: ConnectionKey::from_token(data.u64()), flags })
    }
}

/// What one socket became ready for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Whose it is.
    pub(super) key: ConnectionKey,
    flags: epoll::EventFlags,
}

impl Event {
    /// Whether a read will tell something: bytes, the end of the stream or an error.
    pub(super) fn is_readable(self) -> bool {
        use epoll::EventFlags as F;
        self.flags.intersects(F::IN | F::RDHUP | F::HUP | F::ERR)
    }

    /// Whether a write that was refused may now be tried again.
    pub(super) fn is_writable(self) -> bool {
        self.flags.intersects(epoll::EventFlags::OUT)
    }

    /// Whether the peer has ended its side, so that a short read does not mean that nothing
    /// follows: the end of the stream does.
    pub(super) fn is_finished(self) -> bool {
        use epoll::EventFlags as F;
        self.flags.intersects(F::RDHUP | F::HUP | F::ERR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    fn key(slot: u32, generation: u32) -> ConnectionKey {
        ConnectionKey { slot, generation }
    }

    fn pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        ours.set_nonblocking(true).expect("a socket");
        (ours, theirs)
    }

    fn all(set: &Epoll, capacity: usize) -> (bool, Vec<Event>) {
        let mut batch = Batch::with_capacity(capacity);
        let drained = batch.refill(set).expect("a working set");
        (drained, std::iter::from_fn(|| batch.pop()).collect())
    }

    #[test]
    fn a_new_socket_reports_what_it_is_ready_for_and_by_its_key() {
        let set = Epoll::new().expect("epoll");
        let (ours, mut theirs) = pair();
        theirs.write_all(b"early").expect("room");
        set.add(&ours, key(7, u32::MAX)).expect("a socket");
        let (drained, events) = all(&set, 8);
        assert!(drained);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].key, key(7, u32::MAX));
        assert!(events[0].is_readable() && events[0].is_writable() && !events[0].is_finished());
    }

    #[test]
    fn an_edge_is_reported_once_and_again_only_after_more() {
        let set = Epoll::new().expect("epoll");
        let (mut ours, mut theirs) = pair();
        set.add(&ours, key(0, 1)).expect("a socket");
        theirs.write_all(b"one").expect("room");
        assert_eq!(all(&set, 8).1.len(), 1);
        assert_eq!(all(&set, 8).1.len(), 0, "unread bytes are no new edge");
        theirs.write_all(b"two").expect("room");
        assert_eq!(all(&set, 8).1.len(), 1);
        let mut read = [0; 16];
        assert_eq!(ours.read(&mut read).expect("bytes"), 6);
    }

    #[test]
    fn a_full_answer_is_not_taken_for_a_drained_set() {
        let set = Epoll::new().expect("epoll");
        let pairs: Vec<_> = (0..5).map(|_| pair()).collect();
        for (slot, (ours, _)) in (0..).zip(&pairs) {
            set.add(ours, key(slot, 1)).expect("a socket");
        }
        let mut batch = Batch::with_capacity(2);
        let mut rounds = Vec::new();
        loop {
            let drained = batch.refill(&set).expect("a working set");
            rounds.push(std::iter::from_fn(|| batch.pop()).count());
            if drained {
                break;
            }
        }
        assert_eq!(rounds, [2, 2, 1]);
    }

    #[test]
    fn the_end_of_the_peers_side_is_told() {
        let set = Epoll::new().expect("epoll");
        let (ours, theirs) = pair();
        set.add(&ours, key(3, 9)).expect("a socket");
        theirs.shutdown(Shutdown::Write).expect("a socket");
        let (_, events) = all(&set, 8);
        assert!(events[0].is_finished() && events[0].is_readable());
    }

    #[test]
    fn closing_a_socket_takes_it_out() {
        let set = Epoll::new().expect("epoll");
        let (ours, mut theirs) = pair();
        set.add(&ours, key(3, 9)).expect("a socket");
        drop(ours);
        theirs.write_all(b"late").expect_err("nobody reads");
        assert!(all(&set, 8).1.is_empty());
    }

    #[test]
    fn the_runtime_wakes_for_the_set_and_again_after_it_was_drained() {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let set = Epoll::new().expect("epoll");
            let (ours, mut theirs) = pair();
            set.add(&ours, key(1, 1)).expect("a socket");
            let readiness = set.readiness().expect("a runtime");
            for _ in 0..3 {
                theirs.write_all(b"x").expect("room");
                let mut guard = readiness.readable().await.expect("a working set");
                let (drained, events) = all(&set, 8);
                assert!(drained && events.len() == 1);
                guard.clear_ready();
            }
        });
    }
}
