//! How many may be served, how long they may be silent, and that what they held is given back.

use super::*;

/// Waits until something holds; the test has a deadline.
async fn eventually(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads an answer to its end: it is a refusal with which the connection ends.
async fn assert_overloaded(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("closed in order");
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    let (_head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&problem["name"], &problem["retry_ms"]), (&"overloaded".into(), &5_000.into()));
}

#[test]
fn silence_loses_its_handshake_and_service_resumes() {
    on_a_shard(async {
        let idle_timeout = Duration::from_millis(200);
        let served = Served::new(Settings { idle_timeout, handshakes_max: 4, ..settings() }).await;
        let mut silent = Vec::new();
        for half in ["", "GET /ping HT", "GET /ping HTTP/1.1\r\nHost: h\r\n", "G"] {
            silent.push(served.say(half).await);
        }
        // All that one address may have under way are: this one waits until one is given up.
        let mut stream = served.say(PING).await;
        read_until(&mut stream, "pong").await;
        for mut stream in silent {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
        }
        // Also between two requests.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("closed in order");
        assert_eq!(rest, b"");
    });
}

#[test]
fn silence_of_one_address_keeps_no_other_waiting() {
    on_a_shard(async {
        let served = Served::new(Settings { handshakes_max: 8, ..settings() }).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(served.say("GET /ping HT").await);
        }
        eventually(|| served.front.handshakes.open() == 4).await;
        for last in 2..40 {
            let mut stream = served.connect_from(last).await;
            stream.write_all(PING.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
        }
        assert_eq!(served.front.handshakes.open(), 4, "nobody who was served holds one");
        eventually(|| served.counts() == Counts { connections: 20, ..Counts::default() }).await;
    });
}

#[test]
fn whoever_finds_no_slot_for_http_is_told_so_and_may_still_upgrade() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut taken = Vec::new();
        for _ in 0..4 {
            let mut stream = served.say(PING).await;
            read_until(&mut stream, "pong").await;
            taken.push(stream);
        }
        assert_overloaded(served.say(PING).await).await;
        let mut upgrading = served.say(HANDSHAKE).await;
        read_until(&mut upgrading, "\r\n\r\n").await;
        taken[0].write_all(PING.as_bytes()).await.expect("sent");
        read_until(&mut taken[0], "pong").await;
        taken.pop();
        let served_again = async || {
            let mut stream = served.say(PING).await;
            let mut answer = String::new();
            stream.read_u8().await.is_ok() && {
                stream.shutdown().await.ok();
                stream.read_to_string(&mut answer).await.ok();
                answer.contains("200 OK")
            }
        };
        while !served_again().await {}
        assert!(served.counts().refused_http > 0);
    });
}

#[test]
fn no_more_are_connected_than_may_be_and_the_rest_are_told_so() {
    on_a_shard(async {
        let admission = Admission::new(Limits { connections_max: 3, address_connections_max: 2 });
        let served = Served::new(Settings { admission, ..settings() }).await;
        let mut upgraded = served.say(HANDSHAKE).await;
        read_until(&mut upgraded, "\r\n\r\n").await;
        let _adopted = served.adopted().await;
        let mut second = served.say(PING).await;
        read_until(&mut second, "pong").await;
        assert_overloaded(served.say(PING).await).await;
        assert_eq!(served.counts().refused_address, 1);
        let mut other = served.connect_from(2).await;
        other.write_all(PING.as_bytes()).await.expect("sent");
        read_until(&mut other, "pong").await;
        assert_overloaded(served.connect_from(3).await).await;
        assert_eq!(served.counts().refused_total, 1);
        drop(second);
        eventually(|| served.counts().connections == 2).await;
        let mut third = served.say(PING).await;
        read_until(&mut third, "pong").await;
    });
}

#[test]
fn what_a_connection_held_is_given_back_however_it_ends() {
    on_a_shard(async {
        let idle_timeout = Duration::from_millis(200);
        let served = Served::new(Settings { idle_timeout, handshakes_max: 64, ..settings() }).await;
        let broken = "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n";
        let malformed = "\0\r\n\r\n";
        for sent in ["", "GET /pi", PING, broken, malformed] {
            for reset in [true, false] {
                let stream = served.say(sent).await;
                let linger = reset.then_some(Duration::ZERO);
                SockRef::from(&stream).set_linger(linger).expect("set");
                drop(stream);
            }
            // The same, but the server is the one who ends it.
            let mut waiting = served.say(sent).await;
            waiting.read_to_end(&mut Vec::new()).await.ok();
        }
        for _ in 0..3 {
            drop(served.say(HANDSHAKE).await);
            drop(served.adopted().await);
        }
        eventually(|| served.counts().connections == 0 && served.front.handshakes.open() == 0)
            .await;
        assert_eq!(served.front.slots.available_permits(), 4);
        assert_eq!(served.counts(), Counts::default());
    });
}

#[test]
fn a_storm_gives_the_rest_of_the_shard_its_turn() {
    let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
    runtime.block_on(async {
        let served = Served::new(settings()).await;
        // Nothing is accepted while this thread connects them all.
        let storm: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(served.address).expect("it listens");
                io::Write::write_all(&mut stream, HANDSHAKE.as_bytes()).expect("sent");
                stream
            })
            .collect();
        let (mut before, mut most, mut turns) = (0, 0, 0);
        let mut adopted = Vec::new();
        while adopted.len() < storm.len() {
            // What lives on the shard takes its turns like this.
            tokio::task::yield_now().await;
            turns += 1;
            let connections = served.counts().connections;
            most = most.max(connections - before);
            before = connections;
            while let Ok(one) = served.adopted.borrow_mut().try_recv() {
                adopted.push(one);
            }
        }
        assert!(most <= 8, "{most} were accepted in a row");
        assert!(turns >= 100 / 8, "{turns} turns");
    });
}

#[test]
fn every_listener_is_served_and_all_share_the_slots() {
    on_a_shard(async {
        let listeners = vec![a_listener().await, a_listener().await];
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("bound"));
        let addresses: Vec<SocketAddr> = addresses.collect();
        let served = Served::listening(listeners, settings());
        let mut taken = Vec::new();
        for address in [addresses[0], addresses[1], addresses[1], addresses[1]] {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            stream.write_all(PING.as_bytes()).await.expect("sent");
            read_until(&mut stream, "pong").await;
            taken.push(stream);
        }
        assert_overloaded(served.say(PING).await).await;
    });
}

#[test]
fn an_adopted_connection_gives_its_slot_up() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut upgraded = Vec::new();
        for _ in 0..12 {
            let mut stream = served.say(HANDSHAKE).await;
            read_until(&mut stream, "\r\n\r\n").await;
            upgraded.push((stream, served.adopted().await));
        }
    });
}
