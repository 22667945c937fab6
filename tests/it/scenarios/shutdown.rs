//! Starting and stopping: the address line, draining, the lock on the data folder, what is logged.

use crate::support::chat_client::random_id;
use crate::support::eventually::{Deadline, eventually};
use crate::support::peer::{Peer, Seen, text_frame};
use crate::support::people::{PASSWORD, Person, direct};
use crate::support::rest::Rest;
use crate::support::server::{Signal, TestServer};
use crate::support::websocket::{Refused, SUBPROTOCOL, WebSocket};
use chasqui::protocol::CloseCode;
use chasqui::protocol::constants::goaway_reason;
use hyper::header::HeaderValue;
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, Instant};

async fn quick_to_drain() -> TestServer {
    let settings = [("server.goaway_spread", "1s"), ("server.drain_grace", "3s")];
    TestServer::configured(&settings).started().await
}

#[tokio::test]
async fn the_address_that_is_printed_is_the_one_bound() {
    let server = TestServer::start().await;
    assert_ne!(server.address().port(), 0);
    let lines = server.stdout();
    assert_eq!(
        lines.lines().filter(|line| line.starts_with("listening on ")).count(),
        1,
        "{lines}"
    );
    let stranger = Rest::new(server.address());
    for path in ["/healthz", "/readyz", "/openapi.json", "/.well-known/jwks.json"] {
        assert_eq!(stranger.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_drain_says_goodbye_finishes_what_is_in_flight_and_exits_with_0() {
    let mut server = quick_to_drain().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut sender = Peer::connect(server.address(), &ana.token).await;
    let mut idle = Peer::connect(server.address(), &ben.token).await;
    let mut silent = Peer::silent(server.address()).await;
    let (mut message, mut rids) = (Vec::new(), HashSet::new());
    for number in 0..60 {
        let rid = sender.rid();
        text_frame(rid, chat, random_id(), 1, &number.to_string()).encode(&mut message);
        rids.insert(rid);
    }
    sender.send_message(&message).await;
    // The server has taken them in once it answers the first.
    let mut told = vec![
        sender
            .expect(|seen| match seen {
                Seen::Sent { rid, sequence, .. } if rids.remove(rid) => Some(sequence.get()),
                _ => None,
            })
            .await,
    ];
    server.signal(Signal::Term);

    let mut goaway = None;
    while !rids.is_empty() {
        match sender.next().await {
            Seen::Sent { rid, sequence, .. } if rids.remove(&rid) => told.push(sequence.get()),
            Seen::Goaway(frame) => goaway = Some(frame),
            Seen::Entry(..) | Seen::Cursor(_) => {}
            other => panic!("{other:?} while {} sends are unanswered", rids.len()),
        }
    }
    if goaway.is_none() {
        let next = sender.expect(|seen| match seen {
            Seen::Goaway(frame) => Some(*frame),
            _ => None,
        });
        goaway = Some(next.await);
    }
    let goaway = goaway.expect("it was awaited");
    assert_eq!((goaway.reason, goaway.spread_ms), (goaway_reason::RESTART, 1000));
    assert_eq!(idle.end().await, Some(CloseCode::Restart.number()));
    assert_eq!(silent.end().await, Some(CloseCode::Restart.number()));
    let status = server.wait().await;
    assert_eq!(status.code(), Some(0), "{status}");

    server.restart().await;
    let mut reader = Peer::connect(server.address(), &ben.token).await;
    let log = reader.fetch(chat, 1, 0).await.expect("his own chat");
    assert_eq!(log.len(), told.len(), "what was told is there, and nothing besides");
}

#[tokio::test]
async fn who_comes_back_to_a_draining_server_is_refused_and_rest_goes_on() {
    let settings = [("server.goaway_spread", "30s"), ("server.drain_grace", "60s")];
    let mut server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut open = Peer::connect(server.address(), &ana.token).await;
    let is_goaway = |seen: &Seen| matches!(seen, Seen::Goaway(_)).then_some(());
    server.signal(Signal::Term);
    open.expect(is_goaway).await;
    for _ in 0..3 {
        let answer = ana.rest(&server).get("/ws").await;
        answer.assert_refused(503, "unavailable");
        assert_eq!(
            (&answer.headers["retry-after"], &answer.headers["connection"]),
            (&HeaderValue::from_static("30"), &HeaderValue::from_static("close"))
        );
        let offer = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
        let refused = WebSocket::try_connect(server.address(), &offer).await.map(drop);
        assert_eq!(refused, Err(Refused { status: 503 }));
    }
    ana.rest(&server).get("/user/profile").await.ok();
    // Who has stayed is told once and served.
    open.round_trip().await;
    drop(open);
    assert_eq!(server.wait().await.code(), Some(0));
}

#[tokio::test]
async fn a_hangup_without_tls_ends_nothing() {
    let server = TestServer::start().await;
    server.signal(Signal::Hangup);
    eventually("it says so", async || {
        server.stderr().contains("there is no certificate").then_some(())
    })
    .await;
    assert_eq!(Rest::new(server.address()).get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_draining_server_is_not_ready() {
    let mut server = quick_to_drain().await;
    let ana = Person::register(server.address(), "ana").await;
    let _open = Peer::connect(server.address(), &ana.token).await;
    let stranger = Rest::new(server.address());
    assert_eq!(stranger.get("/readyz").await.status, 200);
    server.signal(Signal::Term);
    eventually("it is not ready", async || {
        let request = hyper::Request::get("/readyz").header("host", "x");
        let request = request.body(bytes::Bytes::new().into()).expect("a valid request");
        match stranger.exchange(request).await {
            Ok(answer) => (answer.status == 503).then_some(()),
            Err(_closed) => Some(()),
        }
    })
    .await;
    assert_eq!(server.wait().await.code(), Some(0));
}

#[tokio::test]
async fn a_waiting_poll_does_not_hold_up_a_drain() {
    let mut server = quick_to_drain().await;
    let ana = Person::register(server.address(), "ana").await;
    let rest = ana.rest(&server);
    let poll = tokio::spawn(async move {
        rest.post("/message/receive", json!({"acks": [], "wait": 25, "limit": 1})).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.signal(Signal::Term);
    Deadline::usual().wait("the poll", poll).await.ok();
    assert_eq!(server.wait().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let settings = [("server.goaway_spread", "30s"), ("server.drain_grace", "60s")];
    let mut server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut open = Peer::connect(server.address(), &ana.token).await;
    server.signal(Signal::Term);
    open.expect(|seen| matches!(seen, Seen::Goaway(_)).then_some(())).await;
    let began = Instant::now();
    server.signal(Signal::Term);
    server.wait().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_and_harms_nothing() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let output = TestServer::command(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(server.data())
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&server.data().display().to_string()), "it names the folder: {said}");
    ana.rest(&server).get("/user/profile").await.ok();
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let mut server = TestServer::configured(&[("log.filter", "trace")]).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut peer = Peer::connect(server.address(), &ana.token).await;
    let body = "a very private remark";
    let (rid, _) = peer.say(chat, 1, body).await;
    assert!(peer.sent(rid).await.is_ok());
    let send = json!({"chat": chat.get(), "client_id": 7, "text": body});
    ana.rest(&server).post("/message/send", send).await.ok();
    let refresh = json!({"refresh_token": ana.refresh_token});
    Rest::new(server.address()).post("/token/refresh", refresh).await.ok();
    drop(peer);
    server.signal(Signal::Term);
    server.wait().await;
    let logged = server.stdout() + &server.stderr();
    for secret in [PASSWORD, body, &ana.token, &ana.refresh_token] {
        assert!(!logged.contains(secret), "{secret:?} was logged");
    }
}

#[tokio::test]
async fn dev_prints_two_people_who_can_chat() {
    let mut server = TestServer::prepare(&["--dev"]);
    server.restart().await;
    let stdout = server.stdout();
    let tokens: Vec<&str> = stdout
        .split_whitespace()
        .filter_map(|word| word.rsplit('=').next())
        .filter(|word| word.split('.').count() == 3 && word.len() > 80)
        .collect();
    assert_eq!(tokens.len(), 2, "{stdout}");
    for token in tokens {
        let rest = Rest::with_token(server.address(), token);
        rest.get("/user/profile").await.ok();
        let chats = rest.get("/chats").await.ok();
        let kinds = chats["items"].as_array().expect("a list").iter().map(|chat| &chat["kind"]);
        assert!(kinds.into_iter().any(|kind| kind == "direct"), "their chat is there: {chats}");
        Peer::connect(server.address(), token).await.round_trip().await;
    }
    for name in ["ana", "ben"] {
        let page = format!("http://{}/?as={name}", server.address());
        assert!(stdout.contains(&page), "{stdout}");
    }
}
