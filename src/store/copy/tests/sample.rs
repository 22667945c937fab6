//! A store with everything in it, whichever its backend.

use crate::model::{Claim, ContactState, Conversation, Device, Entry, Settings, Title};
use crate::store::conformance::samples::{
    account, advance, append, at, client, contact, contents, cursor, device, device_id, direct,
    entry, erased_entry, everything, log, membership, text, time, user,
};
use crate::store::copy::ROWS_MAX;
use crate::store::{Append, Effect, Store, StoreError};

/// More than a page of each.
pub(super) const ACCOUNTS: u64 = 70;
pub(super) const CONVERSATIONS: u64 = 70;

/// Writes one of everything, and more than a page of most.
pub(in crate::store) async fn fill<S: Store>(store: &S) -> Result<(), StoreError> {
    for number in 1..=ACCOUNTS {
        store.insert_account(account(number, &format!("user{number}"))).await?;
        store.insert_device(device(number, number)).await?;
    }
    let revoked = Device { revoked_at: Some(time(9)), version: 0, ..device(1, 1) };
    store.update_device(revoked).await?;
    // More than is written at once.
    let peers = (2..).take(ROWS_MAX + 10);
    let contacts = peers.map(|peer| contact(1, peer, ContactState::Accepted, peer));
    store.apply_effects(contacts.map(Effect::Contact).collect()).await?;
    for number in 1..=CONVERSATIONS {
        store.claim(direct(number, number, number + 1)).await?;
    }
    fill_logs(store).await?;
    let journal = Claim::Journal(user(1));
    store.claim(Conversation { id: log(1_000), claim: journal, created_at: time(3) }).await?;
    let group = Claim::Group(user(2), client(7));
    store.claim(Conversation { id: log(1_001), claim: group, created_at: time(4) }).await?;
    let settings = Settings {
        title: Title::new("Title"),
        member_count: 2,
        set_by: at(5),
        changed_at: time(6),
        ..Settings::default()
    };
    let rows = vec![
        Effect::Settings(log(1_001), settings),
        Effect::Membership(membership(1_001, 1, 3)),
        Effect::Membership(membership(1_001, 2, 4)),
    ];
    store.apply_effects(rows).await?;
    store.advance_cursors(vec![advance(1, 1, cursor(9, 4)), advance(1, 2, cursor(3, 0))]).await?;
    store.advance_device_cursors(device_id(1), vec![(log(1), at(9)), (log(2), at(1))]).await?;
    store.keep_time(time(1_790_000_000_000)).await
}

async fn fill_logs<S: Store>(store: &S) -> Result<(), StoreError> {
    // Several pages, and exactly one.
    store.append(append(1, 0, 200)).await?;
    store.append(append(2, 0, 64)).await?;
    let mut all: Vec<Entry> = (1..).zip(contents()).map(|(at, what)| entry(at, what)).collect();
    all.push(erased_entry(at(0).plus(all.len().try_into().expect("few")).next().get()));
    let marked = |conversation, expected, entries: Vec<Entry>| Append {
        conversation: log(conversation),
        expected: at(expected),
        entries: entries.into(),
        has_effects: true,
    };
    store.append(marked(3, 0, all)).await?;
    // Marked from the middle of a page on.
    store.append(append(4, 0, 70)).await?;
    store.append(marked(4, 70, vec![entry(71, text("marked"))])).await?;
    store.append(append(4, 71, 3)).await?;
    // Pages that end by their bytes.
    let long = text(&"x".repeat(100_000));
    let long: Vec<Entry> = (1..=10).map(|at| entry(at, long.clone())).collect();
    let has_effects = false;
    let entries = long.into();
    store.append(Append { conversation: log(5), expected: at(0), entries, has_effects }).await?;
    Ok(())
}

/// How many entries [`fill_logs`] writes.
pub(in crate::store) fn entries_in_all() -> u64 {
    200 + 64 + u64::try_from(contents().len()).expect("few") + 1 + 74 + 10
}

/// Everything that the traits of a store tell, by the ids that [`fill`] uses.
pub(in crate::store) async fn contents_of<S: Store>(store: &S) -> Result<String, StoreError> {
    let mut told = vec![format!("{:?} {:?}", store.epoch(), store.latest_time().await?)];
    for number in 1..=ACCOUNTS {
        let (user, device) = (user(number), device_id(number));
        let account = store.account(user).await?;
        // Its `Debug` leaves the password out.
        let password = account.as_ref().map(|account| account.password.as_str().to_owned());
        told.push(format!("{account:?} {password:?}"));
        let name = account.expect("stored").username;
        told.push(format!("{:?}", store.account_by_name(&name).await?));
        told.push(format!("{:?} {:?}", store.devices(user).await?, store.device(device).await?));
        told.push(format!("{:?}", store.contacts(user, None, usize::MAX).await?));
        told.push(format!("{:?} {:?}", store.memberships(user).await?, store.cursors(user).await?));
        told.push(format!("{:?}", store.device_cursors(device).await?));
    }
    for id in (1..=CONVERSATIONS).chain([1_000, 1_001]).map(log) {
        let stored = store.conversation(id).await?;
        let claim = stored.as_ref().expect("stored").0.claim;
        told.push(format!(
            "{stored:?} {:?} {:?}",
            store.claimed(claim).await?,
            store.head(id).await?
        ));
        told.push(format!("{:?}", store.entries(id, everything()).await?));
        told.push(format!("{:?} {:?}", store.members(id).await?, store.pending_of(id).await?));
    }
    Ok(told.join("\n"))
}
