//! A [`Directory`] in memory, for tests: it keeps its contract, lets others run
//! before it answers, and can lose the answers of writes.

use crate::model::{Account, Device, DeviceId, Profile, UserId, Username};
use crate::store::{AccountInsert, Directory, StoreError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    rows: Arc<Mutex<Rows>>,
    /// So many of the next writes of accounts and devices are applied, and their answers lost.
    pub(super) loses_answers: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Rows {
    accounts: BTreeMap<UserId, Account>,
    devices: BTreeMap<DeviceId, Device>,
}

impl Memory {
    async fn rows(&self) -> MutexGuard<'_, Rows> {
        tokio::task::yield_now().await;
        self.rows.lock().expect("no test panics while holding it")
    }

    /// The answer of a write, or that it was lost.
    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        let lost = self
            .loses_answers
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        lost.map_or(Ok(answer), |_| Err(StoreError::Unknown))
    }
}

impl Directory for Memory {
    async fn insert_account(&self, account: Account) -> Result<AccountInsert, StoreError> {
        let accounts = &mut self.rows().await.accounts;
        if accounts.values().any(|other| other.username == account.username) {
            return self.answer(AccountInsert::NameTaken);
        }
        if accounts.contains_key(&account.user) {
            return self.answer(AccountInsert::IdTaken);
        }
        accounts.insert(account.user, account);
        self.answer(AccountInsert::Inserted)
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.rows().await.accounts.get(&user).cloned())
    }

    async fn account_by_name(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let rows = self.rows().await;
        Ok(rows.accounts.values().find(|account| account.username == *username).cloned())
    }

    async fn put_profile(&self, user: UserId, profile: Profile) -> Result<(), StoreError> {
        if let Some(account) = self.rows().await.accounts.get_mut(&user) {
            account.profile = profile;
        }
        Ok(())
    }

    async fn insert_device(&self, device: Device) -> Result<bool, StoreError> {
        let devices = &mut self.rows().await.devices;
        let free = !devices.contains_key(&device.device);
        if free {
            devices.insert(device.device, device);
        }
        Ok(free)
    }

    async fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.rows().await.devices.get(&device).cloned())
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        let rows = self.rows().await;
        Ok(rows.devices.values().filter(|device| device.user == user).cloned().collect())
    }

    async fn update_device(&self, mut device: Device) -> Result<bool, StoreError> {
        let devices = &mut self.rows().await.devices;
        let current = devices.get(&device.device).is_some_and(|d| d.version == device.version);
        if current {
            device.version += 1;
            devices.insert(device.device, device);
        }
        self.answer(current)
    }
}
