//! Everything that can be set, as one typed tree.
//!
//! Owns the keys, their defaults and their checks; [`Layers`] merges them from a file, the
//! environment and flags. This is the only reader of the environment. It holds plain values: each
//! module has its own settings type, and `server` fills it from here. No other module imports this.
//!
//! Nothing here is secret (keys are named by their file), so all of it may be shown.

mod layers;
mod quantity;
mod scratch;

pub use layers::{ConfigError, Flag, Layers, Origin};
pub use quantity::{parse_duration, parse_size};
pub use scratch::Scratch;

use crate::{identity, telemetry};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The process: address, shards, drain.
    pub server: Server,
    /// Limits of REST and of connections before their upgrade.
    pub http: Http,
    /// Limits of WebSocket connections.
    pub websocket: WebSocket,
    /// The embedded store.
    pub store: Store,
    /// Accounts and tokens.
    pub identity: Identity,
    /// Logging.
    pub log: Log,
}

/// `[server]`: the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where both doors listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How many shards there are; 0 for one per core.
    pub shards: usize,
    /// The origins besides the server's own from which web pages may open a WebSocket.
    pub origins: Vec<String>,
    /// Over how long GOAWAY tells clients to spread their coming back.
    #[serde(with = "quantity::duration")]
    pub goaway_spread: Duration,
    /// How long a drain waits for connections to leave before it closes them.
    #[serde(with = "quantity::duration")]
    pub drain_grace: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            shards: 0,
            origins: Vec::new(),
            goaway_spread: Duration::from_mins(1),
            drain_grace: Duration::from_secs(90),
        }
    }
}

/// `[http]`: REST, and connections before their upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The most HTTP connections of one shard.
    pub connections_max: usize,
    /// How long the head of a request may take to arrive.
    #[serde(with = "quantity::duration")]
    pub header_timeout: Duration,
    /// How long a request may take, the wait of a long poll not counted.
    #[serde(with = "quantity::duration")]
    pub request_timeout: Duration,
    /// The largest body of a request.
    #[serde(with = "quantity::size")]
    pub body_bytes_max: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            body_bytes_max: 256 << 10,
        }
    }
}

/// `[websocket]`: connections after their upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// The largest message from a client, all its fragments together.
    #[serde(with = "quantity::size")]
    pub message_bytes_max: u64,
    /// The largest body of a SEND.
    #[serde(with = "quantity::size")]
    pub body_bytes_max: u64,
    /// What may wait to be written to one connection before pushes are dropped.
    #[serde(with = "quantity::size")]
    pub outbox_bytes_max: u64,
    /// How many SENDs of one connection may be unanswered.
    pub sends_max: usize,
    /// How many connections one device may have.
    pub device_connections_max: usize,
    /// The ping interval of a client that asks for none.
    #[serde(with = "quantity::duration")]
    pub ping_default: Duration,
    /// The shortest ping interval granted.
    #[serde(with = "quantity::duration")]
    pub ping_min: Duration,
    /// The longest ping interval granted.
    #[serde(with = "quantity::duration")]
    pub ping_max: Duration,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 << 10,
            body_bytes_max: 32 << 10,
            outbox_bytes_max: 256 << 10,
            sends_max: 64,
            device_connections_max: 8,
            ping_default: Duration::from_secs(25),
            ping_min: Duration::from_secs(5),
            ping_max: Duration::from_mins(4),
        }
    }
}

/// `[store]`: the embedded store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The data folder.
    pub path: PathBuf,
    /// How much memory caches blocks of it.
    #[serde(with = "quantity::size")]
    pub cache: u64,
    /// How much of each table is gathered in memory before it is written out.
    #[serde(with = "quantity::size")]
    pub memtable: u64,
    /// The free space below which writes are refused; reads go on.
    #[serde(with = "quantity::size")]
    pub reserve: u64,
    /// How many reads may touch the disk at the same time; 0 for two per core.
    pub read_permits: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data"),
            cache: 64 << 20,
            memtable: 16 << 20,
            reserve: 256 << 20,
            read_permits: 0,
        }
    }
}

/// `[identity]`: accounts and tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// The signing keys; empty for `keys.json` in the data folder.
    pub key_file: PathBuf,
    /// How long an access token is valid.
    #[serde(with = "quantity::duration")]
    pub access_token_life: Duration,
    /// How many passwords are hashed at the same time, each with a core and 19 MiB; 0 for one per
    /// core.
    pub hashers: usize,
    /// How many more may wait for that.
    pub hashes_waiting_max: usize,
}

impl Default for Identity {
    fn default() -> Self {
        let identity::Settings { access_token_life, hashes_waiting_max, .. } =
            identity::Settings::default();
        Self { key_file: PathBuf::new(), access_token_life, hashers: 0, hashes_waiting_max }
    }
}

/// `[log]`: logging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged, as `level` or `target=level`, separated by commas.
    pub filter: String,
    /// How it looks.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Config {
    /// How many shards there are to be.
    pub fn shards(&self) -> usize {
        count_or_cores(self.server.shards, 1)
    }

    /// How many reads of the store may touch the disk at the same time.
    pub fn read_permits(&self) -> usize {
        count_or_cores(self.store.read_permits, 2)
    }

    /// Where the signing keys are.
    pub fn key_file(&self) -> PathBuf {
        if self.identity.key_file.as_os_str().is_empty() {
            self.store.path.join("keys.json")
        } else {
            self.identity.key_file.clone()
        }
    }

    /// What `identity` is told.
    pub fn identity_settings(&self) -> identity::Settings {
        identity::Settings {
            access_token_life: self.identity.access_token_life,
            hashers: count_or_cores(self.identity.hashers, 1),
            hashes_waiting_max: self.identity.hashes_waiting_max,
        }
    }

    /// What `telemetry` is told.
    pub fn telemetry_settings(&self) -> telemetry::Settings {
        let format = match self.log.format {
            LogFormat::Auto => telemetry::Format::Auto,
            LogFormat::Human => telemetry::Format::Human,
            LogFormat::Json => telemetry::Format::Json,
        };
        telemetry::Settings { filter: self.log.filter.clone(), format }
    }

    /// The same, with its data in another folder.
    #[must_use]
    pub fn with_data(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.store.path);
        self
    }

    /// What the types alone do not rule out: the key and what is wrong with it.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let Self { server, http, websocket, store, identity, log } = self;
        let second = Duration::from_secs(1);
        let rules = [
            (server.shards <= SHARDS_MAX, "server.shards", "at most 1024"),
            (
                server.origins.iter().all(|origin| is_origin(origin)),
                "server.origins",
                "each is scheme://host or scheme://host:port, nothing after it",
            ),
            (http.connections_max > 0, "http.connections_max", "at least 1"),
            (!http.header_timeout.is_zero(), "http.header_timeout", "longer than 0s"),
            (!http.request_timeout.is_zero(), "http.request_timeout", "longer than 0s"),
            (
                http.body_bytes_max >= websocket.body_bytes_max.saturating_mul(2),
                "http.body_bytes_max",
                "at least twice websocket.body_bytes_max: a text grows as JSON",
            ),
            (
                (4 << 10..=MESSAGE_BYTES_MAX).contains(&websocket.message_bytes_max),
                "websocket.message_bytes_max",
                "between 4KiB and 1MiB",
            ),
            (
                websocket.body_bytes_max.saturating_add(2 << 10) <= websocket.message_bytes_max,
                "websocket.body_bytes_max",
                "at least 2KiB less than websocket.message_bytes_max",
            ),
            (
                websocket.outbox_bytes_max >= 128 << 10,
                "websocket.outbox_bytes_max",
                "at least 128KiB: half of it must hold a page",
            ),
            (
                (1..=4096).contains(&websocket.sends_max),
                "websocket.sends_max",
                "between 1 and 4096",
            ),
            (
                (1..=255).contains(&websocket.device_connections_max),
                "websocket.device_connections_max",
                "between 1 and 255",
            ),
            (
                second <= websocket.ping_min
                    && websocket.ping_min <= websocket.ping_default
                    && websocket.ping_default <= websocket.ping_max,
                "websocket.ping_default",
                "1s <= ping_min <= ping_default <= ping_max",
            ),
            (!store.path.as_os_str().is_empty(), "store.path", "not empty"),
            (store.memtable >= 1 << 20, "store.memtable", "at least 1MiB"),
            (identity.access_token_life >= second, "identity.access_token_life", "at least 1s"),
            (
                telemetry::check(&log.filter).is_ok(),
                "log.filter",
                "level or target=level, by commas",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, _, _)| !holds);
        broken.map_or(Ok(()), |(_, key, rule)| Err((key, rule)))
    }
}

const SHARDS_MAX: usize = 1024;
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

fn count_or_cores(count: usize, per_core: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if count == 0 { cores.saturating_mul(per_core) } else { count }
}

/// Whether a text has the form of an Origin header.
fn is_origin(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, host)| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.[]:".contains(c);
        !scheme.is_empty()
            && !host.is_empty()
            && text.chars().all(|c| plain(c) || c == '/')
            && !host.contains('/')
    })
}
