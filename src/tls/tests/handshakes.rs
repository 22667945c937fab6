//! Handshakes: cut, resumed, broken off, and what follows in the same flight.

use super::*;
use proptest::prelude::*;
use rustls::HandshakeKind;
use std::sync::LazyLock;

#[test]
fn a_handshake_and_what_follows_it_may_be_cut_anywhere() {
    let identity = Identity::new();
    for suite in suites() {
        let config = identity.client(suite);
        for size in (1..40).chain([100, 200, 300, 500, 1_000]) {
            let mut pair = established(&identity.server, &config, size, b"early words");
            pair.receive(size).expect("sound");
            assert_eq!(pair.got, b"early words", "{suite:?} by {size}");
            assert_eq!(pair.answer(b"answer"), b"answer", "{suite:?} by {size}");
        }
    }
}

#[test]
fn an_end_in_the_same_flight_as_the_handshake_is_noticed() {
    let identity = Identity::new();
    for suite in suites() {
        let mut client = client(&identity.client(suite));
        let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
        let mut told = false;
        while !handshake.receive(&said(&mut client)).expect("sound") {
            hear(&mut client, &handshake.take_outgoing()).expect("sound");
            if !client.is_handshaking() && !told {
                told = true;
                client.writer().write_all(b"bye").expect("memory");
                client.send_close_notify();
            }
        }
        let (mut channel, got) = handshake.finish().expect("complete");
        if told {
            assert_eq!(got, b"bye");
            let mut room = vec![0; Channel::room_bytes_min()];
            let received = channel.receive(&mut Pipe::default(), &mut room);
            assert_eq!(received.expect("sound"), Received::End);
        }
    }
}

#[test]
fn sessions_are_resumed_also_under_a_new_certificate() {
    let identity = Identity::new();
    let tickets = Tickets::new().expect("randomness");
    for suite in suites() {
        let config = identity.client(suite);
        let kinds: Vec<_> = (0..2)
            .map(|_| {
                let server = identity.files.load(&tickets).expect("valid");
                let mut pair = established(&server, &config, usize::MAX, b"");
                assert_eq!(pair.answer(b"after the ticket"), b"after the ticket");
                pair.client.handshake_kind()
            })
            .collect();
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "{suite:?}");
    }
}

#[test]
fn garbage_and_plain_text_end_a_handshake_with_an_alert() {
    let identity = Identity::new();
    for bytes in [
        &b"\x16\x03\x01\x00\x05\x01\x00\x00\x01a"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 64],
        &[0xff; 64],
    ] {
        let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
        handshake.receive(bytes).expect_err("no handshake");
        let alert = handshake.take_outgoing();
        assert!(alert.starts_with(b"\x15\x03"), "{bytes:x?}: {alert:x?}");
    }
}

#[test]
fn a_handshake_that_never_becomes_one_takes_bounded_memory() {
    let identity = Identity::new();
    let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
    // A ClientHello of 16 MiB, told in records of 16 KiB.
    let mut record = b"\x16\x03\x01\x40\x00".to_vec();
    record.extend_from_slice(b"\x01\xff\xff\xff");
    record.resize(5 + 16_384, 0);
    let refused = (0..100).find(|_| handshake.receive(&record).is_err());
    assert!(refused.is_some_and(|n| n < 10), "{refused:?}");
}

proptest! {
    #[test]
    fn no_first_flight_panics_however_it_is_touched_and_cut(
        touches in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        sizes in proptest::collection::vec(1_usize..300, 1..8),
        behind in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let (server, mut flight) = FLIGHT.clone();
        flight.extend(behind);
        for (at, value) in touches {
            let at = at % flight.len();
            flight[at] = value;
        }
        let mut handshake = Handshake::new(server).expect("a server");
        let mut rest = &flight[..];
        for size in sizes.iter().cycle() {
            let (part, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            // Whoever broke off is not listened to again.
            if handshake.receive(part).is_err() || rest.is_empty() {
                break;
            }
        }
    }
}

/// A server and what a client says first to it.
static FLIGHT: LazyLock<(Arc<ServerConfig>, Vec<u8>)> = LazyLock::new(|| {
    let identity = Identity::new();
    let mut client = client(&identity.client(suites()[0]));
    (identity.server, said(&mut client))
});
