//! The sections of the configuration: their keys, types and defaults.

use super::addresses::Addresses;
use super::quantity;
use crate::gateway::listener::Network;
use crate::identity;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// `[server]`: the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Where both doors listen; port 0 takes any free one.
    pub listen: Addresses,
    /// Where `/metrics` is served; `None`: nowhere. Port 0 takes any free one.
    #[serde(with = "optional_address")]
    pub metrics: Option<SocketAddr>,
    /// How many shards there are; 0 for one per core.
    pub shards: usize,
    /// The origins besides the server's own from which web pages may open a WebSocket.
    pub origins: Vec<String>,
    /// The balancers, addresses or networks, that begin every connection with a PROXY header.
    pub proxies: Vec<Network>,
    /// The most connections in all, upgraded or not; 0 for as many as the limit of open files
    /// allows.
    pub connections_max: usize,
    /// The most connections from one address of IPv4 or one /64 of IPv6; 0 sets no limit.
    pub address_connections_max: usize,
    /// Whether `/echo` exists, a WebSocket that sends back what it gets: for conformance suites.
    pub echo: bool,
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
            listen: Addresses::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            metrics: None,
            shards: 0,
            origins: Vec::new(),
            proxies: Vec::new(),
            connections_max: 0,
            address_connections_max: 0,
            echo: false,
            goaway_spread: Duration::from_mins(1),
            drain_grace: Duration::from_secs(90),
        }
    }
}

/// An address or an empty text, in serde's terms.
mod optional_address {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::net::SocketAddr;

    #[expect(clippy::ref_option, reason = "the shape that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        value: &Option<SocketAddr>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(address) => to.collect_str(address),
            None => to.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
    }
}

/// `[tls]`: encryption of both doors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate in PEM, then those that lead to its root; empty for no encryption.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// `[http]`: REST, and connections before their upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The most HTTP connections of one shard.
    pub connections_max: usize,
    /// The most handshakes of one shard under way, from being served to WELCOME; 0 sets no limit.
    pub handshakes_max: usize,
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
            connections_max: 4096,
            handshakes_max: 1024,
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

/// Which kind of store a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreBackend {
    /// The embedded one, in the data folder.
    #[default]
    Embedded,
    /// A database that speaks CQL.
    Scylla,
}

/// `[store]`: which store there is, and the embedded one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Which kind of store there is.
    pub backend: StoreBackend,
    /// The data folder.
    pub path: PathBuf,
    /// How much memory caches blocks of it.
    #[serde(with = "quantity::size")]
    pub cache_bytes: u64,
    /// How much of each table is gathered in memory before it is written out.
    #[serde(with = "quantity::size")]
    pub memtable_bytes: u64,
    /// The free space below which writes are refused; reads go on.
    #[serde(with = "quantity::size")]
    pub reserve_bytes: u64,
    /// How many reads may touch the disk at the same time; 0 for one per core.
    pub read_permits: usize,
    /// Once the disk is slow, sends that would wait for it longer are refused as overloaded.
    #[serde(with = "quantity::duration")]
    pub wait_max: Duration,
    /// While changes are few, commits begin so far apart, so that several share a sync; 0 turns
    /// that off.
    #[serde(with = "quantity::duration")]
    pub sync_interval: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            backend: StoreBackend::default(),
            path: PathBuf::from("data"),
            cache_bytes: 64 << 20,
            memtable_bytes: 16 << 20,
            reserve_bytes: 256 << 20,
            read_permits: 0,
            wait_max: Duration::from_secs(1),
            sync_interval: Duration::from_millis(4),
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
