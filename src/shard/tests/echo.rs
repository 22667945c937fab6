//! The loop in a runtime, with real upgrades, in echo mode.

use super::{OUTBOX_BYTES, Settings, masked, server_frame};
use crate::model::Timestamp;
use crate::protocol::CloseCode;
use crate::session::Limits;
use crate::shard::ConnectionKey;
use crate::shard::reactor::Reactor;
use crate::shard::settings::Mode;
use bytes::Bytes;
use fastwebsockets::upgrade;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A shard's loop that echoes, on a port of its own, until the runtime ends.
struct Server {
    address: SocketAddr,
    reactor: Rc<Reactor>,
    adopted: mpsc::UnboundedReceiver<ConnectionKey>,
}

impl Server {
    async fn start() -> Self {
        let settings = Settings { limits: Limits::default(), outbox_bytes_max: OUTBOX_BYTES };
        let reactor = Rc::new(Reactor::new(settings, Arc::default()).expect("epoll"));
        let driver = Rc::clone(&reactor);
        tokio::task::spawn_local(async move {
            driver.run(|| Timestamp::ZERO, |_, _| false, |_| {}, |_, _| false).await
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (keys, adopted) = mpsc::unbounded_channel();
        let acceptor = Rc::clone(&reactor);
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::task::spawn_local(admit(socket, Rc::clone(&acceptor), keys.clone()));
            }
        });
        Self { address, reactor, adopted }
    }

    /// Upgrades a connection, with these bytes behind the request in the same write.
    async fn connect(&self, early: &[u8]) -> Client {
        let mut socket = TcpStream::connect(self.address).await.expect("it listens");
        let request = b"GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
            upgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        socket.write_all(&[request, early].concat()).await.expect("sent");
        let mut client = Client { socket, bytes: Vec::new() };
        loop {
            let end = client.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                assert!(client.bytes.starts_with(b"HTTP/1.1 101"));
                client.bytes.drain(..end + 4);
                return client;
            }
            client.read().await;
        }
    }
}

/// Answers the upgrade and hands the socket over with whatever came behind the request.
async fn admit(
    socket: TcpStream,
    reactor: Rc<Reactor>,
    adopted: mpsc::UnboundedSender<ConnectionKey>,
) {
    let service = service_fn(|mut request: Request<Incoming>| async move {
        let response = upgrade::upgrade(&mut request).map(|(response, _future)| response);
        Ok::<Response<Empty<Bytes>>, Infallible>(response.unwrap_or_default())
    });
    let parts = http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .without_shutdown()
        .await
        .expect("an upgrade");
    let socket = parts.io.into_inner().into_std().expect("a socket");
    let key =
        reactor.enter(Timestamp::ZERO, |c| c.adopt(socket, None, &parts.read_buf, Mode::Echo));
    adopted.send(key.expect("room")).expect("somebody listens");
}

struct Client {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    async fn read(&mut self) {
        let count = self.socket.read_buf(&mut self.bytes).await.expect("a live connection");
        assert_ne!(count, 0, "the server ended");
    }

    async fn receive(&mut self) -> Vec<u8> {
        loop {
            if let Some((frame, len)) = server_frame(&self.bytes) {
                self.bytes.drain(..len);
                return frame;
            }
            self.read().await;
        }
    }
}

fn run(test: impl AsyncFnOnce(Server)) {
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    runtime.block_on(async {
        let limit = std::time::Duration::from_secs(30);
        let test = async { test(Server::start().await).await };
        tokio::time::timeout(limit, test).await.expect("it does not stall");
    });
}

#[test]
fn messages_are_echoed_also_those_sent_with_the_upgrade() {
    run(async |server| {
        for n in 0..100 {
            let mut client = server.connect(&masked(0x82, &[n; 50])).await;
            assert_eq!(client.receive().await, [&[0x82], &[n; 50][..]].concat());
            client.socket.write_all(&masked(0x81, b"hello")).await.expect("sent");
            assert_eq!(client.receive().await, b"\x81hello");
        }
    });
}

#[test]
fn many_clients_at_once_lose_nothing() {
    run(async |server| {
        let server = Rc::new(server);
        let tasks: Vec<_> = (0..100_u8)
            .map(|n| {
                let server = Rc::clone(&server);
                tokio::task::spawn_local(async move {
                    let mut client = server.connect(&masked(0x89, &[n])).await;
                    assert_eq!(client.receive().await, [0x8a, n]);
                    for round in 1..20 {
                        let payload = vec![n; usize::from(n) * round * 10];
                        let message = masked(0x82, &payload);
                        client.socket.write_all(&message.repeat(3)).await.expect("sent");
                        for _ in 0..3 {
                            assert_eq!(client.receive().await[1..], payload);
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

#[test]
fn entering_from_outside_wakes_an_idle_loop() {
    run(async |mut server| {
        let mut client = server.connect(b"").await;
        let key = server.adopted.recv().await.expect("adopted");
        let settle = async || {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        server.reactor.enter(Timestamp::ZERO, |c| c.close(key, CloseCode::Restart));
        settle().await;
        // Not only with the next sweep.
        assert!(server.reactor.enter(Timestamp::ZERO, |c| !c.has_backlog()));
        assert_eq!(client.receive().await, [0x88, 0x0f, 0xa0]);
    });
}

#[test]
fn more_sockets_than_one_answer_of_epoll_names_are_all_served() {
    run(async |server| {
        let mut clients = Vec::new();
        for _ in 0..700 {
            clients.push(server.connect(b"").await);
        }
        for round in 0..5 {
            for client in &clients {
                let message = masked(0x82, &[round; 10]);
                assert_eq!(client.socket.try_write(&message).expect("room"), message.len());
            }
            for client in &mut clients {
                assert_eq!(client.receive().await[1..], [round; 10]);
            }
        }
    });
}
