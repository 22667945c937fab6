//! Data of an established connection in every suite: cut, touched, under new keys, to its end.

use super::*;
use rustls::ProtocolVersion;

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 7 % 251).expect("small")).collect()
}

#[test]
fn every_suite_of_both_versions_carries_data_both_ways() {
    let identity = Identity::new();
    let suites = suites();
    assert_eq!(suites.len(), 6);
    for suite in suites {
        let mut pair = Pair::new(&identity, suite);
        assert_eq!(pair.client.alpn_protocol(), Some(&b"http/1.1"[..]));
        for len in [1, 100, 16_384, 16_385, 70_000] {
            let text = noise(len);
            for part in text.chunks(50_000) {
                pair.say(part);
                pair.receive(usize::MAX).expect("sound");
            }
            assert_eq!(std::mem::take(&mut pair.got), text, "{suite:?}");
            assert_eq!(pair.answer(&text), text, "{suite:?}");
        }
    }
}

#[test]
fn records_cut_at_every_byte_give_the_same_data() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        for size in 1..120 {
            for text in [&b"one"[..], b"two and", b"three"] {
                pair.say(text);
            }
            pair.receive(size).expect("sound");
            assert_eq!(std::mem::take(&mut pair.got), b"onetwo andthree", "{suite:?} by {size}");
            assert_eq!(pair.channel.kept(), (0, 0), "nothing is kept between records");
        }
    }
}

#[test]
fn whatever_room_a_socket_has_what_is_sent_arrives_whole_and_in_order() {
    let identity = Identity::new();
    for suite in suites() {
        let text = noise(150_000);
        for room in [1_000, 4_096, 16_384, 65_536, 100_000] {
            let mut pair = Pair::new(&identity, suite);
            let (mut sent, mut heard) = (0, Vec::new());
            while sent < text.len() || pair.channel.has_outgoing() {
                pair.pipe.room = Some(room);
                let slices: Vec<_> = text[sent..].chunks(5_000).map(IoSlice::new).collect();
                match pair.channel.send(&mut pair.pipe, &slices) {
                    Ok(count) => sent += count,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                assert!(pair.channel.kept().1 <= 66_000, "{:?}", pair.channel.kept());
                heard.extend(pair.heard());
            }
            assert!(heard == text, "{suite:?} with room for {room}");
            assert_eq!(pair.channel.kept(), (0, 0));
        }
    }
}

#[test]
fn new_keys_are_followed_and_answered() {
    let identity = Identity::new();
    for suite in suites().into_iter().filter(|s| s.version().version == ProtocolVersion::TLSv1_3) {
        let mut pair = Pair::new(&identity, suite);
        for size in [usize::MAX, 1, 7] {
            pair.say(b"old");
            pair.client.refresh_traffic_keys().expect("allowed");
            pair.say(b" new");
            pair.receive(size).expect("sound");
            assert_eq!(std::mem::take(&mut pair.got), b"old new");
            assert_eq!(pair.answer(b"also new"), b"also new");
        }
    }
}

#[test]
fn a_key_that_has_sealed_enough_is_changed() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        assert_eq!(pair.answer(b"old"), b"old");
        pair.channel.want_new_key();
        if suite.version().version == ProtocolVersion::TLSv1_3 {
            assert_eq!(pair.answer(b"new"), b"new");
            assert_eq!(pair.answer(b"newer"), b"newer");
        } else {
            let sent = pair.channel.send(&mut pair.pipe, &[IoSlice::new(b"new")]);
            assert!(sent.is_err(), "TLS 1.2 has no other key");
        }
    }
}

#[test]
fn the_end_is_told_both_ways_and_after_what_was_said() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        pair.say(b"last words");
        pair.client.send_close_notify();
        pair.say(b"");
        assert_eq!(pair.receive(usize::MAX).expect("sound"), Received::End);
        assert_eq!(pair.got, b"last words");
        assert_eq!(pair.answer(b"still answered"), b"still answered");
        pair.channel.close(&mut pair.pipe);
        let mut written = std::mem::take(&mut pair.pipe.written).into();
        std::mem::swap(&mut written, &mut pair.pipe.incoming);
        let bytes: Vec<u8> = pair.pipe.incoming.drain(..).collect();
        pair.client.read_tls(&mut &bytes[..]).expect("memory");
        assert!(pair.client.process_new_packets().expect("sound").peer_has_closed());
    }
}

#[test]
fn a_record_that_was_touched_ends_the_connection_after_what_came_before_it() {
    let identity = Identity::new();
    for suite in suites() {
        for at in 0..20 {
            let mut pair = Pair::new(&identity, suite);
            pair.say(b"sound");
            let sound = pair.pipe.incoming.len();
            pair.say(b"touched");
            let touched = pair.pipe.incoming.len() - sound;
            pair.say(b"more");
            let last = sound + (at * 3) % touched;
            // But for the minor version, which means nothing, and the length, which may only make
            // the record wait for more.
            let last = if (2..5).contains(&(last - sound)) { last + 3 } else { last };
            pair.pipe.incoming[last] ^= 0x40;
            let error = pair.receive(usize::MAX).expect_err("not authentic");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(pair.got, b"sound");
            let told = std::mem::take(&mut pair.pipe.written);
            hear(&mut pair.client, &told).expect_err("an alert");
            pair.receive(usize::MAX).expect_err("nothing more is opened");
            assert_eq!(pair.got, b"sound");
        }
    }
}

#[test]
fn what_has_no_place_after_the_handshake_is_refused() {
    let identity = Identity::new();
    let records: [&[u8]; 6] = [
        b"\x17\x03\x03\x00\x00",
        b"\x14\x03\x03\x00\x01\x01",
        b"\x15\x03\x03\x00\x02\x01\x00",
        b"\x16\x03\x03\x00\x04\x00\x00\x00\x00",
        b"\x17\x03\x03\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for suite in suites() {
        for record in records {
            let mut pair = Pair::new(&identity, suite);
            pair.pipe.incoming.extend(record);
            let refused = pair.receive(usize::MAX).expect_err("refused");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{record:x?}");
        }
    }
}

#[test]
fn records_without_data_are_borne_only_so_often() {
    let identity = Identity::new();
    let suite = suites()[0];
    let mut pair = Pair::new(&identity, suite);
    for _ in 0..3 {
        for _ in 0..20 {
            pair.client.refresh_traffic_keys().expect("allowed");
        }
        pair.say(b"data");
        pair.receive(usize::MAX).expect("borne");
    }
    for _ in 0..40 {
        pair.client.refresh_traffic_keys().expect("allowed");
    }
    pair.say(b"");
    pair.receive(usize::MAX).expect_err("too many");
}
