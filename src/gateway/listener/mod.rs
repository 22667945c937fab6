//! Accepting connections and serving HTTP on them, on one shard's thread.
//!
//! Owns the number of HTTP connections, their time-outs, and the moment when an upgraded socket
//! leaves HTTP: it goes to the shard together with whatever the client sent behind its handshake.
//! It never looks at those bytes. From listed proxies it takes the client's address out of the PROXY
//! header (`proxy`); whoever else sends one sends bad HTTP.
//!
//! A connection holds a [`Handshake`] from the moment it is served until its first request has come.
//! If that is an upgrade, the handshake goes with it to the shard; else it is exchanged for one of the
//! slots of those that speak HTTP, so that waiting polls and half-open handshakes cannot keep each
//! other out. Whoever is over a limit is told so, with 503. How connections come to be served is in
//! `accept`.

mod accept;
mod counters;
mod network;
mod proxy;
mod queue;
mod refusal;
mod visit;
mod wire;

pub use counters::{Counters, Counts};
pub use network::{Network, NotANetwork};

use super::rest::Problem;
use super::upgrade::{self, Door};
use crate::admission::{Admission, Admitted, Handshake, Handshakes};
use crate::model::ErrorCode;
use crate::shard::LocalShard;
use crate::tls::{Channel, ServerConfig};
use accept::{Newcomer, accept};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use queue::Queue;
use refusal::Refuser;
use socket2::SockRef;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;
use tracing::Instrument;
use visit::Visit;
use wire::Wire;

/// The limits of HTTP on one shard.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Counts the connections of the whole process.
    pub admission: Admission,
    /// The most connections that speak HTTP at a time; upgraded ones do not count.
    pub connections_max: u32,
    /// The most handshakes under way at a time, up to WELCOME; 0 sets no limit.
    pub handshakes_max: u32,
    /// How long a connection may take to send the head of its first or next request.
    pub idle_timeout: Duration,
    /// How long requests that are under way when draining begins may take to end.
    pub drain_timeout: Duration,
    /// Who begins every connection with a PROXY header.
    pub proxies: Vec<Network>,
    /// What every connection is encrypted with, as it is now; not at all without.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// Who may upgrade.
    pub upgrade: upgrade::Settings,
    /// Where the listener counts.
    pub counters: Arc<Counters>,
}

/// The most bytes of a request's head, and of what is read of a body at a time.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long sent bytes may stay unacknowledged: ends answers to clients that do not read.
const SEND_STALL_MAX: Duration = Duration::from_secs(30);
/// How long a closed connection is read on, so that its last answer is not lost to a reset.
const LINGER: Duration = Duration::from_secs(1);
/// How many accepted connections may wait for a handshake: more than a shard holds, unless its
/// limits are out of the ordinary.
const QUEUED_MAX: usize = 65_536;

/// What the whole server tells its listeners of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It does not serve yet, and upgrades nobody.
    Starting,
    /// It serves.
    Serving,
    /// It sends its clients away and upgrades no further ones; requests are served.
    Leaving {
        /// Over how long those that were sent away come back.
        spread: Duration,
    },
    /// No further requests are taken.
    Ending,
}

/// How far the listener has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Requests under way may end, no further ones begin.
    Draining,
    Ended,
}

/// Takes a socket that has left HTTP, what encrypts it, and the bytes that were read behind its
/// handshake.
type Adopt = Box<dyn Fn(std::net::TcpStream, Option<Box<Channel>>, &[u8], (Door, Admitted))>;

/// What all connections share.
struct Front {
    router: Router,
    adopt: Adopt,
    settings: Settings,
    course: watch::Receiver<Course>,
    phase: watch::Sender<Phase>,
    handshakes: Handshakes,
    /// Those that are accepted and wait for a handshake.
    queue: RefCell<Queue<Newcomer>>,
    /// Held by those that speak HTTP.
    slots: Arc<Semaphore>,
    refuser: Refuser,
}

impl Front {
    fn new(
        router: Router,
        adopt: Adopt,
        settings: Settings,
        course: watch::Receiver<Course>,
    ) -> Self {
        let Settings { connections_max, handshakes_max, .. } = settings;
        let slots = usize::try_from(connections_max).unwrap_or(usize::MAX);
        Self {
            router,
            adopt,
            settings,
            course,
            phase: watch::Sender::new(Phase::Serving),
            handshakes: Handshakes::new(handshakes_max),
            queue: RefCell::new(Queue::new(QUEUED_MAX)),
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            refuser: Refuser::default(),
        }
    }

    /// Refuses an upgrade once clients are sent away: this one would be sent away as well.
    fn check_course(&self) -> Result<(), Problem> {
        match *self.course.borrow() {
            Course::Leaving { spread } => Err(refusal::leaving(spread)),
            Course::Ending => Err(refusal::leaving(refusal::RETRY)),
            Course::Starting => Err(refusal::starting()),
            Course::Serving => Ok(()),
        }
    }
}

/// Serves HTTP on the current thread until the server is ending (or whoever tells that is gone) and
/// the requests then under way have ended or used up the drain time-out.
///
/// Must run on a runtime that can spawn local tasks.
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    local: LocalShard,
    settings: Settings,
    course: watch::Receiver<Course>,
) {
    let adopt: Adopt = Box::new(move |socket, tls, early, (door, admitted)| match door {
        Door::Chat => local.adopt(socket, tls, early, admitted),
        Door::Echo => local.adopt_echo(socket, tls, early, admitted),
    });
    serve_front(listeners, Rc::new(Front::new(router, adopt, settings, course))).await;
}

/// Answers HTTP on the current thread, as [`serve`], before there is a shard to upgrade to: to be called
/// on a course that begins with [`Course::Starting`] and goes on to its end.
pub async fn wait(
    listeners: Vec<TcpListener>,
    router: Router,
    settings: Settings,
    course: watch::Receiver<Course>,
) {
    let adopt: Adopt =
        Box::new(|_, _, _, _| tracing::error!("a connection was upgraded too early"));
    serve_front(listeners, Rc::new(Front::new(router, adopt, settings, course))).await;
}

async fn serve_front(listeners: Vec<TcpListener>, front: Rc<Front>) {
    let mut course = front.course.clone();
    tokio::select! {
        () = accept(&listeners, &front) => {}
        // An error says that the sender is gone, which ends service as well.
        _ = course.wait_for(|course| *course == Course::Ending) => {}
    }
    // Closed first, so that the kernel completes no further handshake here.
    drop(listeners);
    front.queue.borrow_mut().clear();
    front.phase.send_replace(Phase::Draining);
    // Every connection listens for the phase until it ends.
    let all = front.phase.closed();
    if tokio::time::timeout(front.settings.drain_timeout, all).await.is_err() {
        tracing::info!("drain time is over, ending the requests still under way");
    }
    front.phase.send_replace(Phase::Ended);
}

/// Serves a connection under the address of its client, which every log line about it names.
async fn welcome(newcomer: Newcomer, handshake: Handshake, front: &Rc<Front>) {
    let Newcomer { stream, client, pass } = newcomer;
    let span = tracing::info_span!("connection", %client);
    let visit = Rc::new(Visit::new(client, pass, handshake));
    let served = async {
        if let Some(wire) = encrypt(stream, front).await {
            converse(wire, visit, front).await;
        }
    };
    Box::pin(served).instrument(span).await;
}

/// Whose connection this is; `None` if it is refused, or the server stops.
async fn client_of(stream: &TcpStream, peer: SocketAddr, front: &Front) -> Option<SocketAddr> {
    if !front.is_proxy(peer) {
        return Some(peer);
    }
    let mut phase = front.phase.subscribe();
    let header = tokio::time::timeout(front.settings.idle_timeout, proxy::read(stream));
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

/// Does the handshake of TLS, where it is spoken; `None` if that fails, or the server stops.
async fn encrypt(stream: TcpStream, front: &Front) -> Option<Wire> {
    // A socket that cannot take an option is served without.
    let options = SockRef::from(&stream);
    drop(options.set_tcp_nodelay(true));
    drop(options.set_tcp_user_timeout(Some(SEND_STALL_MAX)));
    let Some(tls) = &front.settings.tls else { return Some(Wire::Plain(stream)) };
    let config = Arc::clone(&tls.borrow());
    let mut phase = front.phase.subscribe();
    let handshake = Wire::encrypted(stream, config);
    let handshake = tokio::time::timeout(front.settings.idle_timeout, handshake);
    let handshake = tokio::select! {
        handshake = handshake => handshake,
        _ = phase.wait_for(|phase| *phase != Phase::Serving) => return None,
    };
    let failed = &front.settings.counters.tls_failed;
    match handshake {
        Ok(Ok(wire)) => return Some(wire),
        Ok(Err(wire::Failed { stream, error })) => {
            failed.add(1);
            tracing::debug!(%error, "no TLS handshake");
            linger(Wire::Plain(stream)).await;
        }
        Err(_elapsed) => {
            failed.add(1);
            tracing::debug!("no TLS handshake in time");
        }
    }
    None
}

/// Serves one connection to its end, or until it is adopted.
async fn converse(wire: Wire, visit: Rc<Visit>, front: &Rc<Front>) {
    let (host, guest) = (Rc::clone(front), Rc::clone(&visit));
    let service = service_fn(move |request| {
        let (host, guest) = (Rc::clone(&host), Rc::clone(&guest));
        Box::pin(async move { respond(request, &host, &guest).await })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(front.settings.idle_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(wire), service);
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
    let wire = parts.io.into_inner();
    match visit.leave() {
        Some(to) => hand_over(wire, &parts.read_buf, to, front),
        None => Box::pin(linger(wire)).await,
    }
}

/// Answers one request; notes in `visit` that the connection leaves HTTP behind it.
async fn respond(
    mut request: Request<Incoming>,
    front: &Rc<Front>,
    visit: &Visit,
) -> Result<Response<Body>, Infallible> {
    let response = match front.settings.upgrade.door(request.uri().path()) {
        None => match visit.stay(front) {
            Ok(()) => front.router.clone().oneshot(request).await?,
            Err(problem) => problem.into_response(),
        },
        Some(door) => {
            let answer = front.check_course().and_then(|()| visit.arrive(front));
            let upgrade = &front.settings.upgrade;
            match answer.and_then(|()| upgrade::answer(&mut request, upgrade, door)) {
                Ok(response) => {
                    visit.upgrade(door);
                    response
                }
                Err(problem) => problem.into_response(),
            }
        }
    };
    front.settings.counters.answered(response.extensions().get::<ErrorCode>().copied());
    Ok(response)
}

/// Gives an upgraded socket and the bytes read behind its handshake to the shard.
fn hand_over(wire: Wire, early: &[u8], to: (Door, Admitted), front: &Front) {
    let (stream, tls, unread) = wire.into_parts();
    let early = [early, &unread].concat();
    // From here on the shard's own rules say how long a reader may stall.
    drop(SockRef::from(&stream).set_tcp_user_timeout(None));
    match stream.into_std() {
        Ok(socket) => {
            tracing::debug!("connection becomes a WebSocket");
            (front.adopt)(socket, tls, &early, to);
        }
        Err(error) => tracing::warn!(%error, "socket cannot leave the runtime"),
    }
}

/// Closes our half and reads the other to its end: to close a socket with unread bytes resets it,
/// and a reset can destroy the answer that the client has yet to read.
async fn linger(mut wire: Wire) {
    let rest = async {
        poll_fn(|context| Pin::new(&mut wire).poll_shutdown(context)).await?;
        let (mut stream, ..) = wire.into_parts();
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
