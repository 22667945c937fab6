//! One node, or the server over it, killed and restarted again and again.

use crate::cassandra::Cassandra;
use crate::scene::{Scene, serving};
use crate::support::dice::{Dice, seed};
use crate::support::eventually::eventually;
use crate::support::rest::Rest;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a node of Apache Cassandra: make cql"]
async fn no_kill_of_a_node_or_a_server_loses_doubles_or_reorders_anything() {
    let seed = seed("CHASQUI_CRASH_SEED");
    let mut dice = Dice::new(seed);
    println!("CHASQUI_CRASH_SEED={seed}");
    let cassandra = Cassandra::start(1);
    serving(&cassandra).apply_schema("simple=1");
    let mut scene = Scene::begin("one node and the server killed", &cassandra, 1).await;
    for _ in 0..2 {
        scene.expect_progress().await;
        tokio::time::sleep(Duration::from_millis(dice.between(0, 1_000))).await;
        cassandra.node(0).kill();
        cassandra.node(0).start();
        cassandra.node(0).wait();
    }
    for _ in 0..10 {
        scene.expect_progress().await;
        tokio::time::sleep(Duration::from_millis(dice.between(0, 250))).await;
        scene.restart_server().await;
    }
    scene.expect_progress().await;
    scene.end().await;
}

/// Neither tells the other of what it stores, and one of them dies every now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a node of Apache Cassandra: make cql"]
async fn no_race_of_two_servers_loses_doubles_reorders_or_hides_anything() {
    let cassandra = Cassandra::start(1);
    serving(&cassandra).apply_schema("simple=1");
    let mut scene = Scene::begin("two servers, one of them killed", &cassandra, 2).await;
    for _ in 0..4 {
        scene.expect_progress().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.restart_server().await;
    }
    scene.expect_progress().await;
    scene.end().await;
}

#[tokio::test]
#[ignore = "starts a node of Apache Cassandra: make cql"]
async fn a_server_waits_for_its_database_and_says_why_it_is_not_ready() {
    let cassandra = Cassandra::start(1);
    let mut server = serving(&cassandra);
    server.apply_schema("simple=1");
    cassandra.node(0).kill();
    server.restart_to_wait().await;
    let address = server.address();
    let ask = async |path: &str| Rest::new(address).get(path).await;
    assert_eq!(ask("/healthz").await.status, 200, "it lives");
    for path in ["/readyz", "/v1/users/me", "/ws"] {
        ask(path).await.assert_refused(503, "unavailable");
    }
    let why = ask("/readyz").await.body["detail"].to_string();
    assert!(why.contains("waiting for the store: the database is not there"), "{why}");
    cassandra.node(0).start();
    cassandra.node(0).wait();
    server.until_it_listens().await;
    assert_eq!(server.address(), address, "where it waited");
    eventually("it is ready", async || (ask("/readyz").await.status == 200).then_some(())).await;
    server.kill().await;
}
