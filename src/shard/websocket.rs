//! The WebSocket framing of RFC 6455, as a server speaks it: heads in, heads out, close payloads.
//!
//! Pure functions over byte slices, stricter than the library's reader: a client's frame must be
//! masked, its length in the shortest form, its reserved bits zero, its opcode known, and a control
//! frame whole and at most 125 bytes. Handshake, sockets and the order of frames are not here.

use fastwebsockets::OpCode;
use std::sync::Arc;

/// The longest head of a client's frame.
pub(super) const HEAD_BYTES_MAX: usize = 14;

/// The most that a control frame may carry.
const CONTROL_BYTES_MAX: u64 = 125;

/// What is wrong with what a peer sent. The connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// The bytes break RFC 6455.
    #[error("{0}")]
    Framing(&'static str),
    /// Text, or the reason of a close, is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A message is larger than the limit.
    #[error("the message is too large")]
    TooBig,
    /// A text message where only binary ones are spoken.
    #[error("a text message")]
    Text,
}

/// The head of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Whether it ends its message.
    pub(super) fin: bool,
    /// What it is.
    pub(super) opcode: OpCode,
    /// What its payload is masked with.
    pub(super) mask: [u8; 4],
    /// How many bytes follow the head.
    pub(super) payload_len: usize,
    /// How many bytes the head takes.
    pub(super) len: usize,
}

impl Head {
    /// Whether this is a close, ping or pong.
    pub(super) fn is_control(&self) -> bool {
        is_control(self.opcode)
    }
}

/// Reads a head from the start of `bytes`; `None` if it is not whole yet. What is wrong is told as
/// soon as the byte that makes it so has come.
pub(super) fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Violation> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let (fin, opcode) = parse_first(*first)?;
    let Some((second, rest)) = rest.split_first() else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Violation::Framing("a client's frame must be masked"));
    }
    let short = u64::from(second & 0x7f);
    if is_control(opcode) && short > CONTROL_BYTES_MAX {
        return Err(Violation::Framing("a control frame carries at most 125 bytes"));
    }
    let Some((length, rest)) = parse_length(short, rest)? else { return Ok(None) };
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let payload_len = usize::try_from(length).map_err(|_beyond_memory| Violation::TooBig)?;
    let len = bytes.len() - rest.len();
    Ok(Some(Head { fin, opcode, mask: *mask, payload_len, len }))
}

fn parse_first(first: u8) -> Result<(bool, OpCode), Violation> {
    if first & 0x70 != 0 {
        return Err(Violation::Framing("the reserved bits must be zero"));
    }
    let opcode = OpCode::try_from(first & 0x0f)
        .map_err(|_reserved| Violation::Framing("a reserved opcode"))?;
    let fin = first & 0x80 != 0;
    if is_control(opcode) && !fin {
        return Err(Violation::Framing("a control frame cannot be fragmented"));
    }
    Ok((fin, opcode))
}

fn parse_length(short: u64, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, shorter_max, rest) = match short {
        126 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*bytes)), 125, rest)
        }
        127 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            (u64::from_be_bytes(*bytes), u64::from(u16::MAX), rest)
        }
        short => return Ok(Some((short, rest))),
    };
    if length >> 63 != 0 {
        return Err(Violation::Framing("the top bit of a length must be zero"));
    }
    if length <= shorter_max {
        return Err(Violation::Framing("a length must take its shortest form"));
    }
    Ok(Some((length, rest)))
}

fn is_control(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Close | OpCode::Ping | OpCode::Pong)
}

/// The longest head of a server's frame.
const SERVER_HEAD_BYTES_MAX: usize = 10;

/// The head of a server's frame that is a whole message: unmasked, in the shortest form.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerHead {
    bytes: [u8; SERVER_HEAD_BYTES_MAX],
    len: usize,
}

impl ServerHead {
    /// The head in front of `payload_len` bytes.
    pub(super) fn new(opcode: OpCode, payload_len: usize) -> Self {
        let mut bytes = [0; SERVER_HEAD_BYTES_MAX];
        let [first, second, extended @ ..] = &mut bytes;
        *first = 0x80 | opcode_bits(opcode);
        let len = if let Some(short) = u8::try_from(payload_len).ok().filter(|n| *n < 126) {
            *second = short;
            2
        } else if let Ok(medium) = u16::try_from(payload_len) {
            *second = 126;
            let [high, low, ..] = extended;
            [*high, *low] = medium.to_be_bytes();
            4
        } else {
            *second = 127;
            *extended = u64::try_from(payload_len).unwrap_or(u64::MAX).to_be_bytes();
            10
        };
        Self { bytes, len }
    }

    /// Its bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn opcode_bits(opcode: OpCode) -> u8 {
    match opcode {
        OpCode::Continuation => 0x0,
        OpCode::Text => 0x1,
        OpCode::Binary => 0x2,
        OpCode::Close => 0x8,
        OpCode::Ping => 0x9,
        OpCode::Pong => 0xa,
    }
}

/// A WebSocket message with its head, shared by everyone whom it is sent to.
pub(crate) type Message = Arc<[u8]>;

/// A binary message around the protocol frame that `encode` appends. It is laid out in `scratch`, behind
/// room for the longest head, since the length of the frame is known last.
pub(crate) fn binary_message(scratch: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) -> Message {
    scratch.clear();
    scratch.extend_from_slice(&[0; SERVER_HEAD_BYTES_MAX]);
    encode(scratch);
    let head = ServerHead::new(OpCode::Binary, scratch.len() - SERVER_HEAD_BYTES_MAX);
    let start = SERVER_HEAD_BYTES_MAX - head.len;
    if let Some(place) = scratch.get_mut(start..SERVER_HEAD_BYTES_MAX) {
        place.copy_from_slice(head.as_bytes());
    }
    Arc::from(scratch.get(start..).unwrap_or_default())
}

/// The code in a close frame's payload; `None` if it gives none.
pub(super) fn parse_close(payload: &[u8]) -> Result<Option<u16>, Violation> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Err(Violation::Framing("a close code takes two bytes"));
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(Violation::Framing("a close code that may not be sent"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::NotUtf8);
    }
    Ok(Some(code))
}

/// Whether a close frame may carry this code: those of RFC 6455 and the registry of IANA but the
/// ones that only name a local condition (1004 to 1006, 1015), and those of libraries (3000) and
/// applications (4000).
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn framing(result: Result<Option<Head>, Violation>) -> &'static str {
        match result {
            Err(Violation::Framing(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_length_form_is_read() {
        for (bytes, payload_len, len) in [
            (&[0x82, 0x80, 1, 2, 3, 4][..], 0, 6),
            (&[0x82, 0xfd, 1, 2, 3, 4], 125, 6),
            (&[0x82, 0xfe, 0, 126, 1, 2, 3, 4], 126, 8),
            (&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4], 65_535, 8),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536, 14),
        ] {
            let head = Head { fin: true, opcode: OpCode::Binary, mask: MASK, payload_len, len };
            assert_eq!(parse_head(bytes), Ok(Some(head)));
            for cut in 0..bytes.len() {
                assert_eq!(parse_head(&bytes[..cut]), Ok(None), "{bytes:?} cut to {cut}");
            }
        }
    }

    #[test]
    fn a_length_in_a_longer_form_than_needed_is_refused() {
        for bytes in [
            &[0x82, 0xfe, 0, 125][..],
            &[0x82, 0xfe, 0, 0],
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1],
        ] {
            assert!(framing(parse_head(bytes)).contains("shortest"), "{bytes:?}");
        }
        assert!(framing(parse_head(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0])).contains("top bit"));
    }

    #[test]
    fn what_a_client_may_not_send_is_refused_at_the_byte_that_says_so() {
        for reserved_bit in [0x40, 0x20, 0x10] {
            assert!(framing(parse_head(&[0x82 | reserved_bit])).contains("reserved bits"));
        }
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert!(framing(parse_head(&[0x80 | opcode])).contains("reserved opcode"));
        }
        for control in [8, 9, 0xa] {
            assert!(framing(parse_head(&[control])).contains("fragmented"));
            assert!(framing(parse_head(&[0x80 | control, 0xfe])).contains("125"));
            assert!(framing(parse_head(&[0x80 | control, 0xff])).contains("125"));
            assert!(parse_head(&[0x80 | control, 0xfd, 1, 2, 3, 4]).is_ok());
        }
        for length in [0, 125, 126, 127] {
            assert!(framing(parse_head(&[0x82, length])).contains("masked"));
        }
    }

    #[test]
    fn a_servers_head_takes_the_shortest_form() {
        for (len, bytes) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            assert_eq!(ServerHead::new(OpCode::Binary, len).as_bytes(), bytes);
        }
        assert_eq!(ServerHead::new(OpCode::Close, 2).as_bytes(), [0x88, 2]);
    }

    #[test]
    fn our_head_is_what_the_library_writes() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![0; len];
            let mut theirs = [0; 16];
            let size = fastwebsockets::Frame::binary(fastwebsockets::Payload::Borrowed(&payload))
                .fmt_head(&mut theirs);
            assert_eq!(ServerHead::new(OpCode::Binary, len).as_bytes(), &theirs[..size]);
        }
    }

    #[test]
    fn close_payloads_are_checked() {
        assert_eq!(parse_close(&[]), Ok(None));
        assert_eq!(parse_close(&[3, 0xe8]), Ok(Some(1000)));
        assert_eq!(parse_close(b"\x03\xe8bye"), Ok(Some(1000)));
        assert!(matches!(parse_close(&[3]), Err(Violation::Framing(_))));
        assert_eq!(parse_close(&[3, 0xe8, 0xff]), Err(Violation::NotUtf8));
        for code in [1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4501, 4999_u16] {
            assert_eq!(parse_close(&code.to_be_bytes()), Ok(Some(code)));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
            assert!(
                matches!(parse_close(&code.to_be_bytes()), Err(Violation::Framing(_))),
                "{code}"
            );
        }
    }

    #[test]
    fn a_push_carries_its_head() {
        let mut scratch = vec![9; 40];
        let message = binary_message(&mut scratch, |out| out.extend([0x1b, 1, 1]));
        assert_eq!(&message[..], [0x82, 3, 0x1b, 1, 1]);
        let long = binary_message(&mut scratch, |out| out.resize(out.len() + 300, 7));
        assert_eq!((&long[..5], long.len()), (&[0x82, 126, 1, 44, 7][..], 304));
    }
}
