//! The embedded backend under the conformance suite.

use super::*;
use crate::store::conformance::{Harness, conformance};
use std::path::PathBuf;
use tempfile::TempDir;

/// A store in a folder of its own, which any failed write ends.
struct Fixture {
    store: Embedded,
    folder: TempDir,
}

fn options(path: impl Into<PathBuf>) -> Options {
    Options { reserve_bytes: 0, ..Options::new(path) }
}

fn open(options: &Options) -> Embedded {
    let hooks = Hooks::new(options, |failure| panic!("{failure}"));
    Embedded::open(options, hooks).expect("opens")
}

impl Harness for Fixture {
    type Store = Embedded;

    async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { store: open(&options(folder.path())), folder }
    }

    fn store(&self) -> &Embedded {
        &self.store
    }

    async fn reopen(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self { store: open(&options(folder.path())), folder }
    }
}

conformance!(Fixture);
