//! A real server is killed at random moments under load, again and again. Clients go on as a client
//! should; in the end what they were told is held against what the log holds.
//!
//! Every second round also takes back everything that was not synced at the kill (`power_cut`).
//! `CHASQUI_CRASH_ROUNDS` sets the number of rounds, `CHASQUI_CRASH_SEED` the moments of the kills.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::host_endian_bytes,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise; it runs in real time, as its environment says"
)]

mod checker;
#[expect(dead_code, reason = "the test of stores of clusters uses the rest")]
mod load;
mod power_cut;
#[expect(dead_code, reason = "the scenarios of the other binary use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

use load::{Load, PEOPLE};
use power_cut::PowerCut;
use std::time::{Duration, Instant};
use support::dice::{Dice, number_or, seed};
use support::server::TestServer;

#[test]
fn nothing_acknowledged_is_lost_doubled_or_reordered() {
    let seed = seed("CHASQUI_CRASH_SEED");
    let rounds = number_or("CHASQUI_CRASH_ROUNDS", 10);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("crash: {rounds} rounds, CHASQUI_CRASH_SEED={seed}");
    runtime.block_on(run(seed, rounds));
}

async fn run(seed: u64, rounds: u64) {
    let began = Instant::now();
    let mut dice = Dice::new(seed);
    let mut server = TestServer::prepare(&[]);
    let cut = PowerCut::new(&server.data(), server.scratch()).expect("the shim builds");
    server.add_environment(cut.environment());
    server.restart().await;
    let load = Load::start(server.address(), PEOPLE).await;

    let mut undone = 0;
    for round in 1..=rounds {
        load.expect_progress().await;
        tokio::time::sleep(Duration::from_millis(dice.between(0, 250))).await;
        server.kill().await;
        if round % 2 == 0 {
            let took_back = cut.undo().expect("the side files are whole");
            undone += took_back.writes + took_back.names;
        } else {
            cut.forget().expect("the side files can be removed");
        }
        server.restart().await;
        load.servers_moved(&[server.address()]);
    }
    let (histories, logs) = load.finish(&[server.address()]).await;
    let report = checker::check(&histories, &logs);
    println!(
        "crash: {rounds} rounds in {} s, {undone} unsynced changes taken back: {report}",
        began.elapsed().as_secs()
    );
    let breaches = report.breaches();
    assert!(breaches.is_empty(), "seed {seed}:\n{}", breaches.join("\n"));
    assert!(report.acknowledged > 0, "there was no load");
    assert_eq!(report.unknown, 0, "clients resend until they know");
}
