//! The threads of the shards: on each a runtime of its own, the shard's loop and its HTTP listener.

use super::ServerError;
use crate::admission::Admission;
use crate::config::Config;
use crate::gateway::{listener, rest, upgrade};
use crate::session::Limits;
use crate::shard::{ConnectionSettings, Seat, Services, ShardHandle};
use crate::store::Store;
use crate::tls::ServerConfig;
use axum::Router;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, watch};

/// How long requests under way may take to end once the server stops.
const REQUESTS_END_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// What the doors of all shards share.
pub(super) struct Doors {
    /// Where commands go.
    pub(super) handle: ShardHandle,
    /// Who counts the connections.
    pub(super) admission: Admission,
    /// Tells when no further upgrades and requests are taken.
    pub(super) course: watch::Receiver<listener::Course>,
    /// What they are encrypted with.
    pub(super) tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    /// Whom the pages offer for trying things out.
    pub(super) demo: Option<String>,
}

/// What one thread is given.
struct Place<S> {
    seat: Seat,
    listeners: Vec<TcpListener>,
    services: Services<S>,
    connections: ConnectionSettings,
    http: listener::Settings,
    router: Router,
    course: watch::Receiver<listener::Course>,
}

/// What a thread tells of itself.
enum News {
    Started,
    Ended,
}

/// The running shards.
pub(super) struct Threads {
    handles: Vec<JoinHandle<io::Result<()>>>,
    /// Those of each listener.
    counters: Vec<Arc<listener::Counters>>,
    news: mpsc::UnboundedReceiver<News>,
}

impl Threads {
    /// Puts each shard on a thread, with the sockets it listens on.
    pub(super) fn start<S: Store>(
        config: &Config,
        places: Vec<(Seat, Vec<TcpListener>)>,
        doors: &Doors,
        services: &Services<S>,
    ) -> Result<Self, ServerError> {
        let handle = &doors.handle;
        let (told, news) = mpsc::unbounded_channel();
        let settings = rest_settings(config, services.identity.jwks(), doors.demo.clone());
        let router = rest::router(handle.clone(), &settings);
        let mut handles = Vec::with_capacity(places.len());
        let mut counters = Vec::with_capacity(places.len());
        for (index, (seat, listeners)) in places.into_iter().enumerate() {
            let counting = Arc::<listener::Counters>::default();
            counters.push(Arc::clone(&counting));
            let place = Place {
                seat,
                listeners,
                services: services.clone(),
                connections: connection_settings(config),
                http: listener_settings(config, doors, counting),
                router: router.clone(),
                course: doors.course.clone(),
            };
            let told = told.clone();
            let named = thread::Builder::new().name(format!("shard-{index}"));
            handles.push(named.spawn(move || live(place, &told))?);
        }
        Ok(Self { handles, counters, news })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    /// Where their listeners count.
    pub(super) fn counters(&self) -> Vec<Arc<listener::Counters>> {
        self.counters.clone()
    }

    /// Waits until all of them run.
    pub(super) async fn started(&mut self) -> Result<(), ServerError> {
        for _ in 0..self.handles.len() {
            let Some(News::Started) = self.news.recv().await else {
                return Err(ServerError::Shard);
            };
        }
        Ok(())
    }

    /// Waits until one of them ends.
    pub(super) async fn ended(&mut self) {
        while let Some(News::Started) = self.news.recv().await {}
    }

    /// Waits until all of them have ended.
    pub(super) async fn join(self) {
        let Self { handles, mut news, .. } = self;
        while news.recv().await.is_some() {}
        for thread in handles {
            if thread.join().is_err() {
                tracing::error!("a shard has panicked");
            }
        }
    }
}

/// The life of one shard.
fn live<S: Store>(place: Place<S>, told: &mpsc::UnboundedSender<News>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    let ended = runtime.block_on(work(place, told));
    if let Err(error) = &ended {
        tracing::error!(%error, "a shard has failed");
    }
    // Whoever listened may be gone, as after a failure elsewhere.
    drop(told.send(News::Ended));
    ended
}

async fn work<S: Store>(place: Place<S>, told: &mpsc::UnboundedSender<News>) -> io::Result<()> {
    let Place { seat, listeners, services, connections, http, router, course } = place;
    let (local, shard) = seat.start(services, connections)?;
    let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std);
    let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
    let door = listener::serve(listeners, router, local, http, course);
    let door = tokio::task::spawn_local(door);
    drop(told.send(News::Started));
    let ended = shard.await;
    door.abort();
    ended
}

fn connection_settings(config: &Config) -> ConnectionSettings {
    let websocket = &config.websocket;
    ConnectionSettings {
        limits: Limits {
            message_bytes_max: to_usize(websocket.message_bytes_max),
            body_bytes_max: to_usize(websocket.body_bytes_max),
            sends_max: websocket.sends_max,
            ping_default: websocket.ping_default,
            ping_min: websocket.ping_min,
            ping_max: websocket.ping_max,
            ..Limits::default()
        },
        outbox_bytes_max: to_usize(websocket.outbox_bytes_max),
    }
}

pub(super) fn listener_settings(
    config: &Config,
    doors: &Doors,
    counters: Arc<listener::Counters>,
) -> listener::Settings {
    listener::Settings {
        admission: doors.admission.clone(),
        connections_max: u32::try_from(config.http.connections_max).unwrap_or(u32::MAX),
        handshakes_max: u32::try_from(config.http.handshakes_max).unwrap_or(u32::MAX),
        idle_timeout: config.http.header_timeout,
        drain_timeout: REQUESTS_END_MAX,
        proxies: config.server.proxies.clone(),
        tls: doors.tls.clone(),
        upgrade: upgrade::Settings {
            origins: config.server.origins.clone(),
            echo: config.server.echo,
        },
        counters,
    }
}

fn rest_settings(config: &Config, jwks: &str, demo: Option<String>) -> rest::Settings {
    rest::Settings {
        body_bytes_max: to_usize(config.http.body_bytes_max),
        request_timeout: config.http.request_timeout,
        jwks: jwks.into(),
        demo,
    }
}

fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
