//! What an inventory notices.

use super::open;
use crate::model::{ContactState, Erasure};
use crate::store::conformance::samples::{
    account, advance, append, at, contact, cursor, device, device_id, direct, log, membership,
    profile, user,
};
use crate::store::copy::{Inventory, Purpose, Unit};
use crate::store::embedded::Embedded;
use crate::store::{Append, Cursors, Directory, Effect, Log};

/// What a store holds in all.
async fn inventory(store: &Embedded) -> Inventory {
    let mut held = Inventory::default();
    for unit in [Unit::Conversation(log(1)), Unit::Account(user(1))] {
        held += Inventory::of(store, unit).await.expect("the store works");
    }
    held
}

#[tokio::test]
async fn whatever_changes_in_a_store_changes_its_inventory() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), Purpose::Use);
    let mut before = Inventory::default();
    for change in 0..12 {
        let done = match change {
            0 => store.claim(direct(1, 1, 2)).await.map(drop),
            1 => store.append(append(1, 0, 2)).await.map(drop),
            2 => store.append(Append { has_effects: true, ..append(1, 2, 1) }).await.map(drop),
            3 => store.settle(log(1), at(3)).await,
            4 => store.erase(log(1), at(2), Erasure(0)).await.map(drop),
            5 => store.insert_account(account(1, "ana")).await.map(drop),
            6 => store.apply_effects(vec![Effect::Membership(membership(1, 1, 2))]).await,
            7 => store.put_profile(user(1), profile("other")).await,
            8 => store.insert_device(device(1, 1)).await.map(drop),
            9 => store.advance_cursors(vec![advance(1, 1, cursor(1, 0))]).await,
            10 => store.advance_device_cursors(device_id(1), vec![(log(1), at(1))]).await,
            _ => {
                let row = contact(1, 2, ContactState::Blocked, 1);
                store.apply_effects(vec![Effect::Contact(row)]).await
            }
        };
        done.expect("the store works");
        let after = inventory(&store).await;
        assert_ne!(after.contents, before.contents, "change {change}");
        before = after;
    }
}
