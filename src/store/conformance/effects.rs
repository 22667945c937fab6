//! What follows from entries, and the marks that say what may be unwritten.

use super::samples::{append, at, contact, direct, log, media, membership, time, user};
use crate::model::{ContactState, Membership, Settings, Title};
use crate::store::{Append, Appended, Effect, Pending, Store};

pub(in crate::store) async fn an_effect_is_readable_from_both_sides(store: &impl Store) {
    let rows = [membership(1, 7, 0), membership(1, 300, 2), membership(2, 7, 1)];
    let effects = rows.iter().cloned().map(Effect::Membership).collect();
    assert_eq!(store.apply_effects(effects).await, Ok(()));
    let [first, second, third] = rows;
    assert_eq!(store.members(log(1)).await, Ok(vec![first.clone(), second.clone()]));
    assert_eq!(store.memberships(user(7)).await, Ok(vec![first, third]));
    assert_eq!(store.membership(user(300), log(1)).await, Ok(Some(second)));
    assert_eq!(store.membership(user(300), log(2)).await, Ok(None));
    assert_eq!(store.members(log(3)).await, Ok(vec![]));
    assert_eq!(store.memberships(user(8)).await, Ok(vec![]));
}

pub(in crate::store) async fn an_effect_is_replaced_only_by_a_later_one(store: &impl Store) {
    let rows = |title: &str, state, set_by| {
        let intervals = if title == "earlier" { vec![] } else { membership(1, 7, 1).intervals };
        let title = Title::new(title);
        let settings =
            Settings { title, set_by: at(set_by), changed_at: time(1), ..Settings::default() };
        vec![
            Effect::Membership(Membership { intervals, ..membership(1, 7, set_by) }),
            Effect::Settings(log(1), settings),
            Effect::Contact(contact(7, 8, state, set_by)),
        ]
    };
    store.claim(direct(1, 7, 8)).await.expect("the store works");
    let first = rows("first", ContactState::Accepted, 5);
    store.apply_effects(first.clone()).await.expect("the store works");
    let earlier = rows("earlier", ContactState::Blocked, 4);
    for effects in [earlier, first.clone()] {
        store.apply_effects(effects).await.expect("the store works");
        assert_eq!(stored(store).await, first);
    }
    let later = rows("later", ContactState::Blocked, 6);
    for effects in [later.clone(), first] {
        store.apply_effects(effects).await.expect("the store works");
        assert_eq!(stored(store).await, later);
    }
}

/// The rows of user 7 in conversation 1 and about user 8.
async fn stored(store: &impl Store) -> Vec<Effect> {
    let member = store.membership(user(7), log(1)).await.expect("works").expect("stored");
    assert_eq!(store.members(log(1)).await, Ok(vec![member.clone()]));
    assert_eq!(store.memberships(user(7)).await, Ok(vec![member.clone()]));
    let (_, settings) = store.conversation(log(1)).await.expect("works").expect("claimed");
    let contact = store.contact(user(7), user(8)).await.expect("works").expect("stored");
    let settings = Effect::Settings(log(1), settings);
    vec![Effect::Membership(member), settings, Effect::Contact(contact)]
}

pub(in crate::store) async fn effects_of_one_call_may_concern_one_row(store: &impl Store) {
    let row = |state, set_by| Effect::Contact(contact(1, 2, state, set_by));
    let effects = vec![
        row(ContactState::Accepted, 2),
        row(ContactState::Blocked, 3),
        row(ContactState::None, 1),
    ];
    store.apply_effects(effects).await.expect("the store works");
    let stored = store.contact(user(1), user(2)).await;
    assert_eq!(stored, Ok(Some(contact(1, 2, ContactState::Blocked, 3))));
}

pub(in crate::store) async fn settings_come_with_the_conversation(store: &impl Store) {
    let conversation = direct(1, 2, 3);
    store.claim(conversation).await.expect("the store works");
    let found = store.conversation(log(1)).await;
    assert_eq!(found, Ok(Some((conversation, Settings::default()))));
    let settings = Settings {
        title: Title::new("Team"),
        picture: Some(media(4)),
        member_count: 5,
        set_by: at(1),
        changed_at: time(6),
    };
    let effect = Effect::Settings(log(1), settings.clone());
    store.apply_effects(vec![effect]).await.expect("the store works");
    assert_eq!(store.conversation(log(1)).await, Ok(Some((conversation, settings))));
}

pub(in crate::store) async fn contacts_are_listed_in_pages(store: &impl Store) {
    let state = ContactState::None;
    let rows: Vec<_> = [5, 255, 256, 9_000].map(|peer| contact(1, peer, state, 1)).into();
    let others = [contact(2, 6, state, 1), contact(3, 1, state, 1)];
    let effects = rows.iter().rev().chain(&others).copied().map(Effect::Contact).collect();
    store.apply_effects(effects).await.expect("the store works");
    assert_eq!(store.contacts(user(1), None, 100).await, Ok(rows.clone()));
    assert_eq!(store.contacts(user(1), None, 2).await, Ok(rows[..2].to_vec()));
    assert_eq!(store.contacts(user(1), Some(user(255)), 2).await, Ok(rows[2..].to_vec()));
    assert_eq!(store.contacts(user(1), Some(user(100)), 1).await, Ok(rows[1..2].to_vec()));
    assert_eq!(store.contacts(user(1), Some(user(9_000)), 2).await, Ok(vec![]));
    assert_eq!(store.contacts(user(4), None, 2).await, Ok(vec![]));
    assert_eq!(store.contact(user(1), user(6)).await, Ok(None));
}

fn marked(conversation: u64, expected: u64, count: u64) -> Append<'static> {
    Append { has_effects: true, ..append(conversation, expected, count) }
}

fn mark(conversation: u64, from: u64) -> Pending {
    Pending { conversation: log(conversation), from: at(from) }
}

pub(in crate::store) async fn a_mark_comes_with_the_append(store: &impl Store) {
    assert_eq!(store.pending().await, Ok(vec![]));
    store.append(append(1, 0, 2)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(None));
    store.append(marked(1, 2, 2)).await.expect("the store works");
    store.append(marked(1, 4, 1)).await.expect("the store works");
    store.append(marked(2, 0, 1)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(Some(mark(1, 3))));
    let mut all = store.pending().await.expect("the store works");
    all.sort_by_key(|pending| pending.conversation);
    assert_eq!(all, [mark(1, 3), mark(2, 1)]);
}

pub(in crate::store) async fn a_stale_append_leaves_no_mark(store: &impl Store) {
    let stale = store.append(marked(1, 1, 1)).await;
    assert!(matches!(stale, Ok(Appended::Stale(_))));
    assert_eq!(store.pending().await, Ok(vec![]));
}

pub(in crate::store) async fn settling_takes_the_mark_off(store: &impl Store) {
    store.append(marked(1, 0, 3)).await.expect("the store works");
    assert_eq!(store.settle(log(1), at(3)).await, Ok(()));
    assert_eq!(store.pending_of(log(1)).await, Ok(None));
    assert_eq!(store.settle(log(1), at(3)).await, Ok(()));
    store.append(marked(1, 3, 1)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(Some(mark(1, 4))));
}

pub(in crate::store) async fn settling_leaves_later_effects_marked(store: &impl Store) {
    store.append(marked(1, 0, 2)).await.expect("the store works");
    store.append(marked(1, 2, 2)).await.expect("the store works");
    store.settle(log(1), at(2)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(Some(mark(1, 3))));
    store.settle(log(1), at(1)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(Some(mark(1, 3))));
    store.settle(log(1), at(4)).await.expect("the store works");
    assert_eq!(store.pending_of(log(1)).await, Ok(None));
}
