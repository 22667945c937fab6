//! What a copy needs beside the traits of every store: telling what is stored, and how far a copy has
//! come.
//!
//! An unfinished copy has the epoch of its source below zero, so that one condition keeps others from
//! using it, and one more makes it a store.

use super::conversations::record_key;
use super::directory::account_key;
use super::meta::{self, CORRUPT, EPOCH};
use super::row::{bigint, number, typed};
use super::{Inner, Scylla};
use crate::model::{Account, Conversation, ConversationId, UserId};
use crate::store::copy::{Progress, Target, Walk};
use crate::store::{StoreError, records};

/// The number that tells how far a copy has come.
const COPIED: &str = "copied";

impl Walk for Scylla {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        self.run(move |inner| async move { inner.conversations_after(after, limit).await }).await
    }

    async fn accounts_after(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.run(move |inner| async move { inner.accounts_after(after, limit).await }).await
    }
}

impl Target for Scylla {
    async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        self.run(|inner| async move { inner.progress().await }).await
    }

    async fn record_progress(&self, progress: Progress) -> Result<(), StoreError> {
        self.run(move |inner| async move { inner.record_progress(progress).await }).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.run(|inner| async move { inner.finish().await }).await
    }
}

/// A table whose rows are what there is to copy.
#[derive(Clone, Copy)]
enum Table {
    Conversations,
    Users,
}

/// A row of one; it exists once it is whole.
struct Row {
    id: u64,
    whole: bool,
    record: Vec<u8>,
}

impl Inner {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let found = self
            .existing_after(Table::Conversations, after.map(ConversationId::get), limit)
            .await?;
        let ids: Option<_> = found.into_iter().map(ConversationId::new).collect();
        ids.ok_or(StoreError::Corrupt { what: "conversation" })
    }

    async fn accounts_after(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let found = self.existing_after(Table::Users, after.map(UserId::get), limit).await?;
        let ids: Option<_> = found.into_iter().map(UserId::new).collect();
        ids.ok_or(StoreError::Corrupt { what: "account" })
    }

    /// The ids of what exists after a row, in the order of the rows.
    async fn existing_after(
        &self,
        table: Table,
        mut after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        loop {
            let rows = self.rows_after(table, after, limit).await?;
            let Some(last) = rows.last() else { return Ok(Vec::new()) };
            after = Some(last.id);
            let mut found = Vec::with_capacity(rows.len());
            for row in rows {
                if row.whole || self.completes(table, &row).await? {
                    found.push(row.id);
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Rows in the order of their partitions: the first, or those after a row.
    async fn rows_after(
        &self,
        table: Table,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let copy = &self.statements.copy;
        let (first, from) = match table {
            Table::Conversations => (&copy.first_conversations, &copy.conversations_from),
            Table::Users => (&copy.first_users, &copy.users_from),
        };
        // One more, since the row they come after is read again.
        let limit = i32::try_from(limit).unwrap_or(i32::MAX).saturating_add(1);
        let answer = match after {
            None => self.database.read(first, (limit,)).await?,
            Some(after) => self.database.read(from, (bigint(after), limit)).await?,
        };
        let mut rows = Vec::with_capacity(answer.rows_num());
        for row in typed::<(i64, bool, &[u8])>(&answer)? {
            let (id, whole, record) = row?;
            let id = number(id).ok_or(StoreError::Corrupt { what: "row" })?;
            rows.push(Row { id, whole, record: record.to_vec() });
        }
        let known = rows.iter().position(|row| Some(row.id) == after).map_or(0, |at| at + 1);
        Ok(rows.split_off(known))
    }

    /// Whether something exists whose row is not whole: if it has its claim. Then it is whole by now.
    async fn completes(&self, table: Table, row: &Row) -> Result<bool, StoreError> {
        match table {
            Table::Conversations => {
                let conversation: Conversation = records::decode(&record_key(row.id), &row.record)?;
                Ok(self.claimed(conversation.claim).await? == Some(conversation))
            }
            Table::Users => {
                let account: Account = records::decode(&account_key(row.id), &row.record)?;
                let named = self.account_by_name(&account.username).await?;
                Ok(named.is_some_and(|named| named.user == account.user))
            }
        }
    }

    async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        let Some(stored) = meta::read(&self.database, &self.statements, COPIED).await? else {
            return Ok(None);
        };
        number(stored).and_then(Progress::from_number).map(Some).ok_or(CORRUPT)
    }

    async fn record_progress(&self, progress: Progress) -> Result<(), StoreError> {
        let to = bigint(progress.to_number());
        match meta::insert(&self.database, &self.statements, COPIED, to).await? {
            None => Ok(()),
            Some(from) => self.replace(COPIED, from, to).await,
        }
    }

    async fn finish(&self) -> Result<(), StoreError> {
        let epoch = self.numbers.epoch;
        self.replace(EPOCH, meta::unfinished(epoch), bigint(epoch.get())).await
    }
}

#[cfg(test)]
mod tests;
