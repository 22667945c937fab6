//! chasqui: a self-hosted messenger server. An acknowledged message is never lost, duplicated or
//! reordered, and an idle connection costs almost nothing.

pub mod model;

pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod gateway;
pub mod identity;
pub mod protocol;
pub mod server;
pub mod session;
pub mod shard;
pub mod store;
pub mod telemetry;
