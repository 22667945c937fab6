//! The store of a cluster: ScyllaDB, or Apache Cassandra 5.
//!
//! It knows no rule of the messenger, and nothing of the driver leaves this folder. `schema.cql` says
//! what each table holds and answers; `docs/storage.md` describes the guarantees and operations.
//!
//! - Statements go through the one connected database (`database`), by name (`statements`).
//! - What a failure proves is decided in one place (`outcome`).

mod database;
#[cfg(test)]
mod ground;
mod outcome;
mod row;
mod schema;
#[cfg_attr(test, expect(dead_code, reason = "what sends them is still to come"))]
mod statements;

pub use database::{ConnectError, Stats};

use crate::telemetry::Page;
use database::Database;
use scylla::errors::PrepareError;
use statements::Statements;
use std::sync::Arc;
use std::time::Duration;

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
    /// How long a statement may take. More than the server's own limits (5 s for a read, 2 s for each
    /// phase of a condition), so that its answer is heard; less than what callers wait for (30 s).
    pub timeout: Duration,
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
        }
    }
}

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be connected to.
    #[error("the database is not there")]
    Connect(#[from] ConnectError),
    /// The keyspace does not have the tables that this version needs.
    #[error("the keyspace does not have the tables: run `chasqui schema apply`")]
    Schema(#[from] Box<PrepareError>),
}

/// An open store. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Scylla {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    database: Database,
    #[cfg_attr(test, expect(dead_code, reason = "what sends them is still to come"))]
    statements: Statements,
}

impl Scylla {
    /// Opens a store, which fails if the database is not there or does not have the tables.
    pub async fn open(options: &Options) -> Result<Self, OpenError> {
        let database = Database::connect(options).await?;
        let statements = Statements::prepare(&database).await.map_err(Box::new)?;
        Ok(Self { inner: Arc::new(Inner { database, statements }) })
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
