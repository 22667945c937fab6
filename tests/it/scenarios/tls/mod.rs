//! TLS on the port of both doors: chats under both versions, the certificate replaced while the
//! server runs, and peers that do not do what they should.

mod programs;

use super::metrics::{metrics_of, scrape};
use crate::support::eventually::{Deadline, eventually};
use crate::support::peer::{Peer, hello, sequence};
use crate::support::people::{Person, direct};
use crate::support::rest::Rest;
use crate::support::server::{Signal, TestServer};
use crate::support::tls::{Credentials, Relay, Tls, VERSIONS};
use crate::support::websocket::{SUBPROTOCOL, encode, handshake};
use chasqui::protocol::CloseCode;
use rustls::HandshakeKind;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Scene {
    server: TestServer,
    certificate: Credentials,
    folder: TempDir,
}

impl Scene {
    async fn set(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Credentials::make(folder.path());
        let server = server(&certificate, settings).await;
        Self { server, certificate, folder }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A client of both versions.
    fn tls(&self) -> Tls {
        self.certificate.trusting(&VERSIONS)
    }
}

async fn server(certificate: &Credentials, settings: &[(&str, &str)]) -> TestServer {
    let files = certificate.settings();
    let mut all: Vec<(&str, &str)> = files.iter().map(|(key, value)| (*key, &**value)).collect();
    all.extend_from_slice(settings);
    TestServer::configured(&all).started().await
}

#[tokio::test]
async fn two_people_chat_through_both_doors_under_both_versions() {
    let scene = Scene::set(&[]).await;
    for (version, names) in VERSIONS.into_iter().zip([["ana", "ben"], ["cleo", "dan"]]) {
        let tls = scene.certificate.trusting(&[version]);
        let relay = Relay::encrypting(&tls, scene.address()).await;
        let [one, other] = names;
        let one = Person::register(relay.address, one).await;
        let other = Person::register(relay.address, other).await;
        let rest = Rest::with_token(relay.address, &one.token);
        let chat = direct(&rest, &other).await;
        let mut sender = Peer::connect(relay.address, &one.token).await;
        let mut receiver = Peer::connect(relay.address, &other.token).await;
        // Longer than a record, and as much as one message may carry.
        let long = "x".repeat(30_000);
        for (number, text) in (1..).zip(["hi", "a second", &long]) {
            let (rid, _) = sender.say(chat, 1, text).await;
            assert_eq!(sender.sent(rid).await, Ok((sequence(number), false)));
            let shown = receiver.entry(chat).await;
            assert_eq!((shown.sequence, &shown.body[..]), (sequence(number), text.as_bytes()));
        }
        // Pages of many records, by both doors.
        for number in 4..14 {
            let (rid, _) = sender.say(chat, 1, &long).await;
            assert_eq!(sender.sent(rid).await, Ok((sequence(number), false)));
        }
        let mut reader = Peer::connect(relay.address, &other.token).await;
        let lines = reader.fetch(chat, 1, 0).await.expect("a member");
        assert_eq!(lines.len(), 13);
        assert!(lines[2..].iter().all(|line| line.body == long.as_bytes()));
        let page = rest.get(&format!("/chats/{chat}/messages?after=0&limit=50")).await.ok();
        assert_eq!(page["items"][2]["text"], *long);
    }
}

#[tokio::test]
async fn pieces_of_any_size_carry_the_same() {
    let scene = Scene::set(&[]).await;
    for version in VERSIONS {
        for (size, name) in [(1, "one"), (3, "three"), (29, "more")] {
            let pieces = Relay::in_pieces(size, scene.address()).await;
            let tls = scene.certificate.trusting(&[version]);
            let relay = Relay::encrypting(&tls, pieces.address).await;
            let name = format!("{name}{}", u16::from(version.version));
            let person = Person::register(relay.address, &name).await;
            let mut peer = Peer::connect(relay.address, &person.token).await;
            for _ in 0..10 {
                peer.round_trip().await;
            }
        }
    }
}

#[tokio::test]
async fn a_first_frame_right_behind_the_handshake_is_not_lost() {
    let scene = Scene::set(&[]).await;
    let relay = Relay::encrypting(&scene.tls(), scene.address()).await;
    let ana = Person::register(relay.address, "ana").await;
    for version in VERSIONS {
        let mut request = handshake(&[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).into_bytes();
        let mut frame = Vec::new();
        hello(&ana.token, None).encode(&mut frame);
        request.extend(encode(0x82, &frame));
        let tls = scene.certificate.trusting(&[version]);
        let mut stream = tls.connect(scene.address()).await.expect("a handshake");
        stream.write_all(&request).await.expect("sent");
        let mut got = Vec::new();
        let welcome = async {
            loop {
                stream.read_buf(&mut got).await.expect("an answer");
                let head = got.windows(4).position(|four| four == b"\r\n\r\n");
                if head.is_some_and(|at| got.len() > at + 6) {
                    return head.map(|at| [got[at + 4], got[at + 6]]);
                }
            }
        };
        let welcome = Deadline::usual().wait("WELCOME", welcome).await;
        assert_eq!(welcome, Some([0x82, 0x02]), "{version:?}");
    }
}

#[tokio::test]
async fn a_second_handshake_resumes_the_first() {
    let scene = Scene::set(&[]).await;
    for version in VERSIONS {
        let tls = scene.certificate.trusting(&[version]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = tls.connect(scene.address()).await.expect("a handshake");
            // With the answer the tickets have come as well.
            assert_eq!(health(&mut stream).await, "200");
            kinds.push(stream.get_ref().1.handshake_kind().expect("complete"));
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed], "{version:?}");
    }
}

/// The status of `/healthz`, after which the server closes in order.
async fn health(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> String {
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    Deadline::usual().wait("an answer", read).await.expect("an orderly end");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[tokio::test]
async fn a_new_certificate_is_served_on_sighup_and_a_bad_one_is_not() {
    let scene = Scene::set(&[]).await;
    let former = scene.tls();
    let relay = Relay::encrypting(&former, scene.address()).await;
    let ana = Person::register(relay.address, "ana").await;
    let mut peer = Peer::connect(relay.address, &ana.token).await;

    let current = Credentials::make(scene.folder.path()).trusting(&VERSIONS);
    former.connect(scene.address()).await.expect("not read before the signal");
    scene.server.signal(Signal::Hangup);
    eventually("the new one is served", async || current.connect(scene.address()).await.ok()).await;
    // Of one who cannot resume.
    let stranger = scene.certificate.trusting(&VERSIONS);
    assert!(stranger.connect(scene.address()).await.is_err(), "the former one is still served");
    peer.round_trip().await;

    std::fs::write(&scene.certificate.key, "no key").expect("written");
    scene.server.signal(Signal::Hangup);
    eventually("it is logged", async || {
        scene.server.stderr().contains("the former certificate stays").then_some(())
    })
    .await;
    let mut stream = current.connect(scene.address()).await.expect("it is still served");
    assert_eq!(health(&mut stream).await, "200");
    peer.round_trip().await;
}

#[tokio::test]
async fn a_server_does_not_start_without_what_it_shall_encrypt_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = Credentials::make(folder.path());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let other = Credentials::make(elsewhere.path());
    let absent = folder.path().join("absent.pem");
    let cases: [(&Path, &Path, &str); 4] = [
        (&absent, &good.key, "absent.pem could not be read"),
        (&good.certificate, &other.key, "is not that of the certificate in"),
        (&good.certificate, &good.certificate, "holds no private key"),
        (&good.certificate, Path::new(""), "tls.key"),
    ];
    for (certificate, key, expected) in cases {
        for subcommand in [&["serve", "--dev", "--listen", "127.0.0.1:0"][..], &["config", "check"]]
        {
            let output = TestServer::command(subcommand)
                .env("CHASQUI_TLS__CERTIFICATE", certificate)
                .env("CHASQUI_TLS__KEY", key)
                .output()
                .expect("it runs");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{told}");
            assert!(told.contains(expected), "{told}");
        }
    }
}

#[tokio::test]
async fn plain_http_is_told_where_it_is() {
    let scene = Scene::set(&[]).await;
    let mut stream = TcpStream::connect(scene.address()).await.expect("it listens");
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    Deadline::usual().wait("an answer", read).await.expect("an orderly end");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("this port speaks HTTPS.\n"));
}

#[tokio::test]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
async fn whoever_makes_no_handshake_is_closed_and_nobody_else_notices() {
    let settings = [("http.header_timeout", "300ms"), ("server.metrics", "127.0.0.1:0")];
    let scene = Scene::set(&settings).await;
    let metrics = metrics_of(&scene.server).expect("announced");
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let garbage = [0xff; 3_000];
    for sent in [&b""[..], &hello[..1], hello, &garbage, b"\x16\x03\x01\xff\xff", &[0; 20]] {
        for ends in [false, true] {
            let mut stream = TcpStream::connect(scene.address()).await.expect("it listens");
            stream.write_all(sent).await.expect("sent");
            if ends {
                stream.shutdown().await.ok();
            }
            let mut answer = Vec::new();
            let closed = stream.read_to_end(&mut answer);
            Deadline::usual().wait("the end", closed).await.ok();
            assert!(answer.is_empty() || answer.starts_with(b"\x15\x03"), "{answer:x?}");
        }
    }
    let mut stream = scene.tls().connect(scene.address()).await.expect("a handshake");
    assert_eq!(health(&mut stream).await, "200");
    let failed = "chasqui_tls_handshakes_failed_total";
    assert_eq!(scrape(metrics).await[failed], 12.0, "each of them, and nothing else");
}

#[tokio::test]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
async fn a_connection_over_a_limit_is_closed_without_a_word() {
    let settings = [("server.address_connections_max", "1"), ("server.metrics", "127.0.0.1:0")];
    let scene = Scene::set(&settings).await;
    let metrics = metrics_of(&scene.server).expect("announced");
    let mut held = scene.tls().connect(scene.address()).await.expect("a handshake");
    assert_eq!(health(&mut held).await, "200");
    let mut refused = TcpStream::connect(scene.address()).await.expect("it listens");
    let mut answer = Vec::new();
    let closed = Deadline::usual().wait("the end", refused.read_to_end(&mut answer)).await;
    assert_eq!((closed.expect("closed in order"), answer.len()), (0, 0));
    assert!(scene.tls().connect(scene.address()).await.is_err(), "no handshake is made");
    let counted = scrape(metrics).await;
    assert_eq!(counted["chasqui_connections_refused_total{reason=\"address\"}"], 2.0);
    assert_eq!(counted["chasqui_tls_handshakes_failed_total"], 0.0, "none was begun");
}

#[tokio::test]
async fn the_header_of_a_listed_proxy_comes_before_the_handshake() {
    let scene = Scene::set(&[("server.proxies", "127.0.0.0/8"), ("log.filter", "debug")]).await;
    for version in VERSIONS {
        let mut stream = TcpStream::connect(scene.address()).await.expect("it listens");
        stream.write_all(b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n").await.expect("sent");
        let tls = scene.certificate.trusting(&[version]);
        let mut stream = tls.over(stream).await.expect("a handshake");
        assert_eq!(health(&mut stream).await, "200");
    }
    assert!(scene.tls().connect(scene.address()).await.is_err(), "without a header");
}

#[tokio::test]
async fn a_drain_ends_encrypted_connections_in_order() {
    let mut scene = Scene::set(&[("server.drain_grace", "200ms")]).await;
    let relay = Relay::encrypting(&scene.tls(), scene.address()).await;
    let ana = Person::register(relay.address, "ana").await;
    let mut peer = Peer::connect(relay.address, &ana.token).await;
    scene.server.signal(Signal::Term);
    assert_eq!(peer.end().await, Some(CloseCode::Restart.number()));
    assert!(scene.server.wait().await.success());
}
