//! Everything that can be set, as one typed tree.
//!
//! Owns the keys, their defaults and their checks; [`Layers`] merges them from a file, the
//! environment and flags. This is the only reader of the environment. It holds plain values: each
//! module has its own settings type, and `server` fills it from here. No other module imports this.
//!
//! Nothing here is secret (keys are named by their file), so all of it may be shown.

mod addresses;
mod layers;
mod quantity;
mod scratch;
mod scylla;
mod sections;

pub use addresses::Addresses;
pub use layers::{ConfigError, Flag, Layers, Origin};
pub use quantity::{parse_duration, parse_size};
pub use scratch::Scratch;
pub use scylla::{Scylla, is_contact_point, is_keyspace};
pub use sections::{Http, Identity, Log, LogFormat, Server, Store, StoreBackend, Tls, WebSocket};

use crate::store::embedded;
use crate::{identity, store, telemetry, tls};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The process: address, shards, drain.
    pub server: Server,
    /// Encryption of both doors.
    pub tls: Tls,
    /// Limits of REST and of connections before their upgrade.
    pub http: Http,
    /// Limits of WebSocket connections.
    pub websocket: WebSocket,
    /// Which store there is, and the embedded one.
    pub store: Store,
    /// A database that speaks CQL.
    pub scylla: Scylla,
    /// Accounts and tokens.
    pub identity: Identity,
    /// Logging.
    pub log: Log,
}

impl Config {
    /// How many shards there are to be.
    pub fn shards(&self) -> usize {
        count_or_cores(self.server.shards)
    }

    /// Where the signing keys are.
    pub fn key_file(&self) -> PathBuf {
        if self.identity.key_file.as_os_str().is_empty() {
            self.store.path.join("keys.json")
        } else {
            self.identity.key_file.clone()
        }
    }

    /// Where the certificate and its key are, if both doors are to be encrypted.
    pub fn tls_files(&self) -> Option<tls::Files> {
        let Tls { certificate, key } = self.tls.clone();
        (!certificate.as_os_str().is_empty()).then_some(tls::Files { certificate, key })
    }

    /// Whether the files that it names can be used.
    pub fn check_files(&self) -> Result<(), ConfigError> {
        if let Some(files) = self.tls_files() {
            files.load(&tls::Tickets::new()?)?;
        }
        self.scylla_options().map(drop)
    }

    /// What `identity` is told.
    pub fn identity_settings(&self) -> identity::Settings {
        identity::Settings {
            access_token_life: self.identity.access_token_life,
            hashers: count_or_cores(self.identity.hashers),
            hashes_waiting_max: self.identity.hashes_waiting_max,
        }
    }

    /// Which store is opened, and what it is told; reads the files that are named.
    pub fn store_options(&self) -> Result<store::Options, ConfigError> {
        match self.store.backend {
            StoreBackend::Embedded => Ok(store::Options::Embedded(self.embedded_options())),
            StoreBackend::Scylla => self.scylla_options().map(store::Options::Scylla),
        }
    }

    /// What the embedded store is told.
    pub fn embedded_options(&self) -> embedded::Options {
        embedded::Options {
            cache_bytes: self.store.cache_bytes,
            memtable_bytes: self.store.memtable_bytes,
            reserve_bytes: self.store.reserve_bytes,
            read_permits: count_or_cores(self.store.read_permits),
            wait_max: self.store.wait_max,
            sync_interval: self.store.sync_interval,
            ..embedded::Options::new(&self.store.path)
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
        let Self { server, tls, http, websocket, store, scylla, identity, log } = self;
        let second = Duration::from_secs(1);
        let rules = [
            (server.shards <= SHARDS_MAX, "server.shards", "at most 1024"),
            (
                server.origins.iter().all(|origin| is_origin(origin)),
                "server.origins",
                "each is scheme://host or scheme://host:port, nothing after it",
            ),
            (
                tls.certificate.as_os_str().is_empty() == tls.key.as_os_str().is_empty(),
                "tls.key",
                "set if and only if tls.certificate is",
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
            (store.memtable_bytes >= 1 << 20, "store.memtable_bytes", "at least 1MiB"),
            (store.sync_interval <= SYNC_INTERVAL_MAX, "store.sync_interval", "at most 100ms"),
            (identity.access_token_life >= second, "identity.access_token_life", "at least 1s"),
            (
                telemetry::check(&log.filter).is_ok(),
                "log.filter",
                "level or target=level, by commas",
            ),
        ];
        let broken = rules.into_iter().chain(scylla.rules()).find(|(holds, _, _)| !holds);
        broken.map_or(Ok(()), |(_, key, rule)| Err((key, rule)))
    }
}

const SHARDS_MAX: usize = 1024;
const SYNC_INTERVAL_MAX: Duration = Duration::from_millis(100);
const MESSAGE_BYTES_MAX: u64 = 1 << 20;

fn count_or_cores(count: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if count == 0 { cores() } else { count }
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
