//! Three nodes that each hold every row, with each fault in turn.

use crate::cassandra::Cassandra;
use crate::scene::{Scene, serving};
use std::time::Duration;
use tokio::time::sleep;

/// How long each fault lasts.
const FAULT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs three nodes of Apache Cassandra: make test-cluster-store"]
async fn no_fault_of_nodes_loses_doubles_or_reorders_anything() {
    let cassandra = Cassandra::start(3);
    serving(&cassandra).apply_schema("3");
    one_is_killed(&cassandra).await;
    two_are_killed(&cassandra).await;
    one_is_paused(&cassandra).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs three nodes of Apache Cassandra: make test-cluster-store"]
async fn no_race_of_servers_loses_doubles_or_reorders_anything() {
    let cassandra = Cassandra::start(3);
    serving(&cassandra).apply_schema("3");
    two_servers_write(&cassandra).await;
    two_servers_write_while_one_is_killed(&cassandra).await;
}

/// The others go on without it; it comes back under load and replays what it had acknowledged.
async fn one_is_killed(cassandra: &Cassandra) {
    let scene = Scene::begin("one node killed, restarted", cassandra, 1).await;
    cassandra.node(1).kill();
    scene.expect_progress().await;
    sleep(FAULT).await;
    scene.expect_progress().await;
    cassandra.node(1).start();
    cassandra.node(1).wait();
    scene.expect_progress().await;
    scene.end().await;
}

/// Nothing can be stored until one is back, and nothing is said to be.
async fn two_are_killed(cassandra: &Cassandra) {
    let scene = Scene::begin("two nodes killed, restarted", cassandra, 1).await;
    cassandra.node(0).kill();
    cassandra.node(2).kill();
    sleep(FAULT).await;
    let before = scene.acknowledged();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.acknowledged(), before, "without a majority nothing is acknowledged");
    for number in [0, 2] {
        cassandra.node(number).start();
    }
    for number in [0, 2] {
        cassandra.node(number).wait();
    }
    scene.expect_progress().await;
    let report = scene.end().await;
    let answered = report.put_off + report.doubted.stored + report.doubted.absent;
    assert!(answered > 0, "clients are told while it lasts");
}

/// What was sent to it is answered late or never.
async fn one_is_paused(cassandra: &Cassandra) {
    let scene = Scene::begin("one node paused", cassandra, 1).await;
    cassandra.node(0).pause();
    sleep(FAULT).await;
    cassandra.node(0).resume();
    scene.expect_progress().await;
    scene.end().await;
}

/// Neither tells the other of what it stores.
async fn two_servers_write(cassandra: &Cassandra) {
    let scene = Scene::begin("two servers", cassandra, 2).await;
    sleep(FAULT).await;
    scene.expect_progress().await;
    scene.end().await;
}

async fn two_servers_write_while_one_is_killed(cassandra: &Cassandra) {
    let scene = Scene::begin("two servers, one node killed, restarted", cassandra, 2).await;
    cassandra.node(2).kill();
    sleep(FAULT).await;
    scene.expect_progress().await;
    cassandra.node(2).start();
    cassandra.node(2).wait();
    scene.expect_progress().await;
    scene.end().await;
}
