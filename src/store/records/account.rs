//! Accounts and devices as rows.

use super::{Decode, Encode, Value, access, optional, seal};
use crate::model::{
    Account, Device, DeviceId, DeviceName, DisplayName, MediaId, PasswordHash, Profile, Timestamp,
    UserId, Username,
};
use rkyv::with::InlineAsBox;
use rkyv::{Archive, Serialize};

#[derive(Archive, Serialize)]
struct AccountV1<'a> {
    user: u64,
    #[rkyv(with = InlineAsBox)]
    username: &'a str,
    #[rkyv(with = InlineAsBox)]
    password: &'a str,
    #[rkyv(with = InlineAsBox)]
    display_name: &'a str,
    #[rkyv(with = InlineAsBox)]
    about: &'a str,
    avatar: u64,
    created_at: u64,
}

impl Encode for Account {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let Profile { display_name, about, avatar } = &self.profile;
        let record = AccountV1 {
            user: self.user.get(),
            username: self.username.as_str(),
            password: self.password.as_str(),
            display_name: display_name.as_str(),
            about,
            avatar: avatar.map_or(0, MediaId::get),
            created_at: self.created_at.as_millis(),
        };
        seal(1, key, &record)
    }
}

impl Decode for Account {
    const WHAT: &'static str = "account";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedAccountV1<'_>>(archive)?.account(),
            _ => None,
        }
    }
}

impl ArchivedAccountV1<'_> {
    fn account(&self) -> Option<Account> {
        let profile = Profile {
            display_name: display_name(&self.display_name)?,
            about: self.about.as_ref().to_owned(),
            avatar: optional(self.avatar.to_native(), MediaId::new)?,
        };
        Some(Account {
            user: UserId::new(self.user.to_native())?,
            username: Username::new(&self.username)?,
            password: PasswordHash::new(&self.password),
            profile,
            created_at: Timestamp::from_millis(self.created_at.to_native()),
        })
    }
}

/// The name that a default profile carries is empty, which the checked constructor refuses.
fn display_name(text: &str) -> Option<DisplayName> {
    if text.is_empty() { Some(DisplayName::default()) } else { DisplayName::new(text) }
}

#[derive(Archive, Serialize)]
struct DeviceV1<'a> {
    device: u64,
    user: u64,
    #[rkyv(with = InlineAsBox)]
    name: &'a str,
    created_at: u64,
    family: u64,
    generation: u64,
    revoked_at: Option<u64>,
    version: u64,
}

impl Encode for Device {
    fn encode<V: Value>(&self, key: &[u8]) -> V {
        let record = DeviceV1 {
            device: self.device.get(),
            user: self.user.get(),
            name: self.name.as_str(),
            created_at: self.created_at.as_millis(),
            family: self.family,
            generation: self.generation,
            revoked_at: self.revoked_at.map(Timestamp::as_millis),
            version: self.version,
        };
        seal(1, key, &record)
    }
}

impl Decode for Device {
    const WHAT: &'static str = "device";

    fn decode(version: u8, _key: &[u8], archive: &[u8]) -> Option<Self> {
        match version {
            1 => access::<ArchivedDeviceV1<'_>>(archive)?.device(),
            _ => None,
        }
    }
}

impl ArchivedDeviceV1<'_> {
    fn device(&self) -> Option<Device> {
        let revoked_at = self.revoked_at.as_ref();
        Some(Device {
            device: DeviceId::new(self.device.to_native())?,
            user: UserId::new(self.user.to_native())?,
            name: DeviceName::new(&self.name)?,
            created_at: Timestamp::from_millis(self.created_at.to_native()),
            family: self.family.to_native(),
            generation: self.generation.to_native(),
            revoked_at: revoked_at.map(|at| Timestamp::from_millis(at.to_native())),
            version: self.version.to_native(),
        })
    }
}
