//! The numbers for operators: what was done is counted, in a form that scrapers read, and none of it
//! on the doors.

use crate::support::eventually::eventually;
use crate::support::peer::Peer;
use crate::support::people::{Person, direct};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use chasqui::protocol::ClientFrame;
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
async fn what_was_done_is_counted() {
    let server = TestServer::configured(&[("server.metrics", "127.0.0.1:0")]).started().await;
    let metrics = metrics_of(&server).expect("announced");
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut sender = Peer::connect(server.address(), &ana.token).await;
    let mut receiver = Peer::connect(server.address(), &ben.token).await;
    let before = scrape(metrics).await;
    for floor in 1..=3 {
        let (rid, _) = sender.say(chat, floor, "hi").await;
        assert!(sender.sent(rid).await.is_ok());
        receiver.entry(chat).await;
    }
    // Refused by the session, and by REST.
    let (rid, _) = sender.say(chat, 9, "a floor beyond the head").await;
    assert!(sender.sent(rid).await.is_err());
    sender.send(&ClientFrame::Resume).await;
    Rest::new(server.address()).get("/user/profile").await.assert_refused(401, "unauthenticated");
    ana.rest(&server).post("/chats", json!({"kind": "none"})).await;

    let after = scrape(metrics).await;
    let grown = |name: &str| after[name] - before[name];
    assert_eq!(grown("chasqui_messages_total"), 4.0, "the refused one was taken in too");
    assert_eq!(grown("chasqui_store_entries_total"), 3.0);
    assert!(grown("chasqui_store_syncs_total") >= 3.0);
    assert_eq!(grown("chasqui_store_commit_seconds_count"), grown("chasqui_store_syncs_total"));
    assert!(grown("chasqui_deliveries_total") >= 3.0);
    assert_eq!(after["chasqui_deliveries_dropped_total"], 0.0);
    assert_eq!(grown("chasqui_refused_total{code=\"floor-out-of-range\"}"), 1.0);
    assert_eq!(grown("chasqui_refused_total{code=\"unauthenticated\"}"), 1.0);
    assert_eq!(grown("chasqui_http_requests_total"), 2.0);
    assert_eq!((after["chasqui_connections"], after["chasqui_handshakes_total"]), (2.0, 2.0));
    for call in ["read", "write", "epoll_wait"] {
        assert!(grown(&format!("chasqui_syscalls_total{{call=\"{call}\"}}")) >= 4.0, "{call}");
    }
    for used in ["process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes"] {
        assert!(after[used] > 0.0, "{used}");
    }
    drop((sender, receiver));
    eventually("the connections are gone", async || {
        let now = scrape(metrics).await;
        (now["chasqui_connections"] + now["chasqui_http_connections"] == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_doors_have_no_metrics_and_the_metrics_no_doors() {
    let server = TestServer::configured(&[("server.metrics", "127.0.0.1:0")]).started().await;
    let metrics = metrics_of(&server).expect("announced");
    Rest::new(server.address()).get("/metrics").await.assert_refused(404, "not-found");
    for (request, status) in [
        ("GET /healthz HTTP/1.1", "404"),
        ("GET / HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("GET /metrics HTTP/1.1", "200"),
    ] {
        let answer = ask(metrics, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_such_listener() {
    let server = TestServer::start().await;
    assert_eq!(metrics_of(&server), None);
}

/// Where the server says that its metrics are.
pub(super) fn metrics_of(server: &TestServer) -> Option<SocketAddr> {
    let output = server.stdout();
    let line = output.lines().find_map(|line| line.strip_prefix("metrics on http://"))?;
    line.strip_suffix("/metrics")?.parse().ok()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// Every sample by its name and labels, the page held to its format on the way.
pub(super) async fn scrape(address: SocketAddr) -> HashMap<String, f64> {
    let answer = ask(address, "GET /metrics HTTP/1.1").await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut samples = HashMap::new();
    let mut family = None;
    for line in body.lines() {
        if let Some(introduced) = line.strip_prefix("# HELP ") {
            family = introduced.split_once(' ').map(|(name, _)| name.to_owned());
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').expect("a type");
            assert_eq!(Some(name), family.as_deref(), "HELP and TYPE belong together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a sample");
            assert!(name.starts_with(family.as_deref().expect("introduced")), "{line}");
            let twice = samples.insert(name.to_owned(), value.parse().expect("a number"));
            assert_eq!(twice, None, "{line}");
        }
    }
    samples
}
