//! What can be wrong with bytes from a peer, and what follows from it.
//!
//! Owns the line between a fault that breaks the connection and one that only refuses a request: an
//! error that carries a rid is the latter. It does not render anything; see [`super::Refusal`].

use crate::model::ErrorCode;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A WebSocket message without a frame.
    #[error("a message holds at least one frame")]
    EmptyMessage,
    /// A WebSocket text message.
    #[error("messages are binary")]
    TextMessage,
    /// A WebSocket message above the limit.
    #[error("the message is larger than the limit")]
    MessageTooLarge,
    /// Type 00 or ff.
    #[error("frame type {0:#04x} is never used")]
    ReservedType(u8),
    /// A type below 80 that this version does not know.
    #[error("frame type {0:#04x} is unknown")]
    UnknownType(u8),
    /// A frame that only the other side sends.
    #[error("frame type {0:#04x} comes from the wrong side")]
    WrongSide(u8),
    /// Fewer bytes than a field takes.
    #[error("cut short: {needed} bytes needed, {had} left")]
    Truncated {
        /// How many the field takes.
        needed: usize,
        /// How many are left.
        had: usize,
    },
    /// A varint in a longer form than needed.
    #[error("a varint is not in its shortest form")]
    VarintNotShortest,
    /// A varint above 2^53 - 1.
    #[error("a varint is above 2^53 - 1")]
    VarintTooLarge,
    /// A str that is not UTF-8.
    #[error("a str is not UTF-8")]
    NotUtf8,
    /// A tag that repeats the one before it, or is lower.
    #[error("tag {0} is repeated or out of order")]
    TagOrder(u64),
    /// An even tag that this version does not know.
    #[error("tag {0} is unknown and even")]
    UnknownTag(u64),
    /// An id of 0 where none can be.
    #[error("{0} is 0")]
    Zero(&'static str),
    /// More items than a list may have.
    #[error("the list is longer than {0}")]
    TooMany(usize),
    /// Something else before HELLO.
    #[error("the first frame is HELLO")]
    NotGreeted,
    /// A second HELLO.
    #[error("HELLO comes once")]
    GreetedTwice,
    /// A rid that is still unanswered.
    #[error("rid {0} is still unanswered")]
    DuplicateRid(u64),
    /// A value that breaks a rule of its field.
    #[error("{0} is invalid")]
    Invalid(&'static str),
    /// A tag that only the server sets.
    #[error("tag {0} is set by the server")]
    ServerTag(u64),
    /// An entry kind that clients do not send.
    #[error("entries of kind {0} are made by the server")]
    ServerKind(u64),
    /// An entry kind that nobody knows.
    #[error("entry kind {0} is unknown")]
    UnknownKind(u64),
    /// More items than a tagged value may have.
    #[error("too many {0}")]
    TooLong(&'static str),
    /// A body above the limit.
    #[error("the body is larger than the limit")]
    BodyTooLarge,
}

impl Fault {
    /// The code of the ERROR that answers it.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::EmptyMessage
            | Self::TextMessage
            | Self::ReservedType(_)
            | Self::Truncated { .. }
            | Self::VarintNotShortest
            | Self::VarintTooLarge
            | Self::NotUtf8
            | Self::TagOrder(_)
            | Self::TooMany(_)
            | Self::NotGreeted
            | Self::GreetedTwice
            | Self::DuplicateRid(_) => ErrorCode::Malformed,
            Self::UnknownType(_)
            | Self::WrongSide(_)
            | Self::UnknownTag(_)
            | Self::UnknownKind(_) => ErrorCode::Unsupported,
            Self::Zero(_) | Self::Invalid(_) | Self::ServerTag(_) | Self::ServerKind(_) => {
                ErrorCode::Invalid
            }
            Self::MessageTooLarge | Self::TooLong(_) | Self::BodyTooLarge => ErrorCode::TooLarge,
        }
    }
}

/// A fault, where it lies and whom it concerns. It is one pointer, so that what decodes well is
/// returned in registers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (at byte {})", .0.fault, .0.offset)]
pub struct ProtocolError(Box<Located>);

const _: () = assert!(size_of::<Result<&[u8], ProtocolError>>() == 16, "two registers");

/// What a [`ProtocolError`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Located {
    fault: Fault,
    offset: usize,
    rid: Option<u64>,
}

impl ProtocolError {
    /// A fault that closes the connection.
    #[cold]
    pub fn closing(fault: Fault, offset: usize) -> Self {
        Self(Box::new(Located { fault, offset, rid: None }))
    }

    /// A fault that refuses one request.
    #[cold]
    pub fn refusing(rid: u64, fault: Fault, offset: usize) -> Self {
        Self(Box::new(Located { fault, offset, rid: Some(rid) }))
    }

    /// What is wrong.
    pub const fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Where: bytes from the start of the message.
    pub const fn offset(&self) -> usize {
        self.0.offset
    }

    /// The request that alone is refused for it; `None` closes the connection.
    pub const fn rid(&self) -> Option<u64> {
        self.0.rid
    }

    /// The code of the ERROR that answers it: where it closes, a bad value is as malformed as a bad
    /// layout.
    pub const fn code(&self) -> ErrorCode {
        match (self.rid(), self.fault().code()) {
            (None, ErrorCode::Invalid) => ErrorCode::Malformed,
            (_, code) => code,
        }
    }

    /// Whether the connection closes (4501).
    pub const fn closes(&self) -> bool {
        self.rid().is_none()
    }

    /// The same fault, refusing one request instead of closing.
    #[must_use]
    pub(crate) fn for_rid(mut self, rid: u64) -> Self {
        self.0.rid = Some(rid);
        self
    }

    /// The same fault, lying no earlier than `offset`.
    #[must_use]
    pub(crate) fn no_earlier_than(mut self, offset: usize) -> Self {
        self.0.offset = self.0.offset.max(offset);
        self
    }
}
