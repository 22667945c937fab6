//! The keys of the rows: a tag that says which kind of row, then ids in network byte order, so that
//! the order of the bytes is the order of the numbers and every list is one range.
//!
//! ```text
//! entries     conversation 8 | sequence 8
//! directory   a user 8                      account
//!             n name                        user of the name
//!             e user 8 | device 8           device
//!             d device 8                    user of the device
//!             j user 8                      conversation of the claim: journal
//!             p user 8 | user 8             conversation of the claim: direct
//!             g user 8 | client message 8   conversation of the claim: group
//!             v conversation 8              conversation
//!             s conversation 8              settings
//!             m conversation 8 | user 8     membership
//!             u user 8 | conversation 8     the same membership
//!             c owner 8 | peer 8            contact
//!             w conversation 8              pending mark
//!             t                             latest time
//!             x                             progress of a copy that is not finished
//! cursors     u user 8 | conversation 8     cursor
//!             d device 8 | conversation 8   long-poll cursor
//! ```
//!
//! Tags and layouts are stored: they never change their meaning within a format.

use crate::model::{Claim, ConversationId, DeviceId, Sequence, UserId, Username};
pub(super) use crate::store::records::{EntryKey, entry_key as entry};
use fjall::UserKey;

/// Which keyspace a row lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Table {
    /// The logs.
    Entries,
    /// Everything small that is read by key or in short ranges.
    Directory,
    /// The rows that are overwritten all the time.
    Cursors,
}

/// Where a row, or a range of rows with this prefix, is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The keyspace.
    pub(super) table: Table,
    /// The bytes.
    pub(super) bytes: UserKey,
}

/// Where the row of an entry is.
pub(super) fn entry_row(conversation: ConversationId, sequence: Sequence) -> Key {
    Key { table: Table::Entries, bytes: UserKey::new(&entry(conversation, sequence)) }
}

fn one(table: Table, tag: u8, id: u64) -> Key {
    let mut bytes = [tag; 9];
    let (_, number) = bytes.split_at_mut(1);
    number.copy_from_slice(&id.to_be_bytes());
    Key { table, bytes: UserKey::new(&bytes) }
}

fn two(table: Table, tag: u8, first: u64, second: u64) -> Key {
    let mut bytes = [tag; 17];
    let (_, numbers) = bytes.split_at_mut(1);
    let both = u128::from(first) << 64 | u128::from(second);
    numbers.copy_from_slice(&both.to_be_bytes());
    Key { table, bytes: UserKey::new(&bytes) }
}

/// The prefix of all rows of a kind, or the only row of its kind.
fn all(tag: u8) -> Key {
    Key { table: Table::Directory, bytes: UserKey::new(&[tag]) }
}

pub(super) fn account(user: UserId) -> Key {
    one(Table::Directory, b'a', user.get())
}

pub(super) fn username(name: &Username) -> Key {
    let bytes: Vec<u8> = std::iter::once(b'n').chain(name.as_str().bytes()).collect();
    Key { table: Table::Directory, bytes: bytes.into() }
}

pub(super) fn device(user: UserId, device: DeviceId) -> Key {
    two(Table::Directory, b'e', user.get(), device.get())
}

pub(super) fn devices(user: UserId) -> Key {
    one(Table::Directory, b'e', user.get())
}

pub(super) fn device_user(device: DeviceId) -> Key {
    one(Table::Directory, b'd', device.get())
}

pub(super) fn claim(claim: Claim) -> Key {
    match claim {
        Claim::Journal(user) => one(Table::Directory, b'j', user.get()),
        Claim::Direct(low, high) => two(Table::Directory, b'p', low.get(), high.get()),
        Claim::Group(user, client) => two(Table::Directory, b'g', user.get(), client.get()),
    }
}

pub(super) fn conversation(conversation: ConversationId) -> Key {
    one(Table::Directory, b'v', conversation.get())
}

pub(super) fn settings(conversation: ConversationId) -> Key {
    one(Table::Directory, b's', conversation.get())
}

pub(super) fn member(conversation: ConversationId, user: UserId) -> Key {
    two(Table::Directory, b'm', conversation.get(), user.get())
}

pub(super) fn members(conversation: ConversationId) -> Key {
    one(Table::Directory, b'm', conversation.get())
}

pub(super) fn membership(user: UserId, conversation: ConversationId) -> Key {
    two(Table::Directory, b'u', user.get(), conversation.get())
}

pub(super) fn memberships(user: UserId) -> Key {
    one(Table::Directory, b'u', user.get())
}

pub(super) fn contact(owner: UserId, peer: UserId) -> Key {
    two(Table::Directory, b'c', owner.get(), peer.get())
}

pub(super) fn contacts(owner: UserId) -> Key {
    one(Table::Directory, b'c', owner.get())
}

pub(super) fn pending(conversation: ConversationId) -> Key {
    one(Table::Directory, b'w', conversation.get())
}

pub(super) fn all_pending() -> Key {
    all(b'w')
}

pub(super) fn all_accounts() -> Key {
    all(b'a')
}

pub(super) fn all_conversations() -> Key {
    all(b'v')
}

pub(super) fn progress() -> Key {
    all(b'x')
}

pub(super) fn latest_time() -> Key {
    all(b't')
}

pub(super) fn cursor(user: UserId, conversation: ConversationId) -> Key {
    two(Table::Cursors, b'u', user.get(), conversation.get())
}

pub(super) fn cursors(user: UserId) -> Key {
    one(Table::Cursors, b'u', user.get())
}

pub(super) fn device_cursor(device: DeviceId, conversation: ConversationId) -> Key {
    two(Table::Cursors, b'd', device.get(), conversation.get())
}

pub(super) fn device_cursors(device: DeviceId) -> Key {
    one(Table::Cursors, b'd', device.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation_id(number: u64) -> ConversationId {
        ConversationId::new(number).expect("in range")
    }

    #[test]
    fn a_list_is_the_prefix_of_its_rows() {
        let user = UserId::new(300).expect("in range");
        let row = membership(user, conversation_id(7));
        assert!(row.bytes.starts_with(&memberships(user).bytes));
        let other = membership(UserId::new(301).expect("in range"), conversation_id(7));
        assert!(!other.bytes.starts_with(&memberships(user).bytes));
    }

    #[test]
    fn claims_of_different_kinds_never_share_a_key() {
        let user = UserId::new(1).expect("in range");
        let peer = UserId::new(2).expect("in range");
        let client = crate::model::ClientMessageId::new(2).expect("in range");
        let keys = [
            claim(Claim::Journal(user)),
            claim(Claim::Direct(user, peer)),
            claim(Claim::Group(user, client)),
        ];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[1], keys[2]);
    }
}
