//! Who belongs to what, and contacts: reading the rows that follow from entries.

use super::Inner;
use super::database::Statement;
use super::row::{self, bigint, number, typed};
use crate::model::{Contact, ConversationId, Membership, UserId};
use crate::store::StoreError;
use crate::store::records::{self, Decode};
use scylla::serialize::row::SerializeRow;
use std::ops::ControlFlow;

impl Inner {
    pub(super) async fn members(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<Membership>, StoreError> {
        let key = |user| member_key(conversation.get(), user);
        let partition = (bigint(conversation.get()),);
        self.list(&self.statements.rows.members, partition, key).await
    }

    pub(super) async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        let key = |conversation| membership_key(user.get(), conversation);
        let partition = (bigint(user.get()),);
        self.list(&self.statements.rows.memberships, partition, key).await
    }

    pub(super) async fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        let ids = (user.get(), conversation.get());
        self.get(&self.statements.rows.membership, ids, membership_key).await
    }

    pub(super) async fn contacts(
        &self,
        owner: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        let key = |peer| contact_key(owner.get(), peer);
        let after = bigint(after.map_or(0, UserId::get));
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let values = (bigint(owner.get()), after, limit);
        self.list(&self.statements.rows.contacts, values, key).await
    }

    pub(super) async fn contact(
        &self,
        owner: UserId,
        peer: UserId,
    ) -> Result<Option<Contact>, StoreError> {
        let ids = (owner.get(), peer.get());
        self.get(&self.statements.rows.contact, ids, contact_key).await
    }

    /// Rows of one partition in the order of their second ids. `key` makes of such an id what its
    /// record is sealed with.
    async fn list<R: Decode>(
        &self,
        statement: &Statement,
        values: impl SerializeRow,
        key: impl Fn(u64) -> row::Key,
    ) -> Result<Vec<R>, StoreError> {
        let mut list = Vec::new();
        let take = |page| {
            for row in typed::<(i64, &[u8])>(&page)? {
                let (id, record) = row?;
                let id = number(id).ok_or(StoreError::Corrupt { what: R::WHAT })?;
                list.push(records::decode(&key(id), record)?);
            }
            Ok(ControlFlow::Continue(()))
        };
        self.database.pages(statement, values, take).await?;
        Ok(list)
    }

    /// The row of two ids.
    async fn get<R: Decode>(
        &self,
        statement: &Statement,
        (one, other): (u64, u64),
        key: impl Fn(u64, u64) -> row::Key,
    ) -> Result<Option<R>, StoreError> {
        let rows = self.database.read(statement, (bigint(one), bigint(other))).await?;
        row::record(&rows, &key(one, other))
    }
}

/// What a membership is sealed with in the list of its user.
pub(super) fn membership_key(user: u64, conversation: u64) -> row::Key {
    row::key("memberships", &[user, conversation])
}

/// What a membership is sealed with in the list of its conversation.
pub(super) fn member_key(conversation: u64, user: u64) -> row::Key {
    row::key("members", &[conversation, user])
}

/// What a contact is sealed with.
pub(super) fn contact_key(owner: u64, peer: u64) -> row::Key {
    row::key("contacts", &[owner, peer])
}
