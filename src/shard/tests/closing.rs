//! Every way in which a connection ends.

use super::*;
use crate::model::CommandError;
use crate::protocol::{CloseCode, Goaway};
use crate::shard::outbox::PushClass;

fn sync(rid: u64) -> Vec<u8> {
    masked(0x82, &encoded(&ClientFrame::Sync { rid, limit: 0, token: &[] }))
}

fn refusal() -> Result<crate::model::Outcome, CommandError> {
    Err(CommandError::overloaded("full"))
}

fn is_gone(rig: &Rig, key: ConnectionKey) -> bool {
    rig.connections.slab.get(key).is_none()
}

#[test]
fn a_close_frame_is_answered_in_kind_and_the_socket_ends() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&masked(0x88, b"\x03\xe8bye"));
    rig.until(|_| peer.close_code() == Some(1000));
    assert_eq!(rig.closed(), 1);
    drop(peer);
    rig.until(|rig| is_gone(rig, key));
    assert_eq!(rig.closed(), 1, "said once");
}

#[test]
fn an_empty_close_frame_is_answered_by_an_empty_one() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.welcome();
    peer.send(&masked(0x88, b""));
    rig.until(|_| {
        peer.receive();
        peer.end.is_some()
    });
    assert_eq!(peer.frames, [[0x88]]);
}

#[test]
fn nothing_after_a_close_frame_is_served() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.welcome();
    peer.send(&[masked(0x88, b"\x03\xe8"), sync(1), ping(1)].concat());
    rig.until(|_| peer.close_code().is_some());
    assert_eq!(peer.frames.len(), 1);
    assert!(matches!(rig.events[..], [Event::Closed { .. }]));
}

#[test]
fn a_peer_that_ends_its_side_still_gets_its_answers() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&[sync(1), sync(2)].concat());
    peer.finish();
    rig.until(|rig| rig.events.len() == 2);
    rig.settle();
    assert!(!is_gone(&rig, key));
    rig.connections.reply(key, 1, &refusal());
    rig.settle();
    assert!(!is_gone(&rig, key), "one answer is missing");
    rig.connections.reply(key, 2, &refusal());
    rig.until(|rig| is_gone(rig, key));
    rig.until(|_| {
        peer.receive();
        peer.end.is_some()
    });
    assert_eq!((peer.frames.len(), peer.end), (2, Some(io::ErrorKind::UnexpectedEof)));
    assert_eq!(rig.closed(), 1);
}

#[test]
fn a_peer_that_ends_its_side_while_its_token_is_checked_is_served_to_the_end() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    peer.send(&[masked(0x82, &hello()), sync(1)].concat());
    peer.finish();
    rig.until(|rig| rig.events.pop().is_some());
    rig.settle();
    assert!(rig.connections.grant(key, Ok(granted())));
    rig.until(|rig| rig.events.pop().is_some());
    rig.connections.reply(key, 1, &refusal());
    rig.until(|rig| is_gone(rig, key));
    rig.until(|_| peer.receive().len() == 2);
}

#[test]
fn an_idle_peer_that_ends_its_side_is_gone_at_once() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.finish();
    rig.until(|rig| is_gone(rig, key));
    rig.until(|_| {
        peer.receive();
        peer.end.is_some()
    });
    assert_eq!(rig.closed(), 1);
}

#[test]
fn an_answer_that_never_comes_does_not_keep_a_finished_peer() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&sync(1));
    peer.finish();
    rig.until(|rig| rig.events.len() == 1);
    rig.settle();
    rig.pass(Duration::from_secs(6));
    rig.sweep();
    assert!(is_gone(&rig, key));
    assert!(rig.connections.has_backlog(), "its end is still to be told");
    rig.connections.reply(key, 1, &refusal());
    assert_eq!(rig.connections.len(), 0);
}

#[test]
fn a_reset_is_noticed_also_with_requests_and_pushes_under_way() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&sync(1));
    rig.until(|rig| rig.events.len() == 1);
    rig.connections.deliver(key, &binary(&[0; 100]), PushClass::Entry);
    peer.reset();
    rig.until(|rig| is_gone(rig, key));
    rig.connections.reply(key, 1, &refusal());
    rig.round();
    assert_eq!(rig.closed(), 1);
}

#[test]
fn a_grant_for_someone_gone_says_so() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    peer.send(&masked(0x82, &hello()));
    rig.until(|rig| rig.events.pop().is_some());
    rig.connections.close(key, CloseCode::Overloaded);
    rig.round();
    assert!(!rig.connections.grant(key, Ok(granted())));
    rig.until(|_| peer.close_code() == Some(4003));
}

#[test]
fn the_server_closes_after_what_is_queued_and_says_why() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    for _ in 0..50 {
        rig.connections.deliver(key, &binary(&[0; 4_000]), PushClass::Entry);
    }
    rig.connections.close(key, CloseCode::DeviceRevoked);
    rig.connections.deliver(key, &binary(&[0; 4_000]), PushClass::Entry);
    rig.until(|_| peer.close_code() == Some(4504));
    assert_eq!(peer.frames.len(), 52);
    assert!(is_frame(&peer.frames[50], |f| matches!(f, ServerFrame::Error(_))));
    assert!(matches!(rig.events[..], [Event::Closed { actor: Some(_), .. }]));
}

#[test]
fn a_close_frame_survives_whatever_its_cause_had_still_in_flight() {
    for _ in 0..20 {
        let mut rig = Rig::new();
        let (mut peer, key) = rig.welcome();
        peer.send(&[masked(0x83, b"reserved opcode"), vec![0; 500_000]].concat());
        rig.until(|_| peer.close_code() == Some(1002));
        drop(peer);
        rig.until(|rig| is_gone(rig, key));
    }
}

#[test]
fn a_peer_that_does_not_end_its_side_is_dropped_in_time() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    rig.connections.close(key, CloseCode::Restart);
    rig.until(|_| peer.close_code().is_some());
    peer.send(&ping(1));
    rig.settle();
    rig.pass(Duration::from_secs(4));
    rig.sweep();
    assert!(!is_gone(&rig, key));
    rig.pass(Duration::from_secs(2));
    rig.sweep();
    assert!(is_gone(&rig, key));
    assert_eq!(rig.closed(), 1);
}

#[test]
fn silence_closes_and_signs_of_life_of_any_kind_prevent_it() {
    let mut rig = Rig::new();
    let (mut mute, _) = rig.connect(Mode::Client);
    let (mut silent, _) = rig.welcome();
    let (mut pinging, key) = rig.welcome();
    rig.pass(Duration::from_secs(11));
    rig.sweep();
    rig.until(|_| mute.close_code() == Some(4002));
    for _ in 0..5 {
        rig.pass(Duration::from_secs(20));
        pinging.send(&masked(0x89, b""));
        rig.settle();
        rig.sweep();
    }
    rig.until(|_| silent.close_code() == Some(4002));
    assert!(!is_gone(&rig, key));
    assert_eq!(pinging.receive(), [[0x8a]; 5]);
}

#[test]
fn everyone_is_told_that_the_server_goes_away_some_a_turn() {
    let mut rig = Rig::new();
    let mut peers: Vec<_> = (0..600).map(|_| rig.connect(Mode::Client).0).collect();
    let (mut welcomed, _) = rig.welcome();
    rig.connections.drain(Goaway { reason: 1, spread_ms: 60_000, grace_ms: 90_000 });
    rig.round();
    assert!(rig.connections.has_backlog(), "512 a turn");
    rig.until(|_| welcomed.receive().len() == 1);
    assert!(is_frame(&welcomed.frames[0], |f| matches!(f, ServerFrame::Goaway(_))));
    peers.push(rig.connect(Mode::Client).0);
    for peer in &mut peers {
        rig.until(|_| peer.close_code() == Some(4000));
    }
    assert_eq!(rig.connections.len(), 602, "they linger until their peers end");
}
