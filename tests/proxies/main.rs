//! Real proxies in front of a real server, run from the files under `deploy`, and relays that do what
//! bad networks do. Whatever they do to connections, nothing may be lost, doubled or reordered.
//!
//! Needs the Debian packages `nginx-light`, `libnginx-mod-stream` and `haproxy`; without them it fails.
//! Scenarios with Caddy and Envoy, and those that take minutes, are ignored unless asked for.
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

#[path = "../crash/checker.rs"]
mod checker;
mod client_address;
mod damage;
mod deployed;
mod idle;
#[expect(dead_code, reason = "other test programs use the rest")]
#[path = "../crash/load.rs"]
mod load;
mod process;
mod refusal;
mod relay;
mod reload;
mod scene;
#[expect(dead_code, reason = "other test programs use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
mod upgrade;
