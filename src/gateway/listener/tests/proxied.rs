//! What stands before a connection that comes through a proxy.

use super::*;

/// What such a proxy says first.
const HEADER: &str = "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n";

/// A listener that takes everyone here for a proxy.
async fn served_behind_proxies(idle_timeout: Duration) -> Served {
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    Served::new(Settings { idle_timeout, proxies, ..settings() }).await
}

#[test]
fn what_follows_a_proxy_header_is_served_however_it_is_cut() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_mins(1)).await;
        let whole = format!("{HEADER}{HANDSHAKE}early");
        for cut in [1, 11, 12, 13, HEADER.len() - 1, HEADER.len(), HEADER.len() + 1, whole.len()] {
            let mut stream = served.say(&whole[..cut]).await;
            tokio::task::yield_now().await;
            stream.write_all(&whole.as_bytes()[cut..]).await.expect("sent");
            read_until(&mut stream, "\r\n\r\n").await;
            let (_socket, early, ..) = served.adopted().await;
            // A cut inside them leaves some of these to the socket.
            assert!(b"early".starts_with(&early), "{early:?}");
        }
    });
}

#[test]
fn a_listed_proxy_without_a_header_is_refused() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_millis(100)).await;
        for sent in [PING, "PROXY TCP4 here there 1 1\r\n", "PROXY TCP4 1.1.1.1", ""] {
            let mut stream = served.say(sent).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            assert_eq!(answer, b"", "{sent}");
        }
    });
}

#[test]
fn a_proxy_header_of_anyone_else_is_bad_http() {
    on_a_shard(async {
        let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let served = Served::new(Settings { proxies, ..settings() }).await;
        let binary = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        for header in [HEADER, binary] {
            let mut stream = served.say(&format!("{header}{PING}")).await;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok();
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        let mut stream = served.say(PING).await;
        read_until(&mut stream, "pong").await;
    });
}

#[test]
fn a_drain_does_not_wait_for_a_proxy_header() {
    on_a_shard(async {
        let served = served_behind_proxies(Duration::from_mins(1)).await;
        let mut waiting = served.say("PROXY ").await;
        let mut other = served.say(&format!("{HEADER}{PING}")).await;
        read_until(&mut other, "pong").await;
        served.stop().await;
        let mut rest = Vec::new();
        waiting.read_to_end(&mut rest).await.ok();
    });
}
