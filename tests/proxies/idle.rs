//! Idle time-outs of proxies: the heartbeat outlives them, and without it they cut.

use crate::deployed::Kind;
use crate::scene::Scene;
use crate::support::chat_client::ChatClient;
use std::time::{Duration, Instant};

/// One client keeps a heartbeat, another is silent: for `times` time-outs of the proxy the first must
/// hold, and the second must be cut, then have all it missed when it comes back.
async fn a_heartbeat_outlives(
    kind: Kind,
    replaced: &[(&str, &str)],
    (timeout, times): (Duration, u32),
    ping: u64,
) {
    let least = ("websocket.ping_min", "1s");
    let scene = Scene::with(kind, &[least], replaced).await;
    let mut pair = scene.pair().await;
    pair.ana.set_ping(ping);
    pair.ben.set_ping(240);
    pair.connect(scene.address()).await;
    pair.catch_up().await;
    let (beating, cut_after) =
        tokio::join!(holds_for(&mut pair.ana, timeout * times), is_cut(&mut pair.ben));
    assert!(beating, "{kind:?} cut a connection with a heartbeat");
    let (timeout, bound) = (timeout.as_secs_f64(), (timeout * times).as_secs_f64());
    let cut_after = cut_after.as_secs_f64();
    assert!(cut_after > 0.9 * timeout, "{kind:?} cut after {cut_after} s");
    assert!(cut_after < bound, "the time-out is not what was tested: cut after {cut_after} s");
    println!("{kind:?}: silent connection cut after {cut_after:.1} s, the other held {bound} s");
    pair.ana_writes(10);
    pair.connect(scene.address()).await;
    pair.catch_up().await;
}

async fn holds_for(client: &mut ChatClient, time: Duration) -> bool {
    let began = Instant::now();
    while began.elapsed() < time {
        if client.step(Duration::from_millis(50)).await.is_err() {
            return false;
        }
    }
    true
}

/// How long it took until the connection of a client was cut.
async fn is_cut(client: &mut ChatClient) -> Duration {
    let began = Instant::now();
    while client.step(Duration::from_millis(50)).await.is_ok() {
        assert!(began.elapsed() < Duration::from_mins(5), "nobody cut a silent connection");
    }
    began.elapsed()
}

const SHORT: (Duration, u32) = (Duration::from_secs(3), 3);

#[tokio::test]
async fn a_heartbeat_outlives_nginx() {
    let replaced = [
        ("proxy_read_timeout 5m", "proxy_read_timeout 3s"),
        ("send_timeout 5m", "send_timeout 3s"),
    ];
    a_heartbeat_outlives(Kind::Nginx, &replaced, SHORT, 1).await;
}

#[tokio::test]
async fn a_heartbeat_outlives_nginx_as_a_stream() {
    let replaced = [("proxy_timeout 5m", "proxy_timeout 3s")];
    a_heartbeat_outlives(Kind::NginxStream, &replaced, SHORT, 1).await;
}

#[tokio::test]
async fn a_heartbeat_outlives_haproxy() {
    let replaced = [("timeout tunnel 5m", "timeout tunnel 3s")];
    a_heartbeat_outlives(Kind::Haproxy, &replaced, SHORT, 1).await;
}

const USUAL: (Duration, u32) = (Duration::from_mins(1), 3);

/// The time-out that proxies have by default against the interval that clients have by default.
#[tokio::test]
#[ignore = "takes three minutes: `make proxies-more`"]
async fn the_usual_heartbeat_outlives_the_usual_time_out_of_nginx() {
    let replaced = [
        ("            proxy_read_timeout 5m;\n", ""),
        ("            proxy_send_timeout 5m;\n", ""),
    ];
    a_heartbeat_outlives(Kind::Nginx, &replaced, USUAL, 25).await;
}

#[tokio::test]
#[ignore = "takes three minutes: `make proxies-more`"]
async fn the_usual_heartbeat_outlives_a_minute_of_haproxy() {
    let replaced = [("timeout tunnel 5m", "timeout tunnel 60s")];
    a_heartbeat_outlives(Kind::Haproxy, &replaced, USUAL, 25).await;
}
