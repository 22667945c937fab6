//! SYNC: what a token covers, and pages.

use super::{NOW, World, actor, at, send, user};
use crate::model::{ConversationKind, Outcome, Synced, Timestamp};
use crate::store::faulty::{Fault, Plan};
use bytes::Bytes;
use std::collections::HashSet;
use std::time::Duration;

async fn sync(world: &World, now: Timestamp, token: &[u8], limit: usize) -> Synced {
    let outcome = world.chat.sync(actor(1), now, token, limit).await.expect("works");
    let Outcome::Synced(mut synced) = outcome else { panic!("{outcome:?}") };
    // The journal, which the first SYNC makes sure of, is always among them.
    synced.chats.retain(|chat| chat.conversation.kind() != ConversationKind::Journal);
    synced
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_token_spares_what_has_not_changed_for_a_while() {
    let world = World::new().await;
    let first = sync(&world, later(60), b"", 0).await;
    assert!(first.everything && first.chats.len() == 1);
    let quiet = sync(&world, later(120), &first.token, 0).await;
    assert!(!quiet.everything && quiet.chats.is_empty());
    world.owner().await.tell_all(&world.chat, later(130), vec![send(1, 11, 1, "hi")]).await;
    let changed = sync(&world, later(180), &quiet.token, 0).await;
    assert_eq!(changed.chats.len(), 1);
}

#[tokio::test]
async fn a_cursor_of_either_side_is_a_change_of_a_direct_chat() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    let first = sync(&world, later(60), b"", 0).await;
    let view = owner.view();
    world.chat.read(&view, actor(2), later(100), at(1)).await.expect("works").expect("moved");
    let changed = sync(&world, later(120), &first.token, 0).await;
    let peer = changed.chats[0].peer.expect("a direct chat");
    assert_eq!((peer.0, peer.1.read), (user(2), at(1)));
    world.chat.flush_cursors().await.expect("works");
    assert_eq!(sync(&world, later(120), &first.token, 0).await.chats.len(), 1);
}

#[tokio::test]
async fn an_append_under_way_is_not_covered_by_a_token() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    world.store().follow(Plan::at(1, Fault::Stall).only(&["append"]));
    let sending = owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]);
    let meanwhile = async {
        world.store().until_stalled(1).await;
        let synced = sync(&world, later(3_600), b"", 0).await;
        world.store().release();
        synced
    };
    let (_, synced) = tokio::join!(sending, meanwhile);
    assert_eq!(synced.chats[0].head.sequence, at(0));
    let after = sync(&world, later(3_700), &synced.token, 0).await;
    assert_eq!(after.chats[0].head.sequence, at(1), "it was stored an hour after its stamp");
}

#[tokio::test(start_paused = true)]
async fn an_append_of_unknown_outcome_is_not_covered_until_it_is_known() {
    let world = World::new().await;
    let mut owner = world.owner().await;
    let lost = (1..10).fold(Plan::healthy(), |plan, call| plan.and_at(call, Fault::LoseChange));
    world.store().follow(lost.only(&["append"]));
    owner.tell_all(&world.chat, NOW, vec![send(1, 11, 1, "hi")]).await;
    assert!(owner.is_unsettled());
    let synced = sync(&world, later(3_600), b"", 0).await;
    world.store().follow(Plan::healthy());
    owner.tell_all(&world.chat, later(3_601), Vec::new()).await;
    let after = sync(&world, later(3_700), &synced.token, 0).await;
    assert_eq!(after.chats[0].head.sequence, at(1), "it was stored an hour after its stamp");
    let later_on = sync(&world, later(3_800), &after.token, 0).await;
    assert!(later_on.chats.is_empty(), "known now, and covered");
}

#[tokio::test]
async fn a_foreign_or_broken_token_means_everything() {
    let world = World::new().await;
    let token = sync(&world, later(60), b"", 0).await.token;
    let mut foreign = token.to_vec();
    foreign[5] ^= 1;
    for unknown in [&foreign[..], b"nonsense", &token[..9]] {
        let synced = sync(&world, later(120), unknown, 0).await;
        assert!(synced.everything && synced.chats.len() == 1);
    }
}

#[tokio::test]
async fn every_chat_is_listed_though_some_move_between_pages() {
    let world = World::new().await;
    let mut expected = HashSet::from([world.id]);
    for peer in 3..=4 {
        let made = world.chat.direct(actor(1), user(peer), later(peer)).await.expect("made");
        expected.insert(made.0);
    }
    let mut listed = HashSet::new();
    let mut token = Bytes::new();
    let mut now = later(60);
    loop {
        let page = sync(&world, now, &token, 1).await;
        assert!(page.everything && page.chats.len() <= 1);
        listed.extend(page.chats.iter().map(|chat| chat.conversation.id));
        token = page.token;
        if !page.more {
            break;
        }
        now = now.plus(Duration::from_secs(1));
        // The oldest chat, which would come last, moves to the front, by an entry that was accepted in a
        // round that had begun before the first page.
        if listed.len() == 1 {
            world.owner().await.tell_all(&world.chat, later(59), vec![send(1, 11, 1, "hi")]).await;
        }
    }
    assert_eq!(listed, expected);
}
