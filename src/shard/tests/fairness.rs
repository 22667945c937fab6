//! No peer can take more than its share of a turn, of memory, or of anything else.

use super::*;

use fastwebsockets::OpCode;

#[test]
fn a_flood_on_one_connection_does_not_delay_another() {
    let mut rig = Rig::new();
    let (mut flood, _) = rig.welcome();
    let (mut quiet, _) = rig.welcome();
    let pings: Vec<u8> = (0..20_000).flat_map(ping).collect();
    flood.send(&pings);
    quiet.send(&ping(7));
    for _ in 0..2 {
        rig.round();
    }
    rig.until(|_| quiet.receive().len() == 1);
    let answered = flood.receive().len();
    assert!(answered < 2_000, "{answered} answers in a few turns");
    rig.until(|_| flood.receive().len() == 20_000);
}

#[test]
fn a_turn_decodes_a_bounded_number_of_frames_however_many_connections_have_some() {
    let mut rig = Rig::new();
    let pings: Vec<u8> = (0..200).flat_map(ping).collect();
    let mut peers: Vec<Peer> = (0..40).map(|_| rig.welcome().0).collect();
    for peer in &mut peers {
        peer.send(&pings);
    }
    std::thread::sleep(Duration::from_millis(20));
    let mut before = 0;
    loop {
        rig.round();
        let answered: usize = peers.iter_mut().map(|peer| peer.receive().len()).sum();
        assert!(answered - before <= 600, "{} answers in a turn", answered - before);
        before = answered;
        if answered == 8_000 {
            break;
        }
    }
}

#[test]
fn connections_left_over_get_their_turn_before_a_flood_of_fresh_events_ends() {
    let mut rig = Rig::new();
    let (mut patient, _) = rig.welcome();
    let mut others: Vec<Peer> = (0..12).map(|_| rig.welcome().0).collect();
    let pings: Vec<u8> = (0..10_000).flat_map(ping).collect();
    let burst: Vec<u8> = (0..32).flat_map(ping).collect();
    patient.send(&pings);
    rig.until(|_| !patient.receive().is_empty());
    let mut rounds = 0;
    while patient.receive().len() < 10_000 {
        for other in &mut others {
            other.send(&burst);
            other.receive();
        }
        rig.round();
        rounds += 1;
        assert!(rounds < 500, "it starves at {}", patient.frames.len());
    }
}

#[test]
fn a_peer_that_takes_no_replies_is_not_read_until_it_does() {
    let mut rig = Rig::new();
    let (mut peer, key) = rig.welcome();
    let most = vec![0; OUTBOX_BYTES / 2 - 10_000];
    assert!(rig.connections.queue(key, OpCode::Binary, &most));
    let pings = masked(0x89, &[7; 125]).repeat(1_000);
    peer.send(&pings);
    let cost = |rig: &Rig| {
        let connection = rig.connections.slab.get(key).expect("it lives");
        connection.outbox.as_ref().map_or(0, |outbox| outbox.cost())
    };
    for _ in 0..100 {
        rig.connections.turn(true).expect("epoll");
        std::thread::sleep(Duration::from_micros(100));
    }
    assert!((OUTBOX_BYTES / 2..OUTBOX_BYTES / 2 + 200).contains(&cost(&rig)), "{}", cost(&rig));
    rig.until(|_| peer.receive().len() == 1_001);
}

#[test]
fn a_round_writes_to_a_bounded_number_of_connections_and_the_next_goes_on() {
    let mut rig = Rig::new();
    let mut peers = Vec::new();
    for _ in 0..600 {
        peers.push(rig.connect(Mode::Echo));
    }
    rig.settle();
    for (_, key) in &peers {
        rig.connections.close(*key, crate::protocol::CloseCode::Restart);
    }
    rig.round();
    assert!(rig.connections.has_backlog());
    for (peer, _) in &mut peers {
        rig.until(|_| peer.close_code() == Some(4000));
    }
}

#[test]
fn a_message_larger_than_a_read_is_echoed_whole() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.connect(Mode::Echo);
    let payload: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
    let bytes = [masked(0x02, &payload[..400_000]), masked(0x80, &payload[400_000..])].concat();
    let mut sent = 0;
    rig.until(|_| {
        if let Ok(count) = peer.socket.write(&bytes[sent..]) {
            sent += count;
        }
        peer.receive().len() == 1
    });
    assert_eq!(peer.frames[0][1..], payload);
}
