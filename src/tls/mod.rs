//! TLS: certificates from files, the handshake, and the records of an established connection.
//!
//! Owns the rustls configuration and everything that is encrypted. It opens no socket and waits for
//! none: whoever has a socket brings it along (`gateway` for the handshake and HTTP, `shard` for
//! `WebSockets`), so that both drive the same [`Channel`].
//!
//! rustls does the handshake, the key schedule and each record's encryption. What is ours is how
//! records are cut out of what was read and how much state an idle connection keeps: its keys and
//! no buffer.

mod certificate;
mod channel;
mod cipher;
#[cfg(feature = "cql-tls")]
mod client;
mod handshake;
mod probe;
mod record;

pub use certificate::{Files, LoadError, Tickets};
pub use channel::{Channel, Received};
#[cfg(feature = "cql-tls")]
pub use client::ClientFiles;
pub use handshake::Handshake;
pub use probe::probe;
pub use record::Broken;

#[cfg(feature = "cql-tls")]
pub use rustls::ClientConfig;
pub use rustls::ServerConfig;

#[cfg(test)]
pub(crate) mod tests;
