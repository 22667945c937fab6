//! Accounts and devices.

use super::commit::{Change, Draft};
use super::{Embedded, keys};
use crate::model::{Account, Device, DeviceId, Profile, UserId, Username};
use crate::store::{AccountInsert, Directory, StoreError};

impl Directory for Embedded {
    async fn insert_account(&self, account: Account) -> Result<AccountInsert, StoreError> {
        self.change(InsertAccount(account)).await
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        self.read(move |view| view.get(&keys::account(user))).await
    }

    async fn account_by_name(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let key = keys::username(username);
        self.read(move |view| match view.get::<UserId>(&key)? {
            Some(user) => view.get(&keys::account(user)),
            None => Ok(None),
        })
        .await
    }

    async fn put_profile(&self, user: UserId, profile: Profile) -> Result<(), StoreError> {
        self.change(PutProfile(user, profile)).await
    }

    async fn insert_device(&self, device: Device) -> Result<bool, StoreError> {
        self.change(InsertDevice(device)).await
    }

    async fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        self.read(move |view| match view.get::<UserId>(&keys::device_user(device))? {
            Some(user) => view.get(&keys::device(user, device)),
            None => Ok(None),
        })
        .await
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        self.read(move |view| view.list(&keys::devices(user))).await
    }

    async fn update_device(&self, device: Device) -> Result<bool, StoreError> {
        self.change(UpdateDevice(device)).await
    }
}

struct InsertAccount(Account);

impl Change for InsertAccount {
    type Outcome = AccountInsert;
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        size_of_val(self) + self.0.profile.about.len()
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<AccountInsert, StoreError> {
        let account = self.0;
        let (name, id) = (keys::username(&account.username), keys::account(account.user));
        if draft.has("user name", &name)? {
            return Ok(AccountInsert::NameTaken);
        }
        if draft.has("account", &id)? {
            return Ok(AccountInsert::IdTaken);
        }
        draft.put(name, &account.user);
        draft.put(id, &account);
        Ok(AccountInsert::Inserted)
    }
}

struct PutProfile(UserId, Profile);

impl Change for PutProfile {
    type Outcome = ();
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        size_of_val(self) + self.1.about.len()
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        let Self(user, profile) = self;
        let key = keys::account(user);
        if let Some(account) = draft.get::<Account>(&key)? {
            draft.put(key, &Account { profile, ..account });
        }
        Ok(())
    }
}

struct InsertDevice(Device);

impl Change for InsertDevice {
    type Outcome = bool;
    const DURABLE: bool = true;

    fn stage(self, draft: &mut Draft<'_>) -> Result<bool, StoreError> {
        let device = self.0;
        let owner = keys::device_user(device.device);
        if draft.has("device", &owner)? {
            return Ok(false);
        }
        draft.put(owner, &device.user);
        draft.put(keys::device(device.user, device.device), &device);
        Ok(true)
    }
}

struct UpdateDevice(Device);

impl Change for UpdateDevice {
    type Outcome = bool;
    const DURABLE: bool = true;
    // Signing a device out has to work on a full disk, too.
    const GROWS: bool = false;

    fn stage(self, draft: &mut Draft<'_>) -> Result<bool, StoreError> {
        let mut device = self.0;
        let key = keys::device(device.user, device.device);
        let stored = draft.get::<Device>(&key)?;
        if stored.is_none_or(|stored| stored.version != device.version) {
            return Ok(false);
        }
        device.version = device.version.saturating_add(1);
        draft.put(key, &device);
        Ok(true)
    }
}
