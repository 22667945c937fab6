//! Rows that exist once a claim names them: an account by its user name, a conversation by its journal,
//! pair or group.
//!
//! The row and the claim are in two partitions, so no one statement makes both. They are written in an
//! order in which a crash between any two steps does no harm:
//!
//! ```text
//! 1. the row by its id, complete but not `whole`     nobody sees it
//! 2. the claim, which names the id                   from here on it exists
//! 3. `whole`                                         it is found by its id, too
//! ```
//!
//! Each is conditional. Whoever finds a claim whose row is not whole makes it whole; whoever loses the
//! claim takes their row back. Claims are never given back.

use super::database::Statement;
use super::row::first;
use super::{Inner, outcome};
use crate::store::StoreError;
use crate::store::records::{self, Decode};
use scylla::serialize::row::SerializeRow;

/// The statements of one kind of row that is claimed.
pub(super) struct Claiming<'a> {
    /// Inserts a row that is not whole. Values: id, record.
    pub(super) insert: &'a Statement,
    /// Makes a claim. Its values are the caller's.
    pub(super) claim: &'a Statement,
    /// The column of the claim that names the row.
    pub(super) holder: &'static str,
    /// Makes a row whole. Values: id.
    pub(super) complete: &'a Statement,
    /// Takes a row back that is not whole. Values: id.
    pub(super) remove: &'a Statement,
    /// Reads a row: whether it is whole, its record. Values: id.
    pub(super) read: &'a Statement,
}

/// What came of making a row and its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Both are there.
    New,
    /// They were made before.
    Before,
    /// Another row has the claim: this one.
    Claimed(i64),
    /// Another row has the id.
    IdTaken,
}

/// A row as it was read.
struct Stored<R> {
    row: R,
    whole: bool,
}

impl Inner {
    /// Makes a row and its claim. `is_same` tells of a record under the id whether it is of the same
    /// claim: then it was left by an earlier try.
    pub(super) async fn make(
        &self,
        claiming: &Claiming<'_>,
        (id, record): (i64, Vec<u8>),
        claim: impl SerializeRow,
        is_same: impl FnOnce(&[u8]) -> Result<bool, StoreError>,
    ) -> Result<Made, StoreError> {
        let inserted = self.database.once(claiming.insert, (id, record)).await;
        // A row that nobody sees is no change.
        let inserted = inserted.map_err(outcome::unchanged)?;
        if !inserted.is_applied() {
            if !is_same(inserted.bytes("record").unwrap_or_default())? {
                return Ok(Made::IdTaken);
            }
            if inserted.flag("whole") == Some(true) {
                return Ok(Made::Before);
            }
        }
        let claimed = self.database.once(claiming.claim, claim).await?;
        if !claimed.is_applied() {
            let holder = claimed.number(claiming.holder).ok_or(StoreError::Unknown)?;
            if holder != id {
                // What stays of it is never seen.
                drop(self.database.once(claiming.remove, (id,)).await);
                return Ok(Made::Claimed(holder));
            }
        }
        // The claim is made, so it is done even if this fails; but not for whoever asks by id.
        let completed = self.database.once(claiming.complete, (id,)).await;
        completed.map(|_| Made::New).map_err(|_not_whole| StoreError::Unknown)
    }

    /// The row of an id, if it is whole.
    pub(super) async fn whole<R: Decode>(
        &self,
        claiming: &Claiming<'_>,
        id: i64,
        key: &[u8],
    ) -> Result<Option<R>, StoreError> {
        let stored = self.stored(claiming, id, key).await?;
        Ok(stored.and_then(|stored: Stored<R>| stored.whole.then_some(stored.row)))
    }

    /// The row that a claim names, made whole if it is not.
    pub(super) async fn holder<R: Decode>(
        &self,
        claiming: &Claiming<'_>,
        id: i64,
        key: &[u8],
    ) -> Result<R, StoreError> {
        let stored = self.stored(claiming, id, key).await?;
        // It was inserted before it was named.
        let Stored { row, whole } = stored.ok_or_else(|| records::corrupt(R::WHAT, key))?;
        if !whole {
            let completed = self.database.once(claiming.complete, (id,)).await;
            completed.map_err(|_not_whole| StoreError::Unavailable)?;
        }
        Ok(row)
    }

    async fn stored<R: Decode>(
        &self,
        claiming: &Claiming<'_>,
        id: i64,
        key: &[u8],
    ) -> Result<Option<Stored<R>>, StoreError> {
        let rows = self.database.read(claiming.read, (id,)).await?;
        let Some((whole, record)) = first::<(bool, &[u8])>(&rows)? else { return Ok(None) };
        Ok(Some(Stored { row: records::decode(key, record)?, whole }))
    }
}
