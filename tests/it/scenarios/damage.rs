//! A row that does not pass its checks any more: its conversation answers an error, all else goes on.

use crate::support::chat_client::random_id;
use crate::support::door::{Caller, Door};
use crate::support::peer::Peer;
use crate::support::people::{Person, direct};
use crate::support::server::TestServer;
use chasqui::model::{ConversationId, ErrorCode};
use std::path::Path;

/// Flips a bit in the stored entry at `sequence`: see docs/storage.md for the key.
fn damage(data: &Path, conversation: ConversationId, sequence: u64) {
    let database = fjall::Database::builder(data.join("rows")).open().expect("no server holds it");
    let entries = database.keyspace("entries", fjall::KeyspaceCreateOptions::default);
    let entries = entries.expect("it exists");
    let key = [conversation.get().to_be_bytes(), sequence.to_be_bytes()].concat();
    let mut row = entries.get(&key).expect("readable").expect("stored").to_vec();
    *row.last_mut().expect("not empty") ^= 1;
    entries.insert(key, row).expect("written");
    database.persist(fjall::PersistMode::SyncAll).expect("synced");
}

#[tokio::test]
async fn a_damaged_entry_costs_its_conversation_and_nothing_else() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let cleo = Person::register(server.address(), "cleo").await;
    let damaged = direct(&ana.rest(&server), &ben).await;
    let sound = direct(&ana.rest(&server), &cleo).await;
    let mut caller = Caller::at(Door::Rest, &server, &ana).await;
    for chat in [damaged, sound] {
        caller.send(chat, random_id(), 1, "before").await.expect("stored");
    }
    server.kill().await;
    damage(&server.data(), damaged, 1);
    server.restart().await;

    for door in [Door::Ws, Door::Rest] {
        let mut caller = Caller::at(door, &server, &ana).await;
        let refused = caller.send(damaged, random_id(), 2, "after").await;
        assert_eq!(refused, Err(ErrorCode::Internal), "{door:?}");
        assert_eq!(caller.read_range(damaged, 1, 1).await, Err(ErrorCode::Internal));
        caller.send(sound, random_id(), 2, "after").await.expect("all else goes on");
    }
    let rest = ana.rest(&server);
    rest.get("/readyz").await.ok();
    let listed = rest.get("/chats").await.ok();
    let listed: Vec<_> = listed["items"].as_array().expect("a list").iter().collect();
    assert!(listed.iter().any(|chat| chat["chat"] == sound.get()));
    assert!(listed.iter().all(|chat| chat["chat"] != damaged.get()));
    let received = rest.get("/message/receive?wait=0").await.ok();
    assert!(received.to_string().contains("after"));
    let mut peer = Peer::connect(server.address(), &ana.token).await;
    let (synced, _, _) = peer.sync(b"").await;
    assert!(synced.iter().any(|chat| chat.conversation == sound));
}
