//! Where something grows without bound or runs out: many chats, a disk without room.

use crate::support::chat_client::random_id;
use crate::support::peer::Peer;
use crate::support::people::{Person, direct, group, number};
use crate::support::server::TestServer;
use chasqui::model::ErrorCode;
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

#[tokio::test]
async fn without_room_on_the_disk_writing_is_refused_and_reading_goes_on() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let say = |text: &str| json!({"chat": chat.get(), "client_id": 7, "text": text});
    ana.rest(&server).post("/message/send", say("before")).await.ok();
    server.kill().await;
    // More than any disk has free.
    let reserve = ("CHASQUI_STORE__RESERVE_BYTES".to_owned(), "1000000GiB".to_owned());
    server.add_environment([reserve]);
    server.restart().await;

    let rest = ana.rest(&server);
    let answer =
        rest.post("/message/send", json!({"chat": chat.get(), "client_id": 8, "text": "x"}));
    let answer = answer.await;
    answer.assert_refused(503, "unavailable");
    assert_eq!(answer.body["applied"], "false");
    assert!(number(&answer.body["retry_ms"]) > 0);
    let mut peer = Peer::connect(server.address(), &ben.token).await;
    let (refused, _) = peer.say(chat, 2, "y").await;
    let (code, _) = peer.sent(refused).await.expect_err("there is no room");
    assert_eq!(code, ErrorCode::Unavailable);

    let history = rest.get(&format!("/chats/{chat}/messages")).await.ok();
    assert_eq!(history["items"][0]["text"], "before");
    assert_eq!(peer.fetch(chat, 1, 0).await.map(|lines| lines.len()), Ok(1));
    rest.get("/healthz").await.ok();
    // Not ready: whoever balances load sends writers elsewhere.
    rest.get("/readyz").await.assert_refused(503, "unavailable");
    // Signing out still works, so that nobody is locked in.
    assert_eq!(rest.post("/logout", json!({})).await.status, 204);
}
