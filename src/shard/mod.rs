//! One thread, one core: the connections that live on it, the conversations it owns, and what they
//! say to each other.
//!
//! Owns the event loop, the table of connections, the registry of who is live, the owners of
//! conversations, fan-out and outboxes. It knows no rule of the messenger (`chat`, `identity`), no
//! HTTP (`gateway`), and no concrete store.
//!
//! ```text
//! sockets -> connections -> session -> Event ----> perform -> owner -> chat -> store
//!    ^                                                                    |
//!    +---- outbox <- connections <------------ fan-out <- what is to be told
//!                          ^--- mailbox <---------+ from other shards
//! ```
//!
//! The connection side, from the socket up: `epoll`, `websocket`, `inbound`, `slab`,
//! `connection`, `tls`, `outbox`, `connections`, `step`, `entrance`, `turn`, `flush`, `closing`, `reactor`,
//! `counters`. The command side, from the door down: `handle`, `mailbox`, `missed`, `seat`, `perform`,
//! `accounts`, `chats`, `receive`, `owners`, `workers`, `fanout`, `registry`, `wakes`, `core`.

mod closing;
mod connection;
mod connections;
mod counters;
mod entrance;
mod epoll;
mod everyone;
mod flush;
mod inbound;
mod key;
mod outbox;
mod reactor;
mod settings;
mod slab;
mod step;
mod tls;
mod turn;
mod websocket;

mod accounts;
mod chats;
mod core;
mod fanout;
mod handle;
mod mailbox;
#[cfg(feature = "testing")]
mod memory;
mod missed;
mod owners;
mod perform;
mod receive;
mod registry;
mod seat;
#[cfg(feature = "testing")]
mod sockets;
mod wakes;
mod workers;

pub use counters::Counts;
pub use handle::{Census, LocalShard, ShardHandle};
pub use key::ConnectionKey;
#[cfg(feature = "testing")]
pub use memory::MemoryShard;
pub use seat::{ConnectionSettings, Seat, Services, seats};
#[cfg(feature = "testing")]
pub use sockets::SocketShard;

#[cfg(test)]
mod tests;
