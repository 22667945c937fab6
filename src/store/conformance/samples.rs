//! Rows to test with.

use crate::model::{
    Account, Attachment, Claim, ClientMessageId, Contact, ContactState, Content, Conversation,
    ConversationId, Cursor, CursorAdvance, Device, DeviceChange, DeviceId, DeviceName, DisplayName,
    Entry, EntryKind, Erasure, Interval, MediaId, MemberChange, Membership, Message, Ordinal,
    PasswordHash, Profile, Role, Sequence, Timestamp, Title, UserId, Username,
};
use crate::store::{Append, Direction, Range};
use bytes::Bytes;
use thin_vec::thin_vec;

pub(in crate::store) fn user(number: u64) -> UserId {
    UserId::new(number).expect("in range")
}

pub(in crate::store) fn device_id(number: u64) -> DeviceId {
    DeviceId::new(number).expect("in range")
}

pub(in crate::store) fn log(number: u64) -> ConversationId {
    ConversationId::new(number).expect("in range")
}

pub(in crate::store) fn client(number: u64) -> ClientMessageId {
    ClientMessageId::new(number).expect("in range")
}

pub(in crate::store) fn media(number: u64) -> MediaId {
    MediaId::new(number).expect("in range")
}

pub(in crate::store) fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("in range")
}

pub(in crate::store) fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(in crate::store) fn name(text: &str) -> Username {
    Username::new(text).expect("a user name")
}

pub(in crate::store) fn profile(text: &str) -> Profile {
    Profile {
        display_name: DisplayName::new(text).expect("a name"),
        about: format!("about {text}"),
        avatar: MediaId::new(77),
    }
}

pub(in crate::store) fn account(id: u64, username: &str) -> Account {
    Account {
        user: user(id),
        username: name(username),
        password: PasswordHash::new("$argon2id$v=19$..."),
        profile: profile(username),
        created_at: time(1_000 + id),
    }
}

pub(in crate::store) fn device(id: u64, owner: u64) -> Device {
    Device {
        device: device_id(id),
        user: user(owner),
        name: DeviceName::new("phone").expect("a name"),
        created_at: time(5),
        family: 1,
        generation: 2,
        revoked_at: None,
        version: 0,
    }
}

pub(in crate::store) fn direct(id: u64, one: u64, other: u64) -> Conversation {
    let claim = Claim::direct(user(one), user(other)).expect("two users");
    Conversation { id: log(id), claim, created_at: time(9) }
}

pub(in crate::store) fn text(body: &str) -> Content {
    Content::Message(Message { text: body.into(), ..Message::default() })
}

pub(in crate::store) fn entry(sequence: u64, content: Content) -> Entry {
    Entry {
        sequence: at(sequence),
        ordinal: Ordinal::new(sequence).expect("in range"),
        sender: UserId::new(4),
        sent_at: time(1_790_000_000_000 + sequence),
        client_message: ClientMessageId::new(sequence + 1_000),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

/// Text entries `expected + 1 ..= expected + count`.
pub(in crate::store) fn append(conversation: u64, expected: u64, count: u64) -> Append<'static> {
    let entries =
        (1..=count).map(|i| entry(expected + i, text(&format!("entry {}", expected + i))));
    Append {
        conversation: log(conversation),
        expected: at(expected),
        entries: entries.collect(),
        has_effects: false,
    }
}

pub(in crate::store) fn everything() -> Range {
    Range {
        from: Sequence::FIRST,
        to: Sequence::MAX,
        direction: Direction::Ascending,
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

pub(in crate::store) fn membership(conversation: u64, member: u64, set_by: u64) -> Membership {
    let intervals =
        vec![Interval { from: at(1), to: Some(at(4)) }, Interval { from: at(9), to: None }];
    Membership {
        conversation: log(conversation),
        user: user(member),
        role: Role::Admin,
        intervals,
        set_by: at(set_by),
        changed_at: time(set_by),
    }
}

pub(in crate::store) fn contact(
    owner: u64,
    peer: u64,
    state: ContactState,
    set_by: u64,
) -> Contact {
    Contact {
        owner: user(owner),
        peer: user(peer),
        state,
        set_by: at(set_by),
        changed_at: time(set_by),
    }
}

pub(in crate::store) fn cursor(delivered: u64, read: u64) -> Cursor {
    Cursor {
        delivered: at(delivered),
        read: at(read),
        read_ordinal: Ordinal::new(read).expect("in range"),
        changed_at: time(delivered + read),
    }
}

pub(in crate::store) fn advance(owner: u64, conversation: u64, cursor: Cursor) -> CursorAdvance {
    CursorAdvance { user: user(owner), conversation: log(conversation), cursor }
}

/// One content of every kind, with everything in it that can be.
pub(in crate::store) fn contents() -> Vec<Content> {
    let attachment = Attachment {
        media: media(3),
        size: 1 << 40,
        media_type: "image/jpeg".to_owned(),
        name: "caf\u{e9}.jpg".to_owned(),
        width: 640,
        height: 480,
        duration_ms: 1,
        preview: Bytes::from_static(&[0, 255, 1]),
    };
    let message = Message {
        text: "h\u{e9}".into(),
        attachments: thin_vec![
            attachment.clone(),
            Attachment { preview: Bytes::new(), ..attachment }
        ],
        reply_to: Some(at(1)),
        mentions: thin_vec![user(1), user(2)],
    };
    vec![
        text(""),
        Content::Message(message),
        Content::Edit { target: at(1), text: "new".into() },
        Content::Unsend { target: at(1) },
        Content::Reaction { target: at(1), emoji: "\u{1f600}".into() },
        Content::Pin { target: at(1), pinned: true },
        Content::Member {
            users: vec![user(1), user(9)],
            change: MemberChange::Role,
            role: Some(Role::Owner),
        },
        Content::Member { users: vec![user(1)], change: MemberChange::Left, role: None },
        Content::Settings { title: Title::new("Title"), picture: MediaId::new(8) },
        Content::Settings { title: None, picture: None },
        Content::Contact { user: user(1), state: ContactState::RequestedByThem },
        Content::Device {
            device: device_id(1),
            change: DeviceChange::Revoked,
            name: DeviceName::new("").expect("a name"),
        },
        Content::Opaque {
            kind: EntryKind::new(16).expect("in range"),
            body: Box::from([7; 4_096]),
            attributes: thin_vec![(64, Bytes::from_static(b"a")), (65, Bytes::new())],
        },
    ]
}

/// An entry of the server that was edited and erased.
pub(in crate::store) fn erased_entry(sequence: u64) -> Entry {
    Entry {
        sender: None,
        client_message: None,
        edited: Some(at(2)),
        erased: Some(Erasure(0)),
        ..entry(sequence, text(""))
    }
}
