//! Why a command was refused: one table of codes for frames and REST.

use std::borrow::Cow;
use std::time::Duration;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// The stable code of a refusal. The numbers are the wire's, the names REST's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its number in an ERROR frame.
            pub const fn number(self) -> u64 {
                match self { $(Self::$name => $number,)* }
            }

            /// Its name: the last part of `type` in a problem document.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The code of a number; `None` for one this version does not know.
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// The bytes do not follow the grammar.
    Malformed = 1, "malformed";
    /// The grammar allows it, this version does not do it.
    Unsupported = 2, "unsupported";
    /// No valid credentials.
    Unauthenticated = 3, "unauthenticated";
    /// It does not exist, or is not the caller's to see.
    NotFound = 4, "not-found";
    /// The caller may know it exists, but may not do this.
    Forbidden = 5, "forbidden";
    /// A field's value breaks a rule; the detail names the field.
    Invalid = 6, "invalid";
    /// It contradicts what is stored.
    Conflict = 7, "conflict";
    /// It is larger than a limit.
    TooLarge = 8, "too-large";
    /// The caller asks too often.
    RateLimited = 9, "rate-limited";
    /// The server has too much to do.
    Overloaded = 10, "overloaded";
    /// The store does not answer, or the server restarts.
    Unavailable = 11, "unavailable";
    /// Whether it was applied is not known; sending it again tells.
    OutcomeUnknown = 12, "outcome-unknown";
    /// The token was valid once.
    Expired = 13, "expired";
    /// A fault of the server.
    Internal = 14, "internal";
    /// The floor of a send lies too far back, or beyond the head.
    FloorOutOfRange = 15, "floor-out-of-range";
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a refused command may have taken effect all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Surely not.
    No,
    /// Not known.
    Unknown,
}

/// A refusal, as both doors render it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct CommandError {
    /// The code.
    pub code: ErrorCode,
    /// A sentence for the developer of the client; never anything internal.
    pub detail: Cow<'static, str>,
    /// Whether it may have taken effect.
    pub applied: Applied,
    /// Set where the same command may succeed later: how long to wait first.
    pub retry: Option<Duration>,
}

impl CommandError {
    /// A refusal that surely changed nothing and will not change by asking again.
    pub fn new(code: ErrorCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), applied: Applied::No, retry: None }
    }

    /// A refusal that surely changed nothing and may pass after `retry`.
    pub fn retryable(
        code: ErrorCode,
        detail: impl Into<Cow<'static, str>>,
        retry: Duration,
    ) -> Self {
        Self { code, detail: detail.into(), applied: Applied::No, retry: Some(retry) }
    }

    /// The outcome is not known; sending the same again tells.
    pub fn outcome_unknown() -> Self {
        Self {
            code: ErrorCode::OutcomeUnknown,
            detail: "the store did not say whether it was applied; send it again".into(),
            applied: Applied::Unknown,
            retry: Some(Duration::from_secs(1)),
        }
    }

    /// The server has too much to do.
    pub fn overloaded(detail: &'static str) -> Self {
        Self::retryable(ErrorCode::Overloaded, detail, Duration::from_secs(1))
    }

    /// A client message id names something else already.
    pub fn reused_client_id() -> Self {
        Self::new(ErrorCode::Conflict, "this client id was used for something else")
    }

    /// Something does not exist or is not the caller's to see.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(ErrorCode::NotFound, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for (index, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(code.number(), u64::try_from(index).expect("few") + 1);
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
        }
        assert_eq!(ErrorCode::from_number(0), None);
    }
}
