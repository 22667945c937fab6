//! Appends whose outcome the store did not tell.

use super::{NOW, World, answers, in_lane, send, told};
use crate::chat::Emit;
use crate::model::{Applied, ErrorCode};
use crate::store::faulty::{Fault, Plan};

fn appends(plan: Plan) -> Plan {
    plan.only(&["append"])
}

#[tokio::test]
async fn a_lost_answer_is_learnt_by_trying_again() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(appends(Plan::at(1, Fault::LoseAnswer)));
    let emits = owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    assert!(matches!(&emits[..], [Emit::Entry { answer: Some(_), .. }]), "{emits:?}");
    assert_eq!(told(emits), Ok((1, false)));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn a_lost_change_is_made_by_trying_again() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(appends(Plan::at(1, Fault::LoseChange)));
    let emits = owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    assert_eq!(told(emits), Ok((1, false)));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn a_change_that_lands_late_is_not_made_twice() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    for calls in 1..6 {
        let id = 10 + u64::try_from(calls).expect("small");
        world.store().follow(appends(Plan::at(1, Fault::Late(calls))));
        let emits = owner.tell_all(&world.chat, NOW, vec![send(1, id, 1, "hi")]).await;
        assert_eq!(told(emits).map(|(place, _)| place), Ok(id - 10), "late by {calls}");
        world.store().land().await;
    }
    assert_eq!(world.log().await.len(), 5);
}

#[tokio::test]
async fn a_refusal_of_the_store_is_surely_not_applied() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(appends(Plan::at(1, Fault::Refuse)));
    let emits = owner.tell_all(&world.chat, NOW, vec![in_lane(send(1, 11, 1, "hi"), 0)]).await;
    let [(1, Err(error))] = &answers(emits)[..] else { panic!("one refusal") };
    assert_eq!((error.code, error.applied), (ErrorCode::Unavailable, Applied::No));
    assert!(error.retry.is_some());
    assert_eq!(world.log().await.len(), 0);
    let resumed = owner.tell_all(&world.chat, NOW, vec![in_lane(send(2, 11, 1, "hi"), 1)]).await;
    assert_eq!(told(resumed), Ok((1, false)));
}

/// A plan in which no append is answered, and none is made.
fn silent() -> Plan {
    let plan = (1..100).fold(Plan::healthy(), |plan, call| plan.and_at(call, Fault::LoseChange));
    appends(plan)
}

#[tokio::test(start_paused = true)]
async fn while_the_outcome_is_unknown_everyone_is_told_so() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(silent());
    let emits = owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    let [(1, Err(error))] = &answers(emits)[..] else { panic!("one refusal") };
    assert_eq!((error.code, error.applied), (ErrorCode::OutcomeUnknown, Applied::Unknown));
    let next = owner.tell_all(&world.chat, NOW, vec![send(2, 12, 1, "ho")]).await;
    assert_eq!(told(next), Err(ErrorCode::OutcomeUnknown));
    assert!(owner.is_unsettled());
}

#[tokio::test(start_paused = true)]
async fn an_owner_learns_the_outcome_by_itself_and_a_resend_finds_it() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(silent());
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    world.store().follow(Plan::healthy());
    let emits = owner.tell_all(&world.chat, NOW, Vec::new()).await;
    assert!(matches!(&emits[..], [Emit::Entry { answer: None, .. }]), "{emits:?}");
    assert!(!owner.is_unsettled());
    let resent = owner.tell_all(&world.chat, NOW, vec![send(2, 11, 1, "hi")]).await;
    assert_eq!(told(resent), Ok((1, true)));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_while_another_wrote_is_decided_anew() {
    let world = World::new().await;
    let (mut one, mut other) = (world.owner().await, world.owner().await);
    world.store().follow(silent());
    one.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    world.store().follow(Plan::healthy());
    other.tell_all(&world.chat, NOW, vec![send(2, 12, 1, "ho")]).await;
    let resent = one.tell_all(&world.chat, NOW, vec![send(3, 11, 1, "hi")]).await;
    assert_eq!(told(resent), Ok((2, false)));
    assert_eq!(world.log().await.len(), 2);
}
