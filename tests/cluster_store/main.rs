//! Servers under load over a real database whose nodes are killed, paused and started again. Clients go
//! on as a client should; in the end what they were told is held against what the log holds.
//!
//! Needs a JDK and Apache Cassandra (`scripts/cassandra/install.sh`), so its tests are ignored but by
//! `make cql` (`one_node`) and `make test-cluster-store` (`three_nodes`, five minutes).
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise; it runs in real time and prints logs on failure"
)]

mod cassandra;
#[path = "../crash/checker.rs"]
mod checker;
#[path = "../crash/load.rs"]
mod load;
mod one_node;
mod scene;
#[expect(dead_code, reason = "other test programs use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
mod three_nodes;
