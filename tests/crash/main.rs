//! A real server is killed at random moments under load, again and again.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::host_endian_bytes,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it runs in real time, as its environment says"
)]

mod checker;
mod power_cut;
#[expect(dead_code, reason = "the scenarios of the other binary use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
