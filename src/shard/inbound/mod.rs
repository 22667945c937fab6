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
mod tests;
