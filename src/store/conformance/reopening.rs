//! What is still there after the store was closed and opened again.

use super::Harness;
use super::samples::{
    account, advance, append, at, contact, cursor, device, device_id, direct, everything, log,
    membership, name, time, user,
};
use crate::model::{ContactState, Device, Erasure};
use crate::store::{
    AccountInsert, Append, Appended, Claimed, Cursors, Directory, Effect, Log, Pending, Store,
};

pub(in crate::store) async fn accounts_and_devices_survive(harness: impl Harness) {
    let store = harness.store();
    store.insert_account(account(1, "ana")).await.expect("the store works");
    store.insert_device(device(2, 1)).await.expect("the store works");
    store.update_device(device(2, 1)).await.expect("the store works");
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(store.account_by_name(&name("ana")).await, Ok(Some(account(1, "ana"))));
    assert_eq!(store.insert_account(account(2, "ana")).await, Ok(AccountInsert::NameTaken));
    let updated = Device { version: 1, ..device(2, 1) };
    assert_eq!(store.devices(user(1)).await, Ok(vec![updated.clone()]));
    assert_eq!(store.device(device_id(2)).await, Ok(Some(updated)));
}

pub(in crate::store) async fn logs_survive(harness: impl Harness) {
    let conversation = direct(10, 1, 2);
    harness.store().claim(conversation).await.expect("the store works");
    let written = append(10, 0, 300);
    harness.store().append(written.clone()).await.expect("the store works");
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(store.claim(direct(11, 1, 2)).await, Ok(Claimed::Exists(conversation)));
    assert_eq!(store.entries(log(10), everything()).await, Ok(written.entries.into_owned()));
    let head = store.head(log(10)).await.expect("the store works");
    assert_eq!(head.sequence, at(300));
}

pub(in crate::store) async fn an_erasure_survives(harness: impl Harness) {
    harness.store().append(append(1, 0, 3)).await.expect("the store works");
    harness.store().erase(log(1), at(2), Erasure(1)).await.expect("the store works");
    let harness = harness.reopen().await;
    let entries = harness.store().entries(log(1), everything()).await.expect("the store works");
    let mut written = append(1, 0, 3).entries.into_owned();
    written[1].erase(Erasure(1));
    assert_eq!(entries, written);
}

pub(in crate::store) async fn effects_and_marks_survive(harness: impl Harness) {
    let row = contact(1, 2, ContactState::Accepted, 3);
    let member = membership(5, 1, 3);
    let marked = Append { has_effects: true, ..append(5, 0, 3) };
    harness.store().append(marked).await.expect("the store works");
    let effects = vec![Effect::Contact(row), Effect::Membership(member.clone())];
    harness.store().apply_effects(effects).await.expect("the store works");
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(store.contact(user(1), user(2)).await, Ok(Some(row)));
    assert_eq!(store.members(log(5)).await, Ok(vec![member.clone()]));
    assert_eq!(store.memberships(user(1)).await, Ok(vec![member]));
    let pending = Pending { conversation: log(5), from: at(1) };
    assert_eq!(store.pending().await, Ok(vec![pending]));
}

pub(in crate::store) async fn a_settled_mark_stays_away(harness: impl Harness) {
    let marked = Append { has_effects: true, ..append(5, 0, 3) };
    harness.store().append(marked).await.expect("the store works");
    harness.store().settle(log(5), at(3)).await.expect("the store works");
    let harness = harness.reopen().await;
    assert_eq!(harness.store().pending().await, Ok(vec![]));
}

pub(in crate::store) async fn cursors_survive_a_clean_end(harness: impl Harness) {
    let store = harness.store();
    store.advance_cursors(vec![advance(1, 2, cursor(4, 3))]).await.expect("the store works");
    store.sync_cursors().await.expect("the store works");
    let cursors = vec![(log(2), at(9))];
    store.advance_device_cursors(device_id(3), cursors.clone()).await.expect("the store works");
    store.keep_time(time(77)).await.expect("the store works");
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(store.cursor(user(1), log(2)).await, Ok(cursor(4, 3)));
    assert_eq!(store.device_cursors(device_id(3)).await, Ok(cursors));
    assert_eq!(store.latest_time().await, Ok(time(77)));
}

pub(in crate::store) async fn the_epoch_stays(harness: impl Harness) {
    let epoch = harness.store().epoch();
    let harness = harness.reopen().await;
    assert_eq!(harness.store().epoch(), epoch);
}

pub(in crate::store) async fn appending_goes_on_where_it_ended(harness: impl Harness) {
    harness.store().append(append(1, 0, 2)).await.expect("the store works");
    let harness = harness.reopen().await;
    let stale = harness.store().append(append(1, 0, 1)).await;
    assert!(matches!(stale, Ok(Appended::Stale(head)) if head.sequence == at(2)));
    assert_eq!(harness.store().append(append(1, 2, 1)).await, Ok(Appended::Applied));
}
