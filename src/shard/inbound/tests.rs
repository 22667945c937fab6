//! A connection's bytes, however they are cut: messages, refusals and what is kept between reads.

use super::*;
use crate::shard::tests::masked as frame;
use proptest::prelude::*;

const RULES: Rules = Rules { message_bytes_max: 1_000, text: true };

/// What the tests compare: a step that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Refused(Violation),
}

/// Feeds bytes cut into parts, keeping between them what is not used, as a connection does.
fn feed<'a>(rules: Rules, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let (mut partial, mut seen) = (None, Vec::new());
    for part in parts {
        let mut buffer = vec![0; 4_096];
        let held = Partial::take_unread(&mut partial).copy_to(&mut buffer);
        buffer[held..held + part.len()].copy_from_slice(part);
        let (end, mut used) = (held + part.len(), 0);
        loop {
            match Partial::step(&mut partial, rules, &mut buffer[used..end]) {
                Ok((more, step)) => {
                    used += more;
                    match step {
                        Step::Message { text, payload } => {
                            seen.push(Seen::Message(text, payload.into_owned()));
                        }
                        Step::Ping(payload) => seen.push(Seen::Ping(payload.into_owned())),
                        Step::Pong => seen.push(Seen::Pong),
                        Step::Close(code) => seen.push(Seen::Close(code)),
                        Step::Fragment => {}
                        Step::Starved => break,
                    }
                }
                Err(violation) => {
                    seen.push(Seen::Refused(violation));
                    return seen;
                }
            }
        }
        Partial::keep(&mut partial, Unread::copy_of(&buffer[used..end]));
    }
    seen
}

fn one(bytes: &[u8]) -> Vec<Seen> {
    feed(RULES, [bytes])
}

#[test]
fn a_whole_message_is_decoded_in_place_and_keeps_nothing() {
    let mut bytes = frame(0x82, b"hello");
    let mut partial = None;
    let (used, step) = Partial::step(&mut partial, RULES, &mut bytes).expect("sound");
    assert_eq!(used, 11);
    assert!(matches!(step, Step::Message { text: false, payload: Cow::Borrowed(b"hello") }));
    assert!(partial.is_none());
}

#[test]
fn cut_at_every_position_the_result_is_the_same() {
    let mut bytes = frame(0x82, &[7; 200]);
    bytes.extend(frame(0x01, "na\u{ef}".as_bytes()));
    bytes.extend(frame(0x89, b"are you there"));
    bytes.extend(frame(0x00, b""));
    bytes.extend(frame(0x80, "ve \u{1f600}".as_bytes()));
    bytes.extend(frame(0x8a, b"x"));
    bytes.extend(frame(0x88, b"\x03\xe8bye"));
    let whole = one(&bytes);
    assert_eq!(
        whole,
        [
            Seen::Message(false, vec![7; 200]),
            Seen::Ping(b"are you there".to_vec()),
            Seen::Message(true, "na\u{ef}ve \u{1f600}".into()),
            Seen::Pong,
            Seen::Close(Some(1000)),
        ]
    );
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(feed(RULES, [a, b]), whole, "cut at {cut}");
    }
    assert_eq!(feed(RULES, bytes.chunks(1)), whole);
}

#[test]
fn memory_is_given_back_after_a_cut_message() {
    let bytes = frame(0x82, &[1; 900]);
    let mut partial = None;
    let mut first = bytes[..100].to_vec();
    Partial::step(&mut partial, RULES, &mut first).expect("sound");
    Partial::keep(&mut partial, Unread::default());
    assert!(partial.is_some());
    let mut rest = bytes[100..].to_vec();
    let (used, step) = Partial::step(&mut partial, RULES, &mut rest).expect("sound");
    assert_eq!((used, matches!(step, Step::Message { .. })), (rest.len(), true));
    Partial::keep(&mut partial, Unread::default());
    assert!(partial.is_none());
}

#[test]
fn what_is_announced_is_not_reserved_and_what_is_kept_stays_below_the_limit() {
    let rules = Rules { message_bytes_max: 60_000, text: false };
    let mut partial = None;
    let mut bytes = frame(0x02, &vec![0; 50_000])[..20].to_vec();
    Partial::step(&mut partial, rules, &mut bytes).expect("sound");
    assert!(partial.as_ref().is_some_and(|p| p.payload.capacity() < 100));
    let mut rest = vec![0; 49_988];
    Partial::step(&mut partial, rules, &mut rest).expect("sound");
    for _ in 0..9_999 {
        let mut bytes = frame(0x00, &[0]);
        Partial::step(&mut partial, rules, &mut bytes).expect("sound");
    }
    let capacity = partial.map(|p| p.payload.capacity());
    assert!(capacity.is_some_and(|c| c <= 60_000), "{capacity:?}");
}

#[test]
fn a_message_over_the_limit_is_refused_by_what_its_heads_announce() {
    let too_big = [Seen::Refused(Violation::TooBig)];
    assert_eq!(one(&frame(0x82, &[0; 1_000])).len(), 1);
    assert_eq!(one(&frame(0x82, &[0; 1_001])[..8]), too_big);
    let mut fragments = frame(0x02, &[0; 600]);
    fragments.extend(&frame(0x80, &[0; 401])[..8]);
    assert_eq!(one(&fragments), too_big);
    let huge = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(one(&huge), too_big);
}

#[test]
fn frames_out_of_order_are_refused() {
    for (first, second) in [(0x80, None), (0x00, None), (0x02, Some(0x82)), (0x01, Some(0x01))] {
        let mut bytes = frame(first, b"a");
        if let Some(second) = second {
            bytes.extend(frame(second, b"b"));
        }
        assert!(matches!(one(&bytes)[..], [Seen::Refused(Violation::Framing(_))]));
    }
}

#[test]
fn text_is_refused_by_its_head_where_only_binary_is_spoken() {
    let rules = Rules { text: false, ..RULES };
    assert_eq!(feed(rules, [&[0x81, 0x85, 0, 0, 0, 0][..]]), [Seen::Refused(Violation::Text)]);
}

#[test]
fn text_that_is_not_utf8_is_refused_at_the_first_wrong_byte() {
    let refused = [Seen::Refused(Violation::NotUtf8)];
    assert_eq!(one(&frame(0x81, b"ab\xff")), refused);
    let cut = frame(0x81, b"ab\xffcdef");
    assert_eq!(one(&cut[..cut.len() - 4]), refused, "before the rest has come");
    let mut fragments = frame(0x01, b"\xf0\x9f");
    assert_eq!(one(&fragments), [], "a character may be cut");
    fragments.extend(frame(0x00, b"\x28"));
    assert_eq!(one(&fragments), refused);
    let mut unfinished = frame(0x01, b"a");
    unfinished.extend(frame(0x80, b"\xf0\x9f\x98"));
    assert_eq!(one(&unfinished), refused, "but not by the end");
    assert_eq!(one(&frame(0x82, b"\xff")).len(), 1, "binary is anything");
}

#[test]
fn a_control_frame_between_fragments_disturbs_nothing() {
    let mut bytes = frame(0x02, b"ab");
    bytes.extend(frame(0x89, b""));
    bytes.extend(frame(0x80, b"cd"));
    let expected = [Seen::Ping(Vec::new()), Seen::Message(false, b"abcd".to_vec())];
    assert_eq!(feed(RULES, bytes.chunks(3)), expected);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_cutting_them_changes_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        cuts in proptest::collection::vec(1_usize..50, 1..40),
    ) {
        let mut rest = &bytes[..];
        let mut parts = Vec::new();
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        prop_assert_eq!(feed(RULES, parts), one(&bytes));
    }

    #[test]
    fn any_sound_sequence_survives_any_cutting(
        payloads in proptest::collection::vec(
            (any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)), 1..6),
        size in 1_usize..64,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (split, payload) in payloads {
            if split {
                let (a, b) = payload.split_at(payload.len() / 2);
                bytes.extend(frame(0x02, a));
                bytes.extend(frame(0x80, b));
            } else {
                bytes.extend(frame(0x82, &payload));
            }
            expected.push(Seen::Message(false, payload));
        }
        prop_assert_eq!(feed(RULES, bytes.chunks(size)), expected);
    }
}
