//! One thread, one core: the connections that live on it and what they are sent.

mod epoll;
mod inbound;
mod key;
mod slab;
mod websocket;

pub use key::ConnectionKey;
