//! chasqui: a self-hosted messenger server. An acknowledged message is never lost, duplicated or
//! reordered, and an idle connection costs almost nothing.

pub mod model;
pub mod protocol;
pub mod session;
pub mod shard;
pub mod store;
