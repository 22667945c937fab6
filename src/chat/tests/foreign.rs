//! What another server stores in the same logs.

use super::{NOW, Ticket, World, at, send, told, user};
use crate::chat::{Emit, Owner};
use crate::model::{ErrorCode, Outcome};
use crate::store::faulty::{Fault, Plan};

/// Has an owner catch up, and gives what it told.
async fn catch_up(world: &World, owner: &mut Owner<Ticket>) -> Vec<Emit<Ticket>> {
    let mut emits = Vec::new();
    owner.catch_up(&world.chat, &mut emits).await.expect("the store works");
    emits
}

/// The sequences of entries that were told, each to both users of the direct chat.
fn entries(emits: &[Emit<Ticket>]) -> Vec<u64> {
    let entry = |emit: &Emit<Ticket>| match emit {
        Emit::Entry { entry, audience, answer: None } => {
            assert_eq!(audience[..], [user(1), user(2)]);
            entry.sequence.get()
        }
        Emit::Entry { .. } | Emit::Reply { .. } => panic!("{emit:?}"),
    };
    emits.iter().map(entry).collect()
}

#[tokio::test]
async fn an_owner_that_catches_up_tells_everything_once_and_in_order() {
    let world = World::new().await;
    let (mut one, mut other) = (world.owner().await, world.owner().await);
    for id in 11..14 {
        one.tell_all(&world.chat, NOW, vec![send(1, id, 1, "hi")]).await;
    }
    assert_eq!(entries(&catch_up(&world, &mut other).await), [1, 2, 3]);
    assert_eq!(other.view().head().sequence, at(3));
    assert!(catch_up(&world, &mut other).await.is_empty());
    let sent = other.tell_all(&world.chat, NOW, vec![send(2, 20, 1, "ho")]).await;
    assert!(matches!(&sent[..], [Emit::Entry { answer: Some(_), .. }]), "{sent:?}");
    assert_eq!(told(sent), Ok((4, false)));
}

#[tokio::test(start_paused = true)]
async fn an_append_in_doubt_that_a_reader_comes_upon_is_told_once() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let silent = (2..10)
        .fold(Plan::at(1, Fault::LoseAnswer), |plan, call| plan.and_at(call, Fault::LoseChange));
    world.store().follow(silent.only(&["append"]));
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    assert!(owner.is_unsettled());
    assert_eq!(entries(&catch_up(&world, &mut owner).await), [1]);
    world.store().follow(Plan::healthy());
    assert!(owner.tell_all(&world.chat, NOW, Vec::new()).await.is_empty());
    assert!(!owner.is_unsettled());
    let resent = owner.tell_all(&world.chat, NOW, vec![send(2, 11, 1, "hi")]).await;
    assert_eq!(told(resent), Ok((1, true)));
}

#[tokio::test]
async fn a_copy_needs_no_look_at_the_store_and_a_refusal_does() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    let calls = || world.store().calls().len();
    let before = calls();
    let again = owner.tell_all(&world.chat, NOW, vec![send(2, 11, 1, "hi")]).await;
    assert_eq!((told(again), calls()), (Ok((1, true)), before));
    let conflict = owner.tell_all(&world.chat, NOW, vec![send(3, 11, 1, "ho")]).await;
    assert_eq!((told(conflict), calls()), (Err(ErrorCode::Conflict), before + 1));
    assert_eq!(world.store().calls().last().expect("one").method, "head");
}

/// An owner that does not know of an entry in its log is handed what leads to an append, what leads to none
/// and what leads to an append again: where its sends were stored.
async fn stored_behind_an_unknown_entry(plan: Plan) -> Vec<(Ticket, u64)> {
    let world = World::new().await;
    let (mut one, mut other) = (world.owner().await, world.owner().await);
    one.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    world.store().follow(plan.only(&["append"]));
    let batch = vec![send(2, 12, 1, "ho"), send(3, 13, 9, "beyond"), send(4, 14, 1, "hm")];
    let answers = super::answers(other.tell_all(&world.chat, NOW, batch).await);
    let stored = |(ticket, answer)| match answer {
        Ok(Outcome::Sent(sent)) => Some((ticket, sent.sequence.get())),
        Ok(_) | Err(_) => None,
    };
    answers.into_iter().filter_map(stored).collect()
}

#[tokio::test(start_paused = true)]
async fn what_an_append_failed_for_keeps_its_place_before_what_none_was_tried_for() {
    // It fails for the entry that is not known, at once or when it is looked into.
    for plan in [Plan::healthy(), Plan::at(1, Fault::LoseChange)] {
        let stored = stored_behind_an_unknown_entry(plan.clone()).await;
        assert_eq!(stored, [(2, 2), (4, 3)], "{plan:?}");
    }
}

#[tokio::test]
async fn what_nothing_is_appended_for_keeps_its_place_among_what_is() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let batch = vec![send(1, 11, 1, "hi"), send(2, 12, 9, "ho"), send(3, 13, 1, "hm")];
    let emits = owner.tell_all(&world.chat, NOW, batch).await;
    let order: Vec<Ticket> = super::answers(emits).into_iter().map(|(ticket, _)| ticket).collect();
    assert_eq!(order, [1, 2, 3]);
}
