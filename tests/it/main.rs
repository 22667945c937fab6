//! Black-box tests: a real server process, driven through its doors.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise; it runs in real time and prints logs on failure"
)]

mod scenarios;
#[expect(dead_code, reason = "the crash test uses the rest")]
mod support;
