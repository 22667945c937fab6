//! Conversations and their settings as rows.

use super::{Decode, Encode, Value, access, optional, seal};
use crate::model::{
    Claim, ClientMessageId, Conversation, ConversationId, MediaId, Sequence, Settings, Timestamp,
    Title, UserId,
};
use rkyv::with::InlineAsBox;
use rkyv::{Archive, Serialize};

#[derive(Archive, Serialize)]
struct ConversationV1 {
    id: u64,
    claim: ClaimV1,
    created_at: u64,
}

#[derive(Archive, Serialize)]
enum ClaimV1 {
    Journal(u64),
    Direct(u64, u64),
    Group(u64, u64),
}

impl Encode for Conversation {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let claim = match self.claim {
            Claim::Journal(user) => ClaimV1::Journal(user.get()),
            Claim::Direct(low, high) => ClaimV1::Direct(low.get(), high.get()),
            Claim::Group(user, client) => ClaimV1::Group(user.get(), client.get()),
        };
        let created_at = self.created_at.as_millis();
        seal(1, key, &ConversationV1 { id: self.id.get(), claim, created_at })
    }
}

impl Decode for Conversation {
    const WHAT: &'static str = "conversation";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedConversationV1>(archive)?.conversation(),
            _ => None,
        }
    }
}

impl ArchivedConversationV1 {
    fn conversation(&self) -> Option<Conversation> {
        Some(Conversation {
            id: ConversationId::new(self.id.to_native())?,
            claim: self.claim.claim()?,
            created_at: Timestamp::from_millis(self.created_at.to_native()),
        })
    }
}

impl ArchivedClaimV1 {
    fn claim(&self) -> Option<Claim> {
        let user = |number: u64| UserId::new(number);
        match self {
            Self::Journal(owner) => Some(Claim::Journal(user(owner.to_native())?)),
            Self::Direct(low, high) => {
                Claim::direct(user(low.to_native())?, user(high.to_native())?)
            }
            Self::Group(creator, client) => {
                let client = ClientMessageId::new(client.to_native())?;
                Some(Claim::Group(user(creator.to_native())?, client))
            }
        }
    }
}

/// An empty title stands for none: a title has at least one character.
#[derive(Archive, Serialize)]
struct SettingsV1<'a> {
    #[rkyv(with = InlineAsBox)]
    title: &'a str,
    picture: u64,
    member_count: u64,
    set_by: u64,
    changed_at: u64,
}

impl Encode for Settings {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let record = SettingsV1 {
            title: self.title.as_ref().map_or("", Title::as_str),
            picture: self.picture.map_or(0, MediaId::get),
            member_count: self.member_count,
            set_by: self.set_by.get(),
            changed_at: self.changed_at.as_millis(),
        };
        seal(1, key, &record)
    }
}

impl Decode for Settings {
    const WHAT: &'static str = "settings row";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedSettingsV1<'_>>(archive)?.settings(),
            _ => None,
        }
    }
}

impl ArchivedSettingsV1<'_> {
    fn settings(&self) -> Option<Settings> {
        let title = match self.title.as_ref() {
            "" => None,
            title => Some(Title::new(title)?),
        };
        Some(Settings {
            title,
            picture: optional(self.picture.to_native(), MediaId::new)?,
            member_count: self.member_count.to_native(),
            set_by: Sequence::new(self.set_by.to_native())?,
            changed_at: Timestamp::from_millis(self.changed_at.to_native()),
        })
    }
}
