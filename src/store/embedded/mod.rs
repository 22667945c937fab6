//! The store of a single server: fjall in the data folder, one thread that writes.
//!
//! Owns the data folder while it is open. It knows no rule of the messenger, and nothing of fjall
//! leaves this folder. `docs/storage.md` describes the layout, the guarantees and the settings.
//!
//! - A change goes through the bounded queue to the commit thread, which alone writes (`commit`).
//! - A read runs on the blocking threads of the runtime it is called in, behind a semaphore; it
//!   sees the state between two commits.
//! - The files beside this one implement the traits: `directory`, `log`, `cursors`. Each has the
//!   changes it makes as structs that implement `commit::Change`.

mod append;
mod commit;
mod copy;
mod cursors;
mod directory;
mod folder;
mod keys;
mod log;
mod options;
mod readers;
mod stats;
mod tables;

pub use options::{Hooks, OpenError, Options, WriteFailure};
pub use stats::Stats;

use super::copy::Purpose;
use super::{Store, StoreError};
use crate::model::{Epoch, Timestamp};
use crate::telemetry::Page;
use commit::{Change, Committer, Draft, Queue, Space};
use folder::Folder;
use readers::Readers;
use stats::Counters;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tables::{Tables, View};

/// An open embedded store. Clones are handles to the same one; with the last of them it is closed,
/// which waits for the queued changes to be committed and synced.
///
/// Its reads need a tokio runtime around them.
#[derive(Clone)]
pub struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    epoch: Epoch,
    queue: Arc<Queue>,
    readers: Readers,
    counters: Arc<Counters>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the store in a data folder, creating it if there is none. Blocks while the journal is
    /// replayed, a second or so.
    pub fn open(options: &Options, hooks: Hooks) -> Result<Self, OpenError> {
        let path = &options.path;
        let folder = Folder::open(path, options.purpose)?;
        let epoch = folder.epoch();
        let tables = Tables::open(folder, options).map_err(|error| database_error(path, error))?;
        check_purpose(&tables, options)?;
        let tables = Arc::new(tables);
        let queue = Arc::new(Queue::new(options));
        let counters = Arc::new(Counters::default());
        let committer = Committer {
            tables: Arc::clone(&tables),
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            space: Space::new(hooks.free_bytes, options.reserve_bytes),
            fatal: hooks.fatal,
        };
        let thread = std::thread::Builder::new().name("commit".into());
        let spawned = thread.spawn(move || committer.run());
        let handle = spawned.map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let readers = Readers::new(tables, options.read_permits, options.queue_max);
        let committer = Mutex::new(Some(handle));
        let path = path.clone();
        Ok(Self { inner: Arc::new(Inner { path, epoch, queue, readers, counters, committer }) })
    }

    /// What has been written since the store was opened.
    pub fn stats(&self) -> Stats {
        self.inner.counters.stats()
    }

    /// Puts what has been written since the store was opened, and how long that took, on a page.
    pub fn put_figures(&self, page: &mut Page) {
        self.inner.counters.put(page);
    }

    /// Gives the store another epoch, for whoever opens it from now on.
    pub async fn begin_life(&self) -> Result<Epoch, StoreError> {
        let path = self.inner.path.clone();
        let written = tokio::task::spawn_blocking(move || folder::new_epoch(&path)).await;
        match written {
            Ok(Ok(epoch)) => Ok(epoch),
            Ok(Err(error)) => {
                tracing::error!(%error, "the epoch was not written");
                Err(StoreError::Unknown)
            }
            Err(_ended) => Err(StoreError::Unknown),
        }
    }

    /// Takes no more changes, waits until those that are queued are committed and synced, and logs
    /// what was written. Reads go on; the data folder is held until the last handle is gone.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // Fails only when the runtime itself is ending; dropping the last handle waits then.
        drop(tokio::task::spawn_blocking(move || inner.finish()).await);
        let Stats { commits, syncs, appends, refused, entries, bytes } = self.stats();
        tracing::info!(commits, syncs, appends, refused, entries, bytes, "store closed");
    }

    /// Hands a change to the commit thread and waits for what came of it. A caller that gives up
    /// waiting does not take the change back.
    async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, StoreError> {
        let queued = self.inner.queue.push(change);
        if let Err(StoreError::Behind { .. }) = queued {
            self.inner.counters.count_refused();
        }
        let answer = queued?;
        answer.await.unwrap_or(Err(StoreError::Unknown))
    }

    /// Reads on a blocking thread.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.inner.readers.run(read).await
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Inner {
    /// Ends the commit thread and waits for it. A second caller waits as well.
    fn finish(&self) {
        self.queue.close();
        let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = committer.take()
            && thread.join().is_err()
        {
            tracing::error!("the commit thread panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Whether what is stored may be opened for the purpose.
fn check_purpose(tables: &Tables, options: &Options) -> Result<(), OpenError> {
    let path = &options.path;
    let unfinished = tables.has(&keys::progress()).map_err(|error| database_error(path, error))?;
    let is_empty = tables.is_empty().map_err(|error| database_error(path, error))?;
    match options.purpose {
        Purpose::Use | Purpose::Source if unfinished => Err(OpenError::Unfinished(path.clone())),
        Purpose::Target(_) if !unfinished && !is_empty => Err(OpenError::Occupied(path.clone())),
        Purpose::Use | Purpose::Source | Purpose::Target(_) => Ok(()),
    }
}

fn database_error(path: &Path, error: fjall::Error) -> OpenError {
    OpenError::Database { path: path.to_owned(), source: Box::new(error) }
}

impl Store for Embedded {
    fn epoch(&self) -> Epoch {
        self.inner.epoch
    }

    fn is_shared(&self) -> bool {
        // Its folder is locked.
        false
    }

    async fn latest_time(&self) -> Result<Timestamp, StoreError> {
        let time = self.read(|view| view.get(&keys::latest_time())).await?;
        Ok(time.unwrap_or_default())
    }

    async fn keep_time(&self, now: Timestamp) -> Result<(), StoreError> {
        self.change(KeepTime(now)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.change(Check).await
    }
}

struct KeepTime(Timestamp);

impl Change for KeepTime {
    type Outcome = ();
    const DURABLE: bool = false;
    const GROWS: bool = false;

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        let key = keys::latest_time();
        if draft.get::<Timestamp>(&key)?.is_none_or(|kept| kept < self.0) {
            draft.put(key, &self.0);
        }
        Ok(())
    }
}

/// Changes nothing, but goes the way of a change that needs space.
struct Check;

impl Change for Check {
    type Outcome = ();
    const DURABLE: bool = false;

    fn bytes(&self) -> usize {
        0
    }

    fn stage(self, _draft: &mut Draft<'_>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
