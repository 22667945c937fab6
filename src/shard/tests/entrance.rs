//! Clients on their way in: how many tokens a turn checks, and what becomes of handshakes and passes.

use super::*;
use crate::admission::{Admission, Admitted, Handshakes, Source};
use crate::protocol::CloseCode;
use crate::session::GrantError;

/// The most tokens that one round hands out.
const CHECKS: usize = 8;

/// Where the rig's connections are counted.
struct Counted {
    admission: Admission,
    handshakes: Handshakes,
}

impl Counted {
    fn new() -> Self {
        let limits = crate::admission::Limits { connections_max: 0, address_connections_max: 99 };
        Self { admission: Admission::new(limits), handshakes: Handshakes::new(0) }
    }

    fn connect(&self, rig: &mut Rig) -> (Peer, ConnectionKey) {
        let source = Source::of([127, 0, 0, 1].into());
        let mut pass = self.admission.enter().expect("no limit");
        pass.attribute(source).expect("below the limit");
        let handshake = self.handshakes.begin(source).expect("no limit");
        let (peer, key) = rig.connect(Mode::Client);
        rig.connections.admit(key, Admitted { pass, handshake });
        (peer, key)
    }

    fn held(&self) -> (u64, u32) {
        (self.admission.counts().connections, self.handshakes.open())
    }
}

/// Takes the keys of those whose tokens are to be checked.
fn presented(rig: &mut Rig) -> Vec<ConnectionKey> {
    let key = |event| match event {
        Event::Authenticate { key, .. } => Some(key),
        Event::Execute { .. } | Event::Closed { .. } => None,
    };
    rig.events.drain(..).filter_map(key).collect()
}

#[test]
fn a_storm_of_tokens_is_checked_a_few_a_turn_while_others_are_served() {
    let mut rig = Rig::new();
    let (mut lives, _) = rig.welcome();
    let mut storm: Vec<_> = (0..60).map(|_| rig.connect(Mode::Client)).collect();
    for (peer, _) in &mut storm {
        peer.send(&masked(0x82, &hello()));
    }
    let mut order = Vec::new();
    for nonce in 0.. {
        lives.send(&ping(nonce));
        rig.round();
        let checked = presented(&mut rig);
        assert!(checked.len() <= CHECKS, "{} in one turn", checked.len());
        order.extend(checked);
        if order.len() == storm.len() {
            break;
        }
        assert!(nonce < 1_000 || rig.connections.has_backlog());
    }
    let mut all: Vec<_> = storm.iter().map(|(_, key)| *key).collect();
    let by_slot = |key: &ConnectionKey| key.slot;
    all.sort_by_key(by_slot);
    order.sort_by_key(by_slot);
    assert_eq!(order, all, "everyone once");
    rig.until(|_| !lives.receive().is_empty());
}

#[test]
fn one_turn_serves_the_living_however_many_tokens_wait() {
    let mut rig = Rig::new();
    let (mut lives, _) = rig.welcome();
    let mut storm: Vec<_> = (0..40).map(|_| rig.connect(Mode::Client)).collect();
    for (peer, _) in &mut storm {
        peer.send(&masked(0x82, &hello()));
    }
    // All tokens are in once a turn after the first leaves as many as it may.
    rig.until(|rig| rig.connections.entrance_len() + rig.events.len() == 40);
    let waiting = rig.connections.entrance_len();
    lives.send(&ping(7));
    rig.round();
    assert_eq!(rig.connections.entrance_len(), waiting - CHECKS);
    assert!(!lives.receive().is_empty(), "answered in the same round");
}

#[test]
fn a_handshake_ends_with_its_answer_and_a_pass_with_its_socket() {
    let (mut rig, counted) = (Rig::new(), Counted::new());
    let (mut peer, key) = counted.connect(&mut rig);
    let (mut refused, other) = counted.connect(&mut rig);
    assert_eq!(counted.held(), (2, 2));
    for peer in [&mut peer, &mut refused] {
        peer.send(&masked(0x82, &hello()));
    }
    rig.until(|rig| rig.events.len() == 2);
    assert_eq!(counted.held(), (2, 2), "nobody has an answer yet");
    assert!(rig.connections.grant(key, Ok(granted())));
    assert_eq!(counted.held(), (2, 1));
    assert!(rig.connections.grant(other, Err(GrantError::Revoked)));
    assert_eq!(counted.held(), (2, 0));
    drop((peer, refused));
    rig.until(|_| counted.held() == (0, 0));
}

#[test]
fn every_way_to_end_gives_everything_back() {
    let counted = Counted::new();
    let ways: [fn(&mut Rig, Peer, ConnectionKey); 7] = [
        |_, peer, _| drop(peer),
        |_, peer, _| {
            SockRef::from(&peer.socket).set_linger(Some(Duration::ZERO)).expect("a socket");
        },
        |_, mut peer, _| peer.send(&masked(0x81, b"text")),
        |_, mut peer, _| peer.send(&masked(0x88, &[])),
        |rig, peer, key| {
            rig.connections.close(key, CloseCode::Restart);
            rig.settle();
            assert!(matches!(peer.socket.shutdown(Shutdown::Both), Ok(()) | Err(_)));
        },
        |rig, _peer, _| rig.connections.close_all(CloseCode::Restart),
        |rig, _peer, _| {
            // Silence before HELLO.
            rig.pass(Duration::from_mins(10));
            rig.sweep();
        },
    ];
    for way in ways {
        let mut rig = Rig::new();
        let (peer, key) = counted.connect(&mut rig);
        rig.settle();
        way(&mut rig, peer, key);
        rig.until(|_| counted.held() == (0, 0));
    }
    // The shard ends with connections on it.
    let mut rig = Rig::new();
    let _peers: Vec<_> = (0..3).map(|_| counted.connect(&mut rig)).collect();
    assert_eq!(counted.held(), (3, 3));
    drop(rig);
    assert_eq!(counted.held(), (0, 0));
}

#[test]
fn a_token_whose_client_has_gone_is_not_checked() {
    let mut rig = Rig::new();
    let mut storm: Vec<_> = (0..20).map(|_| rig.connect(Mode::Client)).collect();
    for (peer, _) in &mut storm {
        peer.send(&masked(0x82, &hello()));
    }
    rig.until(|rig| rig.connections.entrance_len() + rig.events.len() == 20);
    let checked = presented(&mut rig).len();
    rig.connections.close_all(CloseCode::Restart);
    rig.settle();
    assert_eq!(presented(&mut rig).len(), 0, "{checked} were checked before");
    assert!(!rig.connections.has_backlog());
}
