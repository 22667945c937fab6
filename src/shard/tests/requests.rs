//! What clients ask reaches the core, and the answers reach them.

use super::*;
use crate::model::{Command, CommandError};
use crate::protocol::CloseCode;
use crate::session::GrantError;
use crate::shard::connection::Phase;

fn sync(rid: u64) -> Vec<u8> {
    encoded(&ClientFrame::Sync { rid, limit: 0, token: &[] })
}

fn overloaded() -> Result<crate::model::Outcome, CommandError> {
    Err(CommandError::overloaded("full"))
}

#[test]
fn what_follows_hello_waits_for_the_grant() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    peer.send(&[masked(0x82, &hello()), ping(5)].concat());
    rig.until(|rig| !rig.events.is_empty());
    assert!(
        matches!(&rig.events[..], [Event::Authenticate { key: k, token }] if *k == key && token.as_str() == "token")
    );
    peer.send(&ping(6));
    rig.settle();
    assert!(peer.receive().is_empty());
    assert!(rig.connections.grant(key, Ok(granted())));
    rig.until(|_| peer.receive().len() == 3);
    assert!(is_frame(&peer.frames[0], |f| matches!(f, ServerFrame::Welcome(_))));
    assert!(is_frame(&peer.frames[1], |f| matches!(f, ServerFrame::Pong { nonce: 5 })));
    assert!(is_frame(&peer.frames[2], |f| matches!(f, ServerFrame::Pong { nonce: 6 })));
}

#[test]
fn bytes_that_came_with_the_upgrade_are_not_lost_wherever_they_end() {
    let bytes = [masked(0x82, &hello()), ping(5)].concat();
    let mut rig = Rig::new();
    for cut in 0..=bytes.len() {
        let (early, rest) = bytes.split_at(cut);
        let (mut peer, key) = rig.connect_early(Mode::Client, early);
        peer.send(rest);
        rig.until(|rig| rig.events.pop().is_some());
        rig.connections.grant(key, Ok(granted()));
        rig.until(|_| peer.receive().len() == 2);
        assert!(is_frame(&peer.frames[1], |f| matches!(f, ServerFrame::Pong { nonce: 5 })));
    }
}

#[test]
fn more_early_bytes_than_one_read_takes_are_all_decoded() {
    let mut rig = Rig::new();
    let early: Vec<u8> = (0..20_000).flat_map(|_| masked(0x82, b"0123456789")).collect();
    let (mut peer, _) = rig.connect_early(Mode::Echo, &early);
    rig.until(|_| peer.receive().len() == 20_000);
}

#[test]
fn a_request_is_executed_and_answered_once() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&masked(0x82, &sync(7)));
    rig.until(|rig| !rig.events.is_empty());
    let Some(Event::Execute {
        key: whose,
        actor,
        rid: 7,
        command: Command::Sync { .. },
        resumes: _,
    }) = rig.events.pop()
    else {
        panic!("no SYNC");
    };
    assert_eq!((whose, actor), (key, granted().actor));
    rig.connections.reply(key, 7, &overloaded());
    rig.connections.reply(key, 7, &overloaded());
    rig.until(|_| !peer.receive().is_empty());
    rig.settle();
    assert_eq!(peer.receive().len(), 1);
    assert!(is_frame(&peer.frames[0], |f| matches!(f, ServerFrame::Error(e) if e.rid == 7)));
}

#[test]
fn an_idle_connection_keeps_no_heap() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    let unknown = [&[0xbf_u8, 0x80, 0, 0xea, 0x60][..], &vec![0; 60_000]].concat();
    let message = masked(0x82, &unknown);
    let (a, b) = message.split_at(30_000);
    peer.send(a);
    rig.settle();
    assert!(rig.connections.slab.get(key).is_some_and(|c| c.partial.is_some()));
    peer.send(b);
    peer.send(&ping(1));
    rig.until(|_| peer.receive().len() == 1);
    rig.settle();
    let connection = rig.connections.slab.get(key).expect("it lives");
    assert!(connection.partial.is_none() && connection.outbox.is_none());
    assert_eq!((connection.executing, connection.phase), (0, Phase::Open));
}

#[test]
fn a_message_cut_into_single_bytes_is_answered() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.welcome();
    for byte in [ping(3), masked(0x89, b"x"), ping(4)].concat() {
        peer.send(&[byte]);
        rig.round();
    }
    rig.until(|_| peer.receive().len() == 3);
    assert_eq!(peer.frames[1], b"\x8ax");
    assert!(is_frame(&peer.frames[2], |f| matches!(f, ServerFrame::Pong { nonce: 4 })));
}

#[test]
fn frames_before_a_broken_one_are_applied_and_their_actor_is_known() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    peer.send(&masked(0x82, &[sync(7), vec![0x00]].concat()));
    rig.until(|rig| rig.events.len() == 2);
    let [Event::Execute { rid: 7, .. }, Event::Closed { key: closed, actor }] = &rig.events[..]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!((*closed, *actor), (key, Some(granted().actor)));
    rig.connections.reply(key, 7, &overloaded());
    let mut code = None;
    rig.until(|_| {
        code = peer.close_code();
        code.is_some()
    });
    assert_eq!(code, Some(4501));
    assert_eq!(peer.frames.len(), 2, "the verdict and the close frame");
}

#[test]
fn the_actor_is_known_even_if_the_first_message_breaks_the_protocol_after_hello() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    peer.send(&masked(0x82, &[hello(), sync(7), vec![0x00]].concat()));
    rig.until(|rig| rig.events.pop().is_some());
    assert!(rig.connections.grant(key, Ok(granted())));
    rig.round();
    let [Event::Execute { actor: executes, .. }, Event::Closed { actor: Some(closed), .. }] =
        rig.events[..]
    else {
        panic!("{:?}", rig.events);
    };
    assert_eq!([executes, closed], [granted().actor; 2]);
}

#[test]
fn a_refused_token_closes_with_its_code() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    peer.send(&masked(0x82, &hello()));
    rig.until(|rig| rig.events.pop().is_some());
    rig.connections.grant(key, Err(GrantError::Unauthenticated));
    rig.until(|_| peer.close_code() == Some(CloseCode::Unauthenticated.number()));
    assert!(is_frame(&peer.frames[0], |f| matches!(f, ServerFrame::Error(_))));
    assert!(matches!(rig.events[..], [Event::Closed { actor: None, .. }]));
}

#[test]
fn what_breaks_the_rules_is_told_by_its_close_code() {
    let large = masked(0x82, &vec![0; Limits::default().message_bytes_max + 1]);
    for (bytes, verdict, code) in [
        (masked(0x81, b"text"), true, 4501),
        (large[..20].to_vec(), true, 4501),
        (masked(0x82, b""), true, 4501),
        (vec![0x82, 0x01, 0], false, 1002),
        (masked(0x88, &[3, 0xe8, 0xff]), false, 1007),
        (masked(0x80, b"x"), false, 1002),
    ] {
        let mut rig = Rig::new();
        let (mut peer, _) = rig.welcome();
        peer.send(&bytes);
        rig.until(|_| peer.close_code().is_some());
        assert_eq!(peer.close_code(), Some(code), "{:?}", &bytes[..3]);
        assert_eq!(peer.frames.len(), 1 + usize::from(verdict), "{:?}", &bytes[..3]);
        assert_eq!(rig.closed(), 1);
    }
}
