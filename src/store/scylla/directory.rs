//! Accounts and devices.

use super::claims::{Claiming, Made};
use super::row::{self, bigint, first, number, typed};
use super::{Inner, STATEMENTS_MAX, outcome};
use crate::model::{Account, Device, DeviceId, Profile, UserId, Username};
use crate::store::records::{self, Encode};
use crate::store::{AccountInsert, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};

/// How often a profile is written again that another writer changed in between.
const ATTEMPTS_MAX: usize = 8;

impl Inner {
    fn naming(&self) -> Claiming<'_> {
        let rows = &self.statements.rows;
        Claiming {
            insert: &rows.insert_user,
            claim: &rows.claim_username,
            holder: "user",
            complete: &rows.complete_user,
            remove: &rows.remove_user,
            read: &rows.user,
        }
    }

    pub(super) async fn insert_account(
        &self,
        account: Account,
    ) -> Result<AccountInsert, StoreError> {
        let (id, key) = user_key(account.user);
        let name = account.username.as_str();
        let is_same = |record: &[u8]| {
            records::decode(&key, record).map(|stored: Account| stored.username == account.username)
        };
        let row = (id, account.encode(&key));
        match self.make(&self.naming(), row, (name, id), is_same).await? {
            Made::New => Ok(AccountInsert::Inserted),
            Made::IdTaken => Ok(AccountInsert::IdTaken),
            Made::Before => Ok(AccountInsert::NameTaken),
            Made::Claimed(_) => {
                // Finishes it, should whoever has the name have been cut off.
                self.account_by_name(&account.username).await?;
                Ok(AccountInsert::NameTaken)
            }
        }
    }

    pub(super) async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let (id, key) = user_key(user);
        self.whole(&self.naming(), id, &key).await
    }

    pub(super) async fn account_by_name(
        &self,
        username: &Username,
    ) -> Result<Option<Account>, StoreError> {
        let named = &self.statements.rows.username;
        let rows = self.database.read(named, (username.as_str(),)).await?;
        let Some((id,)) = first::<(i64,)>(&rows)? else { return Ok(None) };
        let user = number(id).and_then(UserId::new).ok_or(StoreError::Corrupt { what: "name" })?;
        let (id, key) = user_key(user);
        self.holder(&self.naming(), id, &key).await.map(Some)
    }

    pub(super) async fn put_profile(
        &self,
        user: UserId,
        profile: Profile,
    ) -> Result<(), StoreError> {
        let (id, key) = user_key(user);
        for _ in 0..ATTEMPTS_MAX {
            let rows = self.database.read(&self.statements.rows.user, (id,)).await?;
            let Some((true, found)) = first::<(bool, &[u8])>(&rows)? else { return Ok(()) };
            let account: Account = records::decode(&key, found)?;
            let account = Account { profile: profile.clone(), ..account };
            let record: Vec<u8> = account.encode(&key);
            let replace = &self.statements.rows.replace_user;
            if self.database.once(replace, (record, id, found)).await?.is_applied() {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable)
    }

    pub(super) async fn insert_device(&self, device: Device) -> Result<bool, StoreError> {
        let (id, key) = device_key(device.device);
        let rows = &self.statements.rows;
        let listed = (bigint(device.user.get()), id);
        let listed = self.database.change(&rows.list_device, listed).await;
        // A row that names a device which is not there means nothing.
        listed.map_err(outcome::unchanged)?;
        let record: Vec<u8> = device.encode(&key);
        let row = (id, bigint(device.version), record);
        Ok(self.database.once(&rows.insert_device, row).await?.is_applied())
    }

    pub(super) async fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        let (id, key) = device_key(device);
        let rows = self.database.read(&self.statements.rows.device, (id,)).await?;
        row::record(&rows, &key)
    }

    pub(super) async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        let listed = &self.statements.rows.devices;
        let rows = self.database.read(listed, (bigint(user.get()),)).await?;
        let mut ids = Vec::with_capacity(rows.rows_num());
        for row in typed::<(i64,)>(&rows)? {
            let (id,) = row?;
            let id = number(id).and_then(DeviceId::new);
            ids.push(id.ok_or(StoreError::Corrupt { what: "device" })?);
        }
        let devices = stream::iter(ids).map(|id| self.device(id)).buffered(STATEMENTS_MAX);
        let mut devices: Vec<Device> =
            devices.try_filter_map(async |device| Ok(device)).try_collect().await?;
        devices.retain(|device| device.user == user);
        Ok(devices)
    }

    pub(super) async fn update_device(&self, mut device: Device) -> Result<bool, StoreError> {
        let (id, key) = device_key(device.device);
        let read = bigint(device.version);
        device.version = device.version.saturating_add(1);
        let record: Vec<u8> = device.encode(&key);
        let row = (bigint(device.version), record, id, read);
        let replace = &self.statements.rows.replace_device;
        Ok(self.database.once(replace, row).await?.is_applied())
    }
}

fn user_key(user: UserId) -> (i64, row::Key) {
    (bigint(user.get()), account_key(user.get()))
}

/// What the record of an account is sealed with.
pub(super) fn account_key(user: u64) -> row::Key {
    row::key("users", &[user])
}

fn device_key(device: DeviceId) -> (i64, row::Key) {
    (bigint(device.get()), row::key("devices", &[device.get()]))
}
