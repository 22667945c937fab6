//! A disk that is nearly full: writes are refused, reads go on.

use crate::support::chat_client::random_id;
use crate::support::door::{Caller, Door, Stored};
use crate::support::people::{Person, direct};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use chasqui::model::ErrorCode;
use serde_json::json;

#[tokio::test]
async fn below_the_reserve_writes_are_refused_and_reads_go_on() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let chat = direct(&ana.rest(&server), &ben).await;
    let mut caller = Caller::at(Door::Ws, &server, &ana).await;
    let stored = Stored { sequence: 1, duplicate: false };
    let first = random_id();
    assert_eq!(caller.send(chat, first, 1, "in time").await, Ok(stored));
    server.kill().await;

    // More than any disk of a test machine has.
    let reserve = ("CHASQUI_STORE__RESERVE_BYTES".to_owned(), "1000000GiB".to_owned());
    server.add_environment([reserve]);
    server.restart().await;
    for door in [Door::Ws, Door::Rest] {
        let mut caller = Caller::at(door, &server, &ana).await;
        let refused = caller.send(chat, random_id(), 2, "too late").await;
        assert_eq!(refused, Err(ErrorCode::Unavailable), "{door:?}");
        let log = caller.read_range(chat, 1, 10).await.expect("reads go on");
        assert_eq!(log.len(), 1);
    }
    // What needs no room is answered: a resend finds its copy.
    let mut caller = Caller::at(Door::Rest, &server, &ana).await;
    let again = Stored { duplicate: true, ..stored };
    assert_eq!(caller.send(chat, first, 1, "in time").await, Ok(again));
    let anyone = Rest::new(server.address());
    assert_eq!(anyone.get("/healthz").await.status, 200);
    // Whoever balances load sends writers elsewhere.
    anyone.get("/readyz").await.assert_refused(503, "unavailable");
    // Signing out takes no room that matters, so nobody is locked in.
    assert_eq!(ana.rest(&server).post("/logout", json!({})).await.status, 204);
}
