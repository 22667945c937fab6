//! Connections whose bytes are encrypted behave like others.

use super::*;
use crate::model::CommandError;
use crate::shard::outbox::PushClass;
use rustls::ClientConnection;

/// Reads once what is plaintext then; `WouldBlock` if nothing came of it, `ConnectionAborted` at an
/// end that no alert told of.
pub(super) fn read(
    tls: &mut ClientConnection,
    socket: &mut TcpStream,
    buffer: &mut [u8],
) -> io::Result<usize> {
    loop {
        match tls.reader().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            read => return read,
        }
        tls.read_tls(socket)?;
        tls.process_new_packets().map_err(io::Error::other)?;
    }
}

fn encrypted() -> Rig {
    Rig { encrypted: true, ..Rig::new() }
}

/// The most that the channel of a connection holds back.
fn held_back(rig: &Rig, key: ConnectionKey) -> (usize, usize) {
    let connection = rig.connections.slab.get(key).expect("it lives");
    connection.tls.as_ref().expect("encrypted").kept()
}

fn cost(rig: &Rig, key: ConnectionKey) -> usize {
    let connection = rig.connections.slab.get(key).expect("it lives");
    connection.outbox.as_ref().map_or(0, |outbox| outbox.cost())
}

#[test]
fn messages_of_any_size_come_back_however_they_lie_in_records() {
    let mut rig = encrypted();
    let (mut peer, key) = rig.connect(Mode::Echo);
    for size in [0, 1, 125, 126, 16_370, 16_384, 40_000, 300_000] {
        let text: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).expect("small")).collect();
        let frame = masked(0x82, &text);
        // Cut so that heads and payloads lie across records, then many frames in one.
        for part in frame.chunks((size / 3).max(1)) {
            peer.send(part);
            rig.round();
        }
        rig.until(|_| !peer.receive().is_empty());
        assert!(peer.frames.remove(0)[1..] == text[..], "{size}");
    }
    peer.send(&ping_frames(200));
    rig.until(|_| peer.receive().len() == 200);
    assert_eq!((held_back(&rig, key), cost(&rig, key)), ((0, 0), 0), "nothing is kept at rest");
}

fn ping_frames(count: usize) -> Vec<u8> {
    masked(0x89, b"p").repeat(count)
}

#[test]
fn a_flood_is_answered_to_the_last_frame_within_the_bounds_of_a_turn() {
    let mut rig = encrypted();
    let (mut peer, _) = rig.welcome();
    for _ in 0..10 {
        peer.send(&ping_frames(1_000));
        rig.round();
        peer.receive();
    }
    rig.until(|_| peer.receive().len() == 10_000);
}

#[test]
fn early_plaintext_comes_before_what_the_socket_has() {
    let mut rig = encrypted();
    let early = [masked(0x82, b"one"), masked(0x82, b"two")].concat();
    let (mut peer, _) = rig.connect_early(Mode::Echo, &early[..14]);
    peer.send(&[&early[14..], &masked(0x82, b"three")].concat());
    rig.until(|_| peer.receive().len() == 3);
    assert_eq!(peer.frames, [b"\x82one".to_vec(), b"\x82two".to_vec(), b"\x82three".to_vec()]);
}

#[test]
fn the_last_records_reach_a_reader_who_is_late() {
    let mut rig = encrypted();
    for size in [200_000, 500_000, 1_000_000] {
        let (theirs, ours) = rig.narrow_sockets();
        let (mut peer, key) = rig.adopt(theirs, ours, &[], Mode::Echo);
        let frame = masked(0x82, &vec![b'x'; size]);
        for part in frame.chunks(10_000) {
            peer.send(part);
            rig.round();
        }
        rig.settle();
        assert!(held_back(&rig, key).1 > 0, "the socket was full");
        rig.until(|_| !peer.receive().is_empty());
        assert_eq!(peer.frames[0].len(), 1 + size);
    }
}

#[test]
fn a_slow_reader_costs_its_bound_and_one_batch_of_records() {
    let mut rig = encrypted();
    let (mut slow, key) = rig.welcome_narrow();
    for n in 0..1_000_u64 {
        let mut frame = vec![0; 4_000];
        frame[..8].copy_from_slice(&n.to_be_bytes());
        rig.connections.deliver(key, &binary(&frame), PushClass::Entry);
        rig.round();
        assert!(cost(&rig, key) <= OUTBOX_BYTES);
        assert!(held_back(&rig, key).1 <= 70_000, "{:?}", held_back(&rig, key));
    }
    assert!(held_back(&rig, key).1 > 0, "the socket was full");
    rig.until(|rig| {
        slow.receive();
        cost(rig, key) == 0 && held_back(rig, key) == (0, 0)
    });
    rig.settle();
    slow.receive();
    // How often it drained on the way is the kernel's affair.
    assert!(slow.frames.iter().any(|frame| frame == &[0x82, 0x1b, 1, 1]), "RESYNC");
    let numbers = slow.frames.iter().filter(|frame| frame.len() > 9);
    let numbers: Vec<_> =
        numbers.map(|f| u64::from_be_bytes(f[1..9].try_into().expect("eight"))).collect();
    assert!(numbers.len() < 1_000 && numbers.is_sorted_by(|one, next| one < next));
}

#[test]
fn a_reader_that_stalls_is_closed_in_time() {
    let mut rig = encrypted();
    let (_slow, key) = rig.welcome_narrow();
    for _ in 0..200 {
        rig.connections.deliver(key, &binary(&[0; 4_000]), PushClass::Entry);
        rig.round();
    }
    rig.settle();
    for _ in 0..4 {
        rig.pass(Duration::from_secs(30));
        rig.sweep();
        rig.settle();
    }
    assert!(rig.connections.slab.get(key).is_none());
    assert_eq!(rig.closed(), 1);
}

#[test]
fn a_close_frame_is_answered_and_the_end_is_told_before_the_socket_ends() {
    let mut rig = encrypted();
    let (mut peer, key) = rig.welcome();
    peer.send(&masked(0x88, b"\x03\xe8bye"));
    rig.until(|_| {
        peer.receive();
        peer.end.is_some()
    });
    assert_eq!(peer.close_code(), Some(1000));
    drop(peer);
    rig.until(|rig| rig.connections.slab.get(key).is_none());
    assert_eq!(rig.closed(), 1);
}

#[test]
fn a_peer_that_says_that_it_has_ended_still_gets_its_answers() {
    let mut rig = encrypted();
    let (mut peer, key) = rig.welcome();
    peer.send(&masked(0x82, &encoded(&ClientFrame::Sync { rid: 1, limit: 0, token: &[] })));
    peer.tls.as_mut().expect("encrypted").send_close_notify();
    peer.send(b"x");
    rig.until(|rig| rig.events.len() == 1);
    rig.settle();
    assert!(rig.connections.slab.get(key).is_some(), "an answer is missing");
    rig.connections.reply(key, 1, &Err(CommandError::overloaded("full")));
    rig.until(|_| {
        peer.receive();
        peer.end.is_some()
    });
    assert_eq!((peer.frames.len(), peer.end), (1, Some(io::ErrorKind::UnexpectedEof)));
    assert!(rig.connections.slab.get(key).is_none());
}

#[test]
fn a_record_that_is_not_authentic_ends_the_connection_and_no_other() {
    let mut rig = encrypted();
    let (mut good, _) = rig.welcome();
    let (mut bad, key) = rig.welcome();
    bad.socket.write_all(b"\x17\x03\x03\x00\x20this was sealed by nobody at all").expect("room");
    rig.until(|rig| rig.connections.slab.get(key).is_none());
    assert_eq!(rig.closed(), 1);
    good.send(&ping_frames(1));
    rig.until(|_| good.receive().len() == 1);
}
