//! One thread, one core: the connections that live on it and what they are sent.
#![expect(dead_code, reason = "what executes commands drives this")]

mod closing;
mod connection;
mod connections;
mod epoll;
mod flush;
mod inbound;
mod key;
mod outbox;
mod reactor;
mod settings;
mod slab;
mod turn;
mod websocket;

pub use key::ConnectionKey;

#[cfg(test)]
mod tests;
