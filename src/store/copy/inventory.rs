//! What a store holds, in numbers: how many rows of each kind, and a hash of their contents.
//!
//! Rows are hashed as their newest record would be written, not as they are stored, so that the same
//! contents have the same hash in every backend and in every version of a record.

use super::{PAGE, ROWS_MAX, Unit};
use crate::model::{ConversationId, Membership, Sequence, UserId};
use crate::store::records::Encode;
use crate::store::{Range, Store, StoreError};
use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;
use xxhash_rust::xxh3::Xxh3;

/// What a store, or a part of it, holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Conversations.
    pub conversations: u64,
    /// Entries of all logs.
    pub entries: u64,
    /// Memberships, former ones included.
    pub memberships: u64,
    /// Accounts.
    pub accounts: u64,
    /// Devices, revoked ones included.
    pub devices: u64,
    /// Contacts.
    pub contacts: u64,
    /// Cursors, those of long polls included.
    pub cursors: u64,
    /// The sum of the hashes of all conversations and accounts, whatever their order.
    pub contents: u128,
}

impl AddAssign for Inventory {
    fn add_assign(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.entries += other.entries;
        self.memberships += other.memberships;
        self.accounts += other.accounts;
        self.devices += other.devices;
        self.contacts += other.contacts;
        self.cursors += other.cursors;
        self.contents = self.contents.wrapping_add(other.contents);
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, entries, memberships, accounts, devices, contacts, .. } = self;
        write!(
            f,
            "{conversations} conversations with {entries} entries and {memberships} members, "
        )?;
        write!(f, "{accounts} accounts with {devices} devices, {contacts} contacts and ")?;
        write!(f, "{} cursors; contents {:032x}", self.cursors, self.contents)
    }
}

impl Inventory {
    /// What a store holds of a unit.
    pub(super) async fn of<S: Store>(store: &S, unit: Unit) -> Result<Self, StoreError> {
        match unit {
            Unit::Conversation(id) => Self::of_conversation(store, id).await,
            Unit::Account(user) => Self::of_account(store, user).await,
        }
    }

    /// Without the members, which are the users' memberships seen from the other side.
    async fn of_conversation<S: Store>(store: &S, id: ConversationId) -> Result<Self, StoreError> {
        let Some((conversation, settings)) = store.conversation(id).await? else {
            return Ok(Self::default());
        };
        if store.claimed(conversation.claim).await? != Some(conversation) {
            return Err(StoreError::Corrupt { what: "claim" });
        }
        let mut hash = Hash::default();
        hash.add(&conversation);
        hash.add(&settings);
        let (mut entries, mut head) = (0, Sequence::ZERO);
        loop {
            let page = store.entries(id, Range { from: head.next(), ..PAGE }).await?;
            let Some(last) = page.last() else { break };
            head = last.sequence;
            for entry in &page {
                hash.add(&entry.sequence);
                hash.add(entry);
            }
            entries += count(&page);
        }
        // A mark beyond the end of the log covers nothing.
        let mark = store.pending_of(id).await?.map(|pending| pending.from);
        hash.add(&mark.filter(|from| *from <= head).unwrap_or_default());
        Ok(Self { conversations: 1, entries, contents: hash.digest(), ..Self::default() })
    }

    async fn of_account<S: Store>(store: &S, user: UserId) -> Result<Self, StoreError> {
        let Some(account) = store.account(user).await? else { return Ok(Self::default()) };
        if store.account_by_name(&account.username).await?.as_ref() != Some(&account) {
            return Err(StoreError::Corrupt { what: "user name" });
        }
        let mut hash = Hash::default();
        hash.add(&account);
        let mut devices = store.devices(user).await?;
        devices.sort_unstable_by_key(|device| device.device);
        let mut cursors = 0;
        for device in &devices {
            hash.add(device);
            let mut positions = store.device_cursors(device.device).await?;
            positions.sort_unstable();
            for (conversation, position) in &positions {
                hash.add(conversation);
                hash.add(position);
            }
            cursors += count(&positions);
        }
        let mut memberships = store.memberships(user).await?;
        memberships.sort_unstable_by_key(|membership| membership.conversation);
        hash.add_all(&memberships);
        let mut positions = store.cursors(user).await?;
        positions.sort_unstable_by_key(|(conversation, _)| *conversation);
        for (conversation, cursor) in &positions {
            hash.add(conversation);
            hash.add(cursor);
        }
        cursors += count(&positions);
        let (mut contacts, mut after) = (0, None);
        loop {
            let page = store.contacts(user, after, ROWS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.peer);
            hash.add_all(&page);
            contacts += count(&page);
        }
        let (devices, memberships) = (count(&devices), count(&memberships));
        let contents = hash.digest();
        Ok(Self {
            accounts: 1,
            devices,
            memberships,
            contacts,
            cursors,
            contents,
            ..Self::default()
        })
    }
}

/// Whether the target names all members of a conversation whom the source names. A source that a crash
/// cut off may not name some whose own lists have the conversation already: the copy names those too.
pub(super) async fn keeps_members<S: Store, T: Store>(
    source: &S,
    target: &T,
    id: ConversationId,
) -> Result<bool, StoreError> {
    let (members, copied) = tokio::try_join!(source.members(id), target.members(id))?;
    let copied: HashMap<UserId, Membership> =
        copied.into_iter().map(|member| (member.user, member)).collect();
    let is_kept = |member: &Membership| {
        let copy = copied.get(&member.user);
        copy.is_some_and(|copy| copy == member || copy.set_by > member.set_by)
    };
    Ok(members.iter().all(is_kept))
}

fn count<T>(rows: &[T]) -> u64 {
    rows.len().try_into().unwrap_or(u64::MAX)
}

/// A hash of rows in their order. Each is written with a checksum, so that no two runs of rows make
/// the same bytes.
#[derive(Default)]
struct Hash(Xxh3);

impl Hash {
    fn add(&mut self, row: &impl Encode) {
        self.0.update(&row.encode::<Vec<u8>>(&[]));
    }

    fn add_all(&mut self, rows: &[impl Encode]) {
        for row in rows {
            self.add(row);
        }
    }

    fn digest(&self) -> u128 {
        self.0.digest128()
    }
}
