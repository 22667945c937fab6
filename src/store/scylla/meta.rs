//! Single numbers about the whole store: its epoch, how often it was restored, the latest time.

use super::registers::{Life, at_time};
use super::row::{bigint, first, number};
use super::statements::Statements;
use super::{Inner, OpenError};
use crate::model::{Epoch, Timestamp};
use crate::store::StoreError;
use crate::store::copy::Purpose;
use crate::store::scylla::database::Database;

pub(super) const EPOCH: &str = "epoch";
const RESTORES: &str = "restores";
const LATEST_TIME: &str = "latest_time";

pub(super) const CORRUPT: StoreError = StoreError::Corrupt { what: "number" };

/// What stays the same while a store is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) epoch: Epoch,
    pub(super) life: Life,
}

impl Numbers {
    /// Reads them. The first to open a new store gives it its epoch.
    pub(super) async fn load(
        database: &Database,
        statements: &Statements,
        purpose: Purpose,
    ) -> Result<Self, OpenError> {
        let restores = read(database, statements, RESTORES).await?.unwrap_or_default();
        let life = Life::new(restores).ok_or(CORRUPT)?;
        let stored = match (read(database, statements, EPOCH).await?, purpose) {
            (Some(stored), _) => stored,
            (None, Purpose::Source) => return Err(OpenError::Absent),
            (None, Purpose::Use) => choose(database, statements, bigint(draw()?.get())).await?,
            (None, Purpose::Target(copied)) => {
                if !is_empty(database, statements).await? {
                    return Err(OpenError::Occupied);
                }
                choose(database, statements, unfinished(copied)).await?
            }
        };
        let epoch = Epoch::new(stored.unsigned_abs()).ok_or(CORRUPT)?;
        match purpose {
            Purpose::Use | Purpose::Source if stored < 0 => Err(OpenError::Unfinished),
            Purpose::Target(copied) if stored != unfinished(copied) => Err(OpenError::Occupied),
            Purpose::Use | Purpose::Source | Purpose::Target(_) => Ok(Self { epoch, life }),
        }
    }
}

/// The number of the epoch of an unfinished copy.
pub(super) fn unfinished(epoch: Epoch) -> i64 {
    -bigint(epoch.get())
}

fn draw() -> Result<Epoch, StoreError> {
    loop {
        let bits = getrandom::u64().map_err(|_no_entropy| StoreError::Unavailable)?;
        if let Some(epoch) = Epoch::from_random(bits) {
            return Ok(epoch);
        }
    }
}

/// Gives a store the number of its epoch, unless another one was first; the one it has.
async fn choose(
    database: &Database,
    statements: &Statements,
    number: i64,
) -> Result<i64, StoreError> {
    let there = match insert(database, statements, EPOCH, number).await {
        // Whatever became of it: the second answer tells which epoch there is.
        Err(StoreError::Unknown) => insert(database, statements, EPOCH, number).await?,
        answer => answer?,
    };
    Ok(there.unwrap_or(number))
}

/// Writes a number unless there is one already, which it then tells.
pub(super) async fn insert(
    database: &Database,
    statements: &Statements,
    name: &str,
    number: i64,
) -> Result<Option<i64>, StoreError> {
    let inserted = database.once(&statements.rows.insert_number, (name, number)).await?;
    if inserted.is_applied() {
        return Ok(None);
    }
    inserted.number("number").map(Some).ok_or(CORRUPT)
}

/// Whether there are neither accounts nor conversations. Without an epoch it may also be a backup that
/// nobody has opened yet.
async fn is_empty(database: &Database, statements: &Statements) -> Result<bool, StoreError> {
    for first in [&statements.copy.first_users, &statements.copy.first_conversations] {
        if database.read(first, (1,)).await?.rows_num() > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn read(
    database: &Database,
    statements: &Statements,
    name: &str,
) -> Result<Option<i64>, StoreError> {
    let rows = database.read(&statements.rows.number, (name,)).await?;
    Ok(first::<(i64,)>(&rows)?.map(|(number,)| number))
}

impl Inner {
    pub(super) async fn latest_time(&self) -> Result<Timestamp, StoreError> {
        let latest = read(&self.database, &self.statements, LATEST_TIME).await?;
        let latest = number(latest.unwrap_or_default()).ok_or(CORRUPT)?;
        Ok(Timestamp::from_millis(latest))
    }

    /// Begins a new life, for whoever opens the store from now on.
    pub(super) async fn begin_life(&self) -> Result<Epoch, StoreError> {
        // The count goes first: by the new epoch alone, registers would stay what they were before.
        if let Some(restores) = insert(&self.database, &self.statements, RESTORES, 1).await? {
            Life::new(restores + 1).ok_or(CORRUPT)?;
            self.replace(RESTORES, restores, restores + 1).await?;
        }
        let epoch = draw()?;
        self.replace(EPOCH, bigint(self.numbers.epoch.get()), bigint(epoch.get())).await?;
        Ok(epoch)
    }

    /// Replaces a number that nobody else writes.
    pub(super) async fn replace(&self, name: &str, from: i64, to: i64) -> Result<(), StoreError> {
        let replace = &self.statements.rows.replace_number;
        let replaced = self.database.once(replace, (to, name, from)).await?;
        let is_done = replaced.is_applied() || replaced.number("number") == Some(to);
        if is_done { Ok(()) } else { Err(StoreError::Unavailable) }
    }

    /// A write like any other, which changes nothing: no moment lies before 1970.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let checked = self.keep_time(Timestamp::ZERO).await;
        checked.map_err(|_failure| StoreError::Unavailable)
    }

    pub(super) async fn keep_time(&self, now: Timestamp) -> Result<(), StoreError> {
        let values = (at_time(now), bigint(now.as_millis()), LATEST_TIME);
        self.database.change(&self.statements.rows.set_number, values).await
    }
}
