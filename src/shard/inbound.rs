//! From a connection's bytes to messages: unmasks, joins fragments, bounds and checks them.
//!
//! Owns what must survive between reads: bytes not decoded yet, a frame and a message in progress.
//! It reads no socket and knows no protocol above WebSocket.
//!
//! Invariants: a whole message in one frame is decoded where it was read and copied nowhere; only
//! what is cut is kept, in a box that goes when the message is complete. A message is refused by its
//! announced size before any of it is kept, and what is kept grows with what has come, not with what
//! was announced. Text is checked as it comes. However the bytes are cut, the result is the same.

use super::websocket::{Head, Violation, parse_close, parse_head};
use fastwebsockets::{OpCode, unmask};
use std::borrow::Cow;

/// What a connection accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The most bytes of one message, all fragments together.
    pub(super) message_bytes_max: usize,
    /// Whether text messages are taken besides binary ones.
    pub(super) text: bool,
}

/// What a step through the bytes led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A whole message.
    Message {
        /// Whether it is text, which is then UTF-8.
        text: bool,
        /// What it says.
        payload: Cow<'a, [u8]>,
    },
    /// A ping and what the pong must repeat.
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong,
    /// The peer closes, with a code if it gave one.
    Close(Option<u16>),
    /// A part of a message was taken in; there may be more to decode.
    Fragment,
    /// Nothing more can be decoded from these bytes; what is unused must be kept.
    Starved,
}

/// What survives between reads. Default is the state between messages.
#[derive(Debug, Default)]
pub(super) struct Partial {
    unread: Unread,
    frame: Option<OpenFrame>,
    message: Option<OpenMessage>,
    payload: Vec<u8>,
    control: Vec<u8>,
}

/// Bytes that were read and not decoded: the start of a head, or what exceeded a turn's budget.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: Vec<u8>,
    used: usize,
}

impl Unread {
    /// Copies bytes to be kept.
    pub(super) fn copy_of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), used: 0 }
    }

    /// What is left.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// What is left, to be unmasked in place.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.used..).unwrap_or_default()
    }

    /// Marks bytes as decoded.
    pub(super) fn advance(&mut self, count: usize) {
        self.used += count;
    }

    /// Copies what is left to the front of `buffer` if it fits; returns how much that is.
    pub(super) fn copy_to(&self, buffer: &mut [u8]) -> usize {
        let left = self.as_slice();
        match buffer.get_mut(..left.len()) {
            Some(front) => front.copy_from_slice(left),
            None => return 0,
        }
        left.len()
    }
}

/// A frame whose payload has not all come.
#[derive(Debug)]
struct OpenFrame {
    head: Head,
    taken: usize,
}

/// A message whose last frame has not all come.
#[derive(Debug)]
struct OpenMessage {
    text: bool,
    /// How much of the payload is known to be UTF-8.
    checked: usize,
}

impl Partial {
    /// Takes out the bytes kept earlier, to be decoded where they lie.
    pub(super) fn take_unread(this: &mut Option<Box<Self>>) -> Unread {
        this.as_mut().map(|partial| std::mem::take(&mut partial.unread)).unwrap_or_default()
    }

    /// Keeps bytes that could not or may not be decoded yet, and gives memory back when nothing is
    /// in progress.
    pub(super) fn keep(this: &mut Option<Box<Self>>, unread: Unread) {
        if !unread.as_slice().is_empty() {
            this.get_or_insert_default().unread = unread;
        } else if this.as_ref().is_some_and(|partial| partial.is_idle()) {
            *this = None;
        }
    }

    fn is_idle(&self) -> bool {
        self.unread.as_slice().is_empty() && self.frame.is_none() && self.message.is_none()
    }

    /// Decodes one step from the front of `bytes`, unmasking in place. Returns how many bytes it
    /// used.
    pub(super) fn step<'a>(
        this: &mut Option<Box<Self>>,
        rules: Rules,
        bytes: &'a mut [u8],
    ) -> Result<(usize, Step<'a>), Violation> {
        if let Some(partial) = this
            && partial.frame.is_some()
        {
            return partial.absorb(rules, bytes);
        }
        let Some(head) = parse_head(bytes)? else { return Ok((0, Step::Starved)) };
        let (in_progress, held) =
            this.as_ref().map_or((false, 0), |p| (p.message.is_some(), p.payload.len()));
        check(&head, rules, in_progress, held)?;
        let Some((_, rest)) = bytes.split_at_mut_checked(head.len) else {
            return Ok((0, Step::Starved));
        };
        let stands_alone = head.is_control() || (head.fin && !in_progress);
        if stands_alone && head.payload_len <= rest.len() {
            let (payload, _) = rest.split_at_mut(head.payload_len);
            unmask(payload, head.mask);
            let used = head.len + head.payload_len;
            return Ok((used, whole(head.opcode, Cow::Borrowed(payload))?));
        }
        let partial = this.get_or_insert_default();
        partial.open(head);
        let (used, step) = partial.absorb(rules, rest)?;
        Ok((head.len + used, step))
    }

    fn open(&mut self, head: Head) {
        if !head.is_control() && self.message.is_none() {
            self.message = Some(OpenMessage { text: head.opcode == OpCode::Text, checked: 0 });
        }
        self.frame = Some(OpenFrame { head, taken: 0 });
    }

    /// Takes in what has come of the open frame.
    fn absorb<'a>(
        &mut self,
        rules: Rules,
        bytes: &mut [u8],
    ) -> Result<(usize, Step<'a>), Violation> {
        let Some(frame) = &mut self.frame else { return Ok((0, Step::Starved)) };
        let head = frame.head;
        let missing = head.payload_len - frame.taken;
        let (part, _) = bytes.split_at_mut(missing.min(bytes.len()));
        let mut mask = head.mask;
        mask.rotate_left(frame.taken % 4);
        unmask(part, mask);
        frame.taken += part.len();
        let complete = frame.taken == head.payload_len;
        if complete {
            self.frame = None;
        }
        let used = part.len();
        if head.is_control() {
            self.control.extend_from_slice(part);
            if !complete {
                return Ok((used, Step::Starved));
            }
            return Ok((used, whole(head.opcode, Cow::Owned(std::mem::take(&mut self.control)))?));
        }
        append(&mut self.payload, part, rules.message_bytes_max);
        let ends = complete && head.fin;
        self.check_text(ends)?;
        let step = match (ends, complete) {
            (true, _) => self.finish(),
            (false, true) => Step::Fragment,
            (false, false) => Step::Starved,
        };
        Ok((used, step))
    }

    /// Checks what has come since the last time; a character may be cut unless the message ends.
    fn check_text(&mut self, ends: bool) -> Result<(), Violation> {
        let Some(message) = self.message.as_mut().filter(|message| message.text) else {
            return Ok(());
        };
        let fresh = self.payload.get(message.checked..).unwrap_or_default();
        match std::str::from_utf8(fresh) {
            Ok(_) => message.checked = self.payload.len(),
            Err(error) if error.error_len().is_some() || ends => return Err(Violation::NotUtf8),
            Err(error) => message.checked += error.valid_up_to(),
        }
        Ok(())
    }

    fn finish<'a>(&mut self) -> Step<'a> {
        let text = self.message.take().is_some_and(|message| message.text);
        Step::Message { text, payload: Cow::Owned(std::mem::take(&mut self.payload)) }
    }
}

/// Appends, doubling the capacity as needed but never beyond the limit of a message.
fn append(payload: &mut Vec<u8>, part: &[u8], bytes_max: usize) {
    let len = payload.len();
    if payload.capacity() - len < part.len() {
        payload.reserve_exact(len.min(bytes_max.saturating_sub(len)).max(part.len()));
    }
    payload.extend_from_slice(part);
}

/// Checks a frame against what may come now, and its message against the size limit.
fn check(head: &Head, rules: Rules, in_progress: bool, held: usize) -> Result<(), Violation> {
    match head.opcode {
        OpCode::Continuation if !in_progress => {
            return Err(Violation::Framing("a continuation of nothing"));
        }
        OpCode::Text | OpCode::Binary if in_progress => {
            return Err(Violation::Framing("a new message inside another"));
        }
        OpCode::Text if !rules.text => return Err(Violation::Text),
        OpCode::Close | OpCode::Ping | OpCode::Pong => return Ok(()),
        OpCode::Continuation | OpCode::Text | OpCode::Binary => {}
    }
    if held.saturating_add(head.payload_len) > rules.message_bytes_max {
        return Err(Violation::TooBig);
    }
    Ok(())
}

/// What a frame that needs no other one says.
fn whole(opcode: OpCode, payload: Cow<'_, [u8]>) -> Result<Step<'_>, Violation> {
    Ok(match opcode {
        OpCode::Ping => Step::Ping(payload),
        OpCode::Pong => Step::Pong,
        OpCode::Close => Step::Close(parse_close(&payload)?),
        OpCode::Text if std::str::from_utf8(&payload).is_err() => return Err(Violation::NotUtf8),
        OpCode::Text => Step::Message { text: true, payload },
        OpCode::Binary | OpCode::Continuation => Step::Message { text: false, payload },
    })
}

#[cfg(test)]
mod tests {
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
        for (first, second) in [(0x80, None), (0x00, None), (0x02, Some(0x82)), (0x01, Some(0x01))]
        {
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
}
