//! What a session wants done, and how it says so.
//!
//! Invariant: the frames of [`Effects`] lie one behind the other in one buffer, which is used again, so
//! that saying something allocates nothing.

use crate::model::{Actor, Command, CommandError, Epoch, ErrorCode, Secret};
use crate::protocol::constants::error_flag;
use crate::protocol::{CloseCode, ProtocolError, Refusal, ServerFrame};
use std::ops::Range;

/// What the driver is to do, in order.
#[derive(Debug)]
pub enum Effect<'e> {
    /// Find out who presents this token; the answer goes to `handle_grant`.
    Authenticate {
        /// The access token.
        token: Secret,
    },
    /// Execute a command as the session's actor.
    Execute {
        /// Goes back with the outcome to `handle_outcome`; 0: nobody waits for it.
        rid: u64,
        /// What to do.
        command: Command,
        /// How often this connection has resumed. The owner of a conversation remembers it with
        /// what it refused, and refuses what was queued before the client knew.
        resumes: u32,
    },
    /// Write this: exactly one frame.
    Send(&'e [u8]),
    /// Write what is queued, then close.
    Close(CloseCode),
}

/// Who was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Who.
    pub actor: Actor,
    /// The sign-in the token belongs to.
    pub family: u64,
    /// The epoch of the store.
    pub epoch: Epoch,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It never was valid.
    #[error("the token is not valid")]
    Unauthenticated,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// Its device was signed out.
    #[error("the device was signed out")]
    Revoked,
    /// Its account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// Its device has too many connections.
    #[error("the device has too many connections")]
    TooManyConnections,
    /// It could not be checked now.
    #[error("the token cannot be checked now")]
    Unavailable,
}

impl GrantError {
    /// How the connection closes.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Unauthenticated => CloseCode::Unauthenticated,
            Self::Expired => CloseCode::TokenExpired,
            Self::Revoked => CloseCode::DeviceRevoked,
            Self::Disabled => CloseCode::Disabled,
            Self::TooManyConnections => CloseCode::TooManyConnections,
            Self::Unavailable => CloseCode::Overloaded,
        }
    }

    pub(super) const fn refusal(self) -> (ErrorCode, &'static str) {
        match self {
            Self::Unauthenticated => (ErrorCode::Unauthenticated, "the token is not valid"),
            Self::Expired => (ErrorCode::Expired, "the token has expired"),
            Self::Revoked => (ErrorCode::Unauthenticated, "the device was signed out"),
            Self::Disabled => (ErrorCode::Forbidden, "the account is disabled"),
            Self::TooManyConnections => {
                (ErrorCode::Overloaded, "the device has too many connections")
            }
            Self::Unavailable => (ErrorCode::Unavailable, "the token cannot be checked now"),
        }
    }
}

/// The closest reading of what a command says; a revoked device and a full one need the variant.
impl From<&CommandError> for GrantError {
    fn from(error: &CommandError) -> Self {
        match error.code {
            ErrorCode::Expired => Self::Expired,
            ErrorCode::Forbidden => Self::Disabled,
            ErrorCode::Unauthenticated
            | ErrorCode::Malformed
            | ErrorCode::Unsupported
            | ErrorCode::NotFound
            | ErrorCode::Invalid
            | ErrorCode::TooLarge => Self::Unauthenticated,
            ErrorCode::Conflict
            | ErrorCode::RateLimited
            | ErrorCode::Overloaded
            | ErrorCode::Unavailable
            | ErrorCode::OutcomeUnknown
            | ErrorCode::Internal
            | ErrorCode::FloorOutOfRange => Self::Unavailable,
        }
    }
}

/// Where a session says what it wants done. Steps append; the driver takes everything out.
#[derive(Debug, Default)]
pub struct Effects {
    said: Vec<Said>,
    /// The frames that are to be written.
    frames: Vec<u8>,
}

/// An effect whose frame lies in the buffer.
#[derive(Debug)]
enum Said {
    Authenticate { token: Secret },
    Execute { rid: u64, command: Command, resumes: u32 },
    Send(Range<usize>),
    Close(CloseCode),
}

impl Effects {
    /// Takes them out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect<'_>> {
        let Self { said, frames } = self;
        said.drain(..).map(|said| match said {
            Said::Authenticate { token } => Effect::Authenticate { token },
            Said::Execute { rid, command, resumes } => Effect::Execute { rid, command, resumes },
            Said::Send(place) => Effect::Send(frames.get(place).unwrap_or_default()),
            Said::Close(code) => Effect::Close(code),
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Gives memory back, but for so many effects and so many bytes of frames.
    pub fn shrink_to(&mut self, effects: usize, frame_bytes: usize) {
        self.said.shrink_to(effects);
        if self.frames.capacity() > frame_bytes && self.is_empty() {
            self.frames = Vec::new();
        }
    }

    pub(super) fn authenticate(&mut self, token: Secret) {
        self.said.push(Said::Authenticate { token });
    }

    pub(super) fn execute(&mut self, rid: u64, command: Command, resumes: u32) {
        self.said.push(Said::Execute { rid, command, resumes });
    }

    pub(super) fn send(&mut self, frame: &ServerFrame<'_>) {
        self.send_encoded(|out| frame.encode(out));
    }

    /// Sends the one frame that `encode` appends.
    pub(super) fn send_encoded(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.said.is_empty() {
            self.frames.clear();
        }
        let start = self.frames.len();
        encode(&mut self.frames);
        self.said.push(Said::Send(start..self.frames.len()));
    }

    /// Refuses one request, as the core would.
    pub(super) fn refuse(&mut self, rid: u64, error: &CommandError) {
        self.send(&ServerFrame::Error(Refusal::of_command(rid, error)));
    }

    /// Refuses one request for what it sent.
    pub(super) fn refuse_for(&mut self, error: &ProtocolError) {
        let text = error.fault.to_string();
        self.send(&ServerFrame::Error(Refusal::of_protocol(error, &text)));
    }

    /// Closes for a breach of the protocol.
    pub(super) fn violation(&mut self, error: &ProtocolError) {
        let text = error.to_string();
        self.send(&ServerFrame::Error(Refusal::of_protocol(error, &text)));
        self.said.push(Said::Close(CloseCode::Protocol));
    }

    /// Says why and closes.
    pub(super) fn refuse_connection(&mut self, (code, text): (ErrorCode, &str), close: CloseCode) {
        let retry = if close.reconnects() { error_flag::RETRY } else { 0 };
        self.send(&ServerFrame::Error(Refusal {
            rid: 0,
            code: code.number(),
            flags: u8::try_from(retry).unwrap_or_default(),
            retry_ms: 0,
            text,
        }));
        self.said.push(Said::Close(close));
    }

    /// Closes, saying why where somebody may still read it.
    pub(super) fn close(&mut self, close: CloseCode) {
        let code = match close {
            // Announced by GOAWAY.
            CloseCode::Restart
            // Nobody is reading.
            | CloseCode::SlowConsumer
            | CloseCode::Silent => return self.said.push(Said::Close(close)),
            CloseCode::Overloaded | CloseCode::TooManyConnections => ErrorCode::Overloaded,
            CloseCode::Internal => ErrorCode::Internal,
            CloseCode::TokenExpired => ErrorCode::Expired,
            CloseCode::Unauthenticated | CloseCode::DeviceRevoked => ErrorCode::Unauthenticated,
            CloseCode::Protocol => ErrorCode::Malformed,
            CloseCode::Version => ErrorCode::Unsupported,
            CloseCode::Disabled => ErrorCode::Forbidden,
        };
        self.refuse_connection((code, close.name()), close);
    }
}
