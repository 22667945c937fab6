//! The suite of conformance cases on a real server.

use super::Scylla;
use super::ground::Keyspace;
use crate::store::conformance::{Harness, conformance};

/// A store in a keyspace of its own.
struct Fixture {
    store: Scylla,
    keyspace: Keyspace,
}

impl Fixture {
    async fn open(keyspace: Keyspace) -> Self {
        let store = Scylla::open(&keyspace.options).await.expect("opens");
        Self { store, keyspace }
    }
}

impl Harness for Fixture {
    type Store = Scylla;

    async fn create() -> Self {
        Self::open(Keyspace::clean().await).await
    }

    fn store(&self) -> &Scylla {
        &self.store
    }

    async fn reopen(self) -> Self {
        let Self { store, keyspace } = self;
        drop(store);
        Self::open(keyspace).await
    }
}

conformance! {
    #[ignore = "needs a CQL server: make cql"]
    Fixture
}
