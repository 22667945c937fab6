//! The examples of the specification, byte for byte, and what only values can show.

use crate::model::{
    Chat, Claim, ClientMessageId, Content, Conversation, ConversationId, Cursor, Entry, Erasure,
    Head, Message, NUMBER_MAX, Ordinal, Sequence, Settings, Synced, Timestamp, UserId,
};
use crate::protocol::content::{self, Served};
use crate::protocol::{
    ClientFrame, EntryEncoder, Fault, Goaway, SendFrame, ServerFrame, Tlvs, encode_synced, frames,
    record_len,
};

const CONVERSATION: u64 = 0x0001_1223_3445_5667;
const USER: u64 = 0xa0b0_c0d0_e0f1;
const CMID: u64 = 0x1020_3040_5060;
const AT: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn conversation() -> ConversationId {
    ConversationId::new(CONVERSATION).expect("not zero")
}

fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("small")
}

fn hi() -> Entry {
    let content = Content::Message(Message { text: "hi".into(), ..Message::default() });
    Entry {
        sequence: at(42),
        ordinal: Ordinal::new(40).expect("small"),
        sender: UserId::new(USER),
        sent_at: AT,
        client_message: ClientMessageId::new(CMID),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

fn client(frame: &ClientFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

fn server(frame: &ServerFrame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

#[track_caller]
fn same(encoded: &[u8], hex: &str) {
    let text: Vec<String> = encoded.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text.concat(), hex.replace(' ', ""));
}

#[test]
fn client_frames_look_as_the_specification_shows() {
    same(&client(&ClientFrame::Ping { nonce: 7 }), "04 01 07");
    let send = ClientFrame::Send(SendFrame {
        rid: 7,
        conversation: conversation(),
        client_message: ClientMessageId::new(CMID).expect("not zero"),
        floor: at(42),
        kind: 1,
        body: b"hi",
        tlvs: Tlvs::EMPTY,
    });
    same(&client(&send), "10 16 07 c001122334455667 c000102030405060 2a 01 02 6869");
    let read = ClientFrame::Read { conversation: conversation(), read: at(42) };
    same(&client(&read), "14 09 c001122334455667 2a");
    let items = [(conversation(), at(42))];
    let ack = ClientFrame::Ack(items.as_slice().into());
    same(&client(&ack), "13 0a 01 c001122334455667 2a");
}

#[test]
fn server_frames_look_as_the_specification_shows() {
    let ordinal = Ordinal::new(40).expect("small");
    let sent =
        ServerFrame::Sent { rid: 7, sequence: at(42), ordinal, sent_at: AT, duplicate: false };
    same(&server(&sent), "11 0a 07 2a 28 01a0c4506c00 00");
    let goaway = Goaway { reason: 1, spread_ms: 60_000, grace_ms: 90_000 };
    same(&server(&ServerFrame::Goaway(goaway)), "06 09 01 8000ea60 80015f90");
    let fixed = "c001122334455667 2a 28 c000a0b0c0d0e0f1 01a0c4506c00 01 02 6869";
    let hi = hi();
    let encoder = EntryEncoder::new(conversation(), &hi);
    let mut out = Vec::new();
    encoder.encode(false, &mut out);
    same(&out, &format!("12 1c {fixed}"));
    out.clear();
    encoder.encode(true, &mut out);
    same(&out, &format!("12 26 {fixed} 01 08 c000102030405060"));
}

#[test]
fn unknown_frames_are_skipped_from_80_on() {
    let decode = |message| {
        frames(message).map(|frame| ClientFrame::decode(&frame?)).collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(decode(&[0xbf, 1, 0xaa]), Ok(vec![None]));
    let error = decode(&[0x3f, 1, 0xaa]).expect_err("below 80");
    assert!(error.closes() && error.fault() == Fault::UnknownType(0x3f));
}

#[test]
fn an_error_names_the_byte_where_it_lies() {
    let message = [0x04, 1, 7, 0x04, 2, 0x40, 7];
    let errors: Vec<_> = frames(&message)
        .map(|frame| ClientFrame::decode(&frame.expect("whole")))
        .filter_map(Result::err)
        .collect();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].fault(), errors[0].offset()), (Fault::VarintNotShortest, 5));
}

#[test]
fn what_the_server_set_on_an_entry_is_served_and_never_mistaken_for_content() {
    let entry = Entry { edited: Some(at(50)), erased: Some(Erasure(2)), ..hi() };
    let encoder = EntryEncoder::new(conversation(), &entry);
    let served = content::from_server(&encoder.frame(false)).expect("sound");
    let content = entry.content;
    assert_eq!(served, Served::Known { content, edited: Some(at(50)), erased: Some(Erasure(2)) });
}

#[test]
fn lengths_beyond_one_byte_move_what_they_measure() {
    for length in [61, 62, 63, 64, 16_383, 16_384, 70_000] {
        let token = vec![7; length];
        let sync = ClientFrame::Sync { rid: 1, limit: 0, token: &token };
        let encoded = client(&sync);
        let frame = frames(&encoded).next().expect("one").expect("whole");
        assert_eq!(ClientFrame::decode(&frame), Ok(Some(sync)));
    }
}

fn chat(text: &str, mentions: u64) -> Chat {
    let user = UserId::new(USER).expect("not zero");
    let claim = Claim::Journal(user);
    let mentions = (1..=mentions).filter_map(UserId::new).collect();
    let message = Message { text: text.into(), mentions, ..Message::default() };
    let content = Content::Message(message);
    let last = Entry { content, ..hi() };
    Chat {
        conversation: Conversation { id: conversation(), claim, created_at: AT },
        settings: Settings::default(),
        head: Head::from(&last),
        cursor: Cursor { read: at(41), delivered: at(42), ..Cursor::default() },
        peer: None,
        member_count: 1,
        first_visible: Sequence::FIRST,
        left: false,
        last_entry: Some(last),
    }
}

#[test]
fn a_record_previews_its_last_entry_cut_at_a_character_and_without_its_cmid() {
    let chats = vec![chat(&format!("a{}", "\u{e9}".repeat(200)), 3)];
    let length = record_len(&chats[0]);
    let synced = Synced { chats, more: true, everything: false, token: vec![9].into() };
    let mut out = Vec::new();
    encode_synced(NUMBER_MAX, &synced, &mut out);
    let frame = frames(&out).next().expect("one").expect("whole");
    let Ok(Some(ServerFrame::Synced { rid, flags, token, records })) = ServerFrame::decode(&frame)
    else {
        panic!("a SYNCED")
    };
    assert_eq!((rid, flags, token), (NUMBER_MAX, 1, &[9][..]));
    // rid 8, flags 1, token 2, count 1.
    assert_eq!(frame.body.len(), 12 + length);
    let record = records.iter().next().expect("one");
    let last = record.last_entry.expect("present");
    assert_eq!((last.body.len(), last.client_message), (255, None));
    assert!(std::str::from_utf8(last.body).is_ok());
    assert!(!last.tlvs.is_empty());
    assert_eq!((record.read, record.delivered, record.last_sequence), (at(41), at(42), at(42)));
}

#[test]
fn a_record_has_a_bound_whatever_its_last_entry_carries() {
    assert!(record_len(&chat(&"x".repeat(30_000), 5_000)) < 400);
}
