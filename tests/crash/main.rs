//! A real server is killed at random moments under load, again and again.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::host_endian_bytes,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it runs in real time, as its environment says"
)]

mod power_cut;
