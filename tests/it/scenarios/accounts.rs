//! Accounts, tokens, profiles and contacts, by REST.

use crate::support::peer::{Peer, hello};
use crate::support::people::{PASSWORD, Person, number};
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use chasqui::protocol::CloseCode;
use serde_json::json;

async fn refresh(server: &TestServer, token: &str) -> crate::support::rest::Answer {
    let body = json!({"refresh_token": token});
    Rest::new(server.address()).post("/token/refresh", body).await
}

#[tokio::test]
async fn a_name_is_taken_once_whatever_its_case() {
    let server = TestServer::start().await;
    Person::register(server.address(), "ana").await;
    let again = json!({"username": "ANA", "password": PASSWORD});
    Rest::new(server.address()).post("/register", again).await.assert_refused(409, "conflict");
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_are_answered_alike() {
    let server = TestServer::start().await;
    Person::register(server.address(), "ana").await;
    let stranger = Rest::new(server.address());
    let wrong = json!({"username": "ana", "password": "not the password"});
    let unknown = json!({"username": "nobody", "password": "not the password"});
    let (wrong, unknown) =
        (stranger.post("/login", wrong).await, stranger.post("/login", unknown).await);
    wrong.assert_refused(401, "unauthenticated");
    assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
}

#[tokio::test]
async fn a_device_can_be_entered_again() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    ana.rest(&server).post("/logout", json!({})).await;
    let body = json!({"username": "ana", "password": PASSWORD, "device": ana.device.get()});
    let answer = Rest::new(server.address()).post("/login", body).await.ok();
    assert_eq!(number(&answer["device"]), ana.device.get());
}

#[tokio::test]
async fn a_refresh_token_yields_one_successor_until_that_is_used() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let second = refresh(&server, &ana.refresh_token).await.ok();
    let again = refresh(&server, &ana.refresh_token).await.ok();
    assert_eq!(second["refresh_token"], again["refresh_token"], "a lost answer logs nobody out");
    let second = second["refresh_token"].as_str().expect("a token");

    let third = refresh(&server, second).await.ok();
    let access = third["access_token"].as_str().expect("a token");
    let rest = Rest::with_token(server.address(), access);
    assert_eq!(rest.get("/user/profile").await.status, 200);

    refresh(&server, &ana.refresh_token).await.assert_refused(401, "unauthenticated");
    let third = third["refresh_token"].as_str().expect("a token");
    refresh(&server, third).await.assert_refused(401, "unauthenticated");
}

#[tokio::test]
async fn reuse_of_a_refresh_token_closes_the_live_connections() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let mut connection = Peer::connect(server.address(), &ana.token).await;
    let second = refresh(&server, &ana.refresh_token).await.ok();
    refresh(&server, second["refresh_token"].as_str().expect("a token")).await.ok();
    refresh(&server, &ana.refresh_token).await.assert_refused(401, "unauthenticated");
    assert_eq!(connection.end().await, Some(CloseCode::DeviceRevoked.number()));
}

#[tokio::test]
async fn logout_closes_the_live_connections_of_this_device_alone() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let other = ana.login(server.address()).await;
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(Peer::connect(server.address(), &ana.token).await);
    }
    let mut stays = Peer::connect(server.address(), &other.token).await;

    assert_eq!(ana.rest(&server).post("/logout", json!({})).await.status, 204);
    for mut connection in connections {
        assert_eq!(connection.end().await, Some(CloseCode::DeviceRevoked.number()));
    }
    stays.round_trip().await;
    ana.rest(&server).get("/user/profile").await.assert_refused(401, "unauthenticated");
    refresh(&server, &ana.refresh_token).await.assert_refused(401, "unauthenticated");
    let mut late = Peer::silent(server.address()).await;
    late.send(&hello(&ana.token, None)).await;
    let code = late.end().await.expect("a close frame");
    assert!(
        [CloseCode::DeviceRevoked.number(), CloseCode::Unauthenticated.number()].contains(&code),
        "{code}"
    );
}

#[tokio::test]
async fn a_profile_is_changed_in_part() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let rest = ana.rest(&server);
    let before = rest.get("/user/profile").await.ok();
    assert_eq!((&before["username"], &before["display_name"]), (&json!("ana"), &json!("ana")));
    rest.patch("/user/profile", json!({"display_name": "Ana \u{f1}"})).await.ok();
    rest.patch("/user/profile", json!({"about": "hello"})).await.ok();
    let after = rest.get("/user/profile").await.ok();
    assert_eq!(after["display_name"], "Ana \u{f1}");
    assert_eq!(after["about"], "hello");
    assert_eq!(after["created_at"], before["created_at"]);

    let too_long = json!({"display_name": "x".repeat(65)});
    rest.patch("/user/profile", too_long).await.assert_refused(400, "invalid");
}

#[tokio::test]
async fn users_are_found_by_exact_name() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let rest = ana.rest(&server);
    let found = rest.get("/users?username=BEN").await.ok();
    assert_eq!(number(&found["items"][0]["user"]), ben.user.get());
    assert!(found["items"][0].get("password").is_none());
    assert_eq!(rest.get("/users?username=bene").await.ok()["items"], json!([]));
    let one = rest.get(&format!("/users/{}", ben.user)).await.ok();
    assert_eq!(one["username"], "ben");
    rest.get("/users/1").await.assert_refused(404, "not-found");
}

#[tokio::test]
async fn contacts_are_added_listed_and_removed() {
    let server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let ben = Person::register(server.address(), "ben").await;
    let rest = ana.rest(&server);
    let body = json!({"user": ben.user.get()});
    for _ in 0..2 {
        assert!(rest.post("/contacts", body.clone()).await.status.is_success());
    }
    let listed = rest.get("/contacts").await.ok();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(number(&listed["items"][0]["user"]), ben.user.get());
    let path = format!("/contacts/{}", ben.user);
    for _ in 0..2 {
        assert_eq!(rest.delete(&path).await.status, 204);
    }
    assert_eq!(rest.get("/contacts").await.ok()["items"], json!([]));
    rest.post("/contacts", json!({"user": 1})).await.assert_refused(404, "not-found");
}

#[tokio::test]
async fn what_was_done_to_accounts_survives_a_kill() {
    let mut server = TestServer::start().await;
    let ana = Person::register(server.address(), "ana").await;
    let gone = ana.login(server.address()).await;
    gone.rest(&server).post("/logout", json!({})).await;
    ana.rest(&server).patch("/user/profile", json!({"about": "kept"})).await.ok();
    server.kill().await;
    server.restart().await;
    let profile = ana.rest(&server).get("/user/profile").await.ok();
    assert_eq!(profile["about"], "kept");
    gone.rest(&server).get("/user/profile").await.assert_refused(401, "unauthenticated");
    ana.login(server.address()).await;
}
