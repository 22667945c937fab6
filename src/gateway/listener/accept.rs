//! From the kernel's queue to being served.
//!
//! ```text
//! accept -> in all? -> PROXY header, from a proxy -> of its address? -> queue -> handshake
//! ```
//!
//! Owns the pace: a few accepts and a few beginnings in a row, then the rest of the shard has its
//! turn, so that a storm of new connections does not delay those that live. Accepting never waits for
//! a handshake to end: whom half-open connections keep waiting is decided by the queue, which knows
//! who they are, and not by the kernel, which does not.

use super::refusal::refuse;
use super::{Front, client_of, welcome};
use crate::admission::{Handshake, Pass, Refusal, Source};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How many are accepted, and how many begin to be served, before the rest of the shard has its
/// turn.
const IN_A_ROW_MAX: u32 = 8;
/// How long to wait after an accept that failed for want of something, such as descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// One in so many failures in a row is logged: about one in 10 s.
const FAILURES_PER_LOG: u32 = 100;

/// A connection that is accepted and not served yet.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub(super) stream: TcpStream,
    pub(super) client: SocketAddr,
    pub(super) pass: Pass,
}

/// What has been done since the rest of the shard had its turn.
#[derive(Default)]
struct Pace {
    accepted: u32,
    begun: u32,
}

impl Pace {
    async fn yield_if_due(&mut self) {
        if self.accepted.max(self.begun) >= IN_A_ROW_MAX {
            *self = Self::default();
            tokio::task::yield_now().await;
        }
    }
}

/// Accepts and begins to serve, for ever.
pub(super) async fn accept(listeners: &[TcpListener], front: &Rc<Front>) {
    let mut pace = Pace::default();
    let mut failures = 0_u32;
    let mut turns = (0..listeners.len()).cycle();
    loop {
        let first = turns.next().unwrap_or(0);
        let accepted = tokio::select! {
            accepted = poll_fn(|context| poll_accept(listeners, first, context)) => Some(accepted),
            () = front.handshakes.freed() => None,
        };
        match accepted {
            Some(Ok((stream, peer))) => {
                failures = 0;
                meet(stream, peer, front);
            }
            Some(Err(error)) if is_of_the_peer(&error) => {}
            Some(Err(error)) => {
                if failures.is_multiple_of(FAILURES_PER_LOG) {
                    tracing::warn!(%error, "accept failed");
                }
                failures = failures.saturating_add(1);
                tokio::time::sleep(PAUSE).await;
            }
            None => {}
        }
        pace.accepted += 1;
        pace.yield_if_due().await;
        while let Some((newcomer, handshake)) = front.next() {
            begin(newcomer, handshake, front);
            pace.begun += 1;
            pace.yield_if_due().await;
        }
    }
}

/// The next connection of any listener; the one that is asked first changes, so that none starves.
fn poll_accept(
    listeners: &[TcpListener],
    first: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
    let (later, sooner) = listeners.split_at_checked(first).unwrap_or((listeners, &[]));
    let mut accepts = sooner.iter().chain(later).map(|listener| listener.poll_accept(context));
    accepts.find(Poll::is_ready).unwrap_or(Poll::Pending)
}

/// Whether an accept failed because the peer has gone again, which concerns no other.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Takes in a connection that was just accepted, or refuses it.
fn meet(stream: TcpStream, peer: SocketAddr, front: &Rc<Front>) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let pass = match front.settings.admission.enter() {
        Ok(pass) => pass,
        Err(refusal) => return refuse(front, stream, peer, refusal),
    };
    if !front.is_proxy(peer) {
        return queue_up(Newcomer { stream, client: peer, pass }, front);
    }
    let front = Rc::clone(front);
    tokio::task::spawn_local(async move {
        if let Some(client) = client_of(&stream, peer, &front).await {
            queue_up(Newcomer { stream, client, pass }, &front);
            front.handshakes.nudge();
        }
    });
}

/// Has a connection wait for its handshake, or refuses it. Proxies that speak for nobody are not
/// counted by address.
fn queue_up(mut newcomer: Newcomer, front: &Rc<Front>) {
    let source = Source::of(newcomer.client.ip());
    if !front.is_proxy(newcomer.client)
        && let Err(refusal) = newcomer.pass.attribute(source)
    {
        return refuse(front, newcomer.stream, newcomer.client, refusal);
    }
    let queued = front.queue.borrow_mut().push(source, newcomer);
    if let Err(newcomer) = queued {
        refuse(front, newcomer.stream, newcomer.client, Refusal::Handshakes);
    }
}

/// Begins to serve a connection.
fn begin(newcomer: Newcomer, handshake: Handshake, front: &Rc<Front>) {
    let front = Rc::clone(front);
    let alive = front.phase.subscribe();
    tokio::task::spawn_local(async move {
        let connections = &front.settings.counters.connections;
        connections.add(1);
        welcome(newcomer, handshake, &front).await;
        connections.subtract_one();
        drop(alive);
    });
}

impl Front {
    /// The next connection that may be served.
    fn next(&self) -> Option<(Newcomer, Handshake)> {
        self.queue.borrow_mut().pop(&self.handshakes)
    }

    /// Whether an address is that of a listed proxy.
    pub(super) fn is_proxy(&self, peer: SocketAddr) -> bool {
        self.settings.proxies.iter().any(|network| network.contains(peer.ip()))
    }
}
