//! Frames of the native protocol, version 4: as much of them as the proxy needs.
//!
//! ```text
//! version 1 | flags 1 | stream 2 | opcode 1 | length 4 | body
//! ```

use tokio::io::{AsyncRead, AsyncReadExt};

/// Opcodes.
pub(super) const ERROR: u8 = 0x00;
pub(super) const QUERY: u8 = 0x07;
pub(super) const RESULT: u8 = 0x08;
pub(super) const PREPARE: u8 = 0x09;
pub(super) const EXECUTE: u8 = 0x0A;
pub(super) const BATCH: u8 = 0x0D;

const HEADER_BYTES: usize = 9;
const RESPONSE: u8 = 0x84;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    head: [u8; HEADER_BYTES],
    body: Vec<u8>,
}

impl Frame {
    /// Reads the next one; `None` at the end.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut head = [0; HEADER_BYTES];
        stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut body = vec![0; usize::try_from(length).ok()?];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { head, body })
    }

    /// An answer of the server's, for no stream yet.
    pub(super) fn answer(opcode: u8, body: Vec<u8>) -> Self {
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let mut head = [RESPONSE, 0, 0, 0, opcode, 0, 0, 0, 0];
        head[5..].copy_from_slice(&length);
        Self { head, body }
    }

    /// The same for a stream.
    pub(super) fn on(mut self, stream: [u8; 2]) -> Self {
        self.head[2..4].copy_from_slice(&stream);
        self
    }

    pub(super) fn stream(&self) -> [u8; 2] {
        [self.head[2], self.head[3]]
    }

    pub(super) fn opcode(&self) -> u8 {
        self.head[4]
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        [&self.head[..], &self.body].concat()
    }

    /// The text of a QUERY or PREPARE.
    pub(super) fn text(&self) -> Option<String> {
        let length = self.body.first_chunk::<4>().map(|length| u32::from_be_bytes(*length))?;
        let text = self.body.get(4..4 + usize::try_from(length).ok()?)?;
        String::from_utf8(text.to_vec()).ok()
    }

    /// The id of the statement that an EXECUTE or a BATCH sends, of a batch the first.
    pub(super) fn statement(&self) -> Option<&[u8]> {
        let at = match self.opcode() {
            EXECUTE => 0,
            // Type of the batch, number of statements, kind of the first: prepared.
            BATCH if self.body.get(3) == Some(&1) => 4,
            _ => return None,
        };
        short_bytes(self.body.get(at..)?)
    }

    /// The id that a RESULT gives to a prepared statement.
    pub(super) fn prepared(&self) -> Option<&[u8]> {
        const PREPARED: [u8; 4] = [0, 0, 0, 4];
        if self.opcode() != RESULT {
            return None;
        }
        short_bytes(self.behind_warnings()?.strip_prefix(&PREPARED)?)
    }

    /// The body without the warnings that may stand in front.
    fn behind_warnings(&self) -> Option<&[u8]> {
        const HAS_WARNINGS: u8 = 8;
        let mut body = self.body.as_slice();
        if self.head[1] & HAS_WARNINGS != 0 {
            let (count, rest) = body.split_first_chunk::<2>()?;
            body = rest;
            for _ in 0..u16::from_be_bytes(*count) {
                body = body.get(2 + short_bytes(body)?.len()..)?;
            }
        }
        Some(body)
    }
}

fn short_bytes(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
