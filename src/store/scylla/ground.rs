//! The ground that tests of this store stand on: a real server, whose address is in `CHASQUI_CQL`,
//! and a keyspace for each test. Such tests are ignored but by `make cql`, which starts the server:
//!
//! ```text
//! #[tokio::test]
//! #[ignore = "needs a CQL server: make cql"]
//! ```

use super::database::Database;
use super::{Options, Scylla};
use std::future::Future;
use std::path::PathBuf;

/// Where the server is.
pub(super) fn address() -> String {
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

/// Runs a test in a keyspace of its own, without tables, and removes it afterwards.
pub(super) async fn in_keyspace<F, T>(test: F)
where
    F: FnOnce(Options) -> T,
    T: Future<Output = ()>,
{
    let keyspace = format!("test_{:016x}", getrandom::u64().expect("random bits"));
    let database = Database::connect(&Options::new(address(), "")).await.expect("a server");
    let replication = "{'class': 'NetworkTopologyStrategy', 'replication_factor': 1}";
    let create = format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}");
    database.execute(&create).await.expect("a keyspace");
    Box::pin(test(Options::new(address(), &keyspace))).await;
    database.execute(&format!("DROP KEYSPACE {keyspace}")).await.expect("no keyspace");
}

/// Runs a test over a database with all tables.
pub(super) async fn with_schema<F, T>(test: F)
where
    F: FnOnce(Options) -> T,
    T: Future<Output = ()>,
{
    in_keyspace(async |options| {
        let database = Database::connect(&options).await.expect("a server");
        for statement in super::schema::versions().iter().flat_map(|version| &version.statements) {
            database.execute(statement).await.expect("a table");
        }
        test(options).await;
    })
    .await;
}

/// Runs a test over an open store.
pub(super) async fn with_store<F, T>(test: F)
where
    F: FnOnce(Scylla) -> T,
    T: Future<Output = ()>,
{
    with_schema(async |options| test(Scylla::open(&options).await.expect("a store")).await).await;
}
