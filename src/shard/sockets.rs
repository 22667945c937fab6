//! A shard over sockets whose clients need no valid token: what system calls are counted with. Compiled
//! by the feature `testing`.
//!
//! Everything but greeting is what a running shard does, its loop included. It has no listener: whoever
//! measures brings connected sockets.

use super::core::Core;
use super::counters::Counts;
use super::handle::ShardHandle;
use super::memory::greet;
use super::reactor::Reactor;
use super::seat::{ConnectionSettings, Services, run, seats};
use super::settings::Mode;
use crate::session::Granted;
use crate::store::Store;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;

/// See the module. Everything about it must happen inside one runtime for local tasks.
pub struct SocketShard<S> {
    core: Rc<Core<S>>,
    reactor: Rc<Reactor>,
    handle: ShardHandle,
}

impl<S: Store> SocketShard<S> {
    /// The only shard of a server, and its loop, which runs while it is polled.
    ///
    /// # Errors
    /// If the system has no epoll set left.
    pub fn start(
        services: Services<S>,
        settings: ConnectionSettings,
    ) -> io::Result<(Self, impl Future<Output = io::Result<()>>)> {
        let (handle, mut seats) = seats(1, usize::MAX);
        let seat = seats.pop().ok_or(io::ErrorKind::NotFound)?;
        let (core, reactor, inbox) = seat.assemble(services, settings)?;
        let running = run(Rc::clone(&core), Rc::clone(&reactor), inbox);
        Ok((Self { core, reactor, handle }, running))
    }

    /// Takes over the socket of a client that has said `hello`, a masked WebSocket message, and grants
    /// it its actor. It is sent its WELCOME.
    ///
    /// # Errors
    /// If the socket cannot be watched, or HELLO was none.
    pub fn connect(&self, socket: TcpStream, granted: Granted, hello: &mut [u8]) -> io::Result<()> {
        let now = self.core.clock.now();
        let key = self.reactor.enter(now, |c| c.adopt(socket, &[], Mode::Client))?;
        greet(&self.core, &self.reactor, (key, granted), hello)
    }

    /// Takes over a socket that gets back what it sends.
    ///
    /// # Errors
    /// If it cannot be watched.
    pub fn connect_echo(&self, socket: TcpStream) -> io::Result<()> {
        let now = self.core.clock.now();
        self.reactor.enter(now, |c| c.adopt(socket, &[], Mode::Echo))?;
        Ok(())
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        self.handle.counts()
    }
}

impl<S> std::fmt::Debug for SocketShard<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketShard").finish_non_exhaustive()
    }
}
