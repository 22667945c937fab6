//! Accepting connections and serving HTTP on them, on one shard's thread.
//!
//! Owns the number of HTTP connections, their time-outs, and the moment when an upgraded socket
//! leaves HTTP: it goes to the shard together with whatever the client sent behind its handshake.
//! It never looks at those bytes. From listed proxies it takes the client's address out of the PROXY
//! header (`proxy`); whoever else sends one sends bad HTTP.
//!
//! A connection holds a slot from being accepted until it ends or is adopted. When no slot is free
//! nothing is accepted; since a silent connection loses its slot after the idle time-out, service
//! always resumes.

mod counters;
mod network;
mod proxy;

pub use counters::{Counters, Counts};
pub use network::{Network, NotANetwork};

use super::upgrade::{self, Door};
use crate::model::ErrorCode;
use crate::shard::LocalShard;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;
use tracing::Instrument;

/// The limits of HTTP on one shard.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most connections that speak HTTP at a time; upgraded ones do not count.
    pub connections_max: u32,
    /// How long a connection may take to send the head of its first or next request.
    pub idle_timeout: Duration,
    /// How long requests that are under way when draining begins may take to end.
    pub drain_timeout: Duration,
    /// Who begins every connection with a PROXY header.
    pub proxies: Vec<Network>,
    /// Who may upgrade.
    pub upgrade: upgrade::Settings,
    /// Where the listener counts.
    pub counters: Arc<Counters>,
}

/// The most bytes of a request's head, and of what is read of a body at a time.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How many handshakes are taken in a row before the rest of the shard has its turn: a storm of
/// new connections must not delay those that live.
const ACCEPTS_IN_A_ROW_MAX: u32 = 8;
/// How long to wait after an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// One in so many failures in a row is logged: about one in 10 s.
const ACCEPT_FAILURES_PER_LOG: u32 = 100;
/// How long sent bytes may stay unacknowledged: ends answers to clients that do not read.
const SEND_STALL_MAX: Duration = Duration::from_secs(30);
/// How long a closed connection is read on, so that its last answer is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);

/// How far the listener has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Requests under way may end, no further ones begin.
    Draining,
    Ended,
}

/// Takes a socket that has left HTTP, and the bytes that were read behind its handshake.
type Adopt = Box<dyn Fn(std::net::TcpStream, &[u8], Door)>;

/// What all connections share.
struct Front {
    router: Router,
    adopt: Adopt,
    settings: Settings,
    phase: watch::Sender<Phase>,
}

/// Serves HTTP on the current thread until `shutdown` becomes true (or its sender is dropped) and
/// the requests then under way have ended or used up the drain time-out.
///
/// Must run on a runtime that can spawn local tasks.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    local: LocalShard,
    settings: Settings,
    shutdown: watch::Receiver<bool>,
) {
    let adopt: Adopt = Box::new(move |socket, early, door| match door {
        Door::Chat => local.adopt(socket, early),
        Door::Echo => local.adopt_echo(socket, early),
    });
    let phase = watch::Sender::new(Phase::Serving);
    serve_front(listeners, Rc::new(Front { router, adopt, settings, phase }), shutdown).await;
}

async fn serve_front(
    listeners: Vec<TcpListener>,
    front: Rc<Front>,
    mut shutdown: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(to_usize(front.settings.connections_max)));
    tokio::select! {
        () = accept(&listeners, &front, &slots) => {}
        // An error says that the sender is gone, which ends service as well.
        _ = shutdown.wait_for(|told| *told) => {}
    }
    // Closed first, so that the kernel completes no further handshake here.
    drop(listeners);
    front.phase.send_replace(Phase::Draining);
    let all = slots.acquire_many(front.settings.connections_max);
    if tokio::time::timeout(front.settings.drain_timeout, all).await.is_err() {
        tracing::info!("drain time is over, ending the requests still under way");
    }
    front.phase.send_replace(Phase::Ended);
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Accepts for ever; returns only if the slots are gone, which nothing does.
async fn accept(listeners: &[TcpListener], front: &Rc<Front>, slots: &Arc<Semaphore>) {
    let (mut in_a_row, mut failures) = (0_u32, 0_u32);
    let mut turns = (0..listeners.len()).cycle();
    while let Ok(slot) = Arc::clone(slots).acquire_owned().await {
        let first = turns.next().unwrap_or(0);
        match poll_fn(|context| poll_accept(listeners, first, context)).await {
            Ok((stream, peer)) => {
                failures = 0;
                let front = Rc::clone(front);
                tokio::task::spawn_local(async move {
                    let counters = &front.settings.counters;
                    counters.connections.add(1);
                    welcome(stream, peer, &front).await;
                    counters.connections.subtract_one();
                    drop(slot);
                });
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                if failures.is_multiple_of(ACCEPT_FAILURES_PER_LOG) {
                    tracing::warn!(%error, "accept failed");
                }
                failures = failures.saturating_add(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        in_a_row = in_a_row.saturating_add(1);
        if in_a_row >= ACCEPTS_IN_A_ROW_MAX {
            in_a_row = 0;
            tokio::task::yield_now().await;
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

/// Serves a connection under the address of its client, which every log line about it names.
async fn welcome(stream: TcpStream, peer: SocketAddr, front: &Rc<Front>) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let Some(client) = client_of(&stream, peer, front).await else { return };
    let span = tracing::info_span!("connection", %client);
    Box::pin(converse(stream, front)).instrument(span).await;
}

/// Whose connection this is; `None` if it is refused, or the server stops.
async fn client_of(stream: &TcpStream, peer: SocketAddr, front: &Front) -> Option<SocketAddr> {
    let Settings { proxies, idle_timeout, .. } = &front.settings;
    if !proxies.iter().any(|network| network.contains(peer.ip())) {
        return Some(peer);
    }
    let mut phase = front.phase.subscribe();
    let header = tokio::time::timeout(*idle_timeout, proxy::read(stream));
    let header = tokio::select! {
        header = header => header,
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => return None,
    };
    match header {
        Ok(Ok(client)) => return Some(client.unwrap_or(peer)),
        Ok(Err(proxy::HeaderError::Silent)) => {}
        Ok(Err(error)) => tracing::warn!(proxy = %peer, %error, "refused a listed proxy"),
        Err(_elapsed) => {
            tracing::warn!(proxy = %peer, error = "no PROXY header in time", "refused a listed proxy");
        }
    }
    None
}

/// Serves one connection to its end, or until it is adopted.
async fn converse(stream: TcpStream, front: &Rc<Front>) {
    // A socket that cannot take an option is served without.
    let options = SockRef::from(&stream);
    drop(options.set_tcp_nodelay(true));
    drop(options.set_tcp_user_timeout(Some(SEND_STALL_MAX)));
    let upgraded = Rc::new(Cell::new(None));
    let door = Rc::clone(&upgraded);
    let host = Rc::clone(front);
    let service = service_fn(move |request| {
        let (host, door) = (Rc::clone(&host), Rc::clone(&door));
        Box::pin(async move { respond(request, &host, &door).await })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(front.settings.idle_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut phase = front.phase.subscribe();
    let ended = loop {
        let before = *phase.borrow_and_update();
        match before {
            Phase::Serving => {}
            Phase::Draining => Pin::new(&mut connection).graceful_shutdown(),
            Phase::Ended => return,
        }
        tokio::select! {
            ended = poll_fn(|context| connection.poll_without_shutdown(context)) => break ended,
            Ok(()) = phase.changed() => {}
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
        return;
    }
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    match upgraded.get() {
        Some(door) => hand_over(stream, &parts.read_buf, door, front),
        None => Box::pin(linger(stream)).await,
    }
}

/// Answers one request; notes in `upgraded` that the connection leaves HTTP behind it.
async fn respond(
    mut request: Request<Incoming>,
    front: &Front,
    upgraded: &Cell<Option<Door>>,
) -> Result<Response<Body>, Infallible> {
    let response = match front.settings.upgrade.door(request.uri().path()) {
        None => front.router.clone().oneshot(request).await?,
        Some(door) => match upgrade::answer(&mut request, &front.settings.upgrade, door) {
            Ok(response) => {
                upgraded.set(Some(door));
                response
            }
            Err(problem) => problem.into_response(),
        },
    };
    front.settings.counters.answered(response.extensions().get::<ErrorCode>().copied());
    Ok(response)
}

/// Gives an upgraded socket and the bytes read behind its handshake to the shard.
fn hand_over(stream: TcpStream, early: &[u8], door: Door, front: &Front) {
    // From here on the shard's own rules say how long a reader may stall.
    drop(SockRef::from(&stream).set_tcp_user_timeout(None));
    match stream.into_std() {
        Ok(socket) => {
            tracing::debug!("connection becomes a WebSocket");
            (front.adopt)(socket, early, door);
        }
        Err(error) => tracing::warn!(%error, "socket cannot leave the runtime"),
    }
}

/// Closes our half and reads the other to its end: to close a socket with unread bytes resets it,
/// and a reset can destroy the answer that the client has yet to read.
async fn linger(mut stream: TcpStream) {
    let rest = async {
        poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await?;
        let mut scratch = [0; 4096];
        loop {
            let mut read = ReadBuf::new(&mut scratch);
            poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut read)).await?;
            if read.filled().is_empty() {
                return io::Result::Ok(());
            }
        }
    };
    // Whether the peer ended its half, reset it or was too slow: the connection is over.
    drop(tokio::time::timeout(LINGER, rest).await);
}

#[cfg(test)]
mod tests;
