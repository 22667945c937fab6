//! A proxy that reads its file again in mid-traffic, or is killed and comes back, loses nothing.

use crate::damage::settle;
use crate::load::{Load, PEOPLE};
use crate::process::Kind;
use crate::scene::Scene;
use crate::support::eventually::{Deadline, eventually};
use crate::support::rest::Rest;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const RELOADS: usize = 3;

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
