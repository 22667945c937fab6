//! A small WebSocket client that can also misbehave.
//!
//! It reads through a buffer of its own, so that giving up on a read loses nothing, and it writes heads
//! itself, so that tests can send what a well-behaved library refuses to.

use super::eventually::Deadline;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The subprotocol of version 1.
pub(crate) const SUBPROTOCOL: &str = "chasqui.v1";

const MASK: [u8; 4] = [0x5a, 0x11, 0xc3, 0x77];

/// What comes out of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A binary message.
    Binary(Bytes),
    /// A close frame with its code, 1005 if it has none.
    Closed(u16),
    /// The stream ended or broke without a close frame.
    Broken,
}

/// An upgrade that was not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The status of the answer, 0 if there was none.
    pub status: u16,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: TcpStream,
    buffer: BytesMut,
    received: usize,
}

impl WebSocket {
    /// Connects and upgrades with the subprotocol of version 1.
    ///
    /// # Panics
    /// If the server refuses.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let attempt = Self::try_connect(address, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]);
        Deadline::usual().wait("an upgrade", attempt).await.expect("the upgrade is granted")
    }

    /// Connects and upgrades with these headers besides those of every handshake.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        headers: &[(&str, &str)],
    ) -> Result<Self, Refused> {
        let stream = TcpStream::connect(address).await.map_err(|_ended| Refused { status: 0 })?;
        Self::upgrade(stream, headers, &[]).await
    }

    /// Upgrades a connected stream, sending `early` right behind the request.
    pub(crate) async fn upgrade(
        mut stream: TcpStream,
        headers: &[(&str, &str)],
        early: &[u8],
    ) -> Result<Self, Refused> {
        let broken = |_: io::Error| Refused { status: 0 };
        stream.set_nodelay(true).map_err(broken)?;
        let mut request = handshake(headers).into_bytes();
        request.extend_from_slice(early);
        stream.write_all(&request).await.map_err(broken)?;
        let mut buffer = BytesMut::new();
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break buffer.split_to(end + 4);
            }
            if stream.read_buf(&mut buffer).await.map_err(broken)? == 0 {
                return Err(Refused { status: 0 });
            }
        };
        let head = String::from_utf8_lossy(&head);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        if status == 101 {
            Ok(Self { stream, buffer, received: 0 })
        } else {
            Err(Refused { status })
        }
    }

    /// Sends one binary message.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.send_bytes(&encode(0x82, payload)).await
    }

    /// Sends bytes as they are: heads and all.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next message. Pings are answered on the way. Giving up on it loses nothing.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            if let Some((opcode, payload)) = decode(&mut self.buffer) {
                match opcode {
                    0x2 => return Message::Binary(payload),
                    0x8 => return Message::Closed(close_code(&payload)),
                    0x9 => {
                        if self.send_bytes(&encode(0x8a, &payload)).await.is_err() {
                            return Message::Broken;
                        }
                    }
                    0xa => {}
                    other => panic!("the server sent opcode {other}"),
                }
                continue;
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Message::Broken,
                Ok(count) => self.received += count,
            }
        }
    }

    /// How many bytes have arrived since the upgrade.
    pub(crate) const fn received_bytes(&self) -> usize {
        self.received
    }

    /// The next message, within the usual patience.
    pub(crate) async fn expect(&mut self) -> Message {
        Deadline::usual().wait("a message", self.next()).await
    }

    /// Reads on until the connection ends; the code of the close frame if there was one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.next().await {
                Message::Binary(_) => {}
                Message::Closed(code) => return Some(code),
                Message::Broken => return None,
            }
        }
    }

    /// The stream below, for tests of sockets; bytes already read are dropped.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

/// A client frame in the shortest form, masked. `head` is FIN, RSV and opcode.
pub(crate) fn encode(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => bytes.push(0x80 | short),
        (_, Ok(medium)) => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            let long = u64::try_from(payload.len()).expect("it is in memory");
            bytes.push(0xff);
            bytes.extend_from_slice(&long.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Takes one whole frame off the buffer. The server sends neither masks nor fragments.
fn decode(buffer: &mut BytesMut) -> Option<(u8, Bytes)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    assert_eq!(first & 0xf0, 0x80, "a server frame is whole and has no reserved bits");
    assert_eq!(second & 0x80, 0, "a server frame is not masked");
    let (head, length) = match second {
        126 => (4, u64::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let length = usize::try_from(length).expect("it fits in memory");
    if buffer.len() < head + length {
        return None;
    }
    buffer.advance(head);
    Some((first & 0x0f, buffer.split_to(length).freeze()))
}

fn close_code(payload: &Bytes) -> u16 {
    payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))
}

/// The text of an upgrade request.
pub(crate) fn handshake(headers: &[(&str, &str)]) -> String {
    let mut request = String::from(
        "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n",
    );
    for (name, value) in headers {
        request.push_str(name);
        request.push_str(": ");
        request.push_str(value);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}
