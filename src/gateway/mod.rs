//! The doors: one port for the REST API, the WebSocket upgrade and the pages of the browser.
//!
//! Owns accepting connections, the upgrade and the rendering of commands and outcomes as JSON. It
//! knows the core only through [`crate::shard::ShardHandle`] and hands every upgraded socket to the
//! shard of its thread; it holds no rule of the messenger and no state of a conversation.

pub mod listener;
mod pages;
pub mod rest;
pub mod upgrade;
