//! A WebSocket of the binary protocol, as thin as a client can be.

use crate::Failure;
use chasqui::model::Epoch;
use chasqui::protocol::constants::SUBPROTOCOL;
use chasqui::protocol::{ClientFrame, Frame, Hello, ServerFrame, Welcome, frames};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// The longest ping interval that a server grants, so that idle connections stay idle.
const PING_SECONDS: u64 = 240;

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A HELLO that asks to be left in peace.
pub(crate) fn hello(token: &str, epoch: Option<Epoch>) -> ClientFrame<'_> {
    let ping_seconds = Some(PING_SECONDS);
    ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 0,
        token,
        client: None,
        ping_seconds,
        epoch,
    })
}

impl Link {
    /// Connects and upgrades.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut link = Self { stream, buffer: Vec::new() };
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        link.write(request.as_bytes()).await?;
        let head = loop {
            if let Some(end) = link.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break link.buffer.drain(..end + 4).collect::<Vec<u8>>();
            }
            link.fill().await?;
        };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into_owned().into());
        }
        Ok(link)
    }

    /// Connects, upgrades and greets.
    pub(crate) async fn connect(
        address: SocketAddr,
        token: &str,
    ) -> Result<(Self, Welcome), Failure> {
        let mut link = Self::open(address).await?;
        link.send(&[hello(token, None), ClientFrame::Resume]).await?;
        let mut welcome = None;
        while welcome.is_none() {
            link.receive(|frame| {
                if let ServerFrame::Welcome(got) = frame {
                    welcome = Some(got);
                }
            })
            .await?;
        }
        // Nothing is expected for long: an idle connection keeps no buffer on this side either.
        link.buffer = Vec::new();
        Ok((link, welcome.ok_or("no WELCOME")?))
    }

    /// Sends frames as one message.
    pub(crate) async fn send(&mut self, frames: &[ClientFrame<'_>]) -> Result<(), Failure> {
        let mut payload = Vec::new();
        for frame in frames {
            frame.encode(&mut payload);
        }
        self.send_encoded(&payload).await
    }

    /// Sends encoded frames as one message.
    pub(crate) async fn send_encoded(&mut self, payload: &[u8]) -> Result<(), Failure> {
        // A mask of zeros is a mask, and costs nothing to apply.
        let mut message = vec![0x82];
        if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
            message.push(0x80 | short);
        } else {
            message.push(0xfe);
            message.extend_from_slice(&u16::try_from(payload.len())?.to_be_bytes());
        }
        message.extend_from_slice(&[0; 4]);
        message.extend_from_slice(payload);
        self.write(&message).await
    }

    /// Waits for bytes and hands out the frames of the messages that are complete.
    pub(crate) async fn receive(
        &mut self,
        mut take: impl FnMut(ServerFrame<'_>),
    ) -> Result<(), Failure> {
        self.fill().await?;
        let mut used = 0;
        while let Some((opcode, start, end)) = message_in(&self.buffer, used)? {
            let payload = self.buffer.get(start..end).ok_or("a message is in the buffer")?;
            match opcode {
                0x2 => {
                    for frame in frames(payload) {
                        if let Some(frame) = decode(&frame?)? {
                            take(frame);
                        }
                    }
                }
                0x8 => return Err(format!("closed: {payload:02x?}").into()),
                _ => {}
            }
            used = end;
        }
        self.buffer.drain(..used);
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        loop {
            self.stream.readable().await?;
            match self.take_ready() {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes what has arrived; apart from `fill` so that the chunk lies on the stack, not in every
    /// task.
    fn take_ready(&mut self) -> std::io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.try_read(&mut chunk)?;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count)
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn decode<'a>(frame: &Frame<'a>) -> Result<Option<ServerFrame<'a>>, Failure> {
    match ServerFrame::decode(frame)? {
        Some(ServerFrame::Error(refusal)) => Err(format!("refused: {}", refusal.text).into()),
        other => Ok(other),
    }
}

/// The opcode of the message at `at`, and where its payload begins and ends.
fn message_in(buffer: &[u8], at: usize) -> Result<Option<(u8, usize, usize)>, Failure> {
    let Some([first, second, rest @ ..]) = buffer.get(at..) else { return Ok(None) };
    let (head, length) = match second {
        126 => (4, rest.first_chunk().map(|bytes| u64::from(u16::from_be_bytes(*bytes)))),
        127 => (10, rest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))),
        short => (2, Some(u64::from(*short))),
    };
    let Some(length) = length else { return Ok(None) };
    let start = at + head;
    let end = start + usize::try_from(length)?;
    Ok((end <= buffer.len()).then_some((first & 0x0f, start, end)))
}
