//! Memberships and contacts as rows.

use super::content::ContactStateV1;
use super::{Decode, Encode, Value, access, seal};
use crate::model::{
    Contact, ConversationId, Interval, Membership, Role, Sequence, Timestamp, UserId,
};
use rkyv::{Archive, Serialize};

#[derive(Archive, Serialize)]
struct MembershipV1 {
    conversation: u64,
    user: u64,
    role: RoleV1,
    intervals: Vec<IntervalV1>,
    set_by: u64,
    changed_at: u64,
}

#[derive(Archive, Serialize)]
pub(super) enum RoleV1 {
    Member,
    Admin,
    Owner,
}

impl From<Role> for RoleV1 {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

impl ArchivedRoleV1 {
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Member => Role::Member,
            Self::Admin => Role::Admin,
            Self::Owner => Role::Owner,
        }
    }
}

#[derive(Archive, Serialize)]
struct IntervalV1 {
    from: u64,
    to: Option<u64>,
}

impl Encode for Membership {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let interval =
            |i: &Interval| IntervalV1 { from: i.from.get(), to: i.to.map(Sequence::get) };
        let record = MembershipV1 {
            conversation: self.conversation.get(),
            user: self.user.get(),
            role: self.role.into(),
            intervals: self.intervals.iter().map(interval).collect(),
            set_by: self.set_by.get(),
            changed_at: self.changed_at.as_millis(),
        };
        seal(1, key, &record)
    }
}

impl Decode for Membership {
    const WHAT: &'static str = "membership";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedMembershipV1>(archive)?.membership(),
            _ => None,
        }
    }
}

impl ArchivedMembershipV1 {
    fn membership(&self) -> Option<Membership> {
        let interval = |i: &ArchivedIntervalV1| {
            Some(Interval {
                from: Sequence::new(i.from.to_native())?,
                to: match i.to.as_ref() {
                    None => None,
                    Some(to) => Some(Sequence::new(to.to_native())?),
                },
            })
        };
        Some(Membership {
            conversation: ConversationId::new(self.conversation.to_native())?,
            user: UserId::new(self.user.to_native())?,
            role: self.role.role(),
            intervals: self.intervals.iter().map(interval).collect::<Option<_>>()?,
            set_by: Sequence::new(self.set_by.to_native())?,
            changed_at: Timestamp::from_millis(self.changed_at.to_native()),
        })
    }
}

#[derive(Archive, Serialize)]
struct ContactV1 {
    owner: u64,
    peer: u64,
    state: ContactStateV1,
    set_by: u64,
    changed_at: u64,
}

impl Encode for Contact {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let record = ContactV1 {
            owner: self.owner.get(),
            peer: self.peer.get(),
            state: self.state.into(),
            set_by: self.set_by.get(),
            changed_at: self.changed_at.as_millis(),
        };
        seal(1, key, &record)
    }
}

impl Decode for Contact {
    const WHAT: &'static str = "contact";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedContactV1>(archive)?.contact(),
            _ => None,
        }
    }
}

impl ArchivedContactV1 {
    fn contact(&self) -> Option<Contact> {
        Some(Contact {
            owner: UserId::new(self.owner.to_native())?,
            peer: UserId::new(self.peer.to_native())?,
            state: self.state.state(),
            set_by: Sequence::new(self.set_by.to_native())?,
            changed_at: Timestamp::from_millis(self.changed_at.to_native()),
        })
    }
}
