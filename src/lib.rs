//! chasqui: a self-hosted messenger server. An acknowledged message is never lost, duplicated or
//! reordered, and an idle connection costs almost nothing.
//!
//! The map, in the order in which it reads best. Each module uses only what stands above it, as
//! ARCHITECTURE.md says and a test checks.
//!
//! - [`model`]: the vocabulary. Ids, sequences, entries, and the commands and outcomes that both
//!   doors exchange with the core.
//! - [`protocol`]: bytes to frames and back. [`session`]: what one connection may say next, without
//!   a socket.
//! - [`store`]: what is durable, as a contract; the embedded backend keeps it.
//! - [`identity`]: accounts, passwords, tokens, devices. [`chat`]: conversations, and every rule
//!   about them.
//! - [`admission`]: how many may be connected, and how many at a time on their way in.
//! - [`tls`]: certificates, the handshake, the records of an encrypted connection.
//! - [`shard`]: one thread and core. The event loop, the connections, the owners of conversations,
//!   fan-out.
//! - [`gateway`]: the doors. The listener, the upgrade to WebSocket, REST.
//! - [`server`]: puts it all together. [`cli`], [`config`], [`clock`], [`telemetry`]: what the
//!   process gets from outside.

pub mod model;

pub mod protocol;
pub mod session;

pub mod store;

pub mod chat;
pub mod identity;

pub mod admission;
pub mod tls;

pub mod shard;

pub mod gateway;

pub mod cli;
pub mod clock;
pub mod config;
mod deferral;
pub mod server;
pub mod telemetry;
