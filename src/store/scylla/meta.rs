//! Single numbers about the whole store: its epoch, how often it was restored, the latest time.

use super::Inner;
use super::registers::{Life, at_time};
use super::row::{bigint, first, number};
use super::statements::Statements;
use crate::model::{Epoch, Timestamp};
use crate::store::StoreError;
use crate::store::scylla::database::Database;

const EPOCH: &str = "epoch";
const RESTORES: &str = "restores";
const LATEST_TIME: &str = "latest_time";

const CORRUPT: StoreError = StoreError::Corrupt { what: "number" };

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
    ) -> Result<Self, StoreError> {
        let restores = read(database, statements, RESTORES).await?.unwrap_or_default();
        let life = Life::new(restores).ok_or(CORRUPT)?;
        let epoch = match read(database, statements, EPOCH).await? {
            Some(epoch) => epoch,
            None => choose_epoch(database, statements).await?,
        };
        let epoch = number(epoch).and_then(Epoch::new).ok_or(CORRUPT)?;
        Ok(Self { epoch, life })
    }
}

/// Gives a store an epoch, unless another one was first; the one it has.
async fn choose_epoch(database: &Database, statements: &Statements) -> Result<i64, StoreError> {
    let drawn = loop {
        let bits = getrandom::u64().map_err(|_no_entropy| StoreError::Unavailable)?;
        if let Some(epoch) = Epoch::from_random(bits) {
            break bigint(epoch.get());
        }
    };
    let insert = &statements.rows.insert_number;
    let answer = match database.once(insert, (EPOCH, drawn)).await {
        // Whatever became of it: the second answer tells which epoch there is.
        Err(StoreError::Unknown) => database.once(insert, (EPOCH, drawn)).await?,
        answer => answer?,
    };
    if answer.is_applied() { Ok(drawn) } else { answer.number("number").ok_or(CORRUPT) }
}

async fn read(
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
