//! chasqui: a self-hosted messenger server. An acknowledged message is never lost, duplicated or
//! reordered, and an idle connection costs almost nothing.

pub mod model;
pub mod shard;
pub mod store;
