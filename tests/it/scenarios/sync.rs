//! Many chats, and accounts that were made elsewhere: what SYNC lists.

use crate::support::chat_client::random_id;
use crate::support::peer::Peer;
use crate::support::people::{Person, group};
use crate::support::server::TestServer;
use serde_json::json;
use std::collections::HashSet;

#[tokio::test]
async fn however_many_chats_a_page_of_sync_stays_within_its_bound_and_all_are_listed() {
    const CHATS: usize = 600;
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let rest = ana.rest(&server);
    // As long as titles and previews get: four bytes a character.
    let title = "\u{1f34d}".repeat(128);
    let text = "\u{1f34d}".repeat(500);
    let mut made = HashSet::new();
    for _ in 0..CHATS {
        let chat = group(&rest, &title, &[]).await;
        let body = json!({"chat": chat.get(), "client_id": random_id().get(), "text": text});
        rest.post("/message/send", body).await.ok();
        made.insert(chat);
    }
    let mut peer = Peer::connect(server.address(), &ana.token).await;
    // The bound of a page is asserted on the way.
    let (listed, token, everything) = peer.sync(b"").await;
    let listed: HashSet<_> = listed.into_iter().map(|chat| chat.conversation).collect();
    assert!(everything && made.is_subset(&listed));
    assert_eq!(listed.len(), CHATS + 1, "the journal is the other one");
    let (_, _, everything) = peer.sync(&token).await;
    assert!(!everything);
}

#[tokio::test]
async fn an_account_made_on_the_command_line_has_a_journal_at_its_first_sync() {
    let mut server = TestServer::start().await;
    server.kill().await;
    let tokens = server.scratch().join("tokens");
    let created = TestServer::command(&["user", "create", "--count", "1", "--prefix", "load"])
        .arg("--tokens")
        .arg(&tokens)
        .arg("--data")
        .arg(server.data())
        .output()
        .expect("it runs");
    assert!(created.status.success(), "{created:?}");
    server.restart().await;
    let line = std::fs::read_to_string(&tokens).expect("written");
    let line: serde_json::Value = serde_json::from_str(line.trim()).expect("one line");
    let token = line["access_token"].as_str().expect("a token");
    let mut peer = Peer::connect(server.address(), token).await;
    let (listed, _, _) = peer.sync(b"").await;
    assert_eq!(listed.len(), 1);
}
