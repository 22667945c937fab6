//! A shard whose connections have no sockets: what the work on a message is measured with. Compiled
//! by the feature `testing`.
//!
//! Bytes go in where a read would have put them and come out where a write would have taken them;
//! everything between is what a running shard does: session, owners, fan-out, mailbox, outboxes. It
//! deliberately has no loop of its own: whoever measures says what happens when.

use super::ConnectionKey;
use super::connection::{Connection, Flags, Role};
use super::connections::Connections;
use super::core::Core;
use super::outbox::Flush;
use super::reactor::Reactor;
use super::seat::{ConnectionSettings, Mail, Services, handle, seats};
use super::workers::Workers;
use crate::model::Timestamp;
use crate::session::{Granted, Session};
use crate::store::Store;
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::{Context, Waker};

/// See the module. Commands other than sends need a runtime for local tasks around it.
pub struct MemoryShard<S> {
    core: Rc<Core<S>>,
    reactor: Rc<Reactor>,
    mail: Mail<S>,
    workers: Workers<S>,
    /// When the round began.
    now: Timestamp,
    /// What one connection is owed, while it is handed on.
    written: Vec<u8>,
}

impl<S: Store> MemoryShard<S> {
    /// The only shard of a server.
    ///
    /// # Errors
    /// If the system has no epoll set left.
    pub fn new(services: Services<S>, settings: ConnectionSettings) -> io::Result<Self> {
        let (_, mut seats) = seats(1, usize::MAX);
        let seat = seats.pop().ok_or(io::ErrorKind::NotFound)?;
        let (core, reactor, inbox) = seat.assemble(services, settings)?;
        let mail = Mail::new(Rc::clone(&core), Rc::clone(&reactor), inbox);
        let workers = Workers::new(Rc::clone(&core));
        let now = core.clock.now();
        Ok(Self { core, reactor, mail, workers, now, written: Vec::new() })
    }

    /// A connection that has said `hello`, a masked WebSocket message, and was granted its actor. Its
    /// WELCOME waits to be taken.
    ///
    /// # Errors
    /// If no descriptor is left for it, or HELLO was none.
    pub fn connect(&self, granted: Granted, hello: &mut [u8]) -> io::Result<ConnectionKey> {
        let socket = TcpStream::from(OwnedFd::from(File::open("/dev/null")?));
        let key = self.enter(|connections| {
            let role = Role::Client(Session::new(connections.now));
            connections.slab.insert(|generation| Connection::new(socket, generation, role))
        });
        let key = key.ok_or(io::ErrorKind::OutOfMemory)?;
        greet(&self.core, &self.reactor, (key, granted), hello)?;
        Ok(key)
    }

    /// A connection that gets back what it sends.
    ///
    /// # Errors
    /// If no descriptor is left for it.
    pub fn connect_echo(&self) -> io::Result<ConnectionKey> {
        let socket = TcpStream::from(OwnedFd::from(File::open("/dev/null")?));
        let key = self.enter(|connections| {
            connections.slab.insert(|generation| Connection::new(socket, generation, Role::Echo))
        });
        key.ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Ends a connection as the end of its socket would.
    pub fn disconnect(&self, key: ConnectionKey) {
        self.enter(|connections| connections.drop_connection(key));
        self.handle_events();
    }

    /// Forgets what a shard forgets that finds nothing done until `now`.
    pub fn sweep(&self, now: Timestamp) {
        self.core.sweep(now);
    }

    /// Begins a round and acts on `bytes` as if one read had brought them. They are unmasked in place.
    pub fn receive(&mut self, key: ConnectionKey, bytes: &mut [u8]) {
        self.now = self.core.clock.now();
        self.enter(|connections| connections.decode_in_memory(key, bytes));
        self.handle_events();
    }

    /// What a round of the loop does besides reading and writing; whether there is more.
    pub fn round(&mut self) -> bool {
        let mut ctx = Context::from_waker(Waker::noop());
        self.mail.receive(&mut ctx, self.now) | self.workers.work(&ctx, self.now)
    }

    /// Lets tasks and rounds work until neither has anything left.
    pub async fn settle(&mut self) {
        loop {
            tokio::task::yield_now().await;
            if !self.round() {
                return;
            }
        }
    }

    /// Hands everything that connections are owed to `written`, in the writes that their sockets
    /// would have taken.
    ///
    /// Never inlined, so that a profiler can leave it out by its name.
    #[inline(never)]
    pub fn write(&mut self, written: &mut dyn FnMut(ConnectionKey, &[u8])) {
        let mut bytes = std::mem::take(&mut self.written);
        self.enter(|connections| {
            while let Some(key) = connections.outgoing.dirty.pop_front() {
                bytes.clear();
                if connections.write_in_memory(key, &mut bytes) {
                    written(key, &bytes);
                }
            }
        });
        self.written = bytes;
    }

    fn handle_events(&self) {
        while let Some(event) = self.reactor.hand_over(Connections::pop_event) {
            handle(&self.core, &self.reactor, event);
        }
    }

    fn enter<R>(&self, act: impl FnOnce(&mut Connections) -> R) -> R {
        self.reactor.enter(self.now, act)
    }
}

/// Has a new connection say `hello` and grants it its actor, whatever token it showed.
pub(super) fn greet<S: Store>(
    core: &Core<S>,
    reactor: &Reactor,
    (key, granted): (ConnectionKey, Granted),
    hello: &mut [u8],
) -> io::Result<()> {
    let now = core.clock.now();
    let greeted = reactor.enter(now, |connections| {
        connections.decode_in_memory(key, hello);
        connections.pop_event().is_some()
    });
    if !greeted || core.registry.attach(granted.actor, core.place(key)).is_some() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    reactor.enter(now, |connections| connections.grant(key, Ok(granted)));
    Ok(())
}

impl<S> std::fmt::Debug for MemoryShard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryShard").finish_non_exhaustive()
    }
}

impl Connections {
    /// Writes what a connection is owed; tells whether it still exists.
    fn write_in_memory(&mut self, key: ConnectionKey, out: &mut Vec<u8>) -> bool {
        let now = self.now;
        let Some(connection) = self.slab.get_mut(key) else { return false };
        connection.flags.clear(Flags::DIRTY);
        let Some(outbox) = &mut connection.outbox else { return false };
        while matches!(outbox.write_to(out, now), Ok(Flush::More)) {}
        self.drained(key);
        true
    }
}
