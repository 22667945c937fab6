//! Accounts and chats for scenarios, made through the REST door.

use super::rest::Rest;
use super::server::TestServer;
use chasqui::model::{ConversationId, DeviceId, UserId};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// The password of everyone.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Someone with an account and one device signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Their unique name.
    pub name: String,
    /// Their id.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// Its access token.
    pub token: String,
    /// Its refresh token.
    pub refresh_token: String,
}

impl Person {
    /// Registers an account.
    pub(crate) async fn register(address: SocketAddr, name: &str) -> Self {
        let body = json!({"username": name, "password": PASSWORD, "device_name": "first"});
        let answer = Rest::new(address).post("/register", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        Self::signed_in(name, &answer.body)
    }

    /// Signs another device of the same account in.
    pub(crate) async fn login(&self, address: SocketAddr) -> Self {
        let body = json!({"username": self.name, "password": PASSWORD, "device_name": "another"});
        let answer = Rest::new(address).post("/login", body).await.ok();
        Self::signed_in(&self.name, &answer)
    }

    /// Exchanges the refresh token; false if the server does not answer.
    pub(crate) async fn refresh(&mut self, address: SocketAddr) -> bool {
        let body = json!({"refresh_token": self.refresh_token}).to_string();
        let request = hyper::Request::post("/token/refresh")
            .header("host", address.to_string())
            .header("content-type", "application/json")
            .body(body.into_bytes().into())
            .expect("a valid request");
        let Ok(answer) = Rest::new(address).exchange(request).await else { return false };
        *self = Self::signed_in(&self.name, &answer.ok());
        true
    }

    /// The person in the answer to a sign-in.
    pub(crate) fn signed_in(name: &str, answer: &Value) -> Self {
        let text = |field: &str| answer[field].as_str().expect(field).to_owned();
        Self {
            name: name.to_owned(),
            user: UserId::new(number(&answer["user"])).expect("an id"),
            device: DeviceId::new(number(&answer["device"])).expect("an id"),
            token: text("access_token"),
            refresh_token: text("refresh_token"),
        }
    }

    /// This device's view of the REST door.
    pub(crate) fn rest(&self, server: &TestServer) -> Rest {
        Rest::with_token(server.address(), &self.token)
    }
}

/// A number in an answer.
///
/// # Panics
/// If it is none.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The direct chat of two people, found or created.
pub(crate) async fn direct(rest: &Rest, with: &Person) -> ConversationId {
    let body = json!({"kind": "direct", "user": with.user.get()});
    chat_id(&rest.post("/chats", body).await.ok())
}

/// A new group of its creator and others.
pub(crate) async fn group(rest: &Rest, title: &str, members: &[&Person]) -> ConversationId {
    let members: Vec<u64> = members.iter().map(|member| member.user.get()).collect();
    let client_id = super::chat_client::random_id().get();
    let body = json!({"kind": "group", "title": title, "members": members, "client_id": client_id});
    let answer = rest.post("/chats", body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    chat_id(&answer.body)
}

fn chat_id(chat: &Value) -> ConversationId {
    ConversationId::new(number(&chat["chat"])).expect("an id")
}
