//! `chasqui healthcheck` against a running server: plain, through TLS, where a PROXY header is
//! expected, while it drains and when it is gone.

use crate::support::eventually::eventually;
use crate::support::peer::Peer;
use crate::support::people::Person;
use crate::support::server::{Signal, TestServer};
use crate::support::tls::Credentials;
use std::net::SocketAddr;
use std::process::Output;

/// Asks with the settings of the server.
fn ask(address: SocketAddr, settings: &[(&str, &str)]) -> Output {
    let at = address.to_string();
    let mut command = TestServer::command(&["healthcheck", "--address", &at, "--timeout", "20s"]);
    for (key, value) in settings {
        command.env(format!("CHASQUI_{}", key.replace('.', "__").to_ascii_uppercase()), value);
    }
    command.output().expect("the binary runs")
}

#[track_caller]
fn assert_healthy(address: SocketAddr, settings: &[(&str, &str)]) {
    let output = ask(address, settings);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "it has nothing to say");
}

/// What it says against it.
#[track_caller]
fn complaint(address: SocketAddr, settings: &[(&str, &str)]) -> String {
    let output = ask(address, settings);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("text")
}

#[tokio::test]
async fn a_server_is_healthy_until_it_drains() {
    let settings = [("server.goaway_spread", "1s"), ("server.drain_grace", "1m")];
    let mut server = TestServer::configured(&settings).started().await;
    let address = server.address();
    assert_healthy(address, &[]);
    let ana = Person::register(address, "ana").await;
    let ana = Peer::connect(address, &ana.token).await;
    server.signal(Signal::Term);
    let told = eventually("it says that it drains", async || {
        let output = ask(address, &[]);
        (!output.status.success()).then_some(output)
    });
    let told = String::from_utf8(told.await.stderr).expect("text");
    assert!(told.starts_with(&format!("chasqui: {address} answers 503: ")), "{told}");
    drop(ana);
    assert!(server.wait().await.success());
    let told = complaint(address, &[]);
    assert!(told.starts_with(&format!("chasqui: {address} does not answer: ")), "{told}");
}

#[tokio::test]
async fn an_encrypted_server_is_asked_through_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Credentials::make(folder.path()).settings();
    let settings: Vec<_> = files.iter().map(|(key, value)| (*key, &**value)).collect();
    let server = TestServer::configured(&settings).started().await;
    assert_healthy(server.address(), &settings);
    let told = complaint(server.address(), &[]);
    assert!(told.contains(" answers 400: "), "{told}");
}

#[tokio::test]
async fn a_server_that_expects_a_proxy_header_from_here_gets_one() {
    let settings = [("server.proxies", "127.0.0.0/8")];
    let server = TestServer::configured(&settings).started().await;
    assert_healthy(server.address(), &settings);
    assert!(complaint(server.address(), &[]).contains("does not answer"));
}
