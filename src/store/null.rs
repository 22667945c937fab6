//! A store that keeps nothing: what everything but storage is measured with. Compiled by the feature
//! `testing`.
//!
//! It knows the conversations it was made with and applies every append without remembering it.
//! Nothing is durable and nothing can be read back, so it breaks the contract of [`Store`] wherever
//! that speaks of later reads; no server may run on it.

use super::{
    AccountInsert, Append, Appended, Claimed, Cursors, Directory, Effect, Log, Pending, Range,
    Store, StoreError,
};
use crate::model::{
    Account, Claim, Contact, Conversation, ConversationId, Cursor, CursorAdvance, Device, DeviceId,
    Entry, Epoch, Erasure, Head, Membership, Profile, Sequence, Settings, Timestamp, UserId,
    Username,
};
use std::collections::HashMap;
use std::sync::Arc;

/// See the module. Clones share the conversations.
#[derive(Clone, Debug)]
pub struct NullStore {
    epoch: Epoch,
    conversations: Arc<HashMap<ConversationId, (Conversation, Vec<Membership>)>>,
}

impl NullStore {
    /// A store with these conversations, each with its members if it is a group.
    pub fn new(epoch: Epoch, known: Vec<(Conversation, Vec<Membership>)>) -> Self {
        let conversations = known.into_iter().map(|known| (known.0.id, known)).collect();
        Self { epoch, conversations: Arc::new(conversations) }
    }
}

impl Store for NullStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn latest_time(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::ZERO)
    }

    async fn keep_time(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Directory for NullStore {
    async fn insert_account(&self, _: Account) -> Result<AccountInsert, StoreError> {
        Ok(AccountInsert::Inserted)
    }

    async fn account(&self, _: UserId) -> Result<Option<Account>, StoreError> {
        Ok(None)
    }

    async fn account_by_name(&self, _: &Username) -> Result<Option<Account>, StoreError> {
        Ok(None)
    }

    async fn put_profile(&self, _: UserId, _: Profile) -> Result<(), StoreError> {
        Ok(())
    }

    async fn insert_device(&self, _: Device) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn device(&self, _: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(None)
    }

    async fn devices(&self, _: UserId) -> Result<Vec<Device>, StoreError> {
        Ok(Vec::new())
    }

    async fn update_device(&self, _: Device) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl Log for NullStore {
    async fn claim(&self, _: Conversation) -> Result<Claimed, StoreError> {
        Ok(Claimed::Created)
    }

    async fn claimed(&self, _: Claim) -> Result<Option<Conversation>, StoreError> {
        Ok(None)
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Conversation, Settings)>, StoreError> {
        let known = self.conversations.get(&conversation);
        Ok(known.map(|(conversation, _)| (*conversation, Settings::default())))
    }

    async fn append(&self, _: Append<'_>) -> Result<Appended, StoreError> {
        Ok(Appended::Applied)
    }

    async fn head(&self, _: ConversationId) -> Result<Head, StoreError> {
        Ok(Head::default())
    }

    async fn heads(&self, conversations: Vec<ConversationId>) -> Result<Vec<Head>, StoreError> {
        Ok(vec![Head::default(); conversations.len()])
    }

    async fn entries(&self, _: ConversationId, _: Range) -> Result<Vec<Entry>, StoreError> {
        Ok(Vec::new())
    }

    async fn erase(&self, _: ConversationId, _: Sequence, _: Erasure) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn apply_effects(&self, _: Vec<Effect>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        Ok(Vec::new())
    }

    async fn pending_of(&self, _: ConversationId) -> Result<Option<Pending>, StoreError> {
        Ok(None)
    }

    async fn settle(&self, _: ConversationId, _: Sequence) -> Result<(), StoreError> {
        Ok(())
    }

    async fn members(&self, conversation: ConversationId) -> Result<Vec<Membership>, StoreError> {
        let known = self.conversations.get(&conversation);
        Ok(known.map(|(_, members)| members.clone()).unwrap_or_default())
    }

    async fn memberships(&self, _: UserId) -> Result<Vec<Membership>, StoreError> {
        Ok(Vec::new())
    }

    async fn membership(
        &self,
        _: UserId,
        _: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        Ok(None)
    }

    async fn contacts(
        &self,
        _: UserId,
        _: Option<UserId>,
        _: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        Ok(Vec::new())
    }

    async fn contact(&self, _: UserId, _: UserId) -> Result<Option<Contact>, StoreError> {
        Ok(None)
    }
}

impl Cursors for NullStore {
    async fn advance_cursors(&self, _: Vec<CursorAdvance>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sync_cursors(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn cursor(&self, _: UserId, _: ConversationId) -> Result<Cursor, StoreError> {
        Ok(Cursor::default())
    }

    async fn cursors(&self, _: UserId) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        Ok(Vec::new())
    }

    async fn advance_device_cursors(
        &self,
        _: DeviceId,
        _: Vec<(ConversationId, Sequence)>,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn device_cursors(
        &self,
        _: DeviceId,
    ) -> Result<Vec<(ConversationId, Sequence)>, StoreError> {
        Ok(Vec::new())
    }
}
