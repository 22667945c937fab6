//! The doors: one port for the REST API and the WebSocket upgrade.
//!
//! Owns accepting connections, the upgrade and the rendering of commands and outcomes as JSON. It
//! knows the core only through [`crate::shard::ShardHandle`] and hands every upgraded socket to the
//! shard of its thread; it holds no rule of the messenger and no state of a conversation.

pub mod listener;
pub mod rest;
pub mod upgrade;
