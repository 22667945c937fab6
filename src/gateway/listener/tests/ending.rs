//! How serving ends: nobody is upgraded any more, what is under way is finished, the rest closed.

use super::*;

#[test]
fn who_would_be_sent_away_again_is_not_upgraded_and_told_when_to_come_back() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut early = served.say(HANDSHAKE).await;
        read_until(&mut early, "\r\n\r\n").await;
        let _early = served.adopted().await;
        let mut kept = served.say(PING).await;
        read_until(&mut kept, "pong").await;
        let spread = Duration::from_millis(59_001);
        served.course.send_replace(Course::Leaving { spread });
        // On a fresh connection and on one that has been used alike.
        for mut stream in [served.connect().await, kept] {
            stream.write_all(HANDSHAKE.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("closed in order");
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            for told in ["retry-after: 60", "\"name\":\"unavailable\"", "\"retry_ms\":59001"] {
                assert!(answer.contains(told), "{told}: {answer}");
            }
        }
        let mut asks = served.say(PING).await;
        read_until(&mut asks, "pong").await;
        assert!(served.adopted.borrow_mut().try_recv().is_err(), "only the first was upgraded");
    });
}

#[test]
fn draining_lets_requests_end_and_closes_the_rest() {
    on_a_shard(async {
        let served = Served::new(settings()).await;
        let mut idle = served.say(PING).await;
        read_until(&mut idle, "pong").await;
        let mut busy = served.say(&PING.replace("ping", "slow")).await;
        // The request is under way once a later one on another connection has been answered.
        let mut other = served.say(PING).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let answer = read_until(&mut busy, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.expect("closed in order");
        assert!(TcpStream::connect(served.address).await.is_err(), "it still listens");
    });
}

#[test]
fn draining_does_not_wait_longer_than_it_may() {
    on_a_shard(async {
        let drain_timeout = Duration::from_millis(50);
        let served = Served::new(Settings { drain_timeout, ..settings() }).await;
        let mut half_open = served.say("GET /ping HT").await;
        let mut other = served.say(PING).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let mut rest = Vec::new();
        half_open.read_to_end(&mut rest).await.ok();
    });
}
