//! Copying a whole store into another, whichever backends the two have.
//!
//! Both are read and written through [`Store`], so what is copied is what a server would see, with
//! every sequence, time and version as it was; the copy has the epoch of its source, so that clients
//! go on with what they hold. Beside that a source tells what there is ([`Walk`]), and a target
//! remembers how far it has come ([`Target`]).
//!
//! - A *unit* is a conversation with its settings, mark and log, or an account with its devices,
//!   contacts, memberships and cursors. Units are copied page by page, those of a page at the same
//!   time; a page holds a bounded part of each log in memory.
//! - Every write may be repeated. A copy that was broken off, by a kill too, goes on with the page it
//!   was at, and in a log where that ends.
//! - Then both stores are read and compared, unit by unit, by count and hash. A copy is finished once
//!   it was found equal, and a store that is not finished cannot be served.

mod copier;
mod inventory;
mod progress;
#[cfg(test)]
pub(in crate::store) mod tests;
mod units;

pub use inventory::Inventory;
pub use progress::Progress;

use super::{Direction, Range, Store, StoreError};
use crate::clock::Stopwatch;
use crate::model::{ConversationId, Epoch, Sequence, UserId};
use copier::Copier;
use std::fmt;
use std::future::Future;
use std::time::Duration;

/// What of a log is in memory at once, and appended at once.
const PAGE: Range = Range {
    from: Sequence::FIRST,
    to: Sequence::MAX,
    direction: Direction::Ascending,
    entries_max: 64,
    bytes_max: 256 << 10,
};

/// How much time passes between two reports to the log.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// How many small rows are read or written at once.
const ROWS_MAX: usize = 256;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be used; made if it is not there.
    #[default]
    Use,
    /// To be copied; it has to be there.
    Source,
    /// To become the copy of the store with this epoch, or to go on becoming it; there must be no
    /// other store in its place.
    Target(Epoch),
}

/// A store that tells all it holds, in an order of its own: the same one at every time at which
/// nothing is written.
pub trait Walk: Store {
    /// The conversations that come after one, from the first on where that is `None`: at most `limit`,
    /// and none only if there are no more.
    fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<ConversationId>, StoreError>> + Send;

    /// The users whose accounts come after one, as above.
    fn accounts_after(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;
}

/// A store that was opened to become a copy.
pub trait Target: Walk {
    /// How far it has come; `None` where nothing was recorded.
    fn progress(&self) -> impl Future<Output = Result<Option<Progress>, StoreError>> + Send;

    /// Records how far it has come. Durable, as is then everything that was written before.
    fn record_progress(
        &self,
        progress: Progress,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes it a store like any other. Durable.
    fn finish(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What is copied and compared as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A conversation with its settings, mark and log.
    Conversation(ConversationId),
    /// An account with all that is the user's alone.
    Account(UserId),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => write!(f, "conversation {id}"),
            Self::Account(id) => write!(f, "account {id}"),
        }
    }
}

/// Why a store was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A unit cannot be read or written.
    #[error("{unit}")]
    Unit {
        /// Which.
        unit: Unit,
        /// Why.
        source: StoreError,
    },
    /// One of the stores does not do what is asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target holds something else under a unit's id or name.
    #[error("{unit}: the target holds another {what} in its place")]
    Conflict {
        /// Which.
        unit: Unit,
        /// What it holds.
        what: &'static str,
    },
    /// The copy was read back and is not the same.
    #[error("{count} parts of the copy are not what the source holds, among them {named}")]
    Differs {
        /// How many.
        count: usize,
        /// The first of them.
        named: String,
    },
    /// The copy was read back and holds more.
    #[error("the copy holds {0} conversations or accounts that the source does not hold")]
    Surplus(u64),
    /// Somebody writes to the source.
    #[error("the source is in use: its time goes on")]
    InUse,
    /// The work was stopped before it was done.
    #[error("interrupted")]
    Interrupted,
}

/// What was copied.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// What the source and the copy hold.
    pub inventory: Inventory,
    /// How long writing took this time.
    pub copying: Duration,
    /// How long reading both and comparing took.
    pub comparing: Duration,
}

/// Copies a store into another, or goes on with it, and compares the two.
pub async fn copy<S: Walk, T: Target>(source: &S, target: &T) -> Result<Report, CopyError> {
    let copier = Copier::new(source, target).await?;
    let since = Stopwatch::start();
    let mut progress = copier.begin().await?;
    let mut reported = since;
    while let Progress::Through(after) = progress {
        progress = copier.step(after).await?;
        if reported.elapsed() > REPORT_EVERY {
            reported = Stopwatch::start();
            tracing::info!(?progress, "copying");
        }
    }
    let copying = since.elapsed();
    let inventory = copier.compare().await?;
    target.finish().await?;
    Ok(Report { inventory, copying, comparing: since.elapsed().saturating_sub(copying) })
}
