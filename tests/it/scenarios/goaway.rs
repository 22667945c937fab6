//! A server that goes away sends its clients elsewhere one by one: two servers, of which the first
//! ends, and clients that come back as the protocol asks them to.

use crate::support::chat_client::random_id;
use crate::support::eventually::Deadline;
use crate::support::peer::{Peer, Seen};
use crate::support::people::Person;
use crate::support::server::{Signal, TestServer};
use chasqui::protocol::Goaway;
use chasqui::protocol::constants::goaway_reason;
use std::time::{Duration, Instant};

/// How many clients there are: so many devices with so many connections each.
const DEVICES: usize = 4;
const CONNECTIONS: usize = 125;
const CLIENTS: usize = DEVICES * CONNECTIONS;

/// Over how long they are to spread.
const SPREAD: Duration = Duration::from_secs(5);

/// A window in which arrivals are counted, and how many there are.
const WINDOW: Duration = Duration::from_millis(100);
const WINDOWS: usize = 50;

async fn server() -> TestServer {
    let settings = [
        ("server.goaway_spread", "5s"),
        ("server.drain_grace", "20s"),
        ("websocket.device_connections_max", "255"),
    ];
    TestServer::configured(&settings).started().await
}

/// Devices of one account.
async fn devices(server: &TestServer) -> Vec<Person> {
    let mut devices = vec![Person::register(server.address(), "ana").await];
    while devices.len() < DEVICES {
        devices.push(devices[0].login(server.address()).await);
    }
    devices
}

/// A random moment within a time.
fn random_within(time: Duration) -> Duration {
    // Ids are random numbers of 53 bits.
    let share = u32::try_from(random_id().get() & 0xffff).expect("16 bits");
    time * share / 0xffff
}

/// What a client of the first server does: what it was told and when, and when it arrived at the
/// next.
async fn move_on(
    mut peer: Peer,
    to: std::net::SocketAddr,
    token: String,
) -> (Goaway, [Instant; 2]) {
    let goaway = peer
        .expect(|seen| match seen {
            Seen::Goaway(goaway) => Some(*goaway),
            _ => None,
        })
        .await;
    let told = Instant::now();
    tokio::time::sleep(random_within(Duration::from_millis(goaway.spread_ms))).await;
    drop(peer);
    let silent = Peer::silent(to).await;
    let arrived = Instant::now();
    drop(silent);
    Peer::connect(to, &token).await.round_trip().await;
    (goaway, [told, arrived])
}

#[tokio::test]
async fn clients_of_a_server_that_goes_away_arrive_elsewhere_evenly() {
    let (mut leaving, next) = (server().await, server().await);
    let (here, there) = (devices(&leaving).await, devices(&next).await);
    let mut clients = tokio::task::JoinSet::new();
    for (device, elsewhere) in here.iter().zip(&there) {
        for _ in 0..CONNECTIONS {
            let peer = Peer::connect(leaving.address(), &device.token).await;
            clients.spawn(move_on(peer, next.address(), elsewhere.token.clone()));
        }
    }
    leaving.signal(Signal::Term);
    let moved = Deadline::after(Duration::from_mins(1)).wait("everyone", clients.join_all()).await;
    assert_eq!(leaving.wait().await.code(), Some(0), "nobody is left, so it ends before its grace");

    let spread_ms = u64::try_from(SPREAD.as_millis()).expect("seconds");
    for (Goaway { reason, spread_ms: told, grace_ms }, _) in &moved {
        assert_eq!((*reason, *told, *grace_ms), (goaway_reason::RESTART, spread_ms, 20_000));
    }
    let first = moved.iter().map(|(_, [told, _])| *told).min().expect("clients");
    let mut arrivals = [0_usize; WINDOWS];
    for (_, [_, arrived]) in &moved {
        let window = arrived.duration_since(first).as_millis() / WINDOW.as_millis();
        // Who was told late, or was kept waiting by this machine, arrives after the last.
        arrivals[usize::try_from(window).expect("few").min(WINDOWS - 1)] += 1;
    }
    let even = CLIENTS / WINDOWS;
    let busiest = arrivals.iter().max().expect("windows");
    println!("at most {busiest} in {WINDOW:?}, {even} if all were alike: {arrivals:?}");
    // Chance alone makes it twice as many; a busy machine bunches some more.
    assert!(*busiest <= 5 * even, "{busiest} in one window: {arrivals:?}");
    for part in arrivals.chunks(WINDOWS / 5) {
        let share = part.iter().sum::<usize>();
        assert!((CLIENTS / 10..=CLIENTS * 3 / 10).contains(&share), "{share}: {arrivals:?}");
    }
}
