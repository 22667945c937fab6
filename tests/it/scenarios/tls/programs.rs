//! curl and OpenSSL as peers: versions, suites, both kinds of key, and keys that change.

use super::Scene;
use crate::support::eventually::Deadline;
use crate::support::server::TestServer;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs a program on the server's address; its output and whether it ended well.
async fn program(name: &str, arguments: &[&str]) -> (String, bool) {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = Deadline::usual().wait(name, output).await.expect("no panic");
    let output = output.unwrap_or_else(|error| panic!("{name} must be installed: {error}"));
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

async fn s_client(address: SocketAddr, arguments: &[&str]) -> (String, bool) {
    let address = address.to_string();
    let fixed =
        ["s_client", "-connect", &address, "-alpn", "h2,http/1.1", "-servername", "localhost"];
    program("openssl", &[&fixed[..], arguments].concat()).await
}

#[tokio::test]
async fn curl_and_openssl_are_served_under_both_versions_and_no_older_one() {
    let scene = Scene::set(&[]).await;
    let authority = scene.certificate.certificate.to_str().expect("UTF-8").to_owned();
    let (port, resolve) =
        (scene.address().port(), format!("localhost:{}:127.0.0.1", scene.address().port()));
    let url = format!("https://localhost:{port}/healthz");
    for versions in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"], &[]] {
        let fixed = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", &authority];
        let rest = ["--resolve", &resolve, &url];
        let (said, well) = program("curl", &[&fixed[..], versions, &rest].concat()).await;
        assert!(well && said == "200", "{versions:?}: {said}");
    }
    for (version, named) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let (said, well) = s_client(scene.address(), &[version, "-CAfile", &authority]).await;
        assert!(well && said.contains(named), "{said}");
        assert!(said.contains("ALPN protocol: http/1.1") && said.contains("Verify return code: 0"));
    }
    for version in ["-tls1", "-tls1_1"] {
        let arguments = [version, "-cipher", "ALL:@SECLEVEL=0"];
        let (said, well) = s_client(scene.address(), &arguments).await;
        assert!(!well && said.contains("SSL alert number"), "{said}");
    }
}

/// What current browsers offer, by OpenSSL's names, in the part that is not CBC or key transport.
const BROWSERS_1_3: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const BROWSERS_1_2: [&str; 3] = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];

#[tokio::test]
async fn every_suite_that_browsers_offer_is_served_with_both_kinds_of_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (certificate, key) = (file("rsa.pem"), file("rsa.key"));
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let names = ["/CN=localhost", "-keyout", &text(&key), "-out", &text(&certificate)];
    let (said, well) = program("openssl", &[&request[..], &names].concat()).await;
    assert!(well, "{said}");
    let settings = [("tls.certificate", text(&certificate)), ("tls.key", text(&key))];
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(key, value)| (*key, &**value)).collect();
    let rsa = TestServer::configured(&settings).started().await;
    let ecdsa = Scene::set(&[]).await;
    for (kind, address) in [("RSA", rsa.address()), ("ECDSA", ecdsa.address())] {
        for suite in BROWSERS_1_3 {
            let (said, well) = s_client(address, &["-tls1_3", "-ciphersuites", suite]).await;
            assert!(well && said.contains(&format!("Cipher is {suite}")), "{said}");
        }
        for suite in BROWSERS_1_2 {
            let suite = format!("ECDHE-{kind}-{suite}");
            let (said, well) = s_client(address, &["-tls1_2", "-cipher", &suite]).await;
            assert!(well && said.contains(&format!("Cipher is {suite}")), "{said}");
        }
        let (said, well) = s_client(address, &["-tls1_2", "-cipher", "AES128-SHA"]).await;
        assert!(!well && said.contains("handshake failure"), "{said}");
    }
}

#[tokio::test]
async fn a_peer_that_changes_its_keys_is_followed() {
    // `k` on a line of its own has s_client send a key update, `K` one that asks for the same.
    let scene = Scene::set(&[]).await;
    let address = scene.address().to_string();
    let mut client = tokio::process::Command::new("openssl")
        .args(["s_client", "-tls1_3", "-connect", &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("openssl must be installed");
    let (mut input, mut output) =
        (client.stdin.take().expect("piped"), client.stdout.take().expect("piped"));
    let mut errors = client.stderr.take().expect("piped");
    let request = b"GET /healthz HTTP/1.1\nHost: localhost\n\n";
    let (mut got, mut told) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip([&b"k\n"[..], b"K\n", b"K\n"]) {
        input.write_all(line).await.expect("sent");
        until(&mut errors, &mut told, "KEYUPDATE", number).await;
        input.write_all(request).await.expect("sent");
        until(&mut output, &mut got, "HTTP/1.1 200 OK", number).await;
    }
}

/// Reads until a text has come so often.
async fn until(
    from: &mut (impl AsyncReadExt + Unpin),
    got: &mut Vec<u8>,
    text: &str,
    times: usize,
) {
    let reading = async {
        while String::from_utf8_lossy(got).matches(text).count() < times {
            assert_ne!(from.read_buf(got).await.expect("a pipe"), 0, "{text} never came");
        }
    };
    Deadline::usual().wait(text, reading).await;
}
