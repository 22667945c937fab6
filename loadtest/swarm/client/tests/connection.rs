//! A connection from its greeting to its end, and what it holds at rest.

use super::*;
use chasqui::protocol::Goaway;

#[test]
fn it_greets_catches_up_ends_the_hold_and_sends() {
    let mut script = Script::new(None);
    let (rid, _) = script.live();
    assert_eq!(script.client.state, State::Live);
    let said = script.hear(&[sent(rid, 1)]);
    assert!(matches!(said[..], [Said::Send { floor: 2, number: 2, .. }]), "{said:?}");
    assert_eq!(script.tally.counts.acknowledged, 1);
    assert_eq!(script.tally.due_to_sent.quantiles().count, 1);
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut whole = Script::new(None);
    let mut bytewise = Script::new(None);
    let (rid, _) = whole.live();
    assert_eq!(bytewise.live().0, rid);
    let script = [message(&sent(rid, 1)), entry(2, 1, 1, None)].concat();
    let expected = whole.hear_bytes(&script);
    let mut said = Vec::new();
    for byte in script.chunks(1) {
        said.extend(bytewise.hear_bytes(byte));
    }
    let numbers = |said: &[Said]| said.len();
    assert_eq!(numbers(&said), numbers(&expected));
    assert_eq!(bytewise.tally.counts, whole.tally.counts);
    assert_eq!(whole.tally.counts.delivered, 1);
}

#[test]
fn resync_makes_it_sync_again_and_goaway_leave_within_the_spread() {
    let mut script = Script::new(None);
    script.live();
    assert_eq!(script.hear(&[ServerFrame::Resync { reason: 1 }]), [Said::Sync]);
    script.hear_bytes(&synced(2));
    let goaway = Goaway { reason: 1, spread_ms: 10, grace_ms: 20 };
    script.hear(&[ServerFrame::Goaway(goaway)]);
    let left = std::iter::from_fn(|| script.timers.pop(script.now + 10_000_000));
    assert!(left.into_iter().any(|(_, alarm)| alarm == Alarm::Leave));
}

#[test]
fn a_refused_upgrade_a_close_and_garbage_end_it() {
    let mut script = Script::new(None);
    script.client.connected("host");
    let answer = b"HTTP/1.1 503 Busy\r\n\r\n";
    let broken = script.with(|client, ctx| client.receive(answer, ctx));
    assert_eq!(broken, Err(Broken::Upgrade("HTTP/1.1 503 Busy".to_owned())));

    let mut script = Script::new(None);
    script.live();
    let close = [0x88, 2, 0x0f, 0xa1];
    assert_eq!(script.with(|client, ctx| client.receive(&close, ctx)), Err(Broken::Closed(4001)));
    let broken = script.with(|client, ctx| client.receive(&wrap(&[0x11, 1, 0]), ctx));
    assert!(matches!(broken, Err(Broken::Undecodable(_))));
}

#[test]
fn at_rest_it_holds_no_buffer() {
    let mut script = Script::new(None);
    script.traffic.window = Some(0);
    script.client.connected("host");
    script.hear_bytes(UPGRADED);
    script.hear(&[welcome(9)]);
    script.hear_bytes(&synced(1));
    let Client { partial, frames, bytes, .. } = &script.client;
    assert_eq!((partial.capacity(), frames.capacity(), bytes.capacity()), (0, 0, 0));
    assert!(size_of::<Client>() <= 400, "{}", size_of::<Client>());
}
