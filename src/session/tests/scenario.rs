//! One rule per test.

use super::*;
use crate::model::{Applied, Command, EphemeralKind};
use crate::protocol::{EphemeralFrame, Goaway};

#[test]
fn hello_is_authenticated_then_welcomed() {
    let mut peer = Peer::new();
    peer.take(&[hello(EPOCH)]);
    assert_eq!(peer.told(), ["authenticate token"]);
    assert!(peer.session.is_authenticating());
    peer.grant();
    assert_eq!(peer.told(), ["welcome 3 30"]);
    assert_eq!(peer.session.actor(), Some(actor()));
    assert!(peer.session.wants_cursor() && peer.session.wants_ephemeral());
}

#[test]
fn what_stands_behind_hello_runs_after_welcome() {
    let mut peer = Peer::new();
    peer.take(&[hello(EPOCH), sync(1, b"mark"), send(2)]);
    assert_eq!(peer.told(), ["authenticate token"]);
    peer.grant();
    let effects: Vec<_> = peer.effects.drain(..).collect();
    let Some(Effect::Execute { command: Command::Sync { token, .. }, .. }) = effects.get(1) else {
        panic!("the SYNC is executed")
    };
    assert_eq!(token.as_ref(), b"mark");
    let told: Vec<_> = effects.iter().map(word).collect();
    assert_eq!(told, ["welcome 3 30", "execute 1 at 0", "execute 2 at 0"]);
}

#[test]
fn a_bad_frame_behind_hello_lets_the_frames_before_it_stand() {
    let mut peer = Peer::new();
    let mut message = encode(&[hello(EPOCH), send(2)]);
    message.extend_from_slice(&[0x3f, 0]);
    peer.take_bytes(&message);
    peer.grant();
    let told = ["authenticate token", "welcome 3 30", "execute 2 at 0", "error 0 unsupported 0"];
    assert_eq!(peer.told()[..4], told);
    assert!(peer.session.is_closed());
}

#[test]
fn without_the_stores_epoch_a_connection_starts_held_and_its_token_is_forgotten() {
    for epoch in [None, Epoch::new(78)] {
        let mut peer = Peer::new();
        peer.take(&[hello(epoch), sync(1, b"mark"), send(2)]);
        peer.grant();
        let effects: Vec<_> = peer.effects.drain(..).skip(2).collect();
        let Some(Effect::Execute { command: Command::Sync { token, .. }, .. }) = effects.first()
        else {
            panic!("the SYNC is executed")
        };
        assert!(token.is_empty());
        let told: Vec<_> = effects.iter().map(word).collect();
        assert_eq!(told, ["execute 1 at 0", "error 2 overloaded 3"]);
        peer.take(&[send(3), ClientFrame::Resume, send(4), sync(5, b"new")]);
        assert_eq!(peer.told(), ["error 3 overloaded 3", "execute 4 at 1", "execute 5 at 1"]);
    }
}

#[test]
fn messages_during_authentication_are_kept_up_to_a_bound() {
    let mut peer = Peer::new();
    peer.take(&[hello(EPOCH)]);
    peer.take(&[send(1)]);
    peer.grant();
    assert_eq!(peer.told()[2..], ["execute 1 at 0"]);

    let mut peer = Peer::new();
    peer.take(&[hello(EPOCH)]);
    for _ in 0..10_000 {
        peer.take(&[ClientFrame::Ping { nonce: 1 }]);
    }
    assert_eq!(peer.told()[1..], ["error 0 overloaded 1", "close 4003"]);
    peer.grant();
    assert_eq!(peer.told(), [""; 0]);
}

#[test]
fn the_first_frame_is_hello_and_there_is_no_second() {
    let mut early = Peer::new();
    early.take(&[ClientFrame::Ping { nonce: 1 }]);
    assert_eq!(early.told(), ["error 0 malformed 0", "close 4501"]);
    let mut twice = Peer::welcomed();
    twice.take(&[ClientFrame::Ping { nonce: 1 }, hello(EPOCH)]);
    assert_eq!(twice.told(), ["pong 1", "error 0 malformed 0", "close 4501"]);
}

#[test]
fn a_skippable_frame_may_stand_before_hello() {
    let mut peer = Peer::new();
    let mut message = vec![0xe5, 0x01, 0xaa];
    message.extend_from_slice(&encode(&[hello(EPOCH)]));
    peer.take_bytes(&message);
    assert_eq!(peer.told(), ["authenticate token"]);
}

#[test]
fn a_token_that_is_not_accepted_closes_with_its_own_code() {
    let expected = [
        (GrantError::Unauthenticated, "error 0 unauthenticated 0", "close 4500"),
        (GrantError::Expired, "error 0 expired 1", "close 4005"),
        (GrantError::Revoked, "error 0 unauthenticated 0", "close 4504"),
        (GrantError::Disabled, "error 0 forbidden 0", "close 4503"),
        (GrantError::Unavailable, "error 0 unavailable 1", "close 4003"),
    ];
    for (error, said, close) in expected {
        let mut peer = Peer::new();
        peer.take(&[hello(EPOCH), send(1)]);
        peer.session.handle_grant(at(1), &peer.limits, Err(error), &mut peer.effects);
        assert_eq!(peer.told()[1..], [said, close]);
    }
}

#[test]
fn each_request_gets_its_own_answer() {
    let mut peer = Peer::welcomed();
    peer.take(&[send(1), fetch(2), sync(3, b"")]);
    peer.told();
    let other = UserId::new(5).expect("not zero");
    let page = vec![entry(1, actor().user), entry(2, other)];
    peer.answer(2, &Ok(fetched(page)));
    peer.answer(3, &Ok(synced()));
    peer.answer(1, &Ok(sent(42)));
    assert_eq!(peer.told(), ["entry 1 1", "entry 2 0", "fetched 2", "synced 3", "sent 1 42"]);
    peer.answer(1, &Ok(sent(42)));
    assert_eq!(peer.told(), [""; 0], "a second outcome is ignored");
}

#[test]
fn a_rid_is_used_again_only_after_its_answer() {
    let mut peer = Peer::welcomed();
    peer.take(&[send(1)]);
    peer.answer(1, &Ok(sent(1)));
    peer.take(&[send(1)]);
    assert_eq!(peer.told(), ["execute 1 at 0", "sent 1 1", "execute 1 at 0"]);
    peer.take(&[fetch(1)]);
    assert_eq!(peer.told(), ["error 0 malformed 0", "close 4501"]);
}

#[test]
fn too_many_sends_are_refused_and_hold_the_connection() {
    let mut peer = Peer::welcomed();
    let all: Vec<_> = (1..=65).map(send).collect();
    peer.take(&all);
    assert_eq!(peer.told()[63..], ["execute 64 at 0", "error 65 overloaded 3"]);
    peer.answer(1, &Ok(sent(1)));
    peer.take(&[send(66), ClientFrame::Resume, send(67)]);
    assert_eq!(peer.told(), ["sent 1 1", "error 66 overloaded 3", "execute 67 at 1"]);
}

#[test]
fn too_many_reads_are_refused_without_a_hold() {
    let mut peer = Peer::welcomed();
    peer.take(&[fetch(1), sync(2, b""), fetch(3), fetch(4), fetch(5), send(6)]);
    assert_eq!(peer.told()[4..], ["error 5 overloaded 3", "execute 6 at 0"]);
}

#[test]
fn a_refusal_that_invites_a_resend_holds_until_resume() {
    let wait = Duration::from_secs(1);
    let mut floor = CommandError::new(ErrorCode::FloorOutOfRange, "too far back");
    floor.retry = None;
    let invites = [
        (CommandError::overloaded("busy"), "error 1 overloaded 3"),
        (CommandError::retryable(ErrorCode::RateLimited, "", wait), "error 1 rate-limited 3"),
        (CommandError::retryable(ErrorCode::Unavailable, "", wait), "error 1 unavailable 3"),
        (CommandError::outcome_unknown(), "error 1 outcome-unknown 5"),
        (floor, "error 1 floor-out-of-range 3"),
    ];
    for (error, said) in invites {
        let mut peer = Peer::welcomed();
        peer.take(&[send(1)]);
        peer.answer(1, &Err(error));
        peer.take(&[send(2), ClientFrame::Resume, send(3)]);
        assert_eq!(peer.told()[1..], [said, "error 2 overloaded 3", "execute 3 at 1"]);
    }
}

#[test]
fn a_final_refusal_does_not_hold() {
    for code in [ErrorCode::Conflict, ErrorCode::Forbidden, ErrorCode::NotFound] {
        let mut peer = Peer::welcomed();
        peer.take(&[send(1)]);
        peer.answer(1, &Err(CommandError::new(code, "no")));
        peer.take(&[send(2)]);
        assert_eq!(peer.told()[1..], [format!("error 1 {code} 2"), "execute 2 at 0".to_owned()]);
    }
}

#[test]
fn a_refused_read_does_not_hold() {
    let mut peer = Peer::welcomed();
    peer.take(&[fetch(1)]);
    peer.answer(1, &Err(CommandError::overloaded("busy")));
    peer.take(&[send(2)]);
    assert_eq!(peer.told()[1..], ["error 1 overloaded 3", "execute 2 at 0"]);
}

#[test]
fn while_held_even_an_invalid_send_is_refused_as_overloaded() {
    let mut peer = Peer::welcomed();
    peer.take(&[send(1)]);
    peer.answer(1, &Err(CommandError::overloaded("busy")));
    peer.told();
    let ClientFrame::Send(good) = send(2) else { panic!("a send") };
    peer.take(&[ClientFrame::Send(SendFrame { body: b"\xff", ..good })]);
    peer.take(&[ClientFrame::Resume, ClientFrame::Send(SendFrame { body: b"\xff", ..good })]);
    assert_eq!(peer.told(), ["error 2 overloaded 3", "error 2 invalid 2"]);
}

#[test]
fn while_held_a_send_without_a_floor_is_refused_as_overloaded() {
    // rid 2, conversation 1, cmid 1, floor 0, kind 1, no body.
    let floorless = [0x10, 6, 2, 1, 1, 0, 1, 0];
    let mut peer = Peer::welcomed();
    peer.take_bytes(&floorless);
    peer.take(&[send(1)]);
    peer.answer(1, &Err(CommandError::overloaded("busy")));
    peer.take_bytes(&floorless);
    let told = peer.told();
    assert_eq!((told[0].as_str(), told[3].as_str()), ("error 2 invalid 2", "error 2 overloaded 3"));
}

#[test]
fn even_an_invalid_request_may_not_reuse_an_open_rid() {
    let mut peer = Peer::welcomed();
    peer.take(&[fetch(2)]);
    peer.take_bytes(&[0x10, 6, 2, 1, 1, 0, 1, 0]);
    assert_eq!(peer.told()[1..], ["error 0 malformed 0", "close 4501"]);
}

#[test]
fn an_outcome_that_does_not_fit_its_request_is_answered_all_the_same() {
    let mut peer = Peer::welcomed();
    peer.take(&[send(1)]);
    peer.answer(1, &Ok(Outcome::Done));
    assert_eq!(peer.told()[1..], ["error 1 internal 5"]);
}

#[test]
fn every_refusal_of_a_send_says_whether_it_was_applied_and_whether_it_holds() {
    for code in ErrorCode::ALL {
        for applied in [Applied::No, Applied::Unknown] {
            let mut peer = Peer::welcomed();
            peer.take(&[send(1)]);
            let error = CommandError { applied, ..CommandError::new(*code, "no") };
            peer.answer(1, &Err(error));
            peer.take(&[send(2)]);
            let told = peer.told();
            let held = told[2] == "error 2 overloaded 3";
            let flags = if applied == Applied::No { 2 } else { 4 } + u8::from(held);
            assert_eq!(told[1], format!("error 1 {code} {flags}"));
        }
    }
}

#[test]
fn cursors_and_typing_are_executed_without_an_answer() {
    let mut peer = Peer::welcomed();
    let items = [(conversation(), Sequence::FIRST)];
    let read = ClientFrame::Read { conversation: conversation(), read: Sequence::FIRST };
    let nobody = [UserId::new(3).expect("not zero")];
    let watch = ClientFrame::Watch(nobody.as_slice().into());
    peer.take(&[ClientFrame::Ack(items.as_slice().into()), read, watch]);
    assert_eq!(peer.told(), ["execute 0 at 0", "execute 0 at 0"]);
    peer.answer(0, &Ok(Outcome::Done));
    assert_eq!(peer.told(), [""; 0]);
}

#[test]
fn typing_is_carried_up_to_a_small_body() {
    let typing = |body| {
        let kind = EphemeralKind::Typing;
        ClientFrame::Ephemeral(EphemeralFrame {
            conversation: conversation(),
            user: None,
            kind,
            body,
        })
    };
    let mut peer = Peer::welcomed();
    peer.take(&[typing(&[0; 1024]), typing(&[0; 1025])]);
    assert_eq!(peer.told(), ["execute 0 at 0"]);
}

#[test]
fn hello_has_a_deadline() {
    let mut peer = Peer::new();
    peer.session.heard(at(9));
    peer.tick(10);
    assert_eq!(peer.told(), [""; 0]);
    peer.tick(11);
    assert_eq!(peer.told(), ["close 4002"]);
}

#[test]
fn silence_of_two_intervals_and_ten_seconds_closes() {
    let mut peer = Peer::welcomed();
    peer.tick(71);
    peer.session.heard(at(71));
    peer.tick(141);
    assert_eq!(peer.told(), [""; 0]);
    peer.tick(142);
    assert_eq!(peer.told(), ["close 4002"]);
}

#[test]
fn a_ping_interval_is_granted_within_limits() {
    let limits = Limits::default();
    let granted = [None, Some(0), Some(1), Some(60), Some(9_999), Some(crate::model::NUMBER_MAX)]
        .map(|wanted| limits.ping_seconds(wanted));
    assert_eq!(granted, [25, 5, 5, 60, 240, 240]);
}

#[test]
fn a_drain_is_announced_and_the_session_goes_on() {
    let goaway = Goaway { reason: 1, spread_ms: 60_000, grace_ms: 90_000 };
    let mut peer = Peer::welcomed();
    peer.take(&[send(1)]);
    peer.session.handle_drain(goaway, &mut peer.effects);
    peer.answer(1, &Ok(sent(1)));
    assert_eq!(peer.told()[1..], ["goaway", "sent 1 1"]);
    let mut peer = Peer::new();
    peer.session.handle_drain(goaway, &mut peer.effects);
    assert_eq!(peer.told(), ["goaway", "close 4000"]);
}

#[test]
fn a_revoked_device_is_closed_at_once_and_hears_nothing_more() {
    let mut peer = Peer::welcomed();
    peer.take(&[send(1)]);
    peer.told();
    peer.session.handle_close(CloseCode::DeviceRevoked, &mut peer.effects);
    peer.answer(1, &Ok(sent(1)));
    peer.take(&[send(2)]);
    peer.tick(9_999);
    assert_eq!(peer.told(), ["error 0 unauthenticated 0", "close 4504"]);
}

#[test]
fn a_message_above_the_limit_closes() {
    let mut peer = Peer::welcomed();
    peer.take_bytes(&vec![0; peer.limits.message_bytes_max + 1]);
    assert_eq!(peer.told(), ["error 0 too-large 0", "close 4501"]);
}
