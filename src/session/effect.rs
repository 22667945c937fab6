//! What a session wants done, and how it says so.
//!
//! A session says what it wants done to whatever does it, one effect at a time, in the order in which
//! they are to happen: nothing is gathered on the way, and a frame is encoded where it is wanted.

use crate::model::{Actor, Command, CommandError, Epoch, ErrorCode, Secret};
use crate::protocol::constants::error_flag;
use crate::protocol::{CloseCode, ProtocolError, Refusal, ServerFrame};

/// Does what a session wants done.
pub trait Effects {
    /// Find out who presents this access token; the answer goes to `handle_grant`.
    fn authenticate(&mut self, token: Secret);

    /// Execute a command as the session's actor.
    ///
    /// `rid` goes back with the outcome to `handle_outcome`; 0: nobody waits for it. `resumes` is how
    /// often this connection has resumed. The owner of a conversation remembers it with what it refused,
    /// and refuses what was queued before the client knew.
    fn execute(&mut self, rid: u64, command: Command, resumes: u32);

    /// Write exactly one frame, which `encode` appends.
    fn write(&mut self, encode: impl FnOnce(&mut Vec<u8>));

    /// Write what was to be written, then close. Nothing follows.
    fn close(&mut self, code: CloseCode);
}

/// One effect, for whoever would rather look at them later.
#[derive(Debug)]
pub enum Effect {
    /// See [`Effects::authenticate`].
    Authenticate {
        /// The access token.
        token: Secret,
    },
    /// See [`Effects::execute`].
    Execute {
        /// Goes back with the outcome.
        rid: u64,
        /// What to do.
        command: Command,
        /// How often this connection has resumed.
        resumes: u32,
    },
    /// Write this frame.
    Write(Vec<u8>),
    /// Close.
    Close(CloseCode),
}

impl Effects for Vec<Effect> {
    fn authenticate(&mut self, token: Secret) {
        self.push(Effect::Authenticate { token });
    }

    fn execute(&mut self, rid: u64, command: Command, resumes: u32) {
        self.push(Effect::Execute { rid, command, resumes });
    }

    fn write(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        encode(&mut frame);
        self.push(Effect::Write(frame));
    }

    fn close(&mut self, code: CloseCode) {
        self.push(Effect::Close(code));
    }
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
            Self::Unavailable => CloseCode::Overloaded,
        }
    }

    pub(super) const fn refusal(self) -> (ErrorCode, &'static str) {
        match self {
            Self::Unauthenticated => (ErrorCode::Unauthenticated, "the token is not valid"),
            Self::Expired => (ErrorCode::Expired, "the token has expired"),
            Self::Revoked => (ErrorCode::Unauthenticated, "the device was signed out"),
            Self::Disabled => (ErrorCode::Forbidden, "the account is disabled"),
            Self::Unavailable => (ErrorCode::Unavailable, "the token cannot be checked now"),
        }
    }
}

/// The closest reading of what a command says; a revoked device needs the variant.
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

/// What a session says in a few words of its own.
pub(super) trait Says: Effects {
    /// Writes a frame.
    fn send(&mut self, frame: &ServerFrame<'_>) {
        self.write(|out| frame.encode(out));
    }

    /// Refuses one request, as the core would.
    fn refuse(&mut self, rid: u64, error: &CommandError) {
        self.send(&ServerFrame::Error(Refusal::of_command(rid, error)));
    }

    /// Refuses one request for what it sent.
    fn refuse_for(&mut self, error: &ProtocolError) {
        let text = error.fault().to_string();
        self.send(&ServerFrame::Error(Refusal::of_protocol(error, &text)));
    }

    /// Closes for a breach of the protocol.
    fn violation(&mut self, error: &ProtocolError) {
        let text = error.to_string();
        self.send(&ServerFrame::Error(Refusal::of_protocol(error, &text)));
        self.close(CloseCode::Protocol);
    }

    /// Says why and closes.
    fn refuse_connection(&mut self, (code, text): (ErrorCode, &str), close: CloseCode) {
        let retry = if close.reconnects() { error_flag::RETRY } else { 0 };
        self.send(&ServerFrame::Error(Refusal {
            rid: 0,
            code: code.number(),
            flags: u8::try_from(retry).unwrap_or_default(),
            retry_ms: 0,
            text,
        }));
        self.close(close);
    }

    /// Closes, saying why where somebody may still read it.
    fn say_why_and_close(&mut self, close: CloseCode) {
        let code = match close {
            // Announced by GOAWAY.
            CloseCode::Restart
            // Nobody is reading.
            | CloseCode::SlowConsumer
            | CloseCode::Silent => return self.close(close),
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

impl<E: Effects> Says for E {}
