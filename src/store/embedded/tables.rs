//! The database: its keyspaces with their settings, and reading from them.
//!
//! Readers see the state between two commits and never part of one: they read a snapshot that the
//! commit thread publishes after each commit. A snapshot taken at any other time could show half a
//! batch, since a flush that ends in the meantime advances what fjall holds to be visible.

use super::Options;
use super::folder::Folder;
use super::keys::{self, Key, Table};
use crate::model::{ConversationId, Entry, Head, Sequence};
use crate::store::records::{self, Decode, LogEnd};
use crate::store::{Direction, Range, StoreError};
use fjall::config::{CompressionPolicy, FilterPolicy};
use fjall::{
    CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions, KvSeparationOptions,
    LsmError, Readable, Snapshot, UserValue,
};
use std::sync::{Arc, PoisonError, RwLock};

/// The journals, together: bounds the time of a restart, which replays them. Each file takes 64 MiB.
const JOURNALS_BYTES_MAX: u64 = 256 << 20;

/// Values from here on are kept apart from their keys, so that compaction does not rewrite them.
const SEPARATED_BYTES_MIN: u32 = 1 << 10;

/// The memtables of the small rows, which are few: beyond this a larger one only takes memory.
const SMALL_MEMTABLE_BYTES_MAX: u64 = 8 << 20;

/// The database and its keyspaces.
pub(super) struct Tables {
    entries: Keyspace,
    directory: Keyspace,
    cursors: Keyspace,
    published: RwLock<Arc<Snapshot>>,
    database: Database,
    /// Let go of last: the next process may take the folder when the database is closed.
    _folder: Folder,
}

impl Tables {
    /// Opens or creates the database in the folder.
    ///
    /// The settings of a keyspace are stored when it is created; later openings ignore what stands
    /// here. A change of one needs a new keyspace and a migration.
    pub(super) fn open(folder: Folder, options: &Options) -> Result<Self, fjall::Error> {
        let database = Database::builder(folder.rows())
            .cache_size(options.cache_bytes)
            .worker_threads(1)
            .max_journaling_size(JOURNALS_BYTES_MAX)
            .open()?;
        let memtable_bytes = options.memtable_bytes;
        let small_bytes = memtable_bytes.min(SMALL_MEMTABLE_BYTES_MAX);
        let lz4 = || CompressionPolicy::all(CompressionType::Lz4);
        let entries = || {
            let separation = KvSeparationOptions::default()
                .separation_threshold(SEPARATED_BYTES_MIN)
                .compression(CompressionType::Lz4);
            // Logs are read by range, which no filter helps.
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable_bytes)
                .data_block_compression_policy(lz4())
                .filter_policy(FilterPolicy::disabled())
                .with_kv_separation(Some(separation))
        };
        let small = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(small_bytes)
                .data_block_compression_policy(lz4())
        };
        Ok(Self {
            entries: database.keyspace("entries", entries)?,
            directory: database.keyspace("directory", small)?,
            cursors: database.keyspace("cursors", small)?,
            published: RwLock::new(Arc::new(database.snapshot())),
            database,
            _folder: folder,
        })
    }

    /// The database itself.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// The keyspace of a table.
    pub(super) fn keyspace(&self, table: Table) -> &Keyspace {
        match table {
            Table::Entries => &self.entries,
            Table::Directory => &self.directory,
            Table::Cursors => &self.cursors,
        }
    }

    /// Shows readers everything that was committed so far. Only called between commits.
    pub(super) fn publish(&self) {
        let snapshot = Arc::new(self.database.snapshot());
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        let previous = std::mem::replace(&mut *published, snapshot);
        drop(published);
        drop(previous);
    }

    /// What readers see now.
    pub(super) fn view(&self) -> View<'_> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        View { tables: self, snapshot: Arc::clone(&published) }
    }

    /// Whether there is a row.
    pub(super) fn has(&self, key: &Key) -> Result<bool, fjall::Error> {
        self.keyspace(key.table).contains_key(&key.bytes)
    }

    /// Whether there are no rows.
    pub(super) fn is_empty(&self) -> Result<bool, fjall::Error> {
        Ok(self.directory.is_empty()? && self.entries.is_empty()? && self.cursors.is_empty()?)
    }

    /// The newest value of a row. For the commit thread, which knows that no commit is under way.
    pub(super) fn newest(
        &self,
        what: &'static str,
        key: &Key,
    ) -> Result<Option<UserValue>, StoreError> {
        let found = self.keyspace(key.table).get(&key.bytes);
        found.map_err(|error| read_error(what, &key.bytes, &error))
    }

    /// The newest end of a log. For the commit thread, as [`Tables::newest`].
    pub(super) fn newest_head(&self, conversation: ConversationId) -> Result<Head, StoreError> {
        let (low, high) = log_bounds(conversation);
        head_of(self.entries.range(low..=high).next_back())
    }
}

/// A consistent state of the database to read from.
pub(super) struct View<'t> {
    tables: &'t Tables,
    snapshot: Arc<Snapshot>,
}

impl View<'_> {
    /// One row.
    pub(super) fn get<R: Decode>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        let keyspace = self.tables.keyspace(key.table);
        let value = self.snapshot.get(keyspace, &key.bytes);
        let value = value.map_err(|error| read_error(R::WHAT, &key.bytes, &error))?;
        value.map(|value| records::decode(&key.bytes, &value)).transpose()
    }

    /// All rows under a prefix, in the order of their keys.
    pub(super) fn list<R: Decode>(&self, prefix: &Key) -> Result<Vec<R>, StoreError> {
        let keyspace = self.tables.keyspace(prefix.table);
        self.snapshot.prefix(keyspace, &prefix.bytes).map(read_row).collect()
    }

    /// The rows under a prefix that come after a key, at most `limit`.
    pub(super) fn list_after<R: Decode>(
        &self,
        prefix: &Key,
        after: &Key,
        limit: usize,
    ) -> Result<Vec<R>, StoreError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let keyspace = self.tables.keyspace(prefix.table);
        let mut rows = Vec::new();
        for guard in self.snapshot.range::<&[u8], _>(keyspace, (Excluded(&*after.bytes), Unbounded))
        {
            if rows.len() == limit {
                break;
            }
            let (key, value) = read_guard(R::WHAT, &prefix.bytes, guard)?;
            if !key.starts_with(&prefix.bytes) {
                break;
            }
            rows.push(records::decode(&key, &value)?);
        }
        Ok(rows)
    }

    /// The end of a log.
    pub(super) fn head(&self, conversation: ConversationId) -> Result<Head, StoreError> {
        let (low, high) = log_bounds(conversation);
        head_of(self.snapshot.range(&self.tables.entries, low..=high).next_back())
    }

    /// A part of a log.
    pub(super) fn entries(
        &self,
        conversation: ConversationId,
        range: Range,
    ) -> Result<Vec<Entry>, StoreError> {
        if range.from > range.to {
            return Ok(Vec::new());
        }
        let low = keys::entry(conversation, range.from);
        let high = keys::entry(conversation, range.to);
        let rows = self.snapshot.range(&self.tables.entries, low..=high);
        match range.direction {
            Direction::Ascending => take_entries(rows, range),
            Direction::Descending => take_entries(rows.rev(), range),
        }
    }
}

fn take_entries(rows: impl Iterator<Item = Guard>, range: Range) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    for guard in rows.take(range.entries_max) {
        let (key, value) = read_guard(Entry::WHAT, &[], guard)?;
        entries.push(records::decode(&key, &value)?);
        bytes += value.len();
        if bytes >= range.bytes_max {
            break;
        }
    }
    Ok(entries)
}

fn log_bounds(conversation: ConversationId) -> (keys::EntryKey, keys::EntryKey) {
    (keys::entry(conversation, Sequence::ZERO), keys::entry(conversation, Sequence::MAX))
}

fn head_of(last: Option<Guard>) -> Result<Head, StoreError> {
    match last {
        None => Ok(Head::default()),
        Some(guard) => read_row::<LogEnd>(guard).map(|LogEnd(head)| head),
    }
}

fn read_row<R: Decode>(guard: Guard) -> Result<R, StoreError> {
    let (key, value) = read_guard(R::WHAT, &[], guard)?;
    records::decode(&key, &value)
}

fn read_guard(
    what: &'static str,
    near: &[u8],
    guard: Guard,
) -> Result<(fjall::UserKey, UserValue), StoreError> {
    guard.into_inner().map_err(|error| read_error(what, near, &error))
}

/// A read that failed: the disk did not answer, or what it answered is damaged.
fn read_error(what: &'static str, near: &[u8], error: &fjall::Error) -> StoreError {
    tracing::error!(what, near = %near.escape_ascii(), %error, "cannot read");
    #[expect(clippy::wildcard_enum_match_arm, reason = "both enums are open; damage is the rule")]
    match error {
        fjall::Error::Io(_) | fjall::Error::Storage(LsmError::Io(_)) => StoreError::Unavailable,
        _ => StoreError::Corrupt { what },
    }
}
