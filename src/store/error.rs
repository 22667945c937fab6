//! Why a store refused.

use crate::model::{CommandError, ErrorCode};
use std::time::Duration;

/// A refusal of the store. All but [`StoreError::Unknown`] surely changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer now; the same call may succeed later.
    #[error("the store is unavailable")]
    Unavailable,
    /// It is behind with what it has to store: the same call may succeed once it has caught up.
    #[error("the store is behind")]
    Behind {
        /// How long the call would have waited.
        wait: Duration,
    },
    /// It has less free space than its reserve: writes are refused, reads go on.
    #[error("the store is full")]
    Full,
    /// Whether the change was, or will be, applied is not known.
    #[error("the outcome is unknown")]
    Unknown,
    /// A row did not pass its checks.
    #[error("a stored {what} is corrupt")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
    },
}

/// How a refusal of the store reads to a client.
impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable => Self::retryable(
                ErrorCode::Unavailable,
                "the store does not answer",
                Duration::from_secs(1),
            ),
            StoreError::Behind { wait } => {
                Self::retryable(ErrorCode::Overloaded, "too much is waiting to be stored", wait)
            }
            StoreError::Full => Self::retryable(
                ErrorCode::Unavailable,
                "the store is full: reading goes on, writing is refused",
                Duration::from_secs(30),
            ),
            StoreError::Unknown => Self::outcome_unknown(),
            StoreError::Corrupt { .. } => {
                Self::new(ErrorCode::Internal, "what is stored here is damaged")
            }
        }
    }
}
