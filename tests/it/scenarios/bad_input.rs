//! Bad input at every door: each is answered with its code, and nothing is lost by it.

use crate::support::chat_client::random_id;
use crate::support::eventually::Deadline;
use crate::support::peer::{Peer, Seen, hello, sequence, text_frame};
use crate::support::people::{PASSWORD, Person, direct, group};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use crate::support::websocket::{Refused, SUBPROTOCOL, WebSocket, encode};
use bytes::Bytes;
use chasqui::model::{ConversationId, ErrorCode};
use chasqui::protocol::constants::{error_flag, limit};
use chasqui::protocol::{ClientFrame, CloseCode};
use hyper::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;

struct Scene {
    server: TestServer,
    ana: Person,
    chat: ConversationId,
}

impl Scene {
    async fn set() -> Self {
        let server = TestServer::start().await;
        let ana = Person::register(server.address(), "ana").await;
        let ben = Person::register(server.address(), "ben").await;
        let chat = direct(&ana.rest(&server), &ben).await;
        Self { server, ana, chat }
    }

    async fn peer(&self) -> Peer {
        Peer::connect(self.server.address(), &self.ana.token).await
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn rejects() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/rejects.json");
    let text = std::fs::read_to_string(path).expect("the vectors");
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let all = vectors["vectors"].as_array().expect("a list").clone();
    all.into_iter().filter(|v| v["from"] == "client" && v["verdict"] != "ok").collect()
}

#[tokio::test]
async fn every_reject_among_the_vectors_gets_its_code() {
    let scene = Scene::set().await;
    let vectors = rejects();
    assert!(vectors.len() > 50, "{} vectors", vectors.len());
    for vector in vectors {
        let (name, verdict) = (&vector["name"], &vector["verdict"]);
        let message = bytes_of(vector["hex"].as_str().expect("hex"));
        let is_greeting = message.first() == Some(&0x01);
        let mut peer = if is_greeting {
            Peer::silent(scene.server.address()).await
        } else {
            scene.peer().await
        };
        peer.send_message(&message).await;
        let rid = verdict["rid"].as_u64().unwrap_or(0);
        let (code, flags) = peer
            .expect(|seen| match seen {
                Seen::Error { rid: of, code, flags } if *of == rid => Some((code.name(), *flags)),
                Seen::Ended(code) => panic!("{name}: ended with {code:?} before its ERROR"),
                _ => None,
            })
            .await;
        assert_eq!(verdict["code"], code, "{name}");
        if verdict["closes"] == true {
            assert_eq!(peer.end().await, Some(CloseCode::Protocol.number()), "{name}");
        } else {
            assert_ne!(u64::from(flags) & error_flag::NOT_APPLIED, 0, "{name}");
            peer.round_trip().await;
        }
    }
}

#[tokio::test]
async fn more_sends_than_allowed_are_refused_and_held_until_resume() {
    let scene = Scene::set().await;
    let mut peer = scene.peer().await;
    let most = usize::try_from(peer.welcome().sends_max).expect("few");
    let (over, mut message, mut ids) = (6, Vec::new(), Vec::new());
    for number in 0..most + over {
        let (rid, id) = (peer.rid(), random_id());
        text_frame(rid, scene.chat, id, 1, &number.to_string()).encode(&mut message);
        ids.push((rid, id));
    }
    peer.send_message(&message).await;
    let mut answers = Vec::new();
    for _ in &ids {
        answers.push(
            peer.expect(|seen| match seen {
                Seen::Sent { rid, sequence, .. } => Some((*rid, Ok(sequence.get()))),
                Seen::Error { rid, code, flags } => Some((*rid, Err((*code, *flags)))),
                _ => None,
            })
            .await,
        );
    }
    answers.sort_unstable_by_key(|(rid, _)| *rid);
    let refusal = Err((ErrorCode::Overloaded, 3));
    for (number, (_, answer)) in (1..).zip(&answers) {
        let expected = if number <= peer.welcome().sends_max { Ok(number) } else { refusal };
        assert_eq!(*answer, expected, "send {number}");
    }
    // Held: even what would fit is refused until RESUME, so that nothing overtakes.
    let (rid, _) = peer.say(scene.chat, 1, "too early").await;
    assert_eq!(peer.sent(rid).await, Err((ErrorCode::Overloaded, 3)));
    peer.send(&ClientFrame::Resume).await;
    for (number, (_, id)) in (1..).zip(&ids).skip(most) {
        let rid = peer.say_as(scene.chat, *id, 1, &(number - 1).to_string()).await;
        assert_eq!(peer.sent(rid).await, Ok((sequence(number), false)));
    }
}

#[tokio::test]
async fn more_reads_than_allowed_are_refused() {
    let scene = Scene::set().await;
    let mut peer = scene.peer().await;
    let mut message = Vec::new();
    let (conversation, zero) = (scene.chat, sequence(0));
    for rid in 101..=105 {
        ClientFrame::Fetch { rid, conversation, from: sequence(1), to: zero }.encode(&mut message);
    }
    peer.send_message(&message).await;
    let mut refused = Vec::new();
    for _ in 0..5 {
        let answer = peer.expect(|seen| match seen {
            Seen::Fetched { rid, .. } => Some((*rid, None)),
            Seen::Error { rid, code, .. } => Some((*rid, Some(*code))),
            _ => None,
        });
        if let (rid, Some(code)) = answer.await {
            refused.push((rid, code));
        }
    }
    assert_eq!(refused, [(105, ErrorCode::Overloaded)]);
}

#[tokio::test]
async fn a_second_hello_and_an_early_send_break_the_connection() {
    let scene = Scene::set().await;
    let mut peer = scene.peer().await;
    peer.send(&hello(&scene.ana.token, None)).await;
    assert_eq!(peer.end().await, Some(CloseCode::Protocol.number()));
    let mut peer = Peer::silent(scene.server.address()).await;
    peer.say(scene.chat, 1, "hi").await;
    assert_eq!(peer.end().await, Some(CloseCode::Protocol.number()));
}

#[tokio::test]
async fn a_connection_without_epoch_is_held_from_the_start() {
    let scene = Scene::set().await;
    let mut peer = Peer::greet(scene.server.address(), &scene.ana.token, None).await;
    let (rid, _) = peer.say(scene.chat, 1, "hi").await;
    assert_eq!(peer.sent(rid).await, Err((ErrorCode::Overloaded, 3)));
    peer.send(&ClientFrame::Resume).await;
    let (rid, _) = peer.say(scene.chat, 1, "hi").await;
    assert_eq!(peer.sent(rid).await, Ok((sequence(1), false)));
}

#[tokio::test]
async fn the_first_message_may_hold_everything() {
    let scene = Scene::set().await;
    let epoch = scene.peer().await.welcome().epoch;
    let mut message = Vec::new();
    hello(&scene.ana.token, Some(epoch)).encode(&mut message);
    ClientFrame::Sync { rid: 1, limit: 0, token: &[] }.encode(&mut message);
    text_frame(2, scene.chat, random_id(), 1, "at once").encode(&mut message);
    // Right behind the upgrade request, before its answer.
    let stream = TcpStream::connect(scene.server.address()).await.expect("a connection");
    let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
    let socket = WebSocket::upgrade(stream, &headers, &encode(0x82, &message)).await;
    let mut peer = Peer::over(socket.expect("the upgrade is granted"));
    assert!(matches!(peer.next().await, Seen::Welcome(_)));
    assert_eq!(peer.sent(2).await, Ok((sequence(1), false)));
}

#[tokio::test]
async fn messages_that_are_not_binary_or_too_large_break_the_connection() {
    let scene = Scene::set().await;
    let huge = vec![0xbf; limit::MESSAGE_BYTES_MAX + 1];
    for (what, bytes) in [
        ("text", encode(0x81, b"hi")),
        ("empty", encode(0x82, b"")),
        ("larger than the limit", encode(0x82, &huge)),
    ] {
        let mut socket = scene.peer().await.into_socket();
        socket.send_bytes(&bytes).await.ok();
        let code = Deadline::usual().wait(what, socket.close_code()).await;
        assert_eq!(code, Some(CloseCode::Protocol.number()), "{what}");
    }
    // In fragments, too; and a frame without a mask breaks WebSocket itself.
    let mut fragments = encode(0x02, &huge[..40_000]);
    fragments.extend(encode(0x80, &huge[..40_000]));
    for (what, bytes) in [("fragments", fragments), ("unmasked", vec![0x82, 0x02, 0xbf, 0x00])] {
        let mut socket = scene.peer().await.into_socket();
        socket.send_bytes(&bytes).await.ok();
        let code = Deadline::usual().wait(what, socket.close_code()).await;
        assert!(code.is_none_or(|code| code >= 1002), "{what}: {code:?}");
    }
}

#[tokio::test]
async fn an_upgrade_needs_the_subprotocol_and_a_welcome_origin() {
    let server = TestServer::start().await;
    let offer = ("Sec-WebSocket-Protocol", SUBPROTOCOL);
    let own = format!("http://{}", server.address());
    let host_only = ("Origin", own.as_str());
    let attempt = async |headers: &[(&str, &str)]| {
        WebSocket::try_connect(server.address(), headers).await.map(|_| ())
    };
    assert_eq!(attempt(&[offer]).await, Ok(()));
    assert_eq!(attempt(&[]).await, Err(Refused { status: 400 }));
    let foreign = attempt(&[offer, ("Origin", "https://elsewhere.example")]).await;
    assert_eq!(foreign, Err(Refused { status: 403 }));
    // The request names another host, so even this origin is a foreign one.
    assert_eq!(attempt(&[offer, host_only]).await, Err(Refused { status: 403 }));
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let scene = Scene::set().await;
    let parts: Vec<&str> = scene.ana.token.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("a token has three parts") };
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    // {"alg":"none"} and {"alg":"HS256"}
    let tokens = [
        format!("{header}.{claims}.{flipped}{}", &signature[1..]),
        format!("eyJhbGciOiJub25lIn0.{claims}."),
        format!("eyJhbGciOiJIUzI1NiJ9.{claims}.{signature}"),
        format!("{header}.{claims}"),
        scene.ana.refresh_token.clone(),
        "x".repeat(8000),
        String::new(),
    ];
    for token in tokens {
        let mut peer = Peer::silent(scene.server.address()).await;
        peer.send(&hello(&token, None)).await;
        assert_eq!(peer.end().await, Some(CloseCode::Unauthenticated.number()), "{token}");
        let rest = Rest::with_token(scene.server.address(), &token);
        rest.get("/user/profile").await.assert_refused(401, "unauthenticated");
    }
    scene.peer().await.round_trip().await;
}

#[tokio::test]
async fn an_expired_token_says_so_and_closes_nothing_that_is_open() {
    let settings = [("identity.access_token_life", "2s")];
    let server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut open = Peer::connect(server.address(), &ana.token).await;
    let rest = ana.rest(&server);
    crate::support::eventually::eventually("the token has expired", async || {
        let answer = rest.get("/user/profile").await;
        (!answer.status.is_success()).then(|| answer.assert_refused(401, "expired"))
    })
    .await;
    let mut late = Peer::silent(server.address()).await;
    late.send(&hello(&ana.token, None)).await;
    let code = late.expect(|seen| match seen {
        Seen::Error { rid: 0, code, .. } => Some(*code),
        _ => None,
    });
    assert_eq!(code.await, ErrorCode::Expired);
    assert_eq!(late.end().await, Some(CloseCode::TokenExpired.number()));
    open.round_trip().await;
}

#[tokio::test]
async fn a_connection_that_never_greets_is_closed() {
    let server = TestServer::start().await;
    let mut peer = Peer::silent(server.address()).await;
    let code = Deadline::after(Duration::from_secs(25)).wait("the deadline", peer.read()).await;
    assert!(matches!(code, Seen::Ended(Some(_)) | Seen::Error { rid: 0, .. }), "{code:?}");
}

#[tokio::test]
async fn the_ninth_connection_of_a_device_displaces_the_first() {
    let scene = Scene::set().await;
    let mut peers = Vec::new();
    for _ in 0..=limit::DEVICE_CONNECTIONS_MAX {
        peers.push(scene.peer().await);
    }
    let mut first = peers.remove(0);
    let refusal = first.expect(|seen| match seen {
        Seen::Error { rid: 0, code, .. } => Some(*code),
        _ => None,
    });
    assert_eq!(refusal.await, ErrorCode::Overloaded);
    assert_eq!(first.end().await, Some(CloseCode::TooManyConnections.number()));
    for peer in &mut peers {
        peer.round_trip().await;
    }
}

#[tokio::test]
async fn rest_answers_bad_requests_with_problems() {
    let scene = Scene::set().await;
    let rest = scene.ana.rest(&scene.server);
    let stranger = Rest::new(scene.server.address());
    let json = Some("application/json");
    let raw = async |content_type, body: &str| {
        rest.raw(Method::POST, "/message/send", content_type, Bytes::from(body.to_owned())).await
    };
    raw(json, "{\"chat\":").await.assert_refused(400, "malformed");
    raw(json, "[1, 2]").await.assert_refused(400, "malformed");
    raw(json, "{}").await.assert_refused(400, "malformed");
    assert_eq!(raw(Some("text/plain"), "{}").await.status, 415);
    for (field, value) in [
        ("chat", json!("7")),
        ("chat", json!(0)),
        ("chat", json!(1_u64 << 53)),
        ("client_id", json!(-1)),
        ("client_id", json!(1.5)),
        ("client_id", json!(null)),
        ("text", json!(["hi"])),
        ("floor", json!("1")),
        ("attachments", json!({})),
    ] {
        let mut body = json!({"chat": scene.chat.get(), "client_id": 5, "text": "hi", "floor": 1});
        body[field] = value.clone();
        let answer = rest.post("/message/send", body).await;
        assert!(["invalid", "malformed"].contains(&answer.problem().as_str()), "{field} {value}");
        assert_eq!(answer.status, 400, "{field} {value}");
    }
    let huge = "x".repeat(300 << 10);
    let body = json!({"chat": scene.chat.get(), "client_id": 5, "text": huge});
    rest.post("/message/send", body).await.assert_refused(413, "too-large");
    stranger.get("/chats").await.assert_refused(401, "unauthenticated");
    rest.get("/nowhere").await.assert_refused(404, "not-found");
    for path in ["/chats/abc", "/chats/0", "/chats?limit=0", "/chats?cursor=%00"] {
        let answer = rest.get(path).await;
        assert!(["invalid", "malformed"].contains(&answer.problem().as_str()), "{path}");
        assert_eq!(answer.status, 400, "{path}");
    }
    assert_eq!(rest.send(Method::PUT, "/register", Some(json!({}))).await.status, 405);
    // Nothing of that was stored.
    assert_eq!(scene.peer().await.fetch(scene.chat, 1, 0).await, Ok(vec![]));
}

#[tokio::test]
async fn names_passwords_and_titles_have_rules() {
    let scene = Scene::set().await;
    let stranger = Rest::new(scene.server.address());
    for (username, password) in [
        ("ab", PASSWORD),
        (".dot", PASSWORD),
        ("with space", PASSWORD),
        ("\u{f1}and\u{fa}", PASSWORD),
        ("fine", "short"),
        ("fine", &"x".repeat(257)),
    ] {
        let body = json!({"username": username, "password": password});
        stranger.post("/register", body).await.assert_refused(400, "invalid");
    }
    let rest = scene.ana.rest(&scene.server);
    for title in ["", "a\nb", &"x".repeat(129)] {
        let body = json!({"kind": "group", "title": title, "members": [], "client_id": 9});
        rest.post("/chats", body).await.assert_refused(400, "invalid");
    }
    group(&rest, &"\u{f1}".repeat(128), &[]).await;
}
