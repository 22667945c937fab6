//! Relays that hold bytes back, and that cut at random bytes: what clients were told must be what the
//! log holds. `CHASQUI_PROXIES_SEED` repeats a run, as far as threads allow.

use crate::checker;
use crate::load::{Load, PEOPLE};
use crate::relay::{Manner, Relay};
use crate::support::dice::seed;
use crate::support::eventually::eventually;
use crate::support::server::TestServer;
use std::time::Duration;

/// How many connections are cut.
const CUTS: usize = 200;

/// Lets a load end, and holds what its clients were told against what the log holds.
pub(crate) async fn settle(what: &str, load: Load, read_back: std::net::SocketAddr) {
    let (histories, logs) = load.finish(&[read_back]).await;
    let report = checker::check(&histories, &logs);
    println!("{what}: {report}");
    let breaches = report.breaches();
    assert!(breaches.is_empty(), "{what}:\n{}", breaches.join("\n"));
    assert!(report.acknowledged > 0, "there was no load");
    assert_eq!(report.unknown, 0, "clients resend until they know");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_connections_are_cut_at_random_bytes() {
    let seed = seed("CHASQUI_PROXIES_SEED");
    let server = TestServer::start().await;
    let relay = Relay::to(server.address(), seed).await;
    // People sign up undisturbed; whoever connects for the load is in for it.
    relay.set(Manner::Cuts);
    let load = Load::start_through(server.address(), relay.address(), PEOPLE).await;
    eventually("enough connections were cut", async || (relay.cuts() >= CUTS).then_some(())).await;
    relay.set(Manner::Plain);
    let what = format!("{} cuts, CHASQUI_PROXIES_SEED={seed}", relay.cuts());
    settle(&what, load, server.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_bytes_come_in_lumps() {
    let server = TestServer::start().await;
    let relay = Relay::to(server.address(), 0).await;
    relay.set(Manner::Lumps(Duration::from_millis(150)));
    let load = Load::start(relay.address(), PEOPLE).await;
    for _ in 0..10 {
        load.expect_progress().await;
    }
    settle("lumps", load, server.address()).await;
}
