//! Which command each request becomes, and the shape of its answer.

use super::script::{actor, at, chat, exchange, millis, user};
use crate::model::{
    Chat, Claim, ClientMessageId, Contact, ContactState, Conversation, Cursor, Device, DeviceName,
    DisplayName, Head, MemberView, Ordinal, Outcome, Profile, Received, Role, Secret, Sent,
    Settings, SignedIn, Title, UserView, Username,
};
use serde_json::json;
use std::time::Duration;

/// Makes a request of a core that answers with `outcome`, and compares the command it became, the
/// status and the body.
async fn check(
    line: &str,
    body: &str,
    outcome: Outcome,
    (command, status, answered): (&str, u16, serde_json::Value),
) {
    let (answer, asked) = exchange(line, body, Ok(outcome)).await;
    assert_eq!(asked, command, "{line} {body}");
    assert_eq!((answer.status.as_u16(), answer.json()), (status, answered), "{line} {body}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

fn signed_in() -> Outcome {
    Outcome::SignedIn(SignedIn {
        actor: actor(),
        access_token: Secret::new("access"),
        expires_in: Duration::from_mins(15),
        refresh_token: Secret::new("refresh"),
    })
}

fn ana() -> UserView {
    let display_name = DisplayName::new("Ana").expect("good");
    UserView {
        user: user(1),
        username: Username::new("ana").expect("good"),
        profile: Profile { display_name, about: "hello".to_owned(), avatar: None },
        created_at: millis(5),
    }
}

fn ana_json() -> serde_json::Value {
    json!({"user": 1, "username": "ana", "display_name": "Ana", "about": "hello", "avatar": null,
        "created_at": 5})
}

fn cursor(delivered: u64, read: u64, ordinal: u64) -> Cursor {
    Cursor {
        delivered: at(delivered),
        read: at(read),
        read_ordinal: Ordinal::new(ordinal).expect("small"),
        changed_at: millis(0),
    }
}

fn direct() -> Chat {
    let claim = Claim::direct(user(1), user(3)).expect("two users");
    Chat {
        conversation: Conversation { id: chat(7), claim, created_at: millis(1) },
        settings: Settings::default(),
        head: Head {
            sequence: at(42),
            ordinal: Ordinal::new(40).expect("small"),
            sent_at: millis(9),
        },
        cursor: cursor(42, 41, 39),
        peer: Some((user(3), cursor(30, 20, 18))),
        member_count: 2,
        first_visible: at(1),
        left: false,
        last_entry: None,
    }
}

fn direct_json() -> serde_json::Value {
    json!({"chat": 7, "kind": "direct", "title": null, "peer": 3, "members": 2,
        "last_sequence": 42, "last_ord": 40, "read": 41, "read_ord": 39, "unread": 1,
        "delivered": 42, "last_entry": null, "peer_read": 20, "peer_delivered": 30})
}

const DONE: u16 = 204;

fn nothing() -> serde_json::Value {
    serde_json::Value::Null
}

#[tokio::test]
async fn accounts_and_tokens() {
    let tokens = json!({"user": 1, "device": 2, "access_token": "access", "expires_in": 900,
        "refresh_token": "refresh"});
    let body = r#"{"username": "ANA", "password": "12345678", "display_name": "Ana", "new": 1}"#;
    let command = "Register { username: Username(\"ana\"), password: Password(..), \
        display_name: Some(DisplayName(\"Ana\")), device_name: DeviceName(\"\") }";
    check("POST /register", body, signed_in(), (command, 201, tokens.clone())).await;

    let body =
        r#"{"username": "ana", "password": "12345678", "device_name": "phone", "device": 2}"#;
    let command = "Login { username: Username(\"ana\"), password: Password(..), \
        device_name: DeviceName(\"phone\"), device: Some(DeviceId(2)) }";
    check("POST /login", body, signed_in(), (command, 200, tokens.clone())).await;

    let body = r#"{"refresh_token": "refresh"}"#;
    let command = "Refresh { token: Secret(..) }";
    check("POST /token/refresh", body, signed_in(), (command, 200, tokens)).await;
    let (answer, _) = exchange("POST /token/refresh", body, Ok(signed_in())).await;
    assert_eq!(answer.headers["cache-control"], "no-store");

    check("POST /logout", "", Outcome::Done, ("Logout", DONE, nothing())).await;
}

#[tokio::test]
async fn profiles() {
    check("GET /user/profile", "", Outcome::User(ana()), ("Profile", 200, ana_json())).await;
    for method in ["PATCH", "PUT"] {
        let line = format!("{method} /user/profile");
        for (body, avatar) in [
            (r#"{"about": "away"}"#, "None"),
            (r#"{"about": "away", "avatar": null}"#, "Some(None)"),
            (r#"{"about": "away", "avatar": 6}"#, "Some(Some(MediaId(6)))"),
        ] {
            let command = format!(
                "UpdateProfile(ProfileChange {{ display_name: None, about: Some(\"away\"), \
                 avatar: {avatar} }})"
            );
            check(&line, body, Outcome::User(ana()), (&command, 200, ana_json())).await;
        }
    }
}

#[tokio::test]
async fn finding_users() {
    let found = json!({"items": [ana_json()], "next_cursor": null});
    let command = "UserByName(Username(\"ana\"))";
    let line = "GET /users?username=Ana";
    check(line, "", Outcome::User(ana()), (command, 200, found.clone())).await;
    let command = "UsersById([UserId(1), UserId(9)])";
    check("GET /users?ids=1,9", "", Outcome::Users(vec![ana()]), (command, 200, found)).await;
    let command = "UsersById([UserId(1)])";
    check("GET /users/1", "", Outcome::Users(vec![ana()]), (command, 200, ana_json())).await;

    let (answer, _) = exchange("GET /users/1", "", Ok(Outcome::Users(Vec::new()))).await;
    assert_eq!(answer.problem(), (404, "not-found".to_owned()));
    let nobody = Err(crate::model::CommandError::not_found("no such user"));
    let (answer, _) = exchange("GET /users?username=bob", "", nobody).await;
    assert_eq!(answer.json(), json!({"items": [], "next_cursor": null}));
}

fn contact(peer: u64) -> Contact {
    Contact {
        owner: user(1),
        peer: user(peer),
        state: ContactState::Accepted,
        set_by: at(4),
        changed_at: millis(8),
    }
}

#[tokio::test]
async fn contacts() {
    let one = json!({"user": 3, "state": "accepted", "changed_at": 8});
    let command = "AddContact { user: UserId(3) }";
    let added = || Outcome::Contact(contact(3));
    check("POST /contacts", r#"{"user": 3}"#, added(), (command, 201, one.clone())).await;
    let body = r#"{"state": "accepted"}"#;
    check("PUT /contacts/3", body, added(), (command, 200, one.clone())).await;
    let command = "RemoveContact { user: UserId(3) }";
    let body = r#"{"state": "none"}"#;
    check("PUT /contacts/3", body, Outcome::Done, (command, DONE, nothing())).await;
    check("DELETE /contacts/3", "", Outcome::Done, (command, DONE, nothing())).await;

    let page = json!({"items": [one], "next_cursor": null});
    let command = "Contacts { after: None, limit: 50 }";
    let listed = || Outcome::Contacts(vec![contact(3)]);
    check("GET /contacts", "", listed(), (command, 200, page)).await;
    let (answer, _) = exchange("GET /contacts?limit=1", "", Ok(listed())).await;
    let cursor = answer.json()["next_cursor"].as_str().expect("a full page").to_owned();
    let line = format!("GET /contacts?limit=1&cursor={cursor}");
    let end = json!({"items": [], "next_cursor": null});
    let command = "Contacts { after: Some(UserId(3)), limit: 1 }";
    check(&line, "", Outcome::Contacts(Vec::new()), (command, 200, end)).await;
}

#[tokio::test]
async fn chats() {
    let found = |created| Outcome::Chat { chat: Box::new(direct()), created };
    let body = r#"{"kind": "direct", "user": 3}"#;
    let command = "CreateDirect { user: UserId(3) }";
    check("POST /chats", body, found(true), (command, 201, direct_json())).await;
    check("POST /chats", body, found(false), (command, 200, direct_json())).await;
    let command = "Chat { chat: ConversationId(7) }";
    check("GET /chats/7", "", found(false), (command, 200, direct_json())).await;

    let mut group = direct();
    group.conversation.claim = Claim::Group(user(1), ClientMessageId::new(5).expect("an id"));
    group.settings.title = Title::new("Garden");
    group.peer = None;
    let mut json = direct_json();
    json["kind"] = "group".into();
    json["title"] = "Garden".into();
    json["peer"] = nothing();
    let fields = json.as_object_mut().expect("an object");
    fields.remove("peer_read");
    fields.remove("peer_delivered");
    let body = r#"{"kind": "group", "title": "Garden", "members": [3, 4], "client_id": 5}"#;
    let command = "CreateGroup { title: Title(\"Garden\"), members: [UserId(3), UserId(4)], \
        client_id: ClientMessageId(5) }";
    let made = Outcome::Chat { chat: Box::new(group), created: true };
    check("POST /chats", body, made, (command, 201, json)).await;
}

#[tokio::test]
async fn a_list_of_chats_is_read_on_where_it_was_left() {
    let page = |next| Outcome::Chats { chats: vec![direct()], next };
    let (answer, asked) =
        exchange("GET /chats?limit=1", "", Ok(page(Some((millis(9), chat(7)))))).await;
    assert_eq!(asked, "Chats { cursor: None, limit: 1 }");
    let cursor = answer.json()["next_cursor"].as_str().expect("more follows").to_owned();
    let line = format!("GET /chats?limit=1&cursor={cursor}");
    let command = "Chats { cursor: Some((Timestamp(9), ConversationId(7))), limit: 1 }";
    let end = json!({"items": [direct_json()], "next_cursor": null});
    check(&line, "", page(None), (command, 200, end)).await;
}

#[tokio::test]
async fn members() {
    let member =
        MemberView { user: user(3), role: Role::Owner, joined: at(1), cursor: cursor(42, 41, 39) };
    let page = json!({"items": [{"user": 3, "role": "owner", "joined": 1, "delivered": 42,
        "read": 41, "read_ord": 39}], "next_cursor": null});
    let command = "Members { chat: ConversationId(7) }";
    let line = "GET /chats/7/members";
    check(line, "", Outcome::Members(vec![member]), (command, 200, page)).await;
    let command = "AddMembers { chat: ConversationId(7), users: [UserId(3)] }";
    let line = "POST /chats/7/members";
    check(line, r#"{"users": [3]}"#, Outcome::Done, (command, DONE, nothing())).await;
    let command = "RemoveMember { chat: ConversationId(7), user: UserId(3) }";
    let line = "DELETE /chats/7/members/3";
    check(line, "", Outcome::Done, (command, DONE, nothing())).await;
    let command = "SetRole { chat: ConversationId(7), user: UserId(3), role: Admin }";
    let line = "PATCH /chats/7/members/3";
    check(line, r#"{"role": "admin"}"#, Outcome::Done, (command, DONE, nothing())).await;
    let command = "RenameGroup { chat: ConversationId(7), title: Title(\"Garden\") }";
    let line = "PATCH /chats/7";
    check(line, r#"{"title": "Garden"}"#, Outcome::Done, (command, DONE, nothing())).await;
}

#[tokio::test]
async fn sending() {
    let sent = |duplicate| {
        Outcome::Sent(Sent {
            conversation: chat(7),
            sequence: at(42),
            ordinal: Ordinal::new(40).expect("small"),
            sent_at: millis(9),
            duplicate,
        })
    };
    let answer = |duplicate: bool| json!({"chat": 7, "sequence": 42, "ord": 40, "sent_at": 9, "duplicate": duplicate});
    let body = r#"{"chat": 7, "client_id": 5, "text": "hi"}"#;
    let command = "Send { conversation: ConversationId(7), client_message: ClientMessageId(5), \
        floor: None, content: Message(Message { text: Text(2 bytes), attachments: [], \
        reply_to: None, mentions: [] }) }";
    check("POST /message/send", body, sent(false), (command, 201, answer(false))).await;
    check("POST /message/send", body, sent(true), (command, 200, answer(true))).await;

    let body = r#"{"chat": 7, "client_id": 5, "text": "hi", "floor": 40, "reply_to": 2,
        "mentions": [3], "kind": null,
        "attachments": [{"media": 8, "size": 9, "type": "image/png", "preview": "aGk="}]}"#;
    let command = "Send { conversation: ConversationId(7), client_message: ClientMessageId(5), \
        floor: Some(Sequence(40)), content: Message(Message { text: Text(2 bytes), \
        attachments: [Attachment { media: MediaId(8), size: 9, media_type: \"image/png\", \
        name: \"\", width: 0, height: 0, duration_ms: 0, preview: b\"hi\" }], \
        reply_to: Some(Sequence(2)), mentions: [UserId(3)] }) }";
    check("POST /message/send", body, sent(false), (command, 201, answer(false))).await;

    let body = r#"{"chat": 7, "client_id": 5, "kind": 16, "body": "aGk="}"#;
    let command = "Send { conversation: ConversationId(7), client_message: ClientMessageId(5), \
        floor: None, content: Opaque { kind: EntryKind(16), body: [104, 105], \
        attributes: [] } }";
    check("POST /message/send", body, sent(false), (command, 201, answer(false))).await;
}

#[tokio::test]
async fn reading_on_and_telling_what_was_read() {
    let empty = || Outcome::History { entries: Vec::new(), more: false };
    let end = || json!({"items": [], "next_cursor": null});
    let command = "History { chat: ConversationId(7), before: None, after: None, limit: 50 }";
    check("GET /chats/7/messages", "", empty(), (command, 200, end())).await;
    let command = "History { chat: ConversationId(7), before: Some(Sequence(9)), \
        after: Some(Sequence(0)), limit: 3 }";
    let line = "GET /chats/7/messages?before=9&after=0&limit=3";
    check(line, "", empty(), (command, 200, end())).await;
    let command = "Read { conversation: ConversationId(7), read: Sequence(42) }";
    let body = r#"{"sequence": 42}"#;
    check("POST /chats/7/read", body, Outcome::Done, (command, DONE, nothing())).await;
}

#[tokio::test]
async fn long_polls() {
    let nothing_yet = || Outcome::Received(Received::default());
    let empty = || json!({"entries": [], "more": false});
    let command = "Receive { acks: [], wait: 0ns, limit: 100 }";
    check("GET /message/receive", "", nothing_yet(), (command, 200, empty())).await;
    check("POST /message/receive", "{}", nothing_yet(), (command, 200, empty())).await;
    let command = "Receive { acks: [], wait: 25s, limit: 7 }";
    let line = "GET /message/receive?wait=25&limit=7";
    check(line, "", nothing_yet(), (command, 200, empty())).await;
    let command = "Receive { acks: [(ConversationId(7), Sequence(42))], wait: 1s, limit: 100 }";
    let body = r#"{"acks": [{"chat": 7, "sequence": 42}], "wait": 1}"#;
    check("POST /message/receive", body, nothing_yet(), (command, 200, empty())).await;
}

#[tokio::test]
async fn devices() {
    let phone = Device {
        device: actor().device,
        user: user(1),
        name: DeviceName::new("phone").expect("good"),
        created_at: millis(6),
        family: 1,
        generation: 1,
        revoked_at: None,
        version: 1,
    };
    let page = json!({"items": [{"device": 2, "name": "phone", "created_at": 6, "current": true}],
        "next_cursor": null});
    check("GET /devices", "", Outcome::Devices(vec![phone]), ("Devices", 200, page)).await;
    let command = "RenameDevice { device: DeviceId(2), name: DeviceName(\"tablet\") }";
    let body = r#"{"name": "tablet"}"#;
    check("PATCH /devices/2", body, Outcome::Done, (command, DONE, nothing())).await;
    let command = "RevokeDevice { device: DeviceId(2) }";
    check("DELETE /devices/2", "", Outcome::Done, (command, DONE, nothing())).await;
}
