//! Frames as the JSON of the golden vectors.

use chasqui::model::{
    Attachment, ClientMessageId, ContactState, Content, DeviceChange, EphemeralKind, MemberChange,
    Message, Role, Sequence, UserId,
};
use chasqui::protocol::content::{Served, from_server};
use chasqui::protocol::{
    ClientFrame, EntryFrame, EphemeralFrame, Record, SendFrame, ServerFrame, Tlvs, Welcome,
};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    Value::Object(fields.into_iter().filter_map(present).collect::<Map<_, _>>())
}

fn tags(tlvs: &Tlvs<'_>) -> Value {
    tlvs.iter().map(|tlv| json!([tlv.tag, hex(tlv.value)])).collect()
}

pub(crate) fn client(frame: &ClientFrame<'_>, content: Option<&Content>) -> Value {
    match frame {
        ClientFrame::Hello(hello) => object([
            ("frame", Some(json!("HELLO"))),
            ("minor", Some(json!(hello.minor))),
            ("capabilities", Some(json!(hello.capabilities))),
            ("token", Some(json!(hello.token))),
            ("client", hello.client.map(|client| json!(client))),
            ("ping_seconds", hello.ping_seconds.map(|seconds| json!(seconds))),
            ("epoch", hello.epoch.map(|epoch| json!(epoch.get()))),
        ]),
        ClientFrame::Ping { nonce } => json!({"frame": "PING", "nonce": nonce}),
        ClientFrame::Pong { nonce } => json!({"frame": "PONG", "nonce": nonce}),
        ClientFrame::Send(frame) => send(frame, content),
        ClientFrame::Ack(items) => {
            let items: Vec<_> = items.iter().map(|(c, s)| json!([c.get(), s.get()])).collect();
            json!({"frame": "ACK", "items": items})
        }
        ClientFrame::Read { conversation, read } => {
            json!({"frame": "READ", "conversation": conversation.get(), "read": read.get()})
        }
        ClientFrame::Sync { rid, limit, token } => {
            json!({"frame": "SYNC", "rid": rid, "limit": limit, "token": hex(token)})
        }
        ClientFrame::Fetch { rid, conversation, from, to } => json!({
            "frame": "FETCH", "rid": rid, "conversation": conversation.get(), "from": from.get(),
            "to": to.get(),
        }),
        ClientFrame::Resume => json!({"frame": "RESUME"}),
        ClientFrame::Ephemeral(frame) => ephemeral(frame),
        ClientFrame::Watch(users) => {
            let users: Vec<_> = users.iter().map(UserId::get).collect();
            json!({"frame": "WATCH", "users": users})
        }
    }
}

fn send(frame: &SendFrame<'_>, content: Option<&Content>) -> Value {
    json!({
        "frame": "SEND", "rid": frame.rid, "conversation": frame.conversation.get(),
        "cmid": frame.client_message.get(), "floor": frame.floor.get(), "kind": frame.kind,
        "body": hex(frame.body), "tags": tags(&frame.tlvs), "content": content.map(said),
    })
}

fn ephemeral(frame: &EphemeralFrame<'_>) -> Value {
    let kind = match frame.kind {
        EphemeralKind::Typing => 1,
        EphemeralKind::Stopped => 2,
        EphemeralKind::Other(other) => other,
    };
    json!({
        "frame": "EPHEMERAL", "conversation": frame.conversation.get(),
        "user": frame.user.map_or(0, UserId::get), "kind": kind, "body": hex(frame.body),
    })
}

pub(crate) fn server(frame: &ServerFrame<'_>) -> Value {
    match frame {
        ServerFrame::Welcome(frame) => welcome(frame),
        ServerFrame::Error(error) => json!({
            "frame": "ERROR", "rid": error.rid, "code": error.code, "flags": error.flags,
            "retry_ms": error.retry_ms, "text": error.text,
        }),
        ServerFrame::Ping { nonce } => json!({"frame": "PING", "nonce": nonce}),
        ServerFrame::Pong { nonce } => json!({"frame": "PONG", "nonce": nonce}),
        ServerFrame::Goaway(goaway) => json!({
            "frame": "GOAWAY", "reason": goaway.reason, "spread_ms": goaway.spread_ms,
            "grace_ms": goaway.grace_ms,
        }),
        ServerFrame::Sent { rid, sequence, ordinal, sent_at, duplicate } => json!({
            "frame": "SENT", "rid": rid, "sequence": sequence.get(), "ord": ordinal.get(),
            "sent_at": sent_at.as_millis(), "duplicate": duplicate,
        }),
        ServerFrame::Entry(frame) => entry(frame),
        ServerFrame::Cursor(cursor) => json!({
            "frame": "CURSOR", "conversation": cursor.conversation.get(),
            "user": cursor.user.get(), "delivered": cursor.delivered.get(),
            "read": cursor.read.get(), "read_ord": cursor.read_ordinal.get(),
        }),
        ServerFrame::Synced { rid, flags, token, records } => {
            let records: Vec<_> = records.iter().map(|found| record(&found)).collect();
            json!({
                "frame": "SYNCED", "rid": rid, "flags": flags, "token": hex(token),
                "records": records,
            })
        }
        ServerFrame::Fetched { rid, conversation, to, next } => json!({
            "frame": "FETCHED", "rid": rid, "conversation": conversation.get(), "to": to.get(),
            "next": next.get(),
        }),
        ServerFrame::Resync { reason } => json!({"frame": "RESYNC", "reason": reason}),
        ServerFrame::Ephemeral(frame) => ephemeral(frame),
        ServerFrame::Presence { user, state, last_seen } => json!({
            "frame": "PRESENCE", "user": user.get(), "state": state,
            "last_seen": last_seen.as_millis(),
        }),
    }
}

fn welcome(frame: &Welcome) -> Value {
    json!({
        "frame": "WELCOME", "minor": frame.minor, "capabilities": frame.capabilities,
        "user": frame.user.get(), "device": frame.device.get(), "epoch": frame.epoch.get(),
        "now": frame.now.as_millis(), "ping_seconds": frame.ping_seconds,
        "message_bytes_max": frame.message_bytes_max, "body_bytes_max": frame.body_bytes_max,
        "sends_max": frame.sends_max,
    })
}

fn entry(frame: &EntryFrame<'_>) -> Value {
    let content = match from_server(frame).expect("the layout is sound") {
        Served::Placeholder => Value::Null,
        Served::Known { content, edited, erased } => {
            let mut value = said(&content);
            if let Some(edited) = edited {
                value["edited"] = json!(edited.get());
            }
            if let Some(erased) = erased {
                value["erased"] = json!(erased.0);
            }
            value
        }
    };
    json!({
        "frame": "ENTRY", "conversation": frame.conversation.get(),
        "sequence": frame.sequence.get(), "ord": frame.ordinal.get(),
        "sender": frame.sender.map_or(0, UserId::get), "sent_at": frame.sent_at.as_millis(),
        "kind": frame.kind, "body": hex(frame.body),
        "cmid": frame.client_message.map(ClientMessageId::get), "tags": tags(&frame.tlvs),
        "content": content,
    })
}

fn record(found: &Record<'_>) -> Value {
    object([
        ("conversation", Some(json!(found.conversation.get()))),
        ("kind", Some(json!(found.kind))),
        ("last_sequence", Some(json!(found.last_sequence.get()))),
        ("last_ord", Some(json!(found.last_ordinal.get()))),
        ("last_at", Some(json!(found.last_at.as_millis()))),
        ("read", Some(json!(found.read.get()))),
        ("read_ord", Some(json!(found.read_ordinal.get()))),
        ("delivered", Some(json!(found.delivered.get()))),
        ("muted", Some(json!(found.muted))),
        ("left", Some(json!(found.left))),
        ("first_visible", Some(json!(found.first_visible.get()))),
        ("title", found.title.map(|title| json!(title))),
        ("peer", found.peer.map(|peer| json!(peer.get()))),
        ("last_entry", found.last_entry.as_ref().map(entry)),
        ("member_count", found.member_count.map(|count| json!(count))),
        ("peer_read", found.peer_read.map(|read| json!(read.get()))),
        ("peer_delivered", found.peer_delivered.map(|delivered| json!(delivered.get()))),
    ])
}

fn said(content: &Content) -> Value {
    match content {
        Content::Message(said) => message(said),
        Content::Edit { target, text } => json!({"target": target.get(), "text": text.as_str()}),
        Content::Unsend { target } => json!({"target": target.get()}),
        Content::Reaction { target, emoji } => {
            json!({"target": target.get(), "emoji": emoji.as_str()})
        }
        Content::Pin { target, pinned } => json!({"target": target.get(), "pinned": pinned}),
        Content::Member { users, change, role } => object([
            ("users", Some(users.iter().map(|user| user.get()).collect())),
            ("change", Some(json!(change_number(*change)))),
            ("role", role.map(|role| json!(role_number(role)))),
        ]),
        Content::Settings { title, picture } => object([
            ("title", title.as_ref().map(|title| json!(title.as_str()))),
            ("picture", picture.map(|picture| json!(picture.get()))),
        ]),
        Content::Contact { user, state } => {
            json!({"user": user.get(), "state": state_number(*state)})
        }
        Content::Device { device, change, name } => json!({
            "device": device.get(), "name": name.as_str(),
            "change": match change { DeviceChange::Added => 1, DeviceChange::Revoked => 2 },
        }),
        Content::Opaque { kind: _, body: _, attributes } => {
            let attributes: Vec<_> =
                attributes.iter().map(|(tag, value)| json!([tag, hex(value)])).collect();
            json!({"attributes": attributes})
        }
    }
}

fn message(said: &Message) -> Value {
    json!({
        "text": said.text.as_str(),
        "attachments": said.attachments.iter().map(attachment).collect::<Vec<_>>(),
        "reply_to": said.reply_to.map(Sequence::get),
        "mentions": said.mentions.iter().map(|user| user.get()).collect::<Vec<_>>(),
    })
}

fn attachment(file: &Attachment) -> Value {
    json!({
        "media": file.media.get(), "size": file.size, "type": file.media_type, "name": file.name,
        "width": file.width, "height": file.height, "duration_ms": file.duration_ms,
        "preview": hex(&file.preview),
    })
}

fn change_number(change: MemberChange) -> u64 {
    match change {
        MemberChange::Added => 1,
        MemberChange::Left => 2,
        MemberChange::Removed => 3,
        MemberChange::Role => 4,
    }
}

fn role_number(role: Role) -> u64 {
    match role {
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

fn state_number(state: ContactState) -> u64 {
    match state {
        ContactState::RequestedByYou => 1,
        ContactState::RequestedByThem => 2,
        ContactState::Accepted => 3,
        ContactState::Blocked => 4,
        ContactState::None => 5,
    }
}
