//! Reloads and restarts in mid-traffic, of the proxy and of the server behind it, lose nothing.

use crate::damage::settle;
use crate::deployed::Kind;
use crate::load::{Load, PEOPLE};
use crate::scene::Scene;
use crate::support::eventually::{Deadline, eventually};
use crate::support::rest::Rest;
use crate::support::server::Signal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const RELOADS: usize = 3;

/// How long a proxy may take to find a server again, its health checks included.
const OUTAGE_MAX: Duration = Duration::from_secs(8);

/// Asks again and again, each time on a connection of its own, until told to stop: how often.
async fn ask_all_the_time(address: SocketAddr, stop: Arc<AtomicBool>) -> usize {
    let rest = Rest::new(address);
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        assert_eq!(rest.get("/readyz").await.status, 200);
        asked += 1;
    }
    asked
}

async fn a_reload_loses_nothing(kind: Kind, replaced: &[(&str, &str)]) {
    let mut scene = Scene::with(kind, &[], replaced).await;
    let load = Load::start(scene.address(), PEOPLE).await;
    load.expect_progress().await;
    let usual = scene.proxy.processes();
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask_all_the_time(scene.address(), Arc::clone(&stop)));
    for _ in 0..RELOADS {
        scene.proxy.reload();
        // The old one goes on beside the new one until its time is over and it cuts what it has.
        eventually("the new one runs beside the old one", async || {
            (scene.proxy.processes() > usual).then_some(())
        })
        .await;
        load.expect_progress().await;
        eventually("the old one is gone", async || {
            (scene.proxy.processes() == usual).then_some(())
        })
        .await;
        load.expect_progress().await;
    }
    scene.proxy.assert_running();
    stop.store(true, Ordering::Relaxed);
    let asked = Deadline::usual().wait("the last answer", asking).await;
    println!("{kind:?}: {} requests beside the reloads, all answered", asked.expect("no panic"));
    scene.proxy.crash();
    load.expect_progress().await;
    settle(&format!("{kind:?}: {RELOADS} reloads and a kill"), load, scene.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_of_nginx_loses_nothing() {
    let replaced = [("worker_shutdown_timeout 60s", "worker_shutdown_timeout 2s")];
    a_reload_loses_nothing(Kind::Nginx, &replaced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_of_nginx_as_a_stream_loses_nothing() {
    let replaced = [("worker_shutdown_timeout 60s", "worker_shutdown_timeout 2s")];
    a_reload_loses_nothing(Kind::NginxStream, &replaced).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_of_haproxy_loses_nothing() {
    let replaced = [("hard-stop-after 60s", "hard-stop-after 2s")];
    a_reload_loses_nothing(Kind::Haproxy, &replaced).await;
}

async fn a_restart_of_the_server_behind(kind: Kind) {
    let settings = [("server.goaway_spread", "1s"), ("server.drain_grace", "1s")];
    let mut scene = Scene::with(kind, &settings, &[]).await;
    let load = Load::start(scene.address(), PEOPLE).await;
    for stop in [Signal::Term, Signal::Kill] {
        load.expect_progress().await;
        scene.server.signal(stop);
        scene.server.wait().await;
        scene.server.restart().await;
        let began = Instant::now();
        load.expect_progress().await;
        let outage = began.elapsed();
        println!("{kind:?}: {stop:?}, chats go on {outage:?} after the server is back");
        assert!(outage < OUTAGE_MAX, "{kind:?} took {outage:?} to see that the server is back");
    }
    settle(&format!("{kind:?}: a drain and a crash"), load, scene.address()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_behind_nginx_loses_nothing() {
    a_restart_of_the_server_behind(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_behind_nginx_as_a_stream_loses_nothing() {
    a_restart_of_the_server_behind(Kind::NginxStream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_behind_haproxy_loses_nothing() {
    a_restart_of_the_server_behind(Kind::Haproxy).await;
}
