//! Each way in which a copy of a send can come after another: it is stored once, and every answer
//! names the same place.

use super::{NOW, World, in_lane, send, told};
use crate::model::ErrorCode;

#[tokio::test]
async fn a_resend_to_the_same_owner_finds_the_first() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let chat = &world.chat;
    assert_eq!(told(owner.tell_all(chat, NOW, vec![send(1, 11, 1, "hi")]).await), Ok((1, false)));
    assert_eq!(told(owner.tell_all(chat, NOW, vec![send(2, 11, 1, "hi")]).await), Ok((1, true)));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn a_resend_after_a_restart_finds_the_first_by_its_floor() {
    let world = World::new().await;
    let mut before = world.owner().await;
    for id in 11..=15 {
        before.tell_all(&world.chat, NOW, vec![send(1, id, 1, "hi")]).await;
    }
    drop(before);
    let mut after = world.owner().await;
    assert_eq!(
        told(after.tell_all(&world.chat, NOW, vec![send(2, 12, 2, "hi")]).await),
        Ok((2, true))
    );
    assert_eq!(world.log().await.len(), 5);
}

#[tokio::test]
async fn a_resend_without_a_floor_is_found_too() {
    let world = World::new().await;
    world.owner().await.tell_all(&world.chat, NOW, vec![send(1, 11, 0, "hi")]).await;
    let mut after = world.owner().await;
    assert_eq!(
        told(after.tell_all(&world.chat, NOW, vec![send(2, 11, 0, "hi")]).await),
        Ok((1, true))
    );
}

#[tokio::test]
async fn two_copies_in_one_batch_are_one_entry() {
    let world = World::new().await;
    let batch = vec![send(1, 11, 1, "hi"), send(2, 12, 1, "ho"), send(3, 11, 1, "hi")];
    let emits = world.owner().await.tell_all(&world.chat, NOW, batch).await;
    let places: Vec<_> = super::answers(emits)
        .into_iter()
        .map(|(ticket, result)| {
            let reply = vec![super::Emit::Reply { ticket, result }];
            (ticket, told(reply).expect("sent"))
        })
        .collect();
    assert_eq!(places, [(1, (1, false)), (3, (1, true)), (2, (2, false))]);
    assert_eq!(world.log().await.len(), 2);
}

#[tokio::test]
async fn two_owners_that_know_nothing_of_each_other_store_it_once() {
    let world = World::new().await;
    let (mut one, mut other) = (world.owner().await, world.owner().await);
    assert_eq!(
        told(one.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await),
        Ok((1, false))
    );
    assert_eq!(
        told(other.tell_all(&world.chat, NOW, vec![send(2, 11, 1, "hi")]).await),
        Ok((1, true))
    );
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn two_owners_that_write_in_turn_number_without_holes() {
    let world = World::new().await;
    let (mut one, mut other) = (world.owner().await, world.owner().await);
    for id in 0..4 {
        let owner = if id % 2 == 0 { &mut one } else { &mut other };
        let place = told(owner.tell_all(&world.chat, NOW, vec![send(1, 11 + id, 1, "hi")]).await);
        assert_eq!(place, Ok((id + 1, false)));
    }
}

#[tokio::test]
async fn a_stale_copy_that_comes_last_is_found_behind_what_was_said_since() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    for id in 20..120 {
        owner.tell_all(&world.chat, NOW, vec![send(1, id, 2, "since")]).await;
    }
    drop(owner);
    let mut after = world.owner().await;
    let stale = send(2, 11, 1, "hi");
    assert_eq!(told(after.tell_all(&world.chat, NOW, vec![stale]).await), Ok((1, true)));
}

#[tokio::test]
async fn the_same_id_with_something_else_is_a_conflict_stored_or_drafted() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let batch = vec![send(1, 11, 1, "hi"), send(2, 11, 1, "ho")];
    let answers = super::answers(owner.tell_all(&world.chat, NOW, batch).await);
    let refused = answers.iter().find(|(ticket, _)| *ticket == 2).expect("answered");
    assert_eq!(refused.1.as_ref().map_err(|e| e.code), Err(ErrorCode::Conflict));
    let again = owner.tell_all(&world.chat, NOW, vec![send(3, 11, 1, "ho")]).await;
    assert_eq!(told(again), Err(ErrorCode::Conflict));
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn a_floor_outside_the_span_is_refused_and_holds_the_lane_until_resume() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let beyond = in_lane(send(1, 11, 3, "hi"), 0);
    let behind = in_lane(send(2, 12, 1, "ho"), 0);
    let emits = owner.tell_all(&world.chat, NOW, vec![beyond, behind]).await;
    let codes: Vec<_> =
        super::answers(emits).into_iter().map(|(_, result)| result.map_err(|e| e.code)).collect();
    assert_eq!(codes, [Err(ErrorCode::FloorOutOfRange), Err(ErrorCode::Overloaded)]);
    let still = owner.tell_all(&world.chat, NOW, vec![in_lane(send(3, 12, 1, "ho"), 0)]).await;
    assert_eq!(told(still), Err(ErrorCode::Overloaded));
    let resumed = owner.tell_all(&world.chat, NOW, vec![in_lane(send(4, 12, 1, "ho"), 1)]).await;
    assert_eq!(told(resumed), Ok((1, false)));
}
