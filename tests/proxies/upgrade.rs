//! Upgrades pass, chats go both ways, and a connection that comes back may land anywhere.

use crate::deployed::Kind;
use crate::process::Proxy;
use crate::scene::{Scene, serving};
use crate::support::eventually::eventually;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// How a log names the two ways in.
fn names(kind: Kind, backends: &[SocketAddr]) -> [String; 2] {
    if kind == Kind::Haproxy {
        ["chasqui/one ".to_owned(), "chasqui/two ".to_owned()]
    } else {
        [format!("{} ", backends[0]), format!("{} ", backends[1])]
    }
}

async fn chat_resumes_through(kind: Kind) {
    let scene = Scene::behind(kind).await;
    let mut pair = scene.pair().await;
    // Each comes back more often than a device may have connections: none is left behind.
    for round in 0..20 {
        pair.connect(scene.address()).await;
        pair.ana_writes(3);
        pair.catch_up().await;
        pair.ben_writes();
        pair.catch_up().await;
        // Whoever stays holds one way in; the other comes back through whichever is less busy.
        let away = if round % 2 == 0 { &mut pair.ana } else { &mut pair.ben };
        away.disconnect();
    }
    pair.ana.disconnect();
    pair.ben.disconnect();
    let log = scene.server.stderr();
    assert!(!log.contains("refused a listed proxy"), "its own checks are understood: {log}");
    if matches!(kind, Kind::Caddy | Kind::Envoy) {
        return;
    }
    let is_websocket = |line: &&str| line.contains("/ws") || kind == Kind::NginxStream;
    for name in names(kind, scene.server.addresses()) {
        eventually("the proxy has used both ways in", async || {
            let logged = scene.proxy.logged();
            logged.lines().filter(is_websocket).any(|line| line.contains(&name)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_chat_resumes_on_either_back_end_of_nginx() {
    chat_resumes_through(Kind::Nginx).await;
}

#[tokio::test]
async fn a_chat_resumes_on_either_back_end_of_nginx_as_a_stream() {
    chat_resumes_through(Kind::NginxStream).await;
}

#[tokio::test]
async fn a_chat_resumes_on_either_back_end_of_haproxy() {
    chat_resumes_through(Kind::Haproxy).await;
}

#[tokio::test]
#[ignore = "needs Caddy: `make proxies-more`"]
async fn a_chat_resumes_through_caddy() {
    chat_resumes_through(Kind::Caddy).await;
}

#[tokio::test]
#[ignore = "needs Envoy: `make proxies-more`"]
async fn a_chat_resumes_through_envoy() {
    chat_resumes_through(Kind::Envoy).await;
}

/// The status of an answer over TLS; an upgraded connection is given up after a while.
fn status(address: SocketAddr, path: &str, headers: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--insecure", "--http1.1", "--output", "/dev/null", "--max-time", "2"]);
    curl.args(["--write-out", "%{http_code}"]).stdin(Stdio::null());
    for header in headers {
        curl.args(["--header", header]);
    }
    let output = curl.arg(format!("https://{address}{path}")).output().expect("curl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn tls_ends_at(kind: Kind) {
    let server = serving(kind, &[]).await;
    let mut proxy = Proxy::start_with_tls(kind, &server);
    let address = proxy.address();
    eventually("the proxy passes requests on", async || {
        proxy.assert_running();
        (status(address, "/readyz", &[]) == "200").then_some(())
    })
    .await;
    let handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==",
        "Sec-WebSocket-Protocol: chasqui.v1",
        &format!("Origin: https://{address}"),
    ];
    assert_eq!(status(address, "/ws", &handshake), "101", "{}", proxy.logged());
}

#[tokio::test]
async fn nginx_ends_tls_and_a_page_of_its_own_host_may_connect() {
    tls_ends_at(Kind::Nginx).await;
}

#[tokio::test]
async fn nginx_as_a_stream_ends_tls() {
    tls_ends_at(Kind::NginxStream).await;
}

#[tokio::test]
async fn haproxy_ends_tls_and_a_page_of_its_own_host_may_connect() {
    tls_ends_at(Kind::Haproxy).await;
}
