//! The store of a cluster: ScyllaDB, or Apache Cassandra 5.
//!
//! It knows no rule of the messenger, and nothing of the driver leaves this folder. `schema.cql` says
//! what each table holds and answers; `docs/storage.md` describes the guarantees and operations.
//!
//! - A log is a chain of buckets; only its last can be appended to (`roll`, `append`, `read`).
//! - Statements go through the one connected database (`database`), by name (`statements`).
//! - What a failure proves is decided in one place (`outcome`).
//! - What is changed in more than one partition is written in an order in which a crash between any
//!   two statements does no harm (`claims`, `effects`).
//! - What is the highest value ever written needs no condition (`registers`).

mod append;
mod buckets;
mod claims;
#[cfg(test)]
mod conformance;
mod conversations;
mod copy;
#[cfg(test)]
mod costs;
mod cursors;
mod database;
mod directory;
mod effects;
mod erase;
#[cfg(test)]
pub(crate) mod ground;
mod head;
#[cfg(test)]
mod killed;
mod memberships;
mod meta;
mod operations;
mod outcome;
mod pending;
#[cfg(test)]
pub(crate) mod proxy;
mod read;
mod registers;
mod roll;
mod row;
pub mod schema;
#[cfg(test)]
#[cfg(feature = "cql-tls")]
mod secure;
mod statements;
mod tails;

pub use database::{ConnectError, Stats};
pub use roll::Caps;

use super::StoreError;
use super::copy::Purpose;
use crate::model::Epoch;
use crate::telemetry::Page;
use database::Database;
use meta::Numbers;
use schema::{Unfit, VersionError};
use scylla::errors::PrepareError;
use statements::Statements;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tails::Tails;

/// How long to wait before a database that is not there is tried again: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// The settings of a store in a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the database is found, `host:port` each; the other nodes are learnt from these.
    pub contact_points: Vec<String>,
    /// The keyspace; empty for none, which is enough to make one.
    pub keyspace: String,
    /// Who logs in; empty for nobody.
    pub user: String,
    /// Their password.
    pub password: String,
    /// The data centre whose nodes are used; `None` for all of them, where there is but one.
    pub datacenter: Option<String>,
    /// How long a statement may take. More than the server's own limits (5 s for a read, 2 s for a write
    /// and for each phase of a condition unless it is set up otherwise), so that its answer is heard; less
    /// than what callers wait for (30 s).
    pub timeout: Duration,
    /// When a log goes on in a new bucket.
    pub caps: Caps,
    /// What connections are encrypted with, if they are.
    #[cfg(feature = "cql-tls")]
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// What the store is opened for.
    pub purpose: Purpose,
}

impl Options {
    /// The defaults for a keyspace behind one contact point.
    pub fn new(contact_point: impl Into<String>, keyspace: impl Into<String>) -> Self {
        Self {
            contact_points: vec![contact_point.into()],
            keyspace: keyspace.into(),
            user: String::new(),
            password: String::new(),
            datacenter: None,
            timeout: Duration::from_secs(8),
            caps: Caps::default(),
            #[cfg(feature = "cql-tls")]
            tls: None,
            purpose: Purpose::Use,
        }
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be connected to.
    #[error("the database is not there")]
    Connect(#[source] ConnectError),
    /// The keyspace does not have the version of the schema that is needed.
    #[error(transparent)]
    Schema(#[from] Unfit),
    /// The version of the schema is not known.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The database does not take a statement over the tables.
    #[error("a statement is refused")]
    Prepare(#[from] Box<PrepareError>),
    /// What is stored about the store itself cannot be read.
    #[error("the store's epoch and the number of its restores cannot be read")]
    Numbers(#[from] StoreError),
    /// There is no store in the keyspace that is to be copied.
    #[error("there is no store in the keyspace")]
    Absent,
    /// The keyspace that is to become a copy holds a store, finished or begun as a copy of another.
    #[error("the keyspace holds a store already: a copy is made in one that is empty")]
    Occupied,
    /// The keyspace holds a part of a copy.
    #[error("the keyspace holds an unfinished copy: `chasqui store copy` goes on with it")]
    Unfinished,
}

impl OpenError {
    /// Whether it may open later, though nobody does anything but start the database.
    fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Version(_) | Self::Prepare(_) => true,
            Self::Numbers(error) => !matches!(error, StoreError::Corrupt { .. }),
            Self::Schema(_) | Self::Absent | Self::Occupied | Self::Unfinished => false,
        }
    }
}

/// An open store. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Scylla {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    statements: Statements,
    numbers: Numbers,
    caps: Caps,
    tails: Tails,
}

/// How many statements one operation has under way at once, where it needs many.
const STATEMENTS_MAX: usize = 32;

/// The most statements of one partition that are sent together: 10 KiB of usual rows.
const TOGETHER_MAX: usize = 100;

impl Scylla {
    /// Opens a store, which fails if the database is not there or does not have the schema.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let database = match Database::connect(options).await {
            Ok(database) => database,
            Err(ConnectError::NoKeyspace) => {
                return Err(Unfit::NoKeyspace { keyspace: options.keyspace.clone() }.into());
            }
            Err(error) => return Err(OpenError::Connect(error)),
        };
        schema::in_use(&database, &options.keyspace).await?.check()?;
        let statements = Statements::prepare(&database).await.map_err(Box::new)?;
        let numbers = Numbers::load(&database, &statements, options.purpose).await?;
        let (caps, tails) = (options.caps, Tails::default());
        Ok(Self { inner: Arc::new(Inner { database, statements, numbers, caps, tails }) })
    }

    /// Runs an operation to its end, even if nobody waits for it.
    async fn run<T, O>(&self, operation: impl FnOnce(Arc<Inner>) -> O) -> Result<T, StoreError>
    where
        O: Future<Output = Result<T, StoreError>> + Send + 'static,
        T: Send + 'static,
    {
        self.inner.database.enter(operation(Arc::clone(&self.inner))).await
    }

    /// Opens a store as soon as the database is there, and tells each time why it is not yet. Fails
    /// only for what waiting does not mend.
    pub async fn open_when_there(
        options: &Options,
        mut waiting: impl FnMut(&dyn Error),
    ) -> Result<Self, OpenError> {
        let mut pause = PAUSE_MIN;
        loop {
            // Boxed, since it is large and waited for the longest time.
            match Box::pin(Self::open(options)).await {
                Ok(store) => return Ok(store),
                Err(error) if error.may_pass() => waiting(&error),
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Begins no more operations, waits for those under way and logs what was sent.
    pub async fn close(&self) {
        self.inner.database.close().await;
        let Stats { reads, serial_reads, writes, conditionals, failed, unknown } = self.stats();
        tracing::info!(reads, serial_reads, writes, conditionals, failed, unknown, "store closed");
    }

    /// Gives the store another epoch and counts a restore, for whoever opens it from now on. Whatever became
    /// of it after [`StoreError::Unknown`], it may be done again.
    pub async fn begin_life(&self) -> Result<Epoch, StoreError> {
        self.run(async |inner| inner.begin_life().await).await
    }

    /// What has been sent since the store was opened.
    pub fn stats(&self) -> Stats {
        self.inner.database.stats()
    }

    /// Puts what has been sent since the store was opened, and how long the answers took, on a page.
    pub fn put_figures(&self, page: &mut Page) {
        self.inner.database.put_figures(page);
    }
}

#[cfg(test)]
mod tests;
