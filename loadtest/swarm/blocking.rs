//! A client of one connection that waits for what it wants: for scenarios that follow one client.

use crate::Failure;
use crate::client::websocket;
use chasqui::model::Epoch;
use chasqui::protocol::constants::SUBPROTOCOL;
use chasqui::protocol::{ClientFrame, Hello, ServerFrame, frames};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes received so far, WebSocket and HTTP heads included.
    pub received: usize,
    /// Bytes sent so far, likewise.
    pub sent: usize,
}

/// A HELLO that asks to be left in peace.
pub(crate) fn hello(token: &str, epoch: Option<Epoch>) -> ClientFrame<'_> {
    ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 0,
        token,
        client: None,
        ping_seconds: Some(crate::scenario::QUIET_PING_SECONDS),
        epoch,
    })
}

impl Link {
    /// Connects and upgrades.
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut link = Self { stream, buffer: Vec::new(), received: 0, sent: 0 };
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        link.write(request.as_bytes())?;
        let head = loop {
            if let Some(end) = link.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break link.buffer.drain(..end + 4).collect::<Vec<u8>>();
            }
            link.fill()?;
        };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(String::from_utf8_lossy(&head).into_owned().into());
        }
        Ok(link)
    }

    /// Sends frames as one message.
    pub(crate) fn send(&mut self, frames: &[ClientFrame<'_>]) -> Result<(), Failure> {
        let mut payload = Vec::new();
        for frame in frames {
            frame.encode(&mut payload);
        }
        self.send_encoded(&payload)
    }

    /// Sends encoded frames as one message.
    pub(crate) fn send_encoded(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let mut message = Vec::new();
        websocket::write(payload, &mut message);
        self.write(&message)
    }

    /// Waits for bytes and hands out the frames of the messages that are complete.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(ServerFrame<'_>)) -> Result<(), Failure> {
        self.fill()?;
        let mut used = 0;
        while let Some(message) = websocket::message_at(&self.buffer, used) {
            let payload = self.buffer.get(message.start..message.end).unwrap_or_default();
            match message.opcode {
                websocket::BINARY => {
                    for frame in frames(payload) {
                        match ServerFrame::decode(&frame?)? {
                            Some(ServerFrame::Error(refusal)) => {
                                return Err(format!("refused: {}", refusal.text).into());
                            }
                            Some(frame) => take(frame),
                            None => {}
                        }
                    }
                }
                websocket::CLOSE => return Err(format!("closed: {payload:02x?}").into()),
                _ => {}
            }
            used = message.end;
        }
        self.buffer.drain(..used);
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Failure> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        self.received += count;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes)?;
        self.sent += bytes.len();
        Ok(())
    }
}
