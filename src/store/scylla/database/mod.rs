//! The connection to the database: every statement goes through here.
//!
//! Owns the driver's session and the thread it lives on. How a statement is sent follows from its
//! [`Kind`] alone; what came of it is counted here and said in the store's own terms
//! ([`outcome`]).
//!
//! What sends has to run on the database's own thread, so an operation of the store is one future
//! that is handed to [`Database::enter`]. It goes on when its caller stops waiting.

mod connect;
#[cfg(test)]
mod fuse;
mod kind;
mod stats;

pub use connect::ConnectError;
pub(super) use kind::Kind;
pub use stats::Stats;

use super::Options;
use super::outcome::{self, Answer};
use crate::clock::Stopwatch;
use crate::store::StoreError;
use crate::telemetry::Page;
use connect::Thread;
use kind::Profiles;
use scylla::client::session::Session;
use scylla::errors::{ExecutionError, PrepareError};
use scylla::response::query_result::{QueryResult, QueryRowsResult};
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::batch::BatchValues;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;
use stats::Counters;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, TryAcquireError};

/// How many operations may be under way; what comes while there are so many is refused. A server that
/// decides 4,000 conditions a second has then a second's work before it.
pub(super) const OPERATIONS_MAX: usize = 4096;

/// How long something waits that is refused for that.
const FULL_WAIT: Duration = Duration::from_secs(1);

/// How long a change of the schema may take, for which nodes write files.
const SCHEMA_CHANGE_MAX: Duration = Duration::from_mins(1);

/// A connected database. Clones are handles to the same one; with the last of them it is closed.
#[derive(Clone)]
pub(super) struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    session: Session,
    profiles: Profiles,
    counters: Counters,
    #[cfg(test)]
    fuse: fuse::Fuse,
    /// A permit for each operation under way; closed with the database.
    operations: Arc<Semaphore>,
    /// The one writer of the counters.
    thread: Thread,
}

/// A prepared statement and how it is sent.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    kind: Kind,
    prepared: PreparedStatement,
}

#[cfg(test)]
impl Statement {
    /// The same statement with at most this many rows a page.
    pub(super) fn with_page_rows(&self, rows: i32) -> Self {
        let mut statement = self.clone();
        statement.prepared.set_page_size(rows);
        statement
    }
}

impl Database {
    /// Connects to the contact points of the options, and through them to all nodes of the local
    /// data centre. Tries once; a node that is missing does no harm as long as one answers.
    pub(super) async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let thread = Thread::new()?;
        let profiles = Profiles::new(options);
        let builder = connect::builder(options, &profiles);
        let connecting = thread.spawn(async move { builder.build().await });
        let session = match connecting.await {
            Ok(connected) => connected?,
            Err(ended) => return Err(ConnectError::Ended(ended)),
        };
        let counters = Counters::default();
        let operations = Arc::new(Semaphore::new(OPERATIONS_MAX));
        Ok(Self {
            inner: Arc::new(Inner {
                session,
                profiles,
                counters,
                #[cfg(test)]
                fuse: fuse::Fuse::default(),
                operations,
                thread,
            }),
        })
    }

    /// Runs an operation on the database's own thread, to its end even if nobody waits for it.
    pub(super) async fn enter<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.inner.operations).try_acquire_owned();
        let permit = permit.map_err(|error| match error {
            TryAcquireError::NoPermits => StoreError::Behind { wait: FULL_WAIT },
            TryAcquireError::Closed => StoreError::Unavailable,
        })?;
        let done = self.inner.thread.spawn(async move {
            let outcome = operation.await;
            drop(permit);
            outcome
        });
        let done = done.await;
        // It panicked or the process ends: how far it came is not known.
        done.unwrap_or_else(|ended| {
            tracing::error!(%ended, "an operation of the store broke off");
            Err(StoreError::Unknown)
        })
    }

    /// Begins no more operations and waits for those under way.
    pub(super) async fn close(&self) {
        let all = u32::try_from(OPERATIONS_MAX).unwrap_or(u32::MAX);
        // Fails only where it was closed before.
        drop(self.inner.operations.acquire_many(all).await);
        self.inner.operations.close();
    }

    /// Prepares a statement.
    pub(super) async fn prepare(&self, kind: Kind, cql: &str) -> Result<Statement, PrepareError> {
        let mut prepared = self.inner.session.prepare(cql).await?;
        prepared.set_is_idempotent(kind.is_idempotent());
        prepared.set_execution_profile_handle(Some(self.inner.profiles.of(kind)));
        Ok(Statement { kind, prepared })
    }

    /// Sends a statement that is not prepared and changes the schema, and waits until all nodes agree
    /// on it, also if it found nothing to change.
    pub(super) async fn execute(&self, cql: &str) -> Result<(), ExecutionError> {
        let mut statement = scylla::statement::Statement::new(cql);
        statement.set_request_timeout(Some(SCHEMA_CHANGE_MAX));
        self.inner.session.query_unpaged(statement, ()).await?;
        self.inner.session.await_schema_agreement().await?;
        Ok(())
    }

    /// Reads rows, all of them in one answer.
    pub(super) async fn read(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<QueryRowsResult, StoreError> {
        let Statement { kind, prepared } = statement;
        let sent = self.inner.session.execute_unpaged(prepared, values);
        let answer = self.inner.counted(*kind, sent).await.map_err(|e| outcome::unread(&e))?;
        outcome::rows(answer)
    }

    /// Reads rows page by page and gives each page to `take`, until it breaks off or there are no
    /// more.
    pub(super) async fn pages<F>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
        mut take: F,
    ) -> Result<(), StoreError>
    where
        F: FnMut(QueryRowsResult) -> Result<ControlFlow<()>, StoreError>,
    {
        let Statement { kind, prepared } = statement;
        let mut state = PagingState::start();
        loop {
            let sent = self.inner.session.execute_single_page(prepared, &values, state);
            let page = self.inner.counted(*kind, sent).await;
            let (page, more) = page.map_err(|error| outcome::unread(&error))?;
            if take(outcome::rows(page)?)?.is_break() {
                return Ok(());
            }
            match more {
                PagingStateResponse::HasMorePages { state: next } => state = next,
                PagingStateResponse::NoMorePages => return Ok(()),
            }
        }
    }

    /// Sends a change without a condition, again to another node if need be.
    pub(super) async fn change(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<(), StoreError> {
        let Statement { kind, prepared } = statement;
        let sent = self.inner.session.execute_unpaged(prepared, values);
        let answer = self.inner.counted(*kind, sent).await;
        answer.map(drop).map_err(|error| self.inner.failed_change(*kind, &error))
    }

    /// Sends a conditional statement, once.
    pub(super) async fn once(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
    ) -> Result<Answer, StoreError> {
        let Statement { kind, prepared } = statement;
        let sent = self.inner.session.execute_unpaged(prepared, values);
        self.inner.answer(self.inner.counted(*kind, sent).await)
    }

    /// Sends changes without conditions in one partition, all or none of which are made.
    pub(super) async fn change_all(
        &self,
        statements: impl IntoIterator<Item = &Statement>,
        values: impl BatchValues,
    ) -> Result<(), StoreError> {
        let batch = self.inner.together(Kind::Write, statements);
        let answer =
            self.inner.counted(Kind::Write, self.inner.session.batch(&batch, values)).await;
        answer.map(drop).map_err(|error| self.inner.failed_change(Kind::Write, &error))
    }

    /// Sends a conditional batch, once. All statements concern one partition, and a condition stands
    /// in at least one of them.
    pub(super) async fn batch(
        &self,
        statements: impl IntoIterator<Item = &Statement>,
        values: impl BatchValues,
    ) -> Result<Answer, StoreError> {
        let batch = self.inner.together(Kind::Conditional, statements);
        let sent = self.inner.session.batch(&batch, values);
        self.inner.answer(self.inner.counted(Kind::Conditional, sent).await)
    }

    /// What has been sent since the database was connected.
    pub(super) fn stats(&self) -> Stats {
        self.inner.counters.stats()
    }

    /// Has the process killed, as far as the database can tell, once it has sent so many statements
    /// more.
    #[cfg(test)]
    pub(super) fn kill_after(&self, statements: u64) {
        self.inner.fuse.set(statements);
    }

    /// Puts what has been sent, and how long the answers took, on a page.
    pub(super) fn put_figures(&self, page: &mut Page) {
        self.inner.counters.put(page);
    }
}

impl Inner {
    /// A batch in one partition.
    fn together<'s>(
        &self,
        kind: Kind,
        statements: impl IntoIterator<Item = &'s Statement>,
    ) -> Batch {
        // Cassandra and ScyllaDB pass over LOGGED: a partition's batch is atomic without a log.
        let mut batch = Batch::new(BatchType::Unlogged);
        for statement in statements {
            batch.append_statement(statement.prepared.clone());
        }
        batch.set_is_idempotent(kind.is_idempotent());
        batch.set_execution_profile_handle(Some(self.profiles.of(kind)));
        batch
    }

    /// Counts a statement and how long its answer took.
    async fn counted<T>(
        &self,
        kind: Kind,
        sent: impl Future<Output = Result<T, ExecutionError>>,
    ) -> Result<T, ExecutionError> {
        #[cfg(test)]
        if self.fuse.is_blown() {
            return Err(ExecutionError::EmptyPlan);
        }
        let since = Stopwatch::start();
        let answer = sent.await;
        self.counters.count(kind, answer.is_ok(), since.elapsed());
        answer
    }

    fn answer(&self, answer: Result<QueryResult, ExecutionError>) -> Result<Answer, StoreError> {
        let answer = answer.map_err(|error| self.failed_change(Kind::Conditional, &error))?;
        // It was made, or not: what cannot be read does not tell.
        Answer::try_from(answer).inspect_err(|_| self.counters.count_unknown())
    }

    fn failed_change(&self, kind: Kind, error: &ExecutionError) -> StoreError {
        let error = outcome::unmade(kind, error);
        if error == StoreError::Unknown {
            self.counters.count_unknown();
        }
        error
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
