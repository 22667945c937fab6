//! The ground that tests of this store stand on: a real server, whose address is in `CHASQUI_CQL`,
//! and a keyspace for each test. Such tests are ignored but by `make cql`, which starts the server:
//!
//! ```text
//! #[tokio::test]
//! #[ignore = "needs a CQL server: make cql"]
//! ```

use super::database::Database;
use super::{Options, Scylla, schema};
use std::path::PathBuf;
use std::sync::Mutex;

/// Where the server is.
pub(crate) fn address() -> String {
    told("CHASQUI_CQL")
}

/// Where the server keeps its files: `data/KEYSPACE/TABLE-*/*` under it.
pub(super) fn files() -> PathBuf {
    told("CHASQUI_CQL_FILES").into()
}

#[expect(clippy::disallowed_methods, reason = "no server runs here, so config has no part in it")]
fn told(name: &str) -> String {
    std::env::var(name).expect("tells of a CQL server: scripts/cassandra/with.sh")
}

/// Who signed the certificate of a server that wants connections to be encrypted.
#[cfg(feature = "cql-tls")]
pub(super) fn authority() -> PathBuf {
    files().join("tls/authority.pem")
}

/// The settings for a keyspace there.
pub(super) fn options(keyspace: &str) -> Options {
    Options::new(address(), keyspace)
}

/// Keyspaces with all tables and nothing in them: making one takes the server seconds.
static CLEAN: Mutex<Vec<Options>> = Mutex::new(Vec::new());

/// A keyspace of a test's own. When this is dropped it is emptied for another test, or removed.
pub(super) struct Keyspace {
    /// What opens a store in it.
    pub(super) options: Options,
    is_kept: bool,
}

impl Keyspace {
    /// One without tables.
    async fn empty() -> Self {
        let keyspace = format!("test_{:016x}", getrandom::u64().expect("random bits"));
        // Nothing of it has to survive the server.
        let create = format!(
            "CREATE KEYSPACE {keyspace} WITH durable_writes = false AND replication = \
                {{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}}"
        );
        execute(&options(""), [create]).await;
        Self { options: options(&keyspace), is_kept: false }
    }

    /// One with all tables, whose schema the test may change.
    pub(super) async fn with_schema() -> Self {
        let keyspace = Self::empty().await;
        schema::apply(&keyspace.options, None, None).await.expect("all tables");
        keyspace
    }

    /// One with all tables.
    pub(super) async fn clean() -> Self {
        let clean = CLEAN.lock().expect("not poisoned").pop();
        if let Some(options) = clean {
            return Self { options, is_kept: true };
        }
        let mut keyspace = Self::with_schema().await;
        keyspace.is_kept = true;
        keyspace
    }
}

impl Drop for Keyspace {
    /// A test may end by a panic, on a runtime that must not be blocked on: hence the thread.
    fn drop(&mut self) {
        let (nowhere, is_kept) = (options(""), self.is_kept);
        let options = self.options.clone();
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                if is_kept {
                    execute(&options, schema::tables().map(|table| format!("TRUNCATE {table}")))
                        .await;
                    CLEAN.lock().expect("not poisoned").push(options);
                } else {
                    let remove = format!("DROP KEYSPACE {}", options.keyspace);
                    execute(&nowhere, [remove]).await;
                }
            });
        });
        assert!(cleaning.join().is_ok() || std::thread::panicking(), "the keyspace stays");
    }
}

/// Sends statements that are not prepared.
async fn execute(options: &Options, statements: impl IntoIterator<Item = String>) {
    let database = Database::connect(options).await.expect("a server");
    for statement in statements {
        database.execute(&statement).await.expect(&statement);
    }
}

/// Runs a test in a keyspace of its own, without tables.
pub(super) async fn in_keyspace(test: impl AsyncFnOnce(Options)) {
    let keyspace = Keyspace::empty().await;
    Box::pin(test(keyspace.options.clone())).await;
}

/// Runs a test over a database with all tables.
pub(crate) async fn with_schema(test: impl AsyncFnOnce(Options)) {
    let keyspace = Keyspace::clean().await;
    Box::pin(test(keyspace.options.clone())).await;
}

/// Runs a test over an open store.
pub(super) async fn with_store(test: impl AsyncFnOnce(Scylla)) {
    with_schema(async |options| test(Scylla::open(&options).await.expect("a store")).await).await;
}
