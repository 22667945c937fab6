//! Black-box tests: a real server process, driven through its doors.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it runs in real time and prints logs on failure"
)]

mod support;
