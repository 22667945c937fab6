//! The listener on a real port: raw bytes in, raw bytes out.

mod ending;
mod limits;
mod proxied;
mod visits;

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

/// Runs a test on a thread like a shard's, with a deadline.
fn on_a_shard(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let test = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    let local = LocalSet::new();
    runtime.expect("a runtime").block_on(local.run_until(test)).expect("in time");
}
