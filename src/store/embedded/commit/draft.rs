//! The batch that is being put together: every change sees the rows of those before it.

use super::{Change, Space};
use crate::model::{ConversationId, Head};
use crate::store::StoreError;
use crate::store::embedded::keys::{Key, Table};
use crate::store::embedded::stats::Written;
use crate::store::embedded::tables::Tables;
use crate::store::generations::Generations;
use crate::store::records::{self, Decode, Encode};
use fjall::{OwnedWriteBatch, UserKey, UserValue};
use std::collections::HashMap;

/// The value of a row after the batch; `None` where it is removed.
type Row = Option<UserValue>;

/// A batch in the making. It holds one value per row, however often that was changed.
pub(in crate::store::embedded) struct Draft<'t> {
    tables: &'t Tables,
    heads: &'t mut Generations<Head>,
    space: &'t mut Space,
    rows: HashMap<Key, Row, ahash::RandomState>,
    entries: Vec<(UserKey, UserValue)>,
    /// What the change that is being staged found in `rows`, to be put back if it fails.
    undo: Vec<(Key, Option<Row>)>,
    is_durable: bool,
    appends: usize,
}

impl<'t> Draft<'t> {
    pub(super) fn new(
        tables: &'t Tables,
        heads: &'t mut Generations<Head>,
        space: &'t mut Space,
    ) -> Self {
        Self {
            tables,
            heads,
            space,
            rows: HashMap::default(),
            entries: Vec::new(),
            undo: Vec::new(),
            is_durable: false,
            appends: 0,
        }
    }

    /// Takes in one change. If it is refused it leaves nothing behind.
    pub(super) fn stage<C: Change>(&mut self, change: C) -> Result<C::Outcome, StoreError> {
        if C::GROWS && self.space.is_short() {
            return Err(StoreError::Full);
        }
        self.undo.clear();
        let entries = self.entries.len();
        let outcome = change.stage(self);
        if outcome.is_err() {
            while let Some((key, row)) = self.undo.pop() {
                match row {
                    Some(row) => self.rows.insert(key, row),
                    None => self.rows.remove(&key),
                };
            }
        } else if C::DURABLE && (!self.undo.is_empty() || self.entries.len() > entries) {
            self.is_durable = true;
        }
        outcome
    }

    /// A row as it is after the changes so far.
    pub(in crate::store::embedded) fn get<R: Decode>(
        &self,
        key: &Key,
    ) -> Result<Option<R>, StoreError> {
        let value = match self.rows.get(key) {
            Some(row) => row.clone(),
            None => self.tables.newest(R::WHAT, key)?,
        };
        value.map(|value| records::decode(&key.bytes, &value)).transpose()
    }

    /// Whether there is a row after the changes so far, in whatever state.
    pub(in crate::store::embedded) fn has(
        &self,
        what: &'static str,
        key: &Key,
    ) -> Result<bool, StoreError> {
        match self.rows.get(key) {
            Some(row) => Ok(row.is_some()),
            None => Ok(self.tables.newest(what, key)?.is_some()),
        }
    }

    /// Writes a row.
    pub(in crate::store::embedded) fn put(&mut self, key: Key, row: &impl Encode) {
        let value = row.encode(&key.bytes);
        self.set(key, Some(value));
    }

    /// Removes a row.
    pub(in crate::store::embedded) fn remove(&mut self, key: Key) {
        self.set(key, None);
    }

    fn set(&mut self, key: Key, row: Row) {
        let previous = self.rows.insert(key.clone(), row);
        self.undo.push((key, previous));
    }

    /// The end of a log after the changes so far.
    pub(in crate::store::embedded) fn head(
        &mut self,
        conversation: ConversationId,
    ) -> Result<Head, StoreError> {
        if let Some(head) = self.heads.get(conversation) {
            return Ok(head);
        }
        let head = self.tables.newest_head(conversation)?;
        self.heads.set(conversation, head);
        Ok(head)
    }

    /// Puts rows at the end of a log: the last thing a change does, since it is not undone.
    pub(in crate::store::embedded) fn extend(
        &mut self,
        conversation: ConversationId,
        head: Head,
        rows: impl Iterator<Item = (UserKey, UserValue)>,
    ) {
        self.appends += 1;
        self.entries.extend(rows);
        self.heads.set(conversation, head);
    }

    /// Has everything synced that was committed so far, and this batch.
    pub(in crate::store::embedded) fn require_sync(&mut self) {
        self.is_durable = true;
    }

    /// Whether the batch has to be synced before it is answered.
    pub(super) fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// What the batch holds.
    pub(super) fn written(&self) -> Written {
        let size = |key: &UserKey, value: &[u8]| key.len() + value.len();
        let entries = self.entries.iter().map(|(key, value)| size(key, value));
        let rows = self.rows.iter();
        let rows = rows.map(|(key, row)| size(&key.bytes, row.as_deref().unwrap_or_default()));
        let bytes = entries.chain(rows).sum();
        Written { appends: self.appends, entries: self.entries.len(), bytes }
    }

    /// The batch to be written.
    pub(super) fn into_batch(self) -> OwnedWriteBatch {
        let Self { tables, rows, entries, .. } = self;
        let capacity = rows.len() + entries.len();
        let mut batch = OwnedWriteBatch::with_capacity(tables.database().clone(), capacity);
        let log = tables.keyspace(Table::Entries);
        for (key, value) in entries {
            batch.insert(log, key, value);
        }
        for (key, row) in rows {
            let keyspace = tables.keyspace(key.table);
            match row {
                Some(value) => batch.insert(keyspace, key.bytes, value),
                None => batch.remove(keyspace, key.bytes),
            }
        }
        batch
    }
}
