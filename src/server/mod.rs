//! The composition root: opens the store, puts the shards on their threads, and sees the process
//! through to its end.
//!
//! Owns the order of starting and stopping; everything else is done by the parts it puts together.
//!
//! ```text
//! start: sockets -> store, waited for -> clock -> services -> shards -> recovery -> "listening on"
//! stop:  not ready, no upgrades, GOAWAY -> connections leave or grace ends -> no new requests,
//!        those under way end -> owners idle -> cursors written -> shards end -> store closed
//! ```

mod certificate;
mod demo;
mod files;
mod listeners;
mod metrics;
mod shards;
mod upkeep;
mod waiting;

use crate::admission::{Admission, Limits};
use crate::chat::{self, Chat};
use crate::cli::output;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::gateway::listener::Course;
use crate::identity::{Identity, Keys, KeysError};
use crate::model::CommandError;
use crate::protocol::constants::goaway_reason;
use crate::protocol::{CloseCode, Goaway};
use crate::shard::{Services, ShardHandle, seats};
use crate::store::embedded::WriteFailure;
use crate::store::{Cursors, Log, OpenError, Store, StoreError};
use crate::tls::LoadError;
use certificate::Certificate;
use shards::{Doors, Threads};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How often the end of a drain is looked for.
const DRAIN_POLL: Duration = Duration::from_millis(50);

/// How long connections may take to close once they are told to.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// How long owners may take to finish what they are storing.
const STORING_MAX: Duration = Duration::from_secs(10);

/// Why the server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration names files that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The certificate could not be had.
    #[error(transparent)]
    Certificate(#[from] LoadError),
    /// The signing keys could not be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store refused something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The demo accounts could not be made.
    #[error("the demo accounts could not be made")]
    Demo(#[source] CommandError),
    /// A shard has failed.
    #[error("a shard has failed")]
    Shard,
}

/// Serves until a signal ends it. With `dev`, makes the demo accounts ready and prints them.
pub fn run(config: &Config, dev: bool) -> Result<(), ServerError> {
    files::raise_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config, dev))
}

/// A write or a sync has failed: nothing that follows could be trusted, so the process ends and what
/// is durable is read anew by the next.
#[expect(clippy::exit, reason = "going on after a failed sync would lose what was acknowledged")]
fn end_at_once(failure: &WriteFailure) {
    tracing::error!(%failure, "the process ends");
    std::process::exit(EXIT_STORE_FAILED);
}

/// The exit status after a failed write or sync: `EX_IOERR`.
const EXIT_STORE_FAILED: i32 = 74;

/// The exit status when a second signal cuts a drain short.
const EXIT_CUT_SHORT: i32 = 130;

async fn serve(config: &Config, dev: bool) -> Result<(), ServerError> {
    let mut signals = Signals::new()?;
    // Early, since unhandled it ends the process.
    let hangup = signal(SignalKind::hangup())?;
    let (listeners, addresses) = listeners::bind(config.server.listen.all(), config.shards())?;
    let (handle, seats) = seats(listeners.len(), config.websocket.device_connections_max);
    let certificate = config.tls_files().map(Certificate::load).transpose()?;
    let (course, told) = watch::channel(Course::Serving);
    let admission = Admission::new(admission_limits(config));
    let doors = Doors {
        handle: handle.clone(),
        admission: admission.clone(),
        course: told,
        tls: certificate.as_ref().map(Certificate::watch),
        demo: dev.then(demo::offer),
    };
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let waiting = announcement("waiting for the store on", scheme, &addresses);
    let store = tokio::select! {
        store = waiting::open_store(config, &listeners, &doors, &waiting) => store?,
        () = signals.next() => return Ok(()),
    };
    let keys = Keys::open(&config.key_file())?;
    let clock = Clock::new(store.latest_time().await?);
    let identity = Identity::new(store.clone(), keys, config.identity_settings());
    let chat = Chat::new(store.clone(), chat_settings(config));
    let services = Services { chat: chat.clone(), identity, clock: clock.clone() };
    let places = seats.into_iter().zip(listeners).collect();
    let metrics = metrics::Door::bind(config.server.metrics)?;
    let mut threads = Threads::start(config, places, &doors, &services)?;
    threads.started().await?;
    let pending = store.pending().await?;
    handle.recover(pending.iter().map(|pending| pending.conversation));
    let upkeep = tokio::spawn(upkeep::run(chat.clone(), clock.clone()));
    let demo = try_out(dev, &handle, scheme, &addresses).await?;
    tokio::spawn(certificate::reload_at(hangup, certificate));
    let announced = metrics.as_ref().map(metrics::Door::to_string).unwrap_or_default();
    if let Some(door) = metrics {
        let sources = metrics::Sources {
            shards: handle.clone(),
            listeners: threads.counters(),
            admission,
            store: store.clone(),
            started: clock.now(),
        };
        tokio::spawn(door.serve(sources));
    }
    output::print(&format!(
        "{}{announced}{demo}",
        announcement("listening on", scheme, &addresses)
    ))?;
    tracing::info!(?addresses, shards = threads.len(), recovered = pending.len(), "serving");
    tokio::select! {
        () = signals.next() => {}
        () = threads.ended() => return Err(ServerError::Shard),
    }
    tokio::select! {
        () = drain(config, &handle, &course) => {}
        () = signals.next() => cut_short(),
    }
    upkeep.abort();
    upkeep::write_cursors(&chat, &clock).await;
    store.sync_cursors().await?;
    handle.end();
    threads.join().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Makes the demo accounts ready, where they are wanted; what is said of them.
async fn try_out(
    dev: bool,
    handle: &ShardHandle,
    scheme: &str,
    addresses: &[SocketAddr],
) -> Result<String, ServerError> {
    let Some(address) = addresses.first().filter(|_| dev) else { return Ok(String::new()) };
    let origin = format!("{scheme}://{address}");
    demo::accounts(handle, &origin).await.map_err(ServerError::Demo)
}

/// A line for each address, with the ports that 0 stood for.
fn announcement(what: &str, scheme: &str, addresses: &[SocketAddr]) -> String {
    let line = |address| format!("{what} {scheme}://{address}\n");
    addresses.iter().map(line).collect()
}

#[expect(clippy::exit, reason = "whoever signals twice wants it to end now")]
fn cut_short() {
    tracing::warn!("a second signal ends the process at once");
    std::process::exit(EXIT_CUT_SHORT);
}

/// Sends everyone elsewhere, then ends what is left in order.
async fn drain(config: &Config, handle: &ShardHandle, course: &watch::Sender<Course>) {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let grace = config.server.drain_grace;
    let spread = config.server.goaway_spread;
    tracing::info!(?grace, "draining");
    // First, so that nobody who goes when told is taken in again.
    course.send_replace(Course::Leaving { spread });
    handle.drain(Goaway {
        reason: goaway_reason::RESTART,
        spread_ms: millis(spread),
        grace_ms: millis(grace),
    });
    wait_until(handle, grace, |census| census.connections == 0).await;
    course.send_replace(Course::Ending);
    handle.close_all(CloseCode::Restart);
    wait_until(handle, CLOSING_MAX, |census| census.connections == 0).await;
    wait_until(handle, STORING_MAX, |census| !census.busy).await;
}

async fn wait_until(
    handle: &ShardHandle,
    at_most: Duration,
    reached: impl Fn(crate::shard::Census) -> bool,
) {
    let waiting = async {
        while !reached(handle.census().await) {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    };
    if tokio::time::timeout(at_most, waiting).await.is_err() {
        tracing::info!(?at_most, "stopped waiting");
    }
}

/// What the configuration and the system say of the number of connections.
fn admission_limits(config: &Config) -> Limits {
    Limits {
        connections_max: files::connections_max(config.server.connections_max),
        address_connections_max: config.server.address_connections_max,
    }
}

/// What the configuration says of the rules.
fn chat_settings(config: &Config) -> chat::Settings {
    let body_bytes_max = usize::try_from(config.websocket.body_bytes_max).unwrap_or(usize::MAX);
    chat::Settings { body_bytes_max, ..chat::Settings::default() }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
