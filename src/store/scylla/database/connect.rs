//! Connecting: how the driver's session is set up.

use super::kind::{Kind, Profiles};
use crate::store::scylla::Options;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, NewSessionError, RequestAttemptError, UseKeyspaceError};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How often an idle connection is tried, and how long its answer may take. A node that froze is
/// found out within the sum of both.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5));
/// How often agreement on the schema is asked for while it is being changed.
const AGREEMENT_INTERVAL: Duration = Duration::from_millis(50);

/// Why the database cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The driver does not reach it, or is refused.
    #[error(transparent)]
    Session(Box<NewSessionError>),
    /// It is there, the keyspace is not.
    #[error("the keyspace does not exist")]
    NoKeyspace,
    /// The thread for it cannot be had.
    #[error("no thread for the database")]
    Thread(#[source] std::io::Error),
    /// The attempt broke off.
    #[error("the attempt broke off")]
    Ended(#[source] JoinError),
}

impl From<NewSessionError> for ConnectError {
    fn from(error: NewSessionError) -> Self {
        let absent = matches!(
            error,
            NewSessionError::UseKeyspaceError(UseKeyspaceError::RequestError(
                RequestAttemptError::DbError(DbError::Invalid, _)
            ))
        );
        if absent { Self::NoKeyspace } else { Self::Session(Box::new(error)) }
    }
}

/// The thread of a session: apart from the shards, whose loops it would hold up. What is left to do
/// when it is dropped is dropped too; nobody waits for it, so that any thread may drop it.
pub(super) struct Thread {
    handle: Handle,
    /// Taken only when this is dropped.
    runtime: Option<Runtime>,
}

impl Thread {
    pub(super) fn new() -> Result<Self, ConnectError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cql")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs something on it.
    pub(super) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.handle.spawn(future)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(super) fn builder(options: &Options, profiles: &Profiles) -> SessionBuilder {
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.contact_points)
        .default_execution_profile_handle(profiles.of(Kind::Write))
        .connection_timeout(CONNECT_MAX)
        .keepalive_interval(KEEPALIVE.0)
        .keepalive_timeout(KEEPALIVE.1)
        .schema_agreement_interval(AGREEMENT_INTERVAL)
        // Routing needs the keyspace's replication and the partitioners of its tables, no more.
        .fetch_full_schema_metadata(false)
        .driver_config_reporting(false);
    if !options.keyspace.is_empty() {
        builder = builder
            .use_keyspace(&options.keyspace, false)
            .keyspaces_to_fetch([options.keyspace.clone()]);
    }
    if !options.user.is_empty() {
        builder = builder.user(&options.user, &options.password);
    }
    #[cfg(feature = "cql-tls")]
    {
        builder = builder.tls_context(options.tls.clone());
    }
    builder
}
