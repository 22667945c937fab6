//! Clients that are slow or never finish cost themselves, never the server or their neighbours.

use crate::support::chat_client::ChatClient;
use crate::support::eventually::{Deadline, eventually};
use crate::support::peer::{Peer, Seen};
use crate::support::people::{Person, group};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use chasqui::model::ConversationId;
use chasqui::protocol::CloseCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Far more than the socket's buffers and the outbox of one connection hold.
const MESSAGES: u64 = 600;
const BODY_BYTES: usize = 30_000;

struct Scene {
    server: TestServer,
    slow: Person,
    fast: Person,
    chat: ConversationId,
    sender: Peer,
}

impl Scene {
    async fn set() -> Self {
        let server = TestServer::start().await;
        let ana = Person::register(server.address(), "ana").await;
        let slow = Person::register(server.address(), "slow").await;
        let fast = Person::register(server.address(), "fast").await;
        let chat = group(&ana.rest(&server), "us", &[&slow, &fast]).await;
        let sender = Peer::connect(server.address(), &ana.token).await;
        Self { server, slow, fast, chat, sender }
    }

    /// Sends everything, and asserts that the fast one gets all of it in order meanwhile.
    async fn flood(&mut self) {
        let mut fast = Peer::connect(self.server.address(), &self.fast.token).await;
        let text = "x".repeat(BODY_BYTES);
        for number in 0..MESSAGES {
            let sequence = 3 + number;
            let (rid, _) = self.sender.say(self.chat, sequence, &text).await;
            let sent = self.sender.sent(rid).await.expect("it is stored");
            assert_eq!(sent.0.get(), sequence);
            let shown = Deadline::after(Duration::from_secs(5));
            let line = shown.wait("the fast one to see it", fast.entry(self.chat)).await;
            assert_eq!(line.sequence.get(), sequence);
        }
    }
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_to_sync_and_loses_nothing() {
    let mut scene = Scene::set().await;
    let mut slow = ChatClient::new(scene.slow.user, &scene.slow.token);
    slow.connect(scene.server.address()).await.expect("a connection");
    slow.until("it has begun", ChatClient::is_settled).await;

    // It does not read at all meanwhile, however long that takes.
    scene.flood().await;

    let head = 2 + MESSAGES;
    let deadline = Deadline::usual();
    while slow.have(scene.chat).get() < head || !slow.is_settled() {
        assert!(!deadline.has_passed(), "it has {} of {head}", slow.have(scene.chat));
        if !slow.is_connected() {
            slow.connect(scene.server.address()).await.expect("a connection");
        }
        // Closed as a slow consumer if it took too long: then it comes back.
        slow.step(Duration::from_millis(50)).await.ok();
    }
}

/// A megabyte, which a kernel would take by itself: what is unsent there is bounded.
#[tokio::test]
async fn who_does_not_read_fills_its_outbox_and_not_the_kernel() {
    let mut scene = Scene::set().await;
    let mut slow = Peer::connect(scene.server.address(), &scene.slow.token).await;
    let text = "x".repeat(BODY_BYTES);
    for number in 0..35 {
        let (rid, _) = scene.sender.say(scene.chat, 3 + number, &text).await;
        assert!(scene.sender.sent(rid).await.is_ok());
    }
    slow.expect(|seen| matches!(seen, Seen::Resync).then_some(())).await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_closed() {
    let mut scene = Scene::set().await;
    let mut slow = Peer::connect(scene.server.address(), &scene.slow.token).await;
    scene.flood().await;
    tokio::time::sleep(Duration::from_secs(17)).await;
    let code = Deadline::usual().wait("the end", slow.end()).await;
    assert!(code.is_none_or(|code| code == CloseCode::SlowConsumer.number()), "{code:?}");
}

#[tokio::test]
async fn a_reader_of_one_byte_at_a_time_disturbs_nobody() {
    let mut scene = Scene::set().await;
    let slow = Peer::connect(scene.server.address(), &scene.slow.token).await;
    let mut stream = slow.into_socket().into_stream();
    let trickle = tokio::spawn(async move {
        use tokio::io::AsyncReadExt;
        let mut byte = [0; 1];
        while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    scene.flood().await;
    trickle.abort();
}

#[tokio::test]
async fn half_open_handshakes_are_bounded_and_pass() {
    const HALF_OPEN: usize = 10_000;
    let settings = [("http.header_timeout", "3s")];
    let server = TestServer::configured(&settings).started().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut open = Peer::connect(server.address(), &ana.token).await;
    let mut half = Vec::new();
    for number in 0..HALF_OPEN {
        let connect = TcpStream::connect(server.address());
        // Beyond its bounds the server may refuse, or leave the rest to the backlog.
        let attempt = tokio::time::timeout(Duration::from_millis(20), connect).await;
        if let Ok(Ok(mut stream)) = attempt {
            stream.write_all(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpg").await.ok();
            half.push(stream);
        }
        if number % 500 == 0 {
            open.round_trip().await;
        }
    }
    assert!(half.len() > 1000, "only {} connections", half.len());
    let stranger = Rest::new(server.address());
    eventually("requests are served again", async || {
        let request = hyper::Request::get("/healthz").header("host", "x");
        let request = request.body(bytes::Bytes::new().into()).expect("a valid request");
        let patience = Duration::from_secs(5);
        let answer = tokio::time::timeout(patience, stranger.exchange(request)).await;
        answer.ok()?.ok().filter(|answer| answer.status.is_success())
    })
    .await;
    open.round_trip().await;
}

#[tokio::test]
async fn a_client_that_sends_and_never_reads_is_not_read_either() {
    let scene = Scene::set().await;
    let fast = Peer::connect(scene.server.address(), &scene.fast.token).await;
    let mut stream = fast.into_socket().into_stream();
    let mut ping = Vec::new();
    chasqui::protocol::ClientFrame::Ping { nonce: 1 }.encode(&mut ping);
    let burst = crate::support::websocket::encode(0x82, &ping.repeat(5000));
    // It ends in one of two ways: nobody takes the bytes any more, or the connection is closed.
    let flood = async { while stream.write_all(&burst).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), flood).await.ok();
    let mut neighbour = scene.sender;
    let answer = Deadline::after(Duration::from_secs(5));
    answer.wait("the neighbour", neighbour.round_trip()).await;
    let rss = resident_kib(scene.server.pid());
    assert!(rss < 400 << 10, "the server has grown to {rss} KiB");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

#[tokio::test]
async fn pushes_to_a_gone_connection_are_dropped_quietly() {
    let mut scene = Scene::set().await;
    for _ in 0..20 {
        let gone = Peer::connect(scene.server.address(), &scene.slow.token).await;
        let stream = gone.into_socket().into_stream();
        // RST instead of FIN.
        stream.set_zero_linger().expect("an open socket");
        drop(stream);
        let (rid, _) = scene.sender.say(scene.chat, 3, "hi").await;
        assert!(scene.sender.sent(rid).await.is_ok());
    }
    let mut back = Peer::connect(scene.server.address(), &scene.slow.token).await;
    let lines = back.fetch(scene.chat, 3, 0).await.expect("his own chat");
    assert_eq!(lines.len(), 20);
    assert!(!matches!(back.next_within(Duration::from_millis(50)).await, Some(Seen::Ended(_))));
}
