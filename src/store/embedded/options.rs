//! How the embedded store is opened, and why it may refuse.

use crate::clock::Stopwatch;
use crate::store::copy::Purpose;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// For how long the free space counts as unchanged: less is written meanwhile than the reserve holds.
const FREE_BYTES_AGE_MAX: Duration = Duration::from_millis(50);

/// The settings of an embedded store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; created if it does not exist.
    pub path: PathBuf,
    /// What for.
    pub purpose: Purpose,
    /// The cache of blocks read from disk, in bytes.
    pub cache_bytes: u64,
    /// How many bytes of entries are collected in memory before they are written as a table. Kept
    /// from when the store was created.
    pub memtable_bytes: u64,
    /// Below this much free space writes are refused as full, in bytes. It has to hold what one
    /// commit, the journal and a compaction may still take.
    pub reserve_bytes: u64,
    /// How many reads run at once.
    pub read_permits: usize,
    /// How many reads, and how many changes, may wait; what comes on top is refused as unavailable.
    pub queue_max: usize,
    /// How many bytes of changes may wait.
    pub queue_bytes_max: usize,
    /// Once commits are slow, appends without effects that would wait for longer are refused.
    pub wait_max: Duration,
    /// While changes are few, commits begin so far apart, so that several changes share a sync. With
    /// zero every commit begins at once.
    pub sync_interval: Duration,
}

impl Options {
    /// The defaults for a data folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            path: path.into(),
            purpose: Purpose::Use,
            cache_bytes: 64 << 20,
            memtable_bytes: 16 << 20,
            reserve_bytes: 256 << 20,
            read_permits: cores,
            queue_max: 16_384,
            queue_bytes_max: 32 << 20,
            wait_max: Duration::from_secs(1),
            sync_interval: Duration::from_millis(4),
        }
    }
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("the data folder {0} is in use by another process")]
    InUse(PathBuf),
    /// A newer version of the program wrote the folder.
    #[error("the data folder {path} has format {found}, but this version reads up to {known}")]
    NewerFormat {
        /// The folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format this version knows.
        known: u32,
    },
    /// The folder holds something else, or its own notes are damaged.
    #[error("the data folder {path} is not usable: {reason}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no store in the folder that is to be copied.
    #[error("there is no store in {0}")]
    Absent(PathBuf),
    /// The folder that is to become a copy holds a store, finished or begun as a copy of another.
    #[error(
        "{0} holds a store already: a copy is made in a folder that does not exist or is empty"
    )]
    Occupied(PathBuf),
    /// The folder holds a part of a copy.
    #[error("{0} holds an unfinished copy: `chasqui store copy` goes on with it")]
    Unfinished(PathBuf),
    /// The folder cannot be read or written.
    #[error("cannot use the data folder {path}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database in the folder does not open.
    #[error("the database in {path} does not open")]
    Database {
        /// The folder.
        path: PathBuf,
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A write or a sync failed. Nothing can be promised from here on: the process should end.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot write: {reason}")]
pub struct WriteFailure {
    /// What the database said.
    pub(super) reason: String,
}

/// What the store asks of its surroundings.
pub struct Hooks {
    /// Called once when a write or a sync has failed, on the commit thread, after everything that
    /// waited has been answered. The store refuses everything from then on.
    pub fatal: Box<dyn Fn(&WriteFailure) + Send + Sync>,
    /// Tells how many bytes are free where the data folder lies.
    pub free_bytes: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
}

impl Hooks {
    /// Asks the file system of `options.path` for its free space.
    pub fn new(options: &Options, fatal: impl Fn(&WriteFailure) + Send + Sync + 'static) -> Self {
        let free_bytes = free_bytes_of(options.path.clone());
        Self { fatal: Box::new(fatal), free_bytes: Box::new(free_bytes) }
    }
}

/// The free space where `path` lies, as the file system told at most [`FREE_BYTES_AGE_MAX`] ago: it takes
/// locks to tell.
fn free_bytes_of(path: PathBuf) -> impl Fn() -> io::Result<u64> + Send + Sync {
    let last: Mutex<Option<(Stopwatch, u64)>> = Mutex::new(None);
    move || {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, free)) = &*last
            && asked.elapsed() < FREE_BYTES_AGE_MAX
        {
            return Ok(*free);
        }
        let space = rustix::fs::statvfs(&path)?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        *last = Some((Stopwatch::start(), free));
        Ok(free)
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
