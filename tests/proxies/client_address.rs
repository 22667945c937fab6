//! Whose connection it is: proxies that are listed tell, from nobody else it is believed.

use crate::deployed::Kind;
use crate::scene::Scene;
use crate::support::eventually::eventually;
use crate::support::websocket::{SUBPROTOCOL, WebSocket, handshake};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A connection from an address of one's own.
async fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::from(source), 0).into()).expect("an address of this machine");
    socket.connect(to).await.expect("it listens")
}

async fn upgrade(stream: TcpStream) -> WebSocket {
    let offer = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
    WebSocket::upgrade(stream, &offer, &[]).await.expect("the upgrade passes")
}

async fn the_client_is_known_behind(kind: Kind) {
    let scene = Scene::behind(kind).await;
    let mut held = Vec::new();
    for source in [[127, 9, 8, 7], [127, 9, 8, 6]] {
        let stream = connect_from(source, scene.address()).await;
        held.push(upgrade(stream).await);
        // Its port is not told by all.
        let named = format!("\"client\":\"{}:", Ipv4Addr::from(source));
        let becomes = "connection becomes a WebSocket";
        eventually("the log names the client", async || {
            let log = scene.server.stderr();
            let is_it = |line: &str| line.contains(&named) && line.contains(becomes);
            log.lines().any(is_it).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_client_is_known_behind_haproxy() {
    the_client_is_known_behind(Kind::Haproxy).await;
}

#[tokio::test]
async fn the_client_is_known_behind_nginx_as_a_stream() {
    the_client_is_known_behind(Kind::NginxStream).await;
}

#[tokio::test]
#[ignore = "needs Caddy: `make proxies-more`"]
async fn the_client_is_known_behind_caddy() {
    the_client_is_known_behind(Kind::Caddy).await;
}

#[tokio::test]
#[ignore = "needs Envoy: `make proxies-more`"]
async fn the_client_is_known_behind_envoy() {
    the_client_is_known_behind(Kind::Envoy).await;
}

/// What a back end answers to bytes from an address, until it closes.
async fn answer(source: [u8; 4], to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect_from(source, to).await;
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset ends it as well.
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_header_is_believed_from_listed_addresses_alone() {
    let scene = Scene::behind(Kind::Haproxy).await;
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\x01\x01\x01\x7f\0\0\x01\x30\x39\0\x50";
    let request = handshake(&[("Sec-WebSocket-Protocol", SUBPROTOCOL)]);
    let with_header = [header.as_slice(), request.as_bytes()].concat();
    for &backend in scene.server.addresses() {
        let stranger = answer([127, 0, 0, 9], backend, &with_header).await;
        assert!(stranger.starts_with("HTTP/1.1 400 "), "{stranger}");
        let listed = answer([127, 0, 0, 1], backend, request.as_bytes()).await;
        assert_eq!(listed, "", "a listed address that sends none is refused");
    }
    let log = scene.server.stderr();
    assert!(!log.contains("127.1.1.1"), "{log}");
    assert!(log.contains("there is no PROXY header"), "{log}");
}
