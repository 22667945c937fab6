//! Headers, good and bad, and what is read of a stream that begins with one.

use super::*;
use proptest::prelude::*;

/// A header of version 2.
pub(crate) fn block(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("short enough");
    [SIGNATURE.as_slice(), &[command, family], &length.to_be_bytes(), block].concat()
}

fn block_v4() -> Vec<u8> {
    block(0x21, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 80])
}

fn block_v6(source: Ipv6Addr, extensions: usize) -> Vec<u8> {
    let mut bytes = [source.octets(), Ipv6Addr::LOCALHOST.octets()].concat();
    bytes.extend([0x30, 0x39, 0, 80]);
    bytes.resize(36 + extensions, 0xee);
    block(0x21, 0x21, &bytes)
}

/// What comes of a stream, and how much of it was read, asking as the reader does.
fn consume(stream: &[u8]) -> (Result<Option<SocketAddr>, String>, usize) {
    let mut read = 0;
    loop {
        match examine(&stream[..read]) {
            Ok(Progress::Whole(client)) => return (Ok(client), read),
            Ok(Progress::More(count)) if read + count <= stream.len() => {
                assert!(count > 0, "it would ask for ever");
                read += count;
            }
            Ok(Progress::More(_)) => return (Err("more".to_owned()), read),
            Err(error) => return (Err(error.to_string()), read),
        }
    }
}

fn client(stream: &[u8]) -> Option<SocketAddr> {
    consume(stream).0.expect("a good header")
}

fn refusal(stream: &[u8]) -> String {
    consume(stream).0.expect_err("a bad header")
}

#[test]
fn the_client_is_who_the_header_names() {
    let v4 = "192.0.2.7:12345".parse().ok();
    let v6 = "[2001:db8::7]:12345".parse().ok();
    assert_eq!(client(&block_v4()), v4);
    assert_eq!(client(&block_v6("2001:db8::7".parse().expect("an address"), 0)), v6);
    assert_eq!(client(&block_v6("2001:db8::7".parse().expect("an address"), 4000)), v6);
    assert_eq!(client(b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n"), v4);
    assert_eq!(client(b"PROXY TCP6 2001:db8::7 ::1 12345 80\r\n"), v6);
    let mapped = "::ffff:192.0.2.7".parse().expect("an address");
    assert_eq!(client(&block_v6(mapped, 0)), v4, "one address, however it is written");
}

#[test]
fn a_proxy_may_speak_for_itself_or_not_know_the_client() {
    for header in [
        block(0x20, 0x00, &[]),
        block(0x20, 0x11, &[0; 12]),
        block(0x21, 0x00, &[1, 2, 3]),
        block(0x21, 0x31, &[0; 216]),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
    ] {
        assert_eq!(client(&header), None, "{header:?}");
    }
}

#[test]
fn what_is_no_header_is_told_from_what_is_a_bad_one() {
    let absent = HeaderError::Absent.to_string();
    for stream in ["GET / HTTP/1.1\r\n", "proxy TCP4 1.1.1.1", "PROXYTCP4 1.1.1.1 "] {
        assert_eq!(refusal(stream.as_bytes()), absent, "{stream}");
    }
    let malformed = HeaderError::Malformed.to_string();
    for line in [
        "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\n",
        "PROXY TCP4 192.0.2.7 127.0.0.1 12345\r\n",
        "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80 1\r\n",
        "PROXY TCP4 192.0.2.7 127.0.0.1 65536 80\r\n",
        "PROXY TCP4 192.0.2.7 127.0.0.1 +1 80\r\n",
        "PROXY TCP4 192.0.2.7 127.0.0.1 01 80\r\n",
        "PROXY TCP4 ::1 ::1 1 1\r\n",
        "PROXY TCP6 192.0.2.7 127.0.0.1 1 1\r\n",
        "PROXY TCP4  192.0.2.7 127.0.0.1 1 1\r\n",
        "PROXY TCP5 192.0.2.7 127.0.0.1 1 1\r\n",
        "PROXY UNKNOWNS\r\n",
    ] {
        assert_eq!(refusal(line.as_bytes()), malformed, "{line}");
    }
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 500]].concat();
    assert_eq!(consume(&endless), (Err(malformed.clone()), LINE_BYTES_MAX));
    for header in [
        block(0x22, 0x11, &[0; 12]),
        block(0x11, 0x11, &[0; 12]),
        block(0x21, 0x12, &[0; 12]),
        block(0x21, 0x11, &[0; 11]),
        block(0x21, 0x21, &[0; 35]),
        block(0x21, 0x41, &[0; 12]),
    ] {
        assert_eq!(refusal(&header), malformed, "{header:?}");
    }
    let long = block(0x21, 0x11, &[0; BLOCK_BYTES_MAX + 1]);
    assert_eq!(consume(&long), (Err(HeaderError::TooLong.to_string()), 16));
}

proptest! {
    #[test]
    fn nothing_behind_a_header_is_read(
        header in prop_oneof![
            Just(block_v4()),
            (any::<u128>(), 0..600_usize).prop_map(|(bits, more)| block_v6(bits.into(), more)),
            (any::<u32>(), any::<u16>()).prop_map(|(bits, port)| {
                format!("PROXY TCP4 {} 127.0.0.1 {port} 80\r\n", Ipv4Addr::from(bits)).into_bytes()
            }),
            "PROXY UNKNOWN[ -~]{0,80}\r\n"
                .prop_filter("a word", |line| line.get(13..14) != Some("")
                    && matches!(line.as_bytes()[13], b' ' | b'\r'))
                .prop_map(String::into_bytes),
        ],
        behind in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let (result, read) = consume(&[header.clone(), behind].concat());
        prop_assert!(result.is_ok(), "{result:?}");
        prop_assert_eq!(read, header.len());
    }

    #[test]
    fn a_header_that_is_cut_is_not_accepted(bits in any::<u128>(), cut in any::<prop::sample::Index>()) {
        for header in [block_v4(), block_v6(bits.into(), 9), b"PROXY UNKNOWN\r\n".to_vec()] {
            let (result, _) = consume(&header[..cut.index(header.len())]);
            prop_assert_eq!(result, Err("more".to_owned()));
        }
    }

    #[test]
    fn any_bytes_are_judged_within_the_bound(
        begin in prop_oneof![
            Just(Vec::new()), Just(SIGNATURE.to_vec()), Just(LINE_BEGIN.to_vec()),
            Just(b"PROXY TCP4 ".to_vec()), Just([SIGNATURE.as_slice(), &[0x21]].concat()),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (_, read) = consume(&[begin, rest].concat());
        prop_assert!(read <= SIGNATURE.len() + 4 + BLOCK_BYTES_MAX);
    }
}
