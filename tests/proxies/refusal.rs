//! A proxy that refuses upgrades: the client is told so, falls back to the long poll, and comes back to
//! the WebSocket when it can. In all of that nothing is lost and nothing comes twice.

use crate::deployed::Kind;
use crate::process::Proxy;
use crate::relay::{Manner, Relay};
use crate::scene::{Pair, Scene};
use crate::support::chat_client::random_id;
use crate::support::dice::seed;
use crate::support::door::line;
use crate::support::history::Line;
use crate::support::people::{Person, number};
use crate::support::rest::Rest;
use crate::support::websocket::{SUBPROTOCOL, WebSocket};
use chasqui::model::{ConversationId, Sequence};
use hyper::Request;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// An nginx that nobody has told about upgrades: what makes them pass is not there.
const DEAF: [(&str, &str); 2] = [
    ("            proxy_set_header Upgrade $http_upgrade;\n", ""),
    ("            proxy_set_header Connection $connection_upgrade;\n", ""),
];

/// The same in its oldest form, which speaks HTTP 1.0 to back ends.
const DEAF_AND_OLD: [(&str, &str); 3] =
    [DEAF[0], DEAF[1], ("            proxy_http_version 1.1;\n", "")];

#[tokio::test]
async fn a_refused_upgrade_says_what_is_wrong() {
    for replaced in [&DEAF[..], &DEAF_AND_OLD] {
        let scene = Scene::with(Kind::Nginx, &[], replaced).await;
        let offer = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
        let refused = WebSocket::try_connect(scene.address(), &offer).await;
        assert_eq!(refused.expect_err("it cannot pass").status, 426);
        // A page cannot see that status; asking without an upgrade shows it the same answer.
        for address in [scene.address(), scene.server.address()] {
            let answer = Rest::new(address).get("/ws").await;
            answer.assert_refused(426, "unsupported");
            let detail = answer.body["detail"].as_str().expect("a sentence");
            assert!(detail.contains("/message/receive"), "{detail}");
        }
    }
}

/// One device without a WebSocket, which resends and asks again until it is answered.
struct LongPoll {
    rest: Rest,
    token: String,
    chat: ConversationId,
    held: Vec<Line>,
    /// How often a connection broke before the answer was there.
    broken: usize,
}

impl LongPoll {
    fn new(address: SocketAddr, person: &Person, chat: ConversationId, held: Vec<Line>) -> Self {
        let rest = Rest::with_token(address, &person.token);
        Self { rest, token: person.token.clone(), chat, held, broken: 0 }
    }

    fn have(&self) -> Sequence {
        self.held.last().map_or(Sequence::ZERO, |line| line.sequence)
    }

    /// Posts until there is an answer; a proxy may stand between it and the server.
    async fn post(&mut self, path: &str, body: &Value) -> Value {
        loop {
            let request = Request::post(path)
                .header("host", "test")
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {}", self.token))
                .body(body.to_string().into_bytes().into())
                .expect("a valid request");
            match self.rest.exchange(request).await {
                Ok(answer) if answer.status.is_success() => return answer.body,
                Ok(answer) => panic!("{} {}", answer.status, answer.body),
                Err(_broken) => self.broken += 1,
            }
        }
    }

    /// Sends a text; the floor is fixed before the first attempt.
    async fn send(&mut self, text: &str) -> Value {
        let body = json!({
            "chat": self.chat.get(),
            "client_id": random_id().get(),
            "floor": self.have().get() + 1,
            "text": text,
        });
        self.post("/message/send", &body).await
    }

    /// Acknowledges what is held and takes what comes within `wait` seconds.
    async fn receive(&mut self, wait: u64) {
        let acks = json!([{"chat": self.chat.get(), "sequence": self.have().get()}]);
        let acks = if self.held.is_empty() { json!([]) } else { acks };
        let body = json!({"acks": acks, "wait": wait, "limit": 7});
        let received = self.post("/message/receive", &body).await;
        for entry in received["entries"].as_array().expect("entries") {
            if number(&entry["chat"]) != self.chat.get() {
                continue;
            }
            let line = line(entry);
            assert_eq!(line.sequence, self.have().next(), "in order, each once");
            self.held.push(line);
        }
    }

    /// Receives until it holds everything up to a sequence.
    async fn receive_up_to(&mut self, head: u64) {
        while self.have().get() < head {
            self.receive(5).await;
        }
    }
}

#[tokio::test]
async fn who_cannot_upgrade_falls_back_to_the_long_poll_and_returns() {
    let scene = Scene::behind(Kind::Nginx).await;
    let deaf = Proxy::start(Kind::Nginx, &scene.server, &DEAF).await;
    let mut pair = scene.pair().await;
    pair.connect(scene.address()).await;
    pair.ana_writes(20);
    pair.catch_up().await;

    // Ben moves to a network that breaks upgrades.
    pair.ben.disconnect();
    let refused = pair.ben.connect(deaf.address()).await;
    assert!(refused.is_err(), "this proxy lets no upgrade pass");
    let held = pair.ben.lines(pair.chat);
    let mut poll = LongPoll::new(deaf.address(), &pair.ben_person, pair.chat, held);
    for _ in 0..5 {
        pair.ana_writes(10);
        pair.ana.until("all is stored", |ana| ana.unanswered() == 0).await;
        let head = pair.ana.have(pair.chat).get();
        poll.receive_up_to(head).await;
        let text = pair.written_elsewhere().to_string();
        let sent = poll.send(&text).await;
        assert_eq!(number(&sent["sequence"]), head + 1);
        pair.ana.until("the answer has come", |ana| ana.have(pair.chat).get() > head).await;
    }
    poll.receive_up_to(pair.ana.have(pair.chat).get()).await;

    // And back.
    pair.connect(scene.address()).await;
    pair.catch_up().await;
    let same = |(polled, shown): (&Line, &Line)| polled.is_same(shown);
    let shown = pair.ben.lines(pair.chat);
    assert_eq!(poll.held.len(), shown.len());
    assert!(poll.held.iter().zip(&shown).all(same), "both doors show the same");
}

#[tokio::test]
async fn a_long_poll_loses_nothing_where_connections_are_cut() {
    const ROUNDS: u64 = 40;
    let server = crate::support::server::TestServer::start().await;
    let seed = seed("CHASQUI_PROXIES_SEED");
    let relay = Relay::to(server.address(), seed).await;
    let mut pair = Pair::meet(server.address()).await;
    pair.connect(server.address()).await;
    relay.set(Manner::Cuts);
    let mut poll = LongPoll::new(relay.address(), &pair.ben_person, pair.chat, Vec::new());
    for _ in 0..ROUNDS {
        pair.ana_writes(3);
        pair.ana.until("all is stored", |ana| ana.unanswered() == 0).await;
        let text = pair.written_elsewhere().to_string();
        poll.send(&text).await;
        pair.ana.until("it has come", |ana| ana.have(pair.chat).get() % 4 == 0).await;
        poll.receive(0).await;
    }
    poll.receive_up_to(4 * ROUNDS).await;
    let texts = crate::scene::texts(&poll.held);
    let expected: Vec<String> = (1..=4 * ROUNDS).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected, "CHASQUI_PROXIES_SEED={seed}");
    assert!(poll.broken > 0, "nothing was cut");
    println!("long poll: {} broken requests, CHASQUI_PROXIES_SEED={seed}", poll.broken);
    pair.catch_up().await;
}
