//! What is encoded decodes to the same, and arbitrary bytes do no harm.

use crate::model::{
    Attachment, ClientMessageId, Content, ConversationId, EntryKind, MediaId, Message, NUMBER_MAX,
    Sequence, Text, UserId,
};
use crate::protocol::content::{self, Served};
use crate::protocol::{ClientFrame, EntryFrame, SendFrame, ServerFrame, frames, varint};
use bytes::Bytes;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..70, 0_u64..20_000, 0_u64..=NUMBER_MAX]
}

fn id() -> impl Strategy<Value = u64> {
    number().prop_map(|number| number.max(1))
}

fn user() -> impl Strategy<Value = UserId> {
    id().prop_map(|number| UserId::new(number).expect("not zero"))
}

fn sequence() -> impl Strategy<Value = Sequence> {
    id().prop_map(|number| Sequence::new(number).expect("in range"))
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

fn text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(Text::from)
}

fn attachment() -> impl Strategy<Value = Attachment> {
    let media = id().prop_map(|number| MediaId::new(number).expect("not zero"));
    let numbers = (number(), number(), number(), number());
    (media, numbers, any::<String>(), any::<String>(), bytes()).prop_map(
        |(media, (size, width, height, duration_ms), media_type, name, preview)| Attachment {
            media,
            size,
            media_type,
            name,
            width,
            height,
            duration_ms,
            preview,
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let attachments = prop::collection::vec(attachment(), 0..4);
    let mentions = prop::collection::vec(user(), 0..4);
    (text(), attachments, prop::option::of(sequence()), mentions).prop_map(
        |(text, attachments, reply_to, mentions)| Message { text, attachments, reply_to, mentions },
    )
}

fn opaque() -> impl Strategy<Value = Content> {
    let kind = (16..=NUMBER_MAX).prop_map(|number| EntryKind::new(number).expect("in range"));
    let attributes = prop::collection::btree_map(64..=NUMBER_MAX, bytes(), 0..4);
    (kind, bytes(), attributes).prop_map(|(kind, body, attributes)| Content::Opaque {
        kind,
        body,
        attributes: attributes.into_iter().collect(),
    })
}

fn sendable() -> impl Strategy<Value = Content> {
    prop_oneof![
        4 => message().prop_map(Content::Message),
        1 => (sequence(), text()).prop_map(|(target, text)| Content::Edit { target, text }),
        1 => sequence().prop_map(|target| Content::Unsend { target }),
        1 => (sequence(), text()).prop_map(|(target, emoji)| Content::Reaction { target, emoji }),
        1 => (sequence(), any::<bool>()).prop_map(|(target, pinned)| Content::Pin { target, pinned }),
        2 => opaque(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_varint_comes_back(number in number()) {
        let mut out = Vec::new();
        varint::encode(number, &mut out);
        prop_assert_eq!(out.len(), varint::encoded_len(number));
        prop_assert_eq!(varint::take(&out), Some((number, &[][..])));
    }

    #[test]
    fn content_comes_back_from_a_send_and_from_an_entry(
        content in sendable(),
        (rid, conversation, cmid) in (id(), id(), id()),
        floor in sequence(),
    ) {
        let layout = content::encode(&content);
        let conversation = ConversationId::new(conversation).expect("not zero");
        let client_message = ClientMessageId::new(cmid).expect("not zero");
        let (kind, body, tlvs) = (layout.kind, layout.body, layout.tlvs());
        let send = SendFrame { rid, conversation, client_message, floor, kind, body, tlvs };
        let mut out = Vec::new();
        ClientFrame::Send(send).encode(&mut out);
        let frame = frames(&out).next().expect("one").expect("whole");
        prop_assert_eq!(ClientFrame::decode(&frame), Ok(Some(ClientFrame::Send(send))));
        prop_assert_eq!(content::from_client(&send), Ok(content.clone()));

        let entry = EntryFrame {
            conversation,
            sequence: floor,
            ordinal: crate::model::Ordinal::FIRST,
            sender: None,
            sent_at: crate::model::Timestamp::ZERO,
            kind,
            body,
            client_message: Some(client_message),
            tlvs,
        };
        out.clear();
        entry.encode(&mut out);
        let frame = frames(&out).next().expect("one").expect("whole");
        prop_assert_eq!(ServerFrame::decode(&frame), Ok(Some(ServerFrame::Entry(entry))));
        let known = Served::Known { content: content.clone(), edited: None, erased: None };
        prop_assert_eq!(content::from_server(&entry), Ok(known));
    }

    #[test]
    fn arbitrary_bytes_decode_or_fail_and_what_decodes_is_canonical(
        message in prop::collection::vec(any::<u8>(), 0..200),
        kind in any::<u8>(),
    ) {
        let mut framed = vec![kind];
        varint::encode(u64::try_from(message.len()).expect("small"), &mut framed);
        framed.extend_from_slice(&message);
        for message in [&message, &framed] {
            for frame in frames(message).flatten() {
                if let Ok(Some(decoded)) = ClientFrame::decode(&frame) {
                    let mut once = Vec::new();
                    decoded.encode(&mut once);
                    let again = frames(&once).next().expect("one").expect("whole");
                    prop_assert_eq!(ClientFrame::decode(&again), Ok(Some(decoded)));
                }
                if let Ok(Some(decoded)) = ServerFrame::decode(&frame) {
                    let mut once = Vec::new();
                    decoded.encode(&mut once);
                    let again = frames(&once).next().expect("one").expect("whole");
                    prop_assert_eq!(ServerFrame::decode(&again), Ok(Some(decoded)));
                }
            }
        }
    }
}
