//! The connection side of a shard as its peers see it, over loopback sockets.
//!
//! The rig drives the connections by hand, so that a test says what happens between two rounds; what
//! needs the loop itself runs in `echo`.

mod closing;
pub(crate) mod crowd;
mod echo;
mod entrance;
mod fairness;
mod on_cql;
mod pushes;
mod requests;
mod served;
mod tls;
mod two_servers;

use super::ConnectionKey;
use super::connections::{Connections, Event};
use super::settings::{Mode, Settings};
use super::websocket::{Message, binary_message};
use crate::model::{Actor, DeviceId, Epoch, Timestamp, UserId};
use crate::protocol::constants::{capability, limit};
use crate::protocol::{ClientFrame, Hello, ServerFrame, frames};
use crate::session::{Granted, Limits};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The bound of an outbox in these tests.
const OUTBOX_BYTES: usize = limit::OUTBOX_BYTES_MAX;

/// When the tests begin.
const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A client's frame, masked.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x11, 0xa5, 0xff, 0x3c];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | u8::try_from(len).expect("small")),
        len @ 126..65_536 => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(len).expect("medium").to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend(u64::try_from(len).expect("large").to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A push of these bytes.
fn binary(payload: &[u8]) -> Message {
    binary_message(&mut Vec::new(), |out| out.extend_from_slice(payload))
}

fn encoded(frame: &ClientFrame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// A message with one PING of the protocol in it.
fn ping(nonce: u64) -> Vec<u8> {
    masked(0x82, &encoded(&ClientFrame::Ping { nonce }))
}

fn hello() -> Vec<u8> {
    encoded(&ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: capability::EPHEMERAL | capability::CURSOR,
        token: "token",
        client: None,
        ping_seconds: None,
        epoch: Epoch::new(9),
    }))
}

fn granted() -> Granted {
    let actor = Actor {
        user: UserId::new(1).expect("not zero"),
        device: DeviceId::new(2).expect("not zero"),
    };
    Granted { actor, family: 1, epoch: Epoch::new(9).expect("not zero") }
}

/// The connections, driven by hand.
struct Rig {
    connections: Connections,
    listener: TcpListener,
    events: Vec<Event>,
    /// Whether its peers speak TLS.
    encrypted: bool,
}

impl Rig {
    fn new() -> Self {
        let settings = Settings { limits: Limits::default(), outbox_bytes_max: OUTBOX_BYTES };
        let mut connections = Connections::new(settings, Arc::default()).expect("epoll");
        connections.set_now(START);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self { connections, listener, events: Vec::new(), encrypted: false }
    }

    fn sockets(&self) -> (TcpStream, TcpStream) {
        let theirs = TcpStream::connect(self.listener.local_addr().expect("bound"));
        let (ours, _) = self.listener.accept().expect("one waits");
        (theirs.expect("it listens"), ours)
    }

    fn connect(&mut self, mode: Mode) -> (Peer, ConnectionKey) {
        self.connect_early(mode, &[])
    }

    fn connect_early(&mut self, mode: Mode, early: &[u8]) -> (Peer, ConnectionKey) {
        let (theirs, ours) = self.sockets();
        self.adopt(theirs, ours, early, mode)
    }

    /// A client that has been welcomed.
    fn welcome(&mut self) -> (Peer, ConnectionKey) {
        let (theirs, ours) = self.sockets();
        self.welcome_over(theirs, ours)
    }

    /// The same over sockets that buffer little, so that a reader is soon a slow one.
    fn welcome_narrow(&mut self) -> (Peer, ConnectionKey) {
        let (theirs, ours) = self.narrow_sockets();
        self.welcome_over(theirs, ours)
    }

    fn narrow_sockets(&self) -> (TcpStream, TcpStream) {
        let (theirs, ours) = self.sockets();
        SockRef::from(&ours).set_send_buffer_size(4_096).expect("a socket");
        SockRef::from(&theirs).set_recv_buffer_size(128 << 10).expect("a socket");
        (theirs, ours)
    }

    fn welcome_over(&mut self, theirs: TcpStream, ours: TcpStream) -> (Peer, ConnectionKey) {
        let (mut peer, key) = self.adopt(theirs, ours, &[], Mode::Client);
        peer.send(&masked(0x82, &hello()));
        self.until(|rig| rig.events.pop().is_some_and(|e| matches!(e, Event::Authenticate { .. })));
        assert!(self.connections.grant(key, Ok(granted())));
        self.until(|_| !peer.receive().is_empty());
        assert!(matches!(peer.frames.remove(0).as_slice(), [0x82, 0x02, ..]), "WELCOME");
        (peer, key)
    }

    fn adopt(
        &mut self,
        theirs: TcpStream,
        ours: TcpStream,
        early: &[u8],
        mode: Mode,
    ) -> (Peer, ConnectionKey) {
        let mut peer = Peer::new(theirs);
        let mut channel = None;
        if self.encrypted {
            let (client, established) = crate::tls::tests::pair();
            peer.tls = Some(Box::new(client));
            channel = Some(Box::new(established));
        }
        let key = self.connections.adopt(ours, channel, early, mode).expect("room");
        (peer, key)
    }

    /// One round as the loop makes it, but for the sweep.
    fn round(&mut self) {
        self.connections.turn(true).expect("epoll");
        while let Some(event) = self.connections.pop_event() {
            self.events.push(event);
        }
        self.connections.tell_drain();
        self.connections.flush_dirty();
    }

    /// Goes round until something holds.
    #[track_caller]
    fn until(&mut self, mut holds: impl FnMut(&mut Self) -> bool) {
        for _ in 0..5_000 {
            self.round();
            if holds(self) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("it never came to hold");
    }

    /// Goes round until nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..5 {
            self.round();
            while self.connections.has_backlog() {
                self.round();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.connections.set_now(self.connections.now.plus(duration));
    }

    /// Sweeps everything once.
    fn sweep(&mut self) {
        for _ in 0..16 {
            self.connections.sweep();
        }
    }

    fn closed(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Closed { .. })).count()
    }
}

/// The other end of a connection.
struct Peer {
    socket: TcpStream,
    tls: Option<Box<rustls::ClientConnection>>,
    bytes: Vec<u8>,
    /// Whole frames received, each as its first byte and its payload.
    frames: Vec<Vec<u8>>,
    /// Whether the server has ended its side, and how.
    end: Option<io::ErrorKind>,
}

impl Peer {
    fn new(socket: TcpStream) -> Self {
        socket.set_nonblocking(true).expect("a socket");
        socket.set_nodelay(true).expect("a socket");
        Self { socket, tls: None, bytes: Vec::new(), frames: Vec::new(), end: None }
    }

    fn send(&mut self, bytes: &[u8]) {
        let Some(tls) = &mut self.tls else {
            return self.socket.write_all(bytes).expect("room in the socket");
        };
        for part in bytes.chunks(16 << 10) {
            tls.writer().write_all(part).expect("memory");
            while tls.wants_write() {
                tls.write_tls(&mut self.socket).expect("room in the socket");
            }
        }
    }

    fn finish(&mut self) {
        self.socket.shutdown(Shutdown::Write).expect("a socket");
    }

    /// Resets the connection: closing with a linger time of zero sends RST.
    fn reset(self) {
        let socket = socket2::Socket::from(self.socket);
        socket.set_linger(Some(Duration::ZERO)).expect("a socket");
    }

    /// Takes what has come.
    fn receive(&mut self) -> &[Vec<u8>] {
        let mut buffer = vec![0; 64 << 10];
        while self.end.is_none() {
            let read = match &mut self.tls {
                None => self.socket.read(&mut buffer),
                Some(tls) => tls::read(tls, &mut self.socket, &mut buffer),
            };
            match read {
                Ok(0) => self.end = Some(io::ErrorKind::UnexpectedEof),
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.end = Some(error.kind()),
            }
        }
        let mut used = 0;
        while let Some((frame, len)) = server_frame(&self.bytes[used..]) {
            self.frames.push(frame);
            used += len;
        }
        self.bytes.drain(..used);
        &self.frames
    }

    /// The code of the close frame, once it and the end have come; it is the last frame.
    fn close_code(&mut self) -> Option<u16> {
        self.receive();
        self.end?;
        assert_eq!(self.end, Some(io::ErrorKind::UnexpectedEof), "an orderly end");
        match self.frames.last()?.as_slice() {
            [0x88, high, low] => Some(u16::from_be_bytes([*high, *low])),
            other => panic!("{other:?} is no close frame"),
        }
    }
}

/// A server's frame at the start of `bytes`: its first byte with its payload, and its length.
fn server_frame(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (head, len) = match *bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => {
            let long = u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?);
            (10, usize::try_from(long).ok()?)
        }
        short => (2, usize::from(short)),
    };
    let mut frame = vec![bytes[0]];
    frame.extend_from_slice(bytes.get(head..head + len)?);
    Some((frame, head + len))
}

/// Whether a received message is a frame of the protocol for which `matches` holds.
fn is_frame(message: &[u8], matches: impl FnOnce(&ServerFrame<'_>) -> bool) -> bool {
    let [0x82, payload @ ..] = message else { return false };
    let frame = frames(payload).next().expect("a frame").expect("sound");
    matches(&ServerFrame::decode(&frame).expect("sound").expect("known"))
}
