//! What a store can do, as operations of the same name on the database's own thread.
//!
//! Each runs to its end, even if nobody waits for it any more.

use super::Scylla;
use super::append::Appending;
use crate::model::{
    Account, Claim, Contact, Conversation, ConversationId, Cursor, CursorAdvance, Device, DeviceId,
    Entry, Epoch, Erasure, Head, Membership, Profile, Sequence, Settings, Timestamp, UserId,
    Username,
};
use crate::store::{
    AccountInsert, Append, Appended, Claimed, Cursors, Directory, Effect, Log, Pending, Range,
    Store, StoreError,
};

/// Implements methods by the operations of these names.
macro_rules! operations {
    ($(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(async fn $method(&self, $($name: $type),*) -> Result<$answer, StoreError> {
            self.run(|inner| async move { inner.$method($($name),*).await }).await
        })*
    };
}

impl Store for Scylla {
    fn epoch(&self) -> Epoch {
        self.inner.numbers.epoch
    }

    fn is_shared(&self) -> bool {
        true
    }

    operations! {
        fn latest_time() -> Timestamp;
        fn keep_time(now: Timestamp) -> ();
        fn check() -> ();
    }
}

impl Directory for Scylla {
    async fn account_by_name(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let username = username.clone();
        self.run(|inner| async move { inner.account_by_name(&username).await }).await
    }

    operations! {
        fn insert_account(account: Account) -> AccountInsert;
        fn account(user: UserId) -> Option<Account>;
        fn put_profile(user: UserId, profile: Profile) -> ();
        fn insert_device(device: Device) -> bool;
        fn device(device: DeviceId) -> Option<Device>;
        fn devices(user: UserId) -> Vec<Device>;
        fn update_device(device: Device) -> bool;
    }
}

impl Log for Scylla {
    async fn append(&self, append: Append<'_>) -> Result<Appended, StoreError> {
        let append = Appending::new(&append);
        self.run(|inner| async move { inner.append(&append).await }).await
    }

    operations! {
        fn claim(conversation: Conversation) -> Claimed;
        fn claimed(claim: Claim) -> Option<Conversation>;
        fn conversation(conversation: ConversationId) -> Option<(Conversation, Settings)>;
        fn head(conversation: ConversationId) -> Head;
        fn heads(conversations: Vec<ConversationId>) -> Vec<Head>;
        fn entries(conversation: ConversationId, range: Range) -> Vec<Entry>;
        fn erase(conversation: ConversationId, sequence: Sequence, erasure: Erasure) -> bool;
        fn apply_effects(effects: Vec<Effect>) -> ();
        fn pending() -> Vec<Pending>;
        fn pending_of(conversation: ConversationId) -> Option<Pending>;
        fn settle(conversation: ConversationId, through: Sequence) -> ();
        fn members(conversation: ConversationId) -> Vec<Membership>;
        fn memberships(user: UserId) -> Vec<Membership>;
        fn membership(user: UserId, conversation: ConversationId) -> Option<Membership>;
        fn contacts(owner: UserId, after: Option<UserId>, limit: usize) -> Vec<Contact>;
        fn contact(owner: UserId, peer: UserId) -> Option<Contact>;
    }
}

impl Cursors for Scylla {
    /// Every write that was answered is durable.
    async fn sync_cursors(&self) -> Result<(), StoreError> {
        Ok(())
    }

    operations! {
        fn advance_cursors(advances: Vec<CursorAdvance>) -> ();
        fn cursor(user: UserId, conversation: ConversationId) -> Cursor;
        fn cursors(user: UserId) -> Vec<(ConversationId, Cursor)>;
        fn advance_device_cursors(device: DeviceId, cursors: Vec<(ConversationId, Sequence)>) -> ();
        fn device_cursors(device: DeviceId) -> Vec<(ConversationId, Sequence)>;
    }
}
