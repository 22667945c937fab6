//! What a session wants done, and how it says so.

use crate::model::{Actor, Command, CommandError, Epoch, ErrorCode, Secret};
use crate::protocol::constants::error_flag;
use crate::protocol::{CloseCode, ProtocolError, Refusal, ServerFrame};
use bytes::Bytes;

/// What the driver is to do, in order.
#[derive(Debug)]
pub enum Effect {
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
    Send(Bytes),
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

/// Where effects go, with the few ways a session makes them.
pub(super) struct Effects<'e>(pub(super) &'e mut Vec<Effect>);

impl Effects<'_> {
    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    pub(super) fn send(&mut self, frame: &ServerFrame<'_>) {
        // All but ERROR texts and WELCOME fit, so that there is one allocation and no growth.
        let mut out = Vec::with_capacity(48);
        frame.encode(&mut out);
        self.send_encoded(out);
    }

    /// Sends one frame that is already bytes.
    pub(super) fn send_encoded(&mut self, frame: Vec<u8>) {
        self.0.push(Effect::Send(frame.into()));
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
        self.push(Effect::Close(CloseCode::Protocol));
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
        self.push(Effect::Close(close));
    }

    /// Closes, saying why where somebody may still read it.
    pub(super) fn close(&mut self, close: CloseCode) {
        let code = match close {
            // Announced by GOAWAY.
            CloseCode::Restart
            // Nobody is reading.
            | CloseCode::SlowConsumer
            | CloseCode::Silent => return self.push(Effect::Close(close)),
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
