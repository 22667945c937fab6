//! WebSocket messages from the client's side, as far as this server speaks it: heads, and nothing
//! kept between calls.
//!
//! The mask is four zeros: a mask as the RFC asks for, and nothing to apply.

/// What a message may hold at most before another one is begun; below what servers take.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 48 << 10;

/// What stands in front of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The opcode.
    pub opcode: u8,
    /// Where the payload begins.
    pub start: usize,
    /// Where it ends, which is where the next message begins.
    pub end: usize,
}

/// A binary message.
pub(crate) const BINARY: u8 = 0x2;

/// The end of the connection.
pub(crate) const CLOSE: u8 = 0x8;

/// Appends a binary message.
pub(crate) fn write(payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | BINARY);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => out.push(0x80 | short),
        (_, Ok(middle)) => {
            out.push(0xfe);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&u64::try_from(payload.len()).unwrap_or_default().to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The message that begins at `at`; `None` while some of it is missing.
pub(crate) fn message_at(buffer: &[u8], at: usize) -> Option<Message> {
    let [first, second, rest @ ..] = buffer.get(at..)? else { return None };
    let (head, length) = match second {
        126 => (4, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
        short => (2, u64::from(*short)),
    };
    let start = at + head;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= buffer.len()).then_some(Message { opcode: first & 0x0f, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_when_it_is_whole() {
        let bytes = [0x82, 2, 7, 8, 0x82, 1];
        assert_eq!(message_at(&bytes, 0), Some(Message { opcode: 2, start: 2, end: 4 }));
        assert_eq!(message_at(&bytes, 4), None);
        assert_eq!(message_at(&bytes, 6), None);
    }

    #[test]
    fn heads_of_every_length_are_read() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let mut bytes = Vec::new();
            write(&vec![b'x'; length], &mut bytes);
            // Unmasked, as the server writes: without the mask bit and the four zeros.
            let head = bytes.len() - length;
            bytes[1] &= 0x7f;
            bytes.drain(head - 4..head);
            let message = message_at(&bytes, 0).expect("whole");
            assert_eq!((message.end - message.start, message.end), (length, bytes.len()));
            assert_eq!(message_at(&bytes[..bytes.len() - 1], 0), None);
        }
    }
}
