//! The listener on a real port: raw bytes in, raw bytes out.

use super::*;
use crate::admission::{Counts, Limits};
use crate::gateway::upgrade;
use axum::routing::{get, post};
use std::cell::RefCell;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chasqui.v1\r\n\r\n";
const PING: &str = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";

/// A socket that left HTTP, and the bytes that were read behind its handshake.
type Adopted = (std::net::TcpStream, Vec<u8>, Door, Admitted);

/// A listener on a port of its own.
struct Served {
    address: SocketAddr,
    adopted: RefCell<mpsc::UnboundedReceiver<Adopted>>,
    front: Rc<Front>,
    course: watch::Sender<Course>,
    ended: RefCell<Option<tokio::task::JoinHandle<()>>>,
}

/// Times longer than a test may take: what ends, ends for another reason.
fn settings() -> Settings {
    Settings {
        admission: Admission::new(Limits::default()),
        connections_max: 4,
        handshakes_max: 0,
        idle_timeout: Duration::from_mins(1),
        drain_timeout: Duration::from_mins(1),
        proxies: Vec::new(),
        tls: None,
        upgrade: upgrade::Settings { origins: Vec::new(), echo: true },
        counters: Arc::default(),
    }
}

impl Served {
    async fn new(settings: Settings) -> Self {
        Self::listening(vec![a_listener().await], settings)
    }

    fn listening(listeners: Vec<TcpListener>, settings: Settings) -> Self {
        let address = listeners[0].local_addr().expect("bound");
        let router = Router::new()
            .route("/ping", get(|| async { "pong" }))
            .route("/slow", get(|| tokio::time::sleep(Duration::from_millis(300))))
            .route("/refuse", post(|| async { axum::http::StatusCode::PAYLOAD_TOO_LARGE }));
        let (tell, adopted) = mpsc::unbounded_channel();
        let adopt: Adopt = Box::new(move |socket, _, early, (door, admitted)| {
            tell.send((socket, early.to_vec(), door, admitted)).expect("the test is running");
        });
        let (course, told) = watch::channel(Course::Serving);
        let front = Rc::new(Front::new(router, adopt, settings, told));
        let ended = tokio::task::spawn_local(serve_front(listeners, Rc::clone(&front)));
        Self { address, adopted: adopted.into(), front, course, ended: Some(ended).into() }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    /// The same from 127.0.0.`last`.
    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("a free port");
        socket.connect(self.address).await.expect("it listens")
    }

    fn counts(&self) -> Counts {
        self.front.settings.admission.counts()
    }

    /// A connection on which `text` has been sent.
    async fn say(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        stream
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "one test task, nobody else borrows it")]
    async fn adopted(&self) -> Adopted {
        self.adopted.borrow_mut().recv().await.expect("the listener lives")
    }

    async fn stop(&self) {
        self.course.send_replace(Course::Ending);
        let ended = self.ended.borrow_mut().take().expect("stopped once");
        ended.await.expect("no panic");
    }
}

async fn a_listener() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port")
}

/// Reads until what came ends with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        let byte = stream.read_u8().await;
        let Ok(byte) = byte else { panic!("ended after {:?}", String::from_utf8_lossy(&read)) };
        read.push(byte);
    }
    String::from_utf8(read).expect("text")
}

/// Waits until something holds; the test has a deadline.
async fn eventually(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads an answer to its end: it is a refusal with which the connection ends.
async fn assert_overloaded(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("closed in order");
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    let (_head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&problem["name"], &problem["retry_ms"]), (&"overloaded".into(), &5_000.into()));
}

/// Runs a test on a thread like a shard's, with a deadline.
fn on_a_shard(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let test = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    let local = LocalSet::new();
    runtime.expect("a runtime").block_on(local.run_until(test)).expect("in time");
}

#[test]
fn requests_are_answered_one_after_the_other_on_one_connection() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.say(PING).await;
        let answer = read_until(&mut stream, "pong").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        stream.write_all(format!("{PING}{PING}").as_bytes()).await.expect("sent");
        read_until(&mut stream, "pong").await;
        read_until(&mut stream, "pong").await;
    });
}

#[test]
fn bytes_behind_the_handshake_go_with_the_socket() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.say(&format!("{HANDSHAKE}early")).await;
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
        let (socket, early, door, _) = served.adopted().await;
        assert_eq!((early.as_slice(), door), (b"early".as_slice(), Door::Chat));

        // Nothing that comes later is lost on the way either, in whichever direction.
        let mut socket = TcpStream::from_std(socket).expect("registered anew");
        stream.write_all(b"late").await.expect("sent");
        let mut late = [0; 4];
        socket.read_exact(&mut late).await.expect("read");
        assert_eq!(&late, b"late");
        socket.write_all(b"back").await.expect("sent");
        assert_eq!(read_until(&mut stream, "back").await, "back");
    });
}

#[test]
fn a_handshake_may_come_in_pieces_and_behind_other_requests() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let whole = format!("{PING}{HANDSHAKE}early");
        for at in (1..whole.len()).step_by(7) {
            let (one, other) = whole.split_at(at);
            let mut stream = served.say(one).await;
            stream.set_nodelay(true).expect("set");
            tokio::task::yield_now().await;
            stream.write_all(other.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
            let (socket, mut early, ..) = served.adopted().await;
            let mut socket = TcpStream::from_std(socket).expect("registered anew");
            stream.shutdown().await.expect("no more to send");
            socket.read_to_end(&mut early).await.expect("read");
            assert_eq!(early, b"early", "cut at {at}");
        }
    });
}

#[test]
fn the_echo_door_is_told_from_the_chat_door() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let echo = HANDSHAKE.replace("/ws", "/echo").replace("chasqui.v1", "none");
        let _stream = served.say(&echo).await;
        assert_eq!(served.adopted().await.2, Door::Echo);
    });
}

#[test]
fn a_refused_handshake_leaves_the_connection_usable() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let refused = HANDSHAKE.replace("chasqui.v1", "chat");
        let mut stream = served.say(&format!("{refused}{PING}")).await;
        let answers = read_until(&mut stream, "pong").await;
        assert!(answers.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answers}");
        assert!(answers.contains("application/problem+json"), "{answers}");
    });
}

#[test]
fn silence_loses_its_handshake_and_service_resumes() {
    on_a_shard(async {
        let idle_timeout = Duration::from_millis(200);
        let served = Served::new(Settings { idle_timeout, handshakes_max: 4, ..settings() }).await;
        let mut silent = Vec::new();
        for half in ["", "GET /ping HT", "GET /ping HTTP/1.1\r\nHost: h\r\n", "G"] {
            silent.push(served.say(half).await);
        }
        // All that one address may have under way are: this one waits until one is given up.
        let mut stream = served.say(PING).await;
        read_until(&mut stream, "pong").await;
        for mut stream in silent {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
        }
        // Also between two requests.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("closed in order");
        assert_eq!(rest, b"");
    });
}

#[test]
fn silence_of_one_address_keeps_no_other_waiting() {
    on_a_shard(async {
        let served = Served::new(Settings { handshakes_max: 8, ..settings() }).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(served.say("GET /ping HT").await);
        }
        eventually(|| served.front.handshakes.open() == 4).await;
        for last in 2..40 {
            let mut stream = served.connect_from(last).await;
            stream.write_all(PING.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
        }
        assert_eq!(served.front.handshakes.open(), 4, "nobody who was served holds one");
        eventually(|| served.counts() == Counts { connections: 20, ..Counts::default() }).await;
    });
}

#[test]
fn whoever_finds_no_slot_for_http_is_told_so_and_may_still_upgrade() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut taken = Vec::new();
        for _ in 0..4 {
            let mut stream = served.say(PING).await;
            read_until(&mut stream, "pong").await;
            taken.push(stream);
        }
        assert_overloaded(served.say(PING).await).await;
        let mut upgrading = served.say(HANDSHAKE).await;
        read_until(&mut upgrading, "\r\n\r\n").await;
        taken[0].write_all(PING.as_bytes()).await.expect("sent");
        read_until(&mut taken[0], "pong").await;
        taken.pop();
        let served_again = async || {
            let mut stream = served.say(PING).await;
            let mut answer = String::new();
            stream.read_u8().await.is_ok() && {
                stream.shutdown().await.ok();
                stream.read_to_string(&mut answer).await.ok();
                answer.contains("200 OK")
            }
        };
        while !served_again().await {}
        assert!(served.counts().refused_http > 0);
    });
}

#[test]
fn no_more_are_connected_than_may_be_and_the_rest_are_told_so() {
    on_a_shard(async {
        let admission = Admission::new(Limits { connections_max: 3, address_connections_max: 2 });
        let served = Served::new(Settings { admission, ..settings() }).await;
        let mut upgraded = served.say(HANDSHAKE).await;
        read_until(&mut upgraded, "\r\n\r\n").await;
        let _adopted = served.adopted().await;
        let mut second = served.say(PING).await;
        read_until(&mut second, "pong").await;
        assert_overloaded(served.say(PING).await).await;
        assert_eq!(served.counts().refused_address, 1);
        let mut other = served.connect_from(2).await;
        other.write_all(PING.as_bytes()).await.expect("sent");
        read_until(&mut other, "pong").await;
        assert_overloaded(served.connect_from(3).await).await;
        assert_eq!(served.counts().refused_total, 1);
        drop(second);
        eventually(|| served.counts().connections == 2).await;
        let mut third = served.say(PING).await;
        read_until(&mut third, "pong").await;
    });
}

#[test]
fn what_a_connection_held_is_given_back_however_it_ends() {
    on_a_shard(async {
        let idle_timeout = Duration::from_millis(200);
        let served = Served::new(Settings { idle_timeout, handshakes_max: 64, ..settings() }).await;
        let broken = "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n";
        let malformed = "\0\r\n\r\n";
        for sent in ["", "GET /pi", PING, broken, malformed] {
            for reset in [true, false] {
                let stream = served.say(sent).await;
                let linger = reset.then_some(Duration::ZERO);
                SockRef::from(&stream).set_linger(linger).expect("set");
                drop(stream);
            }
            // The same, but the server is the one who ends it.
            let mut waiting = served.say(sent).await;
            waiting.read_to_end(&mut Vec::new()).await.ok();
        }
        for _ in 0..3 {
            drop(served.say(HANDSHAKE).await);
            drop(served.adopted().await);
        }
        eventually(|| served.counts().connections == 0 && served.front.handshakes.open() == 0)
            .await;
        assert_eq!(served.front.slots.available_permits(), 4);
        assert_eq!(served.counts(), Counts::default());
    });
}

#[test]
fn a_storm_gives_the_rest_of_the_shard_its_turn() {
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    runtime.block_on(async {
        let served = Served::new(settings()).await;
        // Nothing is accepted while this thread connects them all.
        let storm: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(served.address).expect("it listens");
                io::Write::write_all(&mut stream, HANDSHAKE.as_bytes()).expect("sent");
                stream
            })
            .collect();
        let (mut before, mut most, mut turns) = (0, 0, 0);
        let mut adopted = Vec::new();
        while adopted.len() < storm.len() {
            // What lives on the shard takes its turns like this.
            tokio::task::yield_now().await;
            turns += 1;
            let connections = served.counts().connections;
            most = most.max(connections - before);
            before = connections;
            while let Ok(one) = served.adopted.borrow_mut().try_recv() {
                adopted.push(one);
            }
        }
        assert!(most <= 8, "{most} were accepted in a row");
        assert!(turns >= 100 / 8, "{turns} turns");
    });
}

#[test]
fn every_listener_is_served_and_all_share_the_slots() {
    on_a_shard(async {
        let listeners = vec![a_listener().await, a_listener().await];
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("bound"));
        let addresses: Vec<SocketAddr> = addresses.collect();
        let served = Served::listening(listeners, settings());
        let mut taken = Vec::new();
        for address in [addresses[0], addresses[1], addresses[1], addresses[1]] {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(PING.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
            taken.push(stream);
        }
        assert_overloaded(served.say(PING).await).await;
    });
}

#[test]
fn an_adopted_connection_gives_its_slot_up() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut upgraded = Vec::new();
        for _ in 0..12 {
            let mut stream = served.say(HANDSHAKE).await;
            read_until(&mut stream, "\r\n\r\n").await;
            upgraded.push((stream, served.adopted().await));
        }
    });
}

#[test]
fn an_answer_survives_a_body_that_nobody_reads() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut stream = served.connect().await;
        let head = "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&vec![b'x'; 1_000_000]).await.expect("taken to the end");
        stream.shutdown().await.expect("no more to send");
        let mut answer = String::new();
        // A reset here would be what some systems throw the unread answer away for.
        stream.read_to_string(&mut answer).await.expect("closed in order");
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    });
}

#[test]
fn who_would_be_sent_away_again_is_not_upgraded_and_told_when_to_come_back() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut early = served.say(HANDSHAKE).await;
        read_until(&mut early, "\r\n\r\n").await;
        let _early = served.adopted().await;
        let mut kept = served.say(PING).await;
        read_until(&mut kept, "pong").await;
        let spread = Duration::from_millis(59_001);
        served.course.send_replace(Course::Leaving { spread });
        // On a fresh connection and on one that has been used alike.
        for mut stream in [served.connect().await, kept] {
            stream.write_all(HANDSHAKE.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("closed in order");
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            for told in ["retry-after: 60", "\"name\":\"unavailable\"", "\"retry_ms\":59001"] {
                assert!(answer.contains(told), "{told}: {answer}");
            }
        }
        let mut asks = served.say(PING).await;
        read_until(&mut asks, "pong").await;
        assert!(served.adopted.borrow_mut().try_recv().is_err(), "only the first was upgraded");
    });
}

#[test]
fn draining_lets_requests_end_and_closes_the_rest() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut idle = served.say(PING).await;
        read_until(&mut idle, "pong").await;
        let mut busy = served.say(&PING.replace("ping", "slow")).await;
        // The request is under way once a later one on another connection has been answered.
        let mut other = served.say(PING).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let answer = read_until(&mut busy, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.expect("closed in order");
        assert!(TcpStream::connect(served.address).await.is_err(), "it still listens");
    });
}

#[test]
fn draining_does_not_wait_longer_than_it_may() {
    on_a_shard(async {
        let drain_timeout = Duration::from_millis(50);
        let served = Served::new(Settings { drain_timeout, ..settings() }).await;
        let mut half_open = served.say("GET /ping HT").await;
        let mut other = served.say(PING).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let mut rest = Vec::new();
        half_open.read_to_end(&mut rest).await.ok();
    });
}

const HEADER: &str = "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n";

/// A listener that takes everyone here for a proxy.
async fn served_behind_proxies(idle_timeout: Duration) -> Served {
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    Served::new(Settings { idle_timeout, proxies, ..settings() }).await
}

#[test]
fn what_follows_a_proxy_header_is_served_however_it_is_cut() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_mins(1)).await;
        let whole = format!("{HEADER}{HANDSHAKE}early");
        for cut in [1, 11, 12, 13, HEADER.len() - 1, HEADER.len(), HEADER.len() + 1, whole.len()] {
            let mut stream = served.say(&whole[..cut]).await;
            tokio::task::yield_now().await;
            stream.write_all(&whole.as_bytes()[cut..]).await.expect("sent");
            read_until(&mut stream, "\r\n\r\n").await;
            let (_socket, early, ..) = served.adopted().await;
            // A cut inside them leaves some of these to the socket.
            assert!(b"early".starts_with(&early), "{early:?}");
        }
    });
}

#[test]
fn a_listed_proxy_without_a_header_is_refused() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_millis(100)).await;
        for sent in [PING, "PROXY TCP4 here there 1 1\r\n", "PROXY TCP4 1.1.1.1", ""] {
            let mut stream = served.say(sent).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            assert_eq!(answer, b"", "{sent}");
        }
    });
}

#[test]
fn a_proxy_header_of_anyone_else_is_bad_http() {
    on_a_shard(async {
        let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let served = Served::new(Settings { proxies, ..settings() }).await;
        let binary = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        for header in [HEADER, binary] {
            let mut stream = served.say(&format!("{header}{PING}")).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        let mut stream = served.say(PING).await;
        read_until(&mut stream, "pong").await;
    });
}

#[test]
fn a_drain_does_not_wait_for_a_proxy_header() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_mins(1)).await;
        let mut waiting = served.say("PROXY ").await;
        let mut other = served.say(&format!("{HEADER}{PING}")).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let mut rest = Vec::new();
        waiting.read_to_end(&mut rest).await.ok();
    });
}
