//! Why a store refused.

/// A refusal of the store. All but [`StoreError::Unknown`] surely changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It does not answer now; the same call may succeed later.
    #[error("the store is unavailable")]
    Unavailable,
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
