//! What others cause to be sent: order, bounds, and keys that have gone stale.

use super::*;
use crate::shard::outbox::{PushClass, ResyncReason};
use std::collections::HashMap;

/// A push of some size that carries a number.
fn push(number: u64, size: usize) -> Message {
    let mut frame = vec![0; size.max(8)];
    frame[..8].copy_from_slice(&number.to_be_bytes());
    binary(&frame)
}

fn number(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[1..9].try_into().expect("eight bytes"))
}

fn is_resync(message: &[u8]) -> bool {
    message == [0x82, 0x1b, 1, 1]
}

fn cost(rig: &Rig, key: ConnectionKey) -> usize {
    let connection = rig.connections.slab.get(key).expect("it lives");
    connection.outbox.as_ref().map_or(0, |outbox| outbox.cost())
}

#[test]
fn pushes_of_one_round_arrive_in_order() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    for n in 0..500 {
        rig.connections.deliver(key, &push(n, 100), PushClass::Entry);
    }
    rig.until(|_| peer.receive().len() == 500);
    assert!(peer.frames.iter().map(|frame| number(frame)).eq(0..500));
}

#[test]
fn a_slow_reader_costs_its_bound_and_is_told_once_and_nobody_else_notices() {
    let mut rig = Rig::new();
    let (mut slow, slow_key) = rig.welcome_narrow();
    let (mut fast, fast_key) = rig.welcome();
    for n in 0..1_000 {
        let message = push(n, 4_000);
        rig.connections.deliver(slow_key, &message, PushClass::Entry);
        rig.connections.deliver(fast_key, &message, PushClass::Entry);
        rig.until(|_| number(fast.receive().last().unwrap_or(&vec![0; 9])) == n);
        assert!(cost(&rig, slow_key) <= OUTBOX_BYTES);
    }
    assert!(fast.frames.iter().map(|frame| number(frame)).eq(0..1_000));

    // Once it has drained, the next push arrives, or is what it is told of.
    rig.until(|rig| {
        slow.receive();
        cost(rig, slow_key) == 0
    });
    rig.connections.deliver(slow_key, &push(1_000, 8), PushClass::Entry);
    let is_last = |frame: &Vec<u8>| is_resync(frame) || number(frame) == 1_000;
    rig.until(|_| slow.receive().last().is_some_and(is_last));
    // How often it drained on the way is the kernel's affair; each gap is told where it ends.
    assert!(slow.frames.len() < 1_000 && slow.frames.iter().any(|frame| is_resync(frame)));
    let (mut due, mut told) = (0, false);
    for frame in &slow.frames {
        if is_resync(frame) {
            told = true;
            continue;
        }
        assert!(number(frame) == due || (told && number(frame) > due), "an untold gap at {due}");
        (due, told) = (number(frame) + 1, false);
    }
    assert!(due == 1_001 || told, "an untold gap at the end");
}

#[test]
fn every_push_counts_once_as_delivered_or_dropped() {
    let mut rig = Rig::new();
    let (mut fast, fast_key) = rig.welcome();
    let (_slow, slow_key) = rig.welcome_narrow();
    let before = rig.connections.counters.counts();
    assert_eq!((before.connections, before.handshakes), (2, 2));
    assert!(before.reads >= 2 && before.writes >= 2 && before.epoll_waits >= 2);
    for n in 0..8 {
        rig.connections.deliver(fast_key, &push(n, 100), PushClass::Entry);
    }
    rig.until(|_| fast.receive().len() == 8);
    let counts = rig.connections.counters.counts();
    assert_eq!((counts.deliveries, counts.deliveries_dropped, counts.resyncs), (8, 0, 0));
    assert_eq!(counts.writes, before.writes + 1, "eight frames leave in one write");

    for n in 0..100 {
        rig.connections.deliver(slow_key, &push(n, 4_000), PushClass::Entry);
    }
    rig.connections.mark_resync(slow_key, ResyncReason::Mailbox);
    let counts = rig.connections.counters.counts();
    let queued_once = counts.deliveries - 8;
    assert!(queued_once < 100);
    assert_eq!(counts.deliveries_dropped, 100, "those that were queued were taken out again");
    rig.connections.drop_connection(slow_key);
    rig.connections.drop_connection(slow_key);
    assert_eq!(rig.connections.counters.counts().connections, 1);
}

#[test]
fn replies_to_a_slow_reader_are_kept_when_its_pushes_are_dropped() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome_narrow();
    let mut nonces = Vec::new();
    for n in 0..1_000 {
        rig.connections.deliver(key, &push(n, 4_000), PushClass::Entry);
        if n % 40 == 0 {
            peer.send(&ping(n));
            nonces.push(n);
        }
        rig.round();
    }
    rig.until(|_| peer.receive().iter().any(|frame| is_resync(frame)));
    let is_pong = |frame: &Vec<u8>| frame.len() < 9 && frame[1] == 0x05;
    rig.until(|_| peer.receive().iter().filter(|f| is_pong(f)).count() == nonces.len());
    assert!(peer.frames.iter().filter(|f| is_resync(f)).count() >= 1);
}

#[test]
fn a_socket_that_takes_nothing_for_too_long_is_closed() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome_narrow();
    for n in 0..1_000 {
        rig.connections.deliver(key, &push(n, 4_000), PushClass::Entry);
        rig.round();
    }
    rig.pass(Duration::from_secs(14));
    rig.sweep();
    assert_eq!(rig.closed(), 0);
    rig.pass(Duration::from_secs(1));
    rig.sweep();
    rig.round();
    assert_eq!(rig.closed(), 1);
    assert!(cost(&rig, key) < 10_000, "what it will not read is given up");
    rig.until(|_| peer.close_code().is_some());
    assert_eq!(peer.close_code(), Some(4001), "it is told if it reads after all");
}

#[test]
fn lost_pushes_are_told_at_once_where_nothing_is_queued() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    rig.connections.mark_resync(key, ResyncReason::Mailbox);
    rig.connections.mark_resync(key, ResyncReason::Mailbox);
    rig.settle();
    assert_eq!(peer.receive(), [[0x82, 0x1b, 1, 2]]);
}

#[test]
fn nothing_is_pushed_before_the_welcome_or_against_the_clients_wish() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.connect(Mode::Client);
    let wishes_nothing = encoded(&ClientFrame::Hello(Hello {
        minor: 0,
        capabilities: 0,
        token: "token",
        client: None,
        ping_seconds: None,
        epoch: None,
    }));
    peer.send(&masked(0x82, &wishes_nothing));
    rig.until(|rig| rig.events.pop().is_some());
    rig.connections.deliver(key, &push(1, 8), PushClass::Entry);
    rig.connections.mark_resync(key, ResyncReason::Mailbox);
    rig.settle();
    assert!(peer.receive().is_empty());
    rig.connections.grant(key, Ok(granted()));
    rig.connections.deliver(key, &push(2, 8), PushClass::Ephemeral);
    rig.connections.deliver(key, &push(3, 8), PushClass::Cursor);
    rig.connections.deliver(key, &push(4, 8), PushClass::Entry);
    rig.settle();
    assert_eq!(peer.receive().len(), 2);
    assert_eq!(number(&peer.frames[1]), 4);
}

#[test]
fn under_churn_no_push_reaches_another_occupant_of_a_slot() {
    let mut rig = Rig::new();
    let mut live: HashMap<ConnectionKey, (Peer, u64)> = HashMap::new();
    let mut stale = Vec::new();
    for n in 0..200_u64 {
        let (peer, key) = rig.welcome();
        assert!(live.insert(key, (peer, n)).is_none() && !stale.contains(&key));
        for key in &stale {
            rig.connections.deliver(*key, &push(u64::MAX, 8), PushClass::Entry);
            rig.connections.close(*key, crate::protocol::CloseCode::Internal);
        }
        for (key, (_, name)) in &live {
            rig.connections.deliver(*key, &push(*name, 8), PushClass::Entry);
        }
        if n % 3 != 0
            && let Some(key) = live.keys().min_by_key(|key| key.slot.abs_diff(21)).copied()
            && let Some((peer, _)) = live.remove(&key)
        {
            match n % 2 {
                0 => peer.reset(),
                _ => drop(peer),
            }
            rig.until(|rig| rig.connections.slab.get(key).is_none());
            stale.push(key);
        }
    }
    assert!(stale.len() > 100 && rig.connections.len() == live.len());
    assert!(rig.connections.slab.slots() <= 256, "slots are used again");
    rig.settle();
    for (peer, name) in live.values_mut() {
        assert!(!peer.receive().is_empty());
        assert!(peer.frames.iter().all(|frame| number(frame) == *name));
    }
}
