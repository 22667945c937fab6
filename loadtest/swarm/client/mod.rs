//! One client of the binary protocol as a state machine: bytes in, bytes out, no socket.
//!
//! Owns what a client without storage keeps (how far it has its conversation's log, its unanswered
//! messages, its SYNC token) and does what `docs/protocol.md` asks of one: floors, the hold and
//! RESUME, catching up by SYNC and FETCH, resending in order. Each has one conversation that counts,
//! and a ledger of what came of it. It deliberately knows no time but the one it is told.
//!
//! ```text
//! Down -> Connecting -> Upgrading -> Greeting -> CatchingUp -> Live
//!   ^___________________________________________________________|   any loss of the connection
//! ```
//!
//! Invariant: at rest it holds no buffer.

mod catching_up;
mod context;
mod outbox;
mod receiving;
pub(crate) mod transport;
pub(crate) mod websocket;

#[cfg(test)]
mod tests;

pub(crate) use context::{Alarm, Context, Kind, Member, Random, Storm, Timers, Traffic};

use catching_up::CatchUp;
use chasqui::model::Epoch;
use chasqui::protocol::constants::{SUBPROTOCOL, capability};
use chasqui::protocol::{ClientFrame, Hello, ProtocolError};
use outbox::Outbox;
use receiving::Log;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// There is none.
    #[default]
    Down,
    /// TCP has been asked for.
    Connecting,
    /// The upgrade has been asked for.
    Upgrading,
    /// HELLO has been written.
    Greeting,
    /// WELCOME has come, and SYNC is not done.
    CatchingUp,
    /// It has everything.
    Live,
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The server refused the upgrade.
    Upgrade(String),
    /// The server closed it, with a code.
    Closed(u16),
    /// It sent what nobody can read.
    Undecodable(String),
}

impl From<ProtocolError> for Broken {
    fn from(error: ProtocolError) -> Self {
        Self::Undecodable(error.to_string())
    }
}

/// One client.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// How far the connection has come.
    pub state: State,
    /// A message that has come in part.
    partial: Vec<u8>,
    /// Frames of the message that is written next.
    frames: Vec<u8>,
    /// Bytes in front of it, heads included.
    bytes: Vec<u8>,
    /// The store's epoch, once told.
    epoch: Option<Epoch>,
    /// The last request's number on this connection.
    rid: u64,
    /// When it is to leave this connection.
    leave_at: Option<u64>,
    catch_up: CatchUp,
    log: Log,
    outbox: Outbox,
}

impl Client {
    /// The connection stands: asks for the upgrade.
    pub(crate) fn connected(&mut self, host: &str) {
        self.state = State::Upgrading;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\
             Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        );
        self.bytes.extend_from_slice(request.as_bytes());
    }

    /// The connection is gone: what is unanswered is in doubt, the rest is kept.
    pub(crate) fn disconnected(&mut self, ctx: &mut Context<'_>) {
        self.state = State::Down;
        (self.partial, self.frames, self.bytes) = (Vec::new(), Vec::new(), Vec::new());
        (self.rid, self.leave_at) = (0, None);
        self.catch_up.forget_requests();
        self.log.forget_early();
        self.outbox.disconnected(ctx);
    }

    /// Takes bytes in. Whatever is to be written in answer is in [`Client::output`] afterwards.
    pub(crate) fn receive(&mut self, bytes: &[u8], ctx: &mut Context<'_>) -> Result<(), Broken> {
        if self.partial.is_empty() {
            let used = self.take_all(bytes, ctx)?;
            self.partial.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.partial);
        buffer.extend_from_slice(bytes);
        let used = self.take_all(&buffer, ctx)?;
        if used < buffer.len() {
            buffer.drain(..used);
            self.partial = buffer;
        }
        Ok(())
    }

    /// Takes the whole messages at the front; how many bytes they were.
    fn take_all(&mut self, buffer: &[u8], ctx: &mut Context<'_>) -> Result<usize, Broken> {
        let mut used = 0;
        if self.state == State::Upgrading {
            let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(0);
            };
            used = end + 4;
            self.upgraded(buffer.get(..used).unwrap_or_default(), ctx)?;
        }
        while let Some(message) = websocket::message_at(buffer, used) {
            let payload = buffer.get(message.start..message.end).unwrap_or_default();
            match message.opcode {
                websocket::BINARY => self.take_message(payload, ctx)?,
                websocket::CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |two| u16::from_be_bytes(*two));
                    return Err(Broken::Closed(code));
                }
                _ => {}
            }
            used = message.end;
        }
        self.pump(ctx);
        Ok(used)
    }

    fn upgraded(&mut self, head: &[u8], ctx: &Context<'_>) -> Result<(), Broken> {
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
            return Err(Broken::Upgrade(String::from_utf8_lossy(line).into_owned()));
        }
        self.state = State::Greeting;
        let hello = ClientFrame::Hello(Hello {
            minor: 0,
            capabilities: capability::EPHEMERAL,
            token: &ctx.member.token,
            client: None,
            ping_seconds: Some(ctx.ping_seconds),
            epoch: self.epoch,
        });
        hello.encode(&mut self.frames);
        if ctx.sync {
            self.start_sync();
        }
        Ok(())
    }

    /// Number of the next request.
    fn next_rid(&mut self) -> u64 {
        self.rid += 1;
        self.rid
    }

    /// Adds a frame to the message that is written next.
    fn write(&mut self, frame: &ClientFrame<'_>) {
        frame.encode(&mut self.frames);
        if self.frames.len() >= websocket::PAYLOAD_BYTES_MAX {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if !self.frames.is_empty() {
            websocket::write(&self.frames, &mut self.bytes);
            self.frames.clear();
        }
    }

    /// Whether there is anything to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.frames.is_empty() || !self.bytes.is_empty()
    }

    /// What is to be written; tell [`Client::written`] how much of it was.
    pub(crate) fn output(&mut self) -> &[u8] {
        self.seal();
        &self.bytes
    }

    /// So many bytes of the output have been written.
    pub(crate) fn written(&mut self, count: usize) {
        if count >= self.bytes.len() {
            (self.frames, self.bytes) = (Vec::new(), Vec::new());
        } else {
            self.bytes.drain(..count);
        }
    }

    /// Asks whether the server is there.
    pub(crate) fn ping(&mut self) {
        self.write(&ClientFrame::Ping { nonce: 1 });
    }

    /// Whether it was told to leave by now.
    pub(crate) fn leaves(&self, now: u64) -> bool {
        self.leave_at.is_some_and(|moment| moment <= now)
    }

    /// Half a frame, as a client writes that dies while writing.
    pub(crate) fn stammer(&mut self) {
        self.seal();
        self.bytes.extend_from_slice(&[0x82, 0x90, 0, 0]);
    }
}
