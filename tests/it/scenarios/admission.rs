//! Limits on connections, and who is told what when they are reached.

use crate::support::eventually::{Deadline, eventually};
use crate::support::peer::{Peer, hello};
use crate::support::people::Person;
use crate::support::server::{Signal, TestServer};
use crate::support::websocket::{SUBPROTOCOL, WebSocket, handshake};
use chasqui::protocol::CloseCode;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PING: &str = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";

/// A connection from 127.0.0.`last`.
async fn from(last: u8, server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("a free port");
    let connecting = socket.connect(server.address());
    Deadline::usual().wait("a connection", connecting).await.expect("it listens")
}

/// Upgrades it; the status if that is refused.
async fn upgraded(stream: TcpStream) -> Result<WebSocket, u16> {
    let upgrading = WebSocket::upgrade(stream, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)], &[]);
    Deadline::usual().wait("an answer", upgrading).await.map_err(|refused| refused.status)
}

/// All that comes over a connection until it ends.
async fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    Deadline::usual().wait("the end", stream.read_to_end(&mut answer)).await.ok();
    String::from_utf8(answer).expect("text")
}

/// Whether an answer refuses the connection, for a while.
fn is_overloaded(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    head.starts_with("HTTP/1.1 503 ")
        && head.contains("retry-after: 5")
        && (&problem["name"], &problem["code"]) == (&json!("overloaded"), &json!(10))
}

/// Asks for something small on a connection, which may be asked again; whether that was answered.
async fn is_served(stream: &mut TcpStream) -> bool {
    let asking = async {
        stream.write_all(PING.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"ok\"}") {
            answer.push(stream.read_u8().await?);
        }
        std::io::Result::Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    Deadline::usual().wait("an answer", asking).await.unwrap_or(false)
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

fn is_refusal(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|message| message.starts_with("refused connections"))
}

#[tokio::test]
async fn an_address_at_its_limit_shuts_no_other_out() {
    let server = TestServer::configured(&[("server.address_connections_max", "3")]).started().await;
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(upgraded(from(2, &server).await).await.expect("below the limit"));
    }
    let mut http = from(2, &server).await;
    assert!(is_served(&mut http).await, "both kinds count together");
    assert!(is_overloaded(&rest_of(from(2, &server).await).await));
    assert_eq!(upgraded(from(2, &server).await).await.map(drop), Err(503));
    let _other = upgraded(from(3, &server).await).await.expect("another address");
    for _ in 0..50 {
        assert!(is_overloaded(&rest_of(from(2, &server).await).await));
    }
    // One line a second tells of all since the last.
    let lines = eventually("all are logged", async || {
        let lines: Vec<Value> = server.stderr().lines().map(parsed).filter(is_refusal).collect();
        let told: Option<u64> = lines.iter().map(|line| line["count"].as_u64()).sum();
        (told == Some(52)).then_some(lines)
    })
    .await;
    assert!(lines.len() < 15, "{} lines", lines.len());
    let of_client =
        |line: &Value| line["client"].as_str().is_some_and(|c| c.starts_with("127.0.0.2:"));
    assert!(lines.iter().all(|line| of_client(line) && line["reason"] == "Address"), "{lines:?}");

    drop(held.pop());
    eventually("the slot is free", async || upgraded(from(2, &server).await).await.ok()).await;
}

#[tokio::test]
async fn the_client_that_a_proxy_names_is_the_one_that_counts() {
    let settings = [("server.address_connections_max", "2"), ("server.proxies", "127.0.0.0/8")];
    let server = TestServer::configured(&settings).started().await;
    let through = async |client: &str| {
        let mut stream = from(2, &server).await;
        let header = format!("PROXY TCP4 {client} 127.0.0.1 12345 80\r\n");
        stream.write_all(header.as_bytes()).await.expect("sent");
        stream
    };
    let mut held = Vec::new();
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"] {
        held.push(upgraded(through(client).await).await.expect("below the limit"));
    }
    assert!(is_overloaded(&rest_of(through("192.0.2.1").await).await));
    let logged = server.stderr();
    assert!(logged.contains("192.0.2.1:12345"), "{logged}");
    // Those that speak for nobody, as health checks do, are the proxy's own.
    for _ in 0..4 {
        let mut stream = from(2, &server).await;
        stream.write_all(b"PROXY UNKNOWN\r\n").await.expect("sent");
        assert!(is_served(&mut stream).await);
        held.push(upgraded(stream).await.expect("not limited"));
    }
}

#[tokio::test]
async fn a_place_is_free_again_however_its_connection_ended() {
    let settings = [("server.connections_max", "3"), ("server.shards", "2")];
    let server = TestServer::configured(&settings).started().await;
    // Speaks to the server over connections that count as well, so it goes first.
    let ana = Person::register(server.address(), "ana").await;
    let full = async || {
        let mut all = Vec::new();
        while all.len() < 3 {
            match upgraded(from(1, &server).await).await {
                Ok(socket) => all.push(socket),
                // What was given back elsewhere may take a moment to be seen.
                Err(503) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(status) => panic!("answered {status}"),
            }
        }
        assert!(is_overloaded(&rest_of(from(1, &server).await).await), "there is a fourth");
        all
    };
    let first = full().await;
    drop(first);

    for mut socket in full().await {
        // A text message breaks the protocol: the server closes.
        let text = crate::support::websocket::encode(0x81, b"text");
        socket.send_bytes(&text).await.expect("sent");
        assert_eq!(socket.close_code().await, Some(CloseCode::Protocol.number()));
    }
    for socket in full().await {
        let stream = socket.into_stream();
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    }
    for socket in full().await {
        let mut peer = Peer::over(socket);
        peer.send(&hello("no token", None)).await;
        assert_eq!(peer.end().await, Some(CloseCode::Unauthenticated.number()));
    }
    for socket in full().await {
        let mut peer = Peer::over(socket);
        peer.send(&hello(&ana.token, None)).await;
        peer.next().await;
    }
    for (number, sent) in ["", "GET / HT", "\0\r\n\r\n", PING].into_iter().enumerate() {
        drop(full().await);
        for _ in 0..3 {
            let mut stream = from(1, &server).await;
            stream.write_all(sent.as_bytes()).await.ok();
            drop(stream);
        }
        eventually("all are free", async || {
            let mut stream = from(1, &server).await;
            is_served(&mut stream).await.then_some(number)
        })
        .await;
    }
    drop(full().await);
}

#[tokio::test]
async fn thousands_of_half_open_connections_keep_no_other_address_out() {
    let settings = [("server.address_connections_max", "3500"), ("http.handshakes_max", "64")];
    let server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut half_open = Vec::new();
    for number in 0..3_000 {
        let mut stream = from(2, &server).await;
        if number % 3 == 0 {
            stream.write_all(b"GET /ws HTTP/1.1\r\nHost:").await.expect("sent");
        }
        half_open.push(stream);
    }
    // The time-outs of the half-open ones are longer than anything here takes.
    let patience = Deadline::after(Duration::from_secs(8));
    for _ in 0..20 {
        let socket = patience.wait("an upgrade", upgraded(from(3, &server).await)).await;
        let mut peer = Peer::over(socket.expect("another address"));
        peer.send(&hello(&ana.token, None)).await;
        patience.wait("WELCOME", peer.next()).await;
    }
    assert!(is_served(&mut from(4, &server).await).await);
}

#[tokio::test]
async fn polls_that_wait_keep_no_websocket_out() {
    let settings = [("http.connections_max", "2"), ("server.shards", "1")];
    let server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let mut polls = Vec::new();
    for person in [&ana, &ben] {
        let mut stream = eventually("a slot is free", async || {
            let mut stream = from(2, &server).await;
            is_served(&mut stream).await.then_some(stream)
        })
        .await;
        let body = json!({"acks": [], "wait": 25, "limit": 1}).to_string();
        let head = format!(
            "POST /message/receive HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            person.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        polls.push(stream);
    }
    eventually("both slots are taken", async || {
        let mut stream = from(2, &server).await;
        stream
            .write_all(PING.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .ok();
        is_overloaded(&rest_of(stream).await).then_some(())
    })
    .await;
    Peer::connect(server.address(), &ana.token).await.round_trip().await;
}

/// Sets how many files a server may open from now on.
fn limit_files(server: &TestServer, current: u64) {
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw);
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(current), maximum };
    prlimit(pid, Resource::Nofile, limit).expect("a process of our own");
}

/// How many ticks of processor time a server has used.
fn ticks(server: &TestServer) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<u64> =
        fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    fields[11] + fields[12]
}

#[tokio::test]
async fn a_server_out_of_files_waits_without_spinning_and_serves_again() {
    let server = TestServer::configured(&[("server.shards", "1")]).started().await;
    let mut alive = from(2, &server).await;
    assert!(is_served(&mut alive).await);
    limit_files(&server, 3);
    let mut waiting = from(2, &server).await;
    waiting.write_all(PING.as_bytes()).await.expect("sent");
    eventually("it says so", async || server.stderr().contains("accept failed").then_some(()))
        .await;
    let before = ticks(&server);
    let early = tokio::time::timeout(Duration::from_secs(1), waiting.read_u8()).await;
    assert!(early.is_err(), "nothing can be accepted");
    // A hundred ticks are a second: it spins if it uses most of that.
    assert!(ticks(&server) - before < 50, "{} ticks of 100", ticks(&server) - before);
    assert!(is_served(&mut alive).await, "those that live are served");
    assert_eq!(server.stderr().matches("accept failed").count(), 1, "it says so now and then");

    limit_files(&server, 1_000);
    Deadline::usual().wait("an answer", waiting.read_u8()).await.expect("served at last");
}

#[tokio::test]
async fn the_limit_of_open_files_is_raised_and_bounds_the_connections() {
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum.expect("a limit");
    let wanted = (hard * 2).to_string();
    let server = TestServer::configured(&[("server.connections_max", &wanted)]).started().await;
    let limits =
        std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers, [hard, hard], "{line}");
    assert!(server.stderr().contains("fewer connections than wanted"), "{}", server.stderr());
}

#[tokio::test]
async fn a_drain_ends_with_connections_that_wait() {
    let settings = [("http.handshakes_max", "2"), ("server.drain_grace", "1s")];
    let mut server = TestServer::configured(&settings).started().await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut stream = from(2, &server).await;
        stream.write_all(handshake(&[]).get(..40).expect("longer").as_bytes()).await.expect("sent");
        waiting.push(stream);
    }
    server.signal(Signal::Term);
    assert_eq!(server.wait().await.code(), Some(0));
    for stream in waiting {
        rest_of(stream).await;
    }
}
