//! How each kind of entry looks in JSON.

use super::script::{at, chat, exchange, millis, user};
use crate::model::{
    Attachment, ClientMessageId, ContactState, Content, DeviceChange, DeviceId, DeviceName, Entry,
    EntryKind, Erasure, MediaId, MemberChange, Message, Ordinal, Outcome, Received, Role, Title,
};
use bytes::Bytes;
use serde_json::{Value, json};
use thin_vec::{ThinVec, thin_vec};

fn entry(sequence: u64, content: Content) -> Entry {
    Entry {
        sequence: at(sequence),
        ordinal: Ordinal::new(sequence).expect("small"),
        sender: Some(user(1)),
        sent_at: millis(9),
        client_message: ClientMessageId::new(5),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

/// The entry as the API shows it to user 1.
async fn shown(entry: Entry) -> Value {
    let outcome = Outcome::History { entries: vec![entry], more: false };
    let (answer, _) = exchange("GET /chats/7/messages", "", Ok(outcome)).await;
    answer.json()["items"][0].clone()
}

/// Shows an entry with `content` and compares what is not the same for all.
async fn check(content: Content, fields: Value) {
    let mut expected = json!({"chat": 7, "sequence": 42, "ord": 42, "sender": 1, "sent_at": 9,
        "client_id": 5});
    let Value::Object(fields) = fields else { panic!("fields form an object") };
    expected.as_object_mut().expect("an object").extend(fields);
    assert_eq!(shown(entry(42, content)).await, expected);
}

#[tokio::test]
async fn messages_and_what_refers_to_them() {
    let plain = Message { text: "hi".into(), ..Message::default() };
    check(Content::Message(plain), json!({"kind": "message", "text": "hi"})).await;
    let attachment = Attachment {
        media: MediaId::new(8).expect("an id"),
        size: 9,
        media_type: "image/png".to_owned(),
        name: "cat".to_owned(),
        width: 1,
        height: 2,
        duration_ms: 0,
        preview: Bytes::from_static(b"hi"),
    };
    let full = Message {
        text: "".into(),
        attachments: thin_vec![attachment],
        reply_to: Some(at(2)),
        mentions: thin_vec![user(3)],
    };
    let fields = json!({"kind": "message", "text": "", "reply_to": 2, "mentions": [3],
        "attachments": [{"media": 8, "size": 9, "type": "image/png", "name": "cat", "width": 1,
            "height": 2, "duration_ms": 0, "preview": "aGk="}]});
    check(Content::Message(full), fields).await;
    let target = at(3);
    let edit = Content::Edit { target, text: "ho".into() };
    check(edit, json!({"kind": "edit", "target": 3, "text": "ho"})).await;
    check(Content::Unsend { target }, json!({"kind": "unsend", "target": 3})).await;
    let reaction = Content::Reaction { target, emoji: "+".into() };
    check(reaction, json!({"kind": "reaction", "target": 3, "text": "+"})).await;
    let pin = Content::Pin { target, pinned: false };
    check(pin, json!({"kind": "pin", "target": 3, "pinned": false})).await;
}

#[tokio::test]
async fn what_follows_from_commands() {
    let change = Content::Member { users: vec![user(3)], change: MemberChange::Added, role: None };
    check(change, json!({"kind": "member", "users": [3], "change": "added"})).await;
    let role = Some(Role::Admin);
    let change = Content::Member { users: vec![user(3)], change: MemberChange::Role, role };
    let fields = json!({"kind": "member", "users": [3], "change": "role", "role": "admin"});
    check(change, fields).await;
    let settings = Content::Settings { title: Title::new("Garden"), picture: MediaId::new(8) };
    check(settings, json!({"kind": "settings", "title": "Garden", "picture": 8})).await;
    let contact = Content::Contact { user: user(3), state: ContactState::RequestedByThem };
    let fields = json!({"kind": "contact", "user": 3, "state": "requested_by_them"});
    check(contact, fields).await;
    let device = Content::Device {
        device: DeviceId::new(2).expect("an id"),
        change: DeviceChange::Revoked,
        name: DeviceName::new("phone").expect("good"),
    };
    let fields = json!({"kind": "device", "device": 2, "change": "revoked", "name": "phone"});
    check(device, fields).await;
}

#[tokio::test]
async fn what_the_server_only_carries() {
    let kind = EntryKind::new(17).expect("small");
    let body = Box::<[u8]>::from(*b"hi");
    let bare = Content::Opaque { kind, body: body.clone(), attributes: ThinVec::new() };
    check(bare, json!({"kind": 17, "body": "aGk="})).await;
    let attributes = thin_vec![(64, Bytes::from_static(b"\xff"))];
    let fields = json!({"kind": 17, "body": "aGk=", "attributes": [{"tag": 64, "value": "/w=="}]});
    check(Content::Opaque { kind, body, attributes }, fields).await;
}

#[tokio::test]
async fn a_client_id_is_shown_to_its_sender_alone() {
    let mut foreign = entry(42, Content::Message(Message::default()));
    foreign.sender = Some(user(3));
    foreign.edited = Some(at(50));
    foreign.erased = Some(Erasure(1));
    let expected = json!({"chat": 7, "sequence": 42, "ord": 42, "sender": 3, "sent_at": 9,
        "kind": "message", "text": "", "edited": 50, "erased": 1});
    assert_eq!(shown(foreign.clone()).await, expected);
    foreign.sender = None;
    let shown = shown(foreign).await;
    assert_eq!((shown.get("sender"), shown.get("client_id")), (Some(&Value::Null), None));
}

#[tokio::test]
async fn history_is_read_on_in_the_direction_asked_for() {
    let page = || {
        let entries = vec![entry(5, Content::Message(Message::default()))];
        Outcome::History { entries, more: true }
    };
    for (query, bounds) in [
        ("", "before: Some(Sequence(5)), after: None"),
        ("before=9", "before: Some(Sequence(5)), after: None"),
        ("after=2", "before: None, after: Some(Sequence(5))"),
        ("after=2&before=9", "before: Some(Sequence(9)), after: Some(Sequence(5))"),
    ] {
        let line = format!("GET /chats/7/messages?{query}");
        let (answer, _) = exchange(&line, "", Ok(page())).await;
        let cursor = answer.json()["next_cursor"].as_str().expect("more follows").to_owned();
        let (_, asked) = exchange(&format!("{line}&cursor={cursor}"), "", Ok(page())).await;
        assert_eq!(asked, format!("History {{ chat: ConversationId(7), {bounds}, limit: 50 }}"));
    }
}

#[tokio::test]
async fn a_poll_tells_the_chat_of_each_entry() {
    let text = || Content::Message(Message { text: "hi".into(), ..Message::default() });
    let entries = vec![(chat(7), entry(1, text())), (chat(8), entry(2, text()))];
    let outcome = Outcome::Received(Received { entries, more: true });
    let (answer, _) = exchange("GET /message/receive", "", Ok(outcome)).await;
    let json = answer.json();
    assert_eq!(json["more"], true);
    assert_eq!((&json["entries"][0]["chat"], &json["entries"][1]["chat"]), (&7.into(), &8.into()));
}
