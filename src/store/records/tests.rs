//! Rows that are damaged, misplaced or too new.

use super::entry::entry_sequence;
use super::*;
use crate::model::{Content, ConversationId, Entry, Message, Ordinal, Sequence, Timestamp};

const KEY: &[u8] = b"0123456789abcdef";

/// A key whose sequence is in range.
fn key() -> [u8; 16] {
    (7u128 << 64 | 3).to_be_bytes()
}

fn conversation_id(number: u64) -> ConversationId {
    ConversationId::new(number).expect("in range")
}

fn entry() -> Entry {
    let content = Content::Message(Message { text: "hello".into(), ..Message::default() });
    Entry {
        sequence: Sequence::new(3).expect("in range"),
        ordinal: Ordinal::new(2).expect("in range"),
        sender: None,
        sent_at: Timestamp::from_millis(5),
        client_message: None,
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}

#[test]
fn a_row_is_read_as_it_was_written() {
    let value: Vec<u8> = entry().encode(&key());
    assert_eq!(decode::<Entry>(&key(), &value), Ok(entry()));
    let LogEnd(head) = decode(&key(), &value).expect("whole");
    assert_eq!(head, (&entry()).into());
}

#[test]
fn any_changed_byte_is_found_out() {
    let value: Vec<u8> = entry().encode(&key());
    for position in 0..value.len() {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = value.clone();
            damaged[position] ^= flip;
            let read = decode::<Entry>(&key(), &damaged);
            assert_eq!(read, Err(StoreError::Corrupt { what: "entry" }), "byte {position}");
        }
    }
}

#[test]
fn any_cut_is_found_out() {
    let value: Vec<u8> = entry().encode(&key());
    for length in 0..value.len() {
        assert!(decode::<Entry>(&key(), &value[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_row_under_another_key_is_found_out() {
    let value: Vec<u8> = entry().encode(&key());
    let other = (7u128 << 64 | 4).to_be_bytes();
    assert!(decode::<Entry>(&other, &value).is_err());
}

#[test]
fn a_row_of_another_kind_is_found_out() {
    let value: Vec<u8> = Timestamp::from_millis(9).encode(KEY);
    assert!(decode::<crate::model::Account>(KEY, &value).is_err());
}

#[test]
fn a_version_that_is_not_known_is_not_read() {
    let record: Vec<u8> = seal(2, KEY, &7u64);
    assert_eq!(decode::<Timestamp>(KEY, &record), Err(StoreError::Corrupt { what: "time" }));
}

#[test]
fn a_value_that_breaks_a_rule_of_the_model_is_not_read() {
    let zero: Vec<u8> = seal(1, KEY, &0u64);
    assert!(decode::<crate::model::UserId>(KEY, &zero).is_err());
    let beyond: Vec<u8> = seal(1, KEY, &u64::MAX);
    assert!(decode::<Sequence>(KEY, &beyond).is_err());
}

/// An entry as version 1 writes it: stored like this, and so read for good.
const ENTRY_V1: &str = concat!(
    "014bac544df6707fe3",
    "68656c6c6f",
    "0200000000000000000000000000000005000000000000000000000000000000ac06396fcc5cf1b1",
    "000000000000000000000000000000000000",
    "c1ffffff05000000beffffff000000000000000000000000aeffffff00000000",
);

#[test]
fn version_one_of_an_entry_stays_readable() {
    let digit = |at| u8::from_str_radix(&ENTRY_V1[at..at + 2], 16).expect("a hex digit");
    let value: Vec<u8> = (0..ENTRY_V1.len()).step_by(2).map(digit).collect();
    assert_eq!(decode::<Entry>(&key(), &value), Ok(entry()));
    assert_eq!(entry().encode::<Vec<u8>>(&key()), value);
}

#[test]
fn keys_of_a_log_sort_as_its_sequences_do() {
    let at = |number| entry_key(conversation_id(7), Sequence::new(number).expect("in range"));
    assert!(at(255) < at(256));
    assert!(at(65_535) < at(1 << 40));
    assert!(at(1 << 40) < entry_key(conversation_id(8), Sequence::ZERO));
}

#[test]
fn an_entry_key_gives_its_sequence_back() {
    let key = entry_key(conversation_id(7), Sequence::MAX);
    assert_eq!(entry_sequence(&key), Some(Sequence::MAX));
    assert_eq!(entry_sequence(key.get(1..).expect("long enough")), None);
}
