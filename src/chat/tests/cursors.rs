//! READ and ACK: clamped, never backwards, and cheap.

use super::{NOW, Ticket, World, actor, at, send, user};
use crate::chat::Owner;

async fn world_with(entries: u64) -> (World, Owner<Ticket>) {
    let world = World::new().await;
    let mut owner = world.owner().await;
    for id in 1..=entries {
        owner.tell_all(&world.chat, NOW, vec![send(1, id, 1, "hi")]).await;
    }
    (world, owner)
}

#[tokio::test]
async fn reading_implies_that_it_was_delivered_and_never_goes_back() {
    let (world, owner) = world_with(5).await;
    let view = owner.view();
    let moved = world.chat.read(&view, actor(2), NOW, at(3)).await.expect("theirs");
    let cursor = moved.expect("moved").cursor;
    assert_eq!((cursor.read, cursor.delivered), (at(3), at(3)));
    assert_eq!(world.chat.read(&view, actor(2), NOW, at(2)).await, Ok(None));
    let moved = world.chat.read(&view, actor(2), NOW, at(99)).await.expect("theirs");
    assert_eq!(moved.expect("moved").cursor.read, at(5), "clamped to the head");
    assert_eq!(world.chat.chat(&view, actor(2)).await.expect("theirs").unread(), 0);
}

#[tokio::test]
async fn both_users_of_a_direct_chat_hear_of_a_cursor() {
    let (world, owner) = world_with(1).await;
    let moved = world.chat.delivered(&owner.view(), actor(2), NOW, at(1)).await.expect("theirs");
    assert_eq!(moved.expect("moved").audience, [user(2), user(1)]);
}

#[tokio::test]
async fn a_cursor_that_is_known_is_not_read_again() {
    let (world, mut owner) = world_with(3).await;
    let acknowledge = async |owner: &Owner<Ticket>, number| {
        world.chat.delivered(&owner.view(), actor(2), NOW, at(number)).await.expect("theirs")
    };
    acknowledge(&owner, 1).await;
    world.chat.flush_cursors().await.expect("written");
    let calls = world.store().calls().len();
    acknowledge(&owner, 2).await;
    assert!(acknowledge(&owner, 2).await.is_none(), "it is there already");
    assert_eq!(world.store().calls().len(), calls);
    owner.tell_all(&world.chat, NOW, vec![send(1, 9, 1, "hi")]).await;
    let cursor = acknowledge(&owner, 4).await.expect("moved").cursor;
    assert_eq!(cursor.delivered, at(4));
}

#[tokio::test]
async fn sending_reads_what_came_before_and_a_late_read_says_nothing() {
    let (world, mut owner) = world_with(3).await;
    world.chat.read(&owner.view(), actor(1), NOW, at(1)).await.expect("theirs");
    owner.tell_all(&world.chat, NOW, vec![send(1, 9, 1, "hi")]).await;
    world.chat.flush_cursors().await.expect("written");
    let late = world.chat.read(&owner.view(), actor(1), NOW, at(2)).await.expect("theirs");
    let cursor = late.expect("it was delivered up to there").cursor;
    assert_eq!(cursor.read, at(4));
}
