//! Accounts and devices.

use super::samples::{account, device, device_id, name, profile, time, user};
use crate::model::Device;
use crate::store::{AccountInsert, Store};

pub(in crate::store) async fn an_account_is_found_by_id_and_by_name(store: &impl Store) {
    let ana = account(1, "ana");
    assert_eq!(store.insert_account(ana.clone()).await, Ok(AccountInsert::Inserted));
    assert_eq!(store.account(user(1)).await, Ok(Some(ana.clone())));
    assert_eq!(store.account_by_name(&name("ana")).await, Ok(Some(ana)));
    assert_eq!(store.account(user(2)).await, Ok(None));
    assert_eq!(store.account_by_name(&name("anab")).await, Ok(None));
}

pub(in crate::store) async fn a_name_belongs_to_the_first_account(store: &impl Store) {
    let first = account(1, "ana");
    assert_eq!(store.insert_account(first.clone()).await, Ok(AccountInsert::Inserted));
    assert_eq!(store.insert_account(account(2, "ana")).await, Ok(AccountInsert::NameTaken));
    assert_eq!(store.account_by_name(&name("ana")).await, Ok(Some(first)));
    assert_eq!(store.account(user(2)).await, Ok(None));
}

pub(in crate::store) async fn an_id_belongs_to_the_first_account(store: &impl Store) {
    let first = account(1, "ana");
    assert_eq!(store.insert_account(first.clone()).await, Ok(AccountInsert::Inserted));
    assert_eq!(store.insert_account(account(1, "ben")).await, Ok(AccountInsert::IdTaken));
    assert_eq!(store.account(user(1)).await, Ok(Some(first)));
    assert_eq!(store.account_by_name(&name("ben")).await, Ok(None));
}

pub(in crate::store) async fn of_many_accounts_with_one_name_one_is_stored(store: &impl Store) {
    let tasks: Vec<_> = (1..=16)
        .map(|id| {
            let store = store.clone();
            tokio::spawn(async move { (id, store.insert_account(account(id, "ana")).await) })
        })
        .collect();
    let mut stored = Vec::new();
    for task in tasks {
        let (id, inserted) = task.await.expect("no panic");
        match inserted.expect("the store works") {
            AccountInsert::Inserted => stored.push(id),
            AccountInsert::NameTaken => {}
            AccountInsert::IdTaken => panic!("no id was used twice"),
        }
    }
    assert_eq!(stored.len(), 1);
    let found = store.account_by_name(&name("ana")).await.expect("the store works");
    assert_eq!(found.map(|found| found.user.get()), stored.first().copied());
}

pub(in crate::store) async fn a_profile_is_replaced(store: &impl Store) {
    let ana = account(1, "ana");
    store.insert_account(ana.clone()).await.expect("the store works");
    assert_eq!(store.put_profile(user(1), profile("Ana B")).await, Ok(()));
    let found = store.account(user(1)).await.expect("the store works").expect("stored");
    assert_eq!(found.profile, profile("Ana B"));
    assert_eq!((found.password, found.username), (ana.password, ana.username));
}

pub(in crate::store) async fn a_profile_of_nobody_is_ignored(store: &impl Store) {
    assert_eq!(store.put_profile(user(1), profile("Ana")).await, Ok(()));
    assert_eq!(store.account(user(1)).await, Ok(None));
}

pub(in crate::store) async fn devices_are_listed_by_user(store: &impl Store) {
    let revoked = Device { revoked_at: Some(time(0)), ..device(12, 1) };
    for device in [device(300, 1), revoked.clone(), device(11, 2)] {
        assert_eq!(store.insert_device(device).await, Ok(true));
    }
    assert_eq!(store.devices(user(1)).await, Ok(vec![revoked.clone(), device(300, 1)]));
    assert_eq!(store.devices(user(3)).await, Ok(vec![]));
    assert_eq!(store.device(device_id(12)).await, Ok(Some(revoked)));
    assert_eq!(store.device(device_id(13)).await, Ok(None));
}

pub(in crate::store) async fn a_device_id_belongs_to_the_first(store: &impl Store) {
    assert_eq!(store.insert_device(device(1, 1)).await, Ok(true));
    assert_eq!(store.insert_device(device(1, 2)).await, Ok(false));
    assert_eq!(store.device(device_id(1)).await, Ok(Some(device(1, 1))));
    assert_eq!(store.devices(user(2)).await, Ok(vec![]));
}

pub(in crate::store) async fn a_device_is_updated_from_the_version_it_was_read_at(
    store: &impl Store,
) {
    store.insert_device(device(1, 1)).await.expect("the store works");
    let revoked = Device { revoked_at: Some(time(7)), ..device(1, 1) };
    assert_eq!(store.update_device(revoked.clone()).await, Ok(true));
    let stored = Device { version: 1, ..revoked.clone() };
    assert_eq!(store.device(device_id(1)).await, Ok(Some(stored.clone())));
    assert_eq!(store.update_device(revoked).await, Ok(false));
    assert_eq!(store.device(device_id(1)).await, Ok(Some(stored.clone())));
    assert_eq!(store.update_device(stored).await, Ok(true));
    assert_eq!(store.update_device(device(2, 1)).await, Ok(false));
    assert_eq!(store.device(device_id(2)).await, Ok(None));
}

pub(in crate::store) async fn of_many_updates_of_one_version_one_is_stored(store: &impl Store) {
    store.insert_device(device(1, 1)).await.expect("the store works");
    let tasks: Vec<_> = (10..26)
        .map(|generation| {
            let store = store.clone();
            let update = Device { generation, ..device(1, 1) };
            tokio::spawn(async move { (generation, store.update_device(update).await) })
        })
        .collect();
    let mut stored = Vec::new();
    for task in tasks {
        let (generation, updated) = task.await.expect("no panic");
        if updated.expect("the store works") {
            stored.push(generation);
        }
    }
    assert_eq!(stored.len(), 1);
    let found = store.device(device_id(1)).await.expect("the store works").expect("stored");
    assert_eq!((Some(&found.generation), found.version), (stored.first(), 1));
}
