//! The record layer against rustls's own client, over pipes in memory.

use super::*;
use proptest::prelude::*;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
    SupportedCipherSuite,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, LazyLock};

/// Every suite that an ECDSA certificate can be used with.
fn suites() -> Vec<SupportedCipherSuite> {
    let all = rustls::crypto::ring::ALL_CIPHER_SUITES.iter().copied();
    all.filter(|suite| !format!("{suite:?}").contains("RSA_")).collect()
}

/// A certificate in files, what serves with it and what trusts it.
struct Identity {
    folder: tempfile::TempDir,
    files: Files,
    server: Arc<ServerConfig>,
    roots: RootCertStore,
}

impl Identity {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        std::fs::write(&files.certificate, made.cert.pem()).expect("written");
        std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
        let server = files.load(&Tickets::new().expect("randomness")).expect("valid");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("valid");
        Self { folder, files, server, roots }
    }

    fn client(&self, suite: SupportedCipherSuite) -> Arc<ClientConfig> {
        let provider = rustls::crypto::CryptoProvider {
            cipher_suites: vec![suite],
            ..rustls::crypto::ring::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider));
        let builder = builder.with_protocol_versions(&[suite.version()]).expect("a suite of it");
        let mut config = builder.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(8);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

fn client(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("a name");
    ClientConnection::new(Arc::clone(config), name).expect("a client")
}

/// A connection over which nothing was said yet, for tests of what carries it.
pub(crate) fn pair() -> (ClientConnection, Channel) {
    let identity = Identity::new();
    let Pair { mut client, mut channel, mut pipe, .. } = Pair::new(&identity, suites()[0]);
    // The client has taken the tickets, and the server all that was sent.
    let mut room = vec![0; Channel::room_bytes_min()];
    assert!(pipe.incoming.is_empty() || channel.receive(&mut pipe, &mut room).is_ok());
    hear(&mut client, &pipe.written).expect("sound");
    (client, channel)
}

/// A socket: bytes to be read, and room for what is written.
#[derive(Default)]
struct Pipe {
    incoming: VecDeque<u8>,
    written: Vec<u8>,
    room: Option<usize>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.incoming.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.room.unwrap_or(usize::MAX).min(bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room = self.room.map(|room| room - count);
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An established connection.
struct Pair {
    client: ClientConnection,
    channel: Channel,
    pipe: Pipe,
    /// Plaintext that the server got.
    got: Vec<u8>,
}

/// What the client wants to send.
fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("memory");
    }
    bytes
}

/// Gives bytes to the client; what it then has to say is asked for with [`said`].
fn hear(client: &mut ClientConnection, mut bytes: &[u8]) -> Result<(), rustls::Error> {
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).expect("memory");
        client.process_new_packets()?;
    }
    Ok(())
}

/// Does the handshake. The client's flights reach the server in parts of `size` bytes, and behind
/// its last one it says `early` at once, to which `cut` bytes are held back.
fn established(
    server: &Arc<ServerConfig>,
    config: &Arc<ClientConfig>,
    size: usize,
    early: &[u8],
) -> Pair {
    let mut client = client(config);
    let mut handshake = Handshake::new(Arc::clone(server)).expect("a server");
    let mut left = VecDeque::new();
    let mut spoken = false;
    'flights: loop {
        if !client.is_handshaking() && !spoken {
            client.writer().write_all(early).expect("memory");
            spoken = true;
        }
        left.extend(said(&mut client));
        assert!(!left.is_empty(), "nobody speaks");
        while !left.is_empty() {
            let part: Vec<u8> = left.drain(..size.min(left.len())).collect();
            let done = handshake.receive(&part).expect("a sound handshake");
            hear(&mut client, &handshake.take_outgoing()).expect("a sound answer");
            if done {
                break 'flights;
            }
        }
    }
    if !spoken {
        client.writer().write_all(early).expect("memory");
    }
    left.extend(said(&mut client));
    let (channel, got) = handshake.finish().expect("complete");
    Pair { client, channel, pipe: Pipe { incoming: left, ..Pipe::default() }, got }
}

impl Pair {
    fn new(identity: &Identity, suite: SupportedCipherSuite) -> Self {
        established(&identity.server, &identity.client(suite), usize::MAX, b"")
    }

    /// The client says something.
    fn say(&mut self, bytes: &[u8]) {
        self.client.writer().write_all(bytes).expect("memory");
        let sent = said(&mut self.client);
        self.pipe.incoming.extend(sent);
    }

    /// The server reads all that has come, `size` bytes at a time.
    fn receive(&mut self, size: usize) -> io::Result<Received> {
        let mut all = std::mem::take(&mut self.pipe.incoming);
        loop {
            let part = all.drain(..size.min(all.len())).collect();
            self.pipe.incoming = part;
            let mut room = vec![0; Channel::room_bytes_min() + 100];
            match self.channel.receive(&mut self.pipe, &mut room) {
                Ok(Received::Bytes { count, .. }) => self.got.extend_from_slice(&room[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Received::Bytes { count: 0, more: false });
                }
                other => return other,
            }
            // What the read left.
            let mut rest = std::mem::take(&mut self.pipe.incoming);
            rest.append(&mut all);
            all = rest;
        }
    }

    /// The server says something and the client hears it.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        let sent = self.channel.send(&mut self.pipe, &[IoSlice::new(bytes)]).expect("room");
        assert_eq!(sent, bytes.len());
        self.heard()
    }

    fn heard(&mut self) -> Vec<u8> {
        let written = std::mem::take(&mut self.pipe.written);
        let mut plain = Vec::new();
        for part in written.chunks(4_096) {
            hear(&mut self.client, part).expect("sound records");
            drop(self.client.reader().read_to_end(&mut plain));
        }
        plain
    }
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 7 % 251).expect("small")).collect()
}

#[test]
fn every_suite_of_both_versions_carries_data_both_ways() {
    let identity = Identity::new();
    let suites = suites();
    assert_eq!(suites.len(), 6);
    for suite in suites {
        let mut pair = Pair::new(&identity, suite);
        assert_eq!(pair.client.alpn_protocol(), Some(&b"http/1.1"[..]));
        for len in [1, 100, 16_384, 16_385, 70_000] {
            let text = noise(len);
            for part in text.chunks(50_000) {
                pair.say(part);
                pair.receive(usize::MAX).expect("sound");
            }
            assert_eq!(std::mem::take(&mut pair.got), text, "{suite:?}");
            assert_eq!(pair.answer(&text), text, "{suite:?}");
        }
    }
}

#[test]
fn a_handshake_and_what_follows_it_may_be_cut_anywhere() {
    let identity = Identity::new();
    for suite in suites() {
        let config = identity.client(suite);
        for size in (1..40).chain([100, 200, 300, 500, 1_000]) {
            let mut pair = established(&identity.server, &config, size, b"early words");
            pair.receive(size).expect("sound");
            assert_eq!(pair.got, b"early words", "{suite:?} by {size}");
            assert_eq!(pair.answer(b"answer"), b"answer", "{suite:?} by {size}");
        }
    }
}

#[test]
fn records_cut_at_every_byte_give_the_same_data() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        for size in 1..120 {
            for text in [&b"one"[..], b"two and", b"three"] {
                pair.say(text);
            }
            pair.receive(size).expect("sound");
            assert_eq!(std::mem::take(&mut pair.got), b"onetwo andthree", "{suite:?} by {size}");
            assert_eq!(pair.channel.kept(), (0, 0), "nothing is kept between records");
        }
    }
}

#[test]
fn whatever_room_a_socket_has_what_is_sent_arrives_whole_and_in_order() {
    let identity = Identity::new();
    for suite in suites() {
        let text = noise(150_000);
        for room in [1_000, 4_096, 16_384, 65_536, 100_000] {
            let mut pair = Pair::new(&identity, suite);
            let (mut sent, mut heard) = (0, Vec::new());
            while sent < text.len() || pair.channel.has_outgoing() {
                pair.pipe.room = Some(room);
                let slices: Vec<_> = text[sent..].chunks(5_000).map(IoSlice::new).collect();
                match pair.channel.send(&mut pair.pipe, &slices) {
                    Ok(count) => sent += count,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                assert!(pair.channel.kept().1 <= 66_000, "{:?}", pair.channel.kept());
                heard.extend(pair.heard());
            }
            assert!(heard == text, "{suite:?} with room for {room}");
            assert_eq!(pair.channel.kept(), (0, 0));
        }
    }
}

#[test]
fn new_keys_are_followed_and_answered() {
    let identity = Identity::new();
    for suite in suites().into_iter().filter(|s| s.version().version == ProtocolVersion::TLSv1_3) {
        let mut pair = Pair::new(&identity, suite);
        for size in [usize::MAX, 1, 7] {
            pair.say(b"old");
            pair.client.refresh_traffic_keys().expect("allowed");
            pair.say(b" new");
            pair.receive(size).expect("sound");
            assert_eq!(std::mem::take(&mut pair.got), b"old new");
            assert_eq!(pair.answer(b"also new"), b"also new");
        }
    }
}

#[test]
fn a_key_that_has_sealed_enough_is_changed() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        assert_eq!(pair.answer(b"old"), b"old");
        pair.channel.want_new_key();
        if suite.version().version == ProtocolVersion::TLSv1_3 {
            assert_eq!(pair.answer(b"new"), b"new");
            assert_eq!(pair.answer(b"newer"), b"newer");
        } else {
            let sent = pair.channel.send(&mut pair.pipe, &[IoSlice::new(b"new")]);
            assert!(sent.is_err(), "TLS 1.2 has no other key");
        }
    }
}

#[test]
fn the_end_is_told_both_ways_and_after_what_was_said() {
    let identity = Identity::new();
    for suite in suites() {
        let mut pair = Pair::new(&identity, suite);
        pair.say(b"last words");
        pair.client.send_close_notify();
        pair.say(b"");
        assert_eq!(pair.receive(usize::MAX).expect("sound"), Received::End);
        assert_eq!(pair.got, b"last words");
        assert_eq!(pair.answer(b"still answered"), b"still answered");
        pair.channel.close(&mut pair.pipe);
        let mut written = std::mem::take(&mut pair.pipe.written).into();
        std::mem::swap(&mut written, &mut pair.pipe.incoming);
        let bytes: Vec<u8> = pair.pipe.incoming.drain(..).collect();
        pair.client.read_tls(&mut &bytes[..]).expect("memory");
        assert!(pair.client.process_new_packets().expect("sound").peer_has_closed());
    }
}

#[test]
fn an_end_in_the_same_flight_as_the_handshake_is_noticed() {
    let identity = Identity::new();
    for suite in suites() {
        let mut client = client(&identity.client(suite));
        let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
        let mut told = false;
        while !handshake.receive(&said(&mut client)).expect("sound") {
            hear(&mut client, &handshake.take_outgoing()).expect("sound");
            if !client.is_handshaking() && !told {
                told = true;
                client.writer().write_all(b"bye").expect("memory");
                client.send_close_notify();
            }
        }
        let (mut channel, got) = handshake.finish().expect("complete");
        if told {
            assert_eq!(got, b"bye");
            let mut room = vec![0; Channel::room_bytes_min()];
            let received = channel.receive(&mut Pipe::default(), &mut room);
            assert_eq!(received.expect("sound"), Received::End);
        }
    }
}

#[test]
fn a_record_that_was_touched_ends_the_connection_after_what_came_before_it() {
    let identity = Identity::new();
    for suite in suites() {
        for at in 0..20 {
            let mut pair = Pair::new(&identity, suite);
            pair.say(b"sound");
            let sound = pair.pipe.incoming.len();
            pair.say(b"touched");
            let touched = pair.pipe.incoming.len() - sound;
            pair.say(b"more");
            let last = sound + (at * 3) % touched;
            // But for the minor version, which means nothing, and the length, which may only make
            // the record wait for more.
            let last = if (2..5).contains(&(last - sound)) { last + 3 } else { last };
            pair.pipe.incoming[last] ^= 0x40;
            let error = pair.receive(usize::MAX).expect_err("not authentic");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(pair.got, b"sound");
            let told = std::mem::take(&mut pair.pipe.written);
            hear(&mut pair.client, &told).expect_err("an alert");
            pair.receive(usize::MAX).expect_err("nothing more is opened");
            assert_eq!(pair.got, b"sound");
        }
    }
}

#[test]
fn what_has_no_place_after_the_handshake_is_refused() {
    let identity = Identity::new();
    let records: [&[u8]; 6] = [
        b"\x17\x03\x03\x00\x00",
        b"\x14\x03\x03\x00\x01\x01",
        b"\x15\x03\x03\x00\x02\x01\x00",
        b"\x16\x03\x03\x00\x04\x00\x00\x00\x00",
        b"\x17\x03\x03\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for suite in suites() {
        for record in records {
            let mut pair = Pair::new(&identity, suite);
            pair.pipe.incoming.extend(record);
            let refused = pair.receive(usize::MAX).expect_err("refused");
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{record:x?}");
        }
    }
}

#[test]
fn records_without_data_are_borne_only_so_often() {
    let identity = Identity::new();
    let suite = suites()[0];
    let mut pair = Pair::new(&identity, suite);
    for _ in 0..3 {
        for _ in 0..20 {
            pair.client.refresh_traffic_keys().expect("allowed");
        }
        pair.say(b"data");
        pair.receive(usize::MAX).expect("borne");
    }
    for _ in 0..40 {
        pair.client.refresh_traffic_keys().expect("allowed");
    }
    pair.say(b"");
    pair.receive(usize::MAX).expect_err("too many");
}

#[test]
fn sessions_are_resumed_also_under_a_new_certificate() {
    let identity = Identity::new();
    let tickets = Tickets::new().expect("randomness");
    for suite in suites() {
        let config = identity.client(suite);
        let kinds: Vec<_> = (0..2)
            .map(|_| {
                let server = identity.files.load(&tickets).expect("valid");
                let mut pair = established(&server, &config, usize::MAX, b"");
                assert_eq!(pair.answer(b"after the ticket"), b"after the ticket");
                pair.client.handshake_kind()
            })
            .collect();
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "{suite:?}");
    }
}

#[test]
fn garbage_and_plain_text_end_a_handshake_with_an_alert() {
    let identity = Identity::new();
    for bytes in [
        &b"\x16\x03\x01\x00\x05\x01\x00\x00\x01a"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 64],
        &[0xff; 64],
    ] {
        let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
        handshake.receive(bytes).expect_err("no handshake");
        let alert = handshake.take_outgoing();
        assert!(alert.starts_with(b"\x15\x03"), "{bytes:x?}: {alert:x?}");
    }
}

#[test]
fn a_handshake_that_never_becomes_one_takes_bounded_memory() {
    let identity = Identity::new();
    let mut handshake = Handshake::new(Arc::clone(&identity.server)).expect("a server");
    // A ClientHello of 16 MiB, told in records of 16 KiB.
    let mut record = b"\x16\x03\x01\x40\x00".to_vec();
    record.extend_from_slice(b"\x01\xff\xff\xff");
    record.resize(5 + 16_384, 0);
    let refused = (0..100).find(|_| handshake.receive(&record).is_err());
    assert!(refused.is_some_and(|n| n < 10), "{refused:?}");
}

proptest! {
    #[test]
    fn no_first_flight_panics_however_it_is_touched_and_cut(
        touches in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..6),
        sizes in proptest::collection::vec(1_usize..300, 1..8),
        behind in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let (server, mut flight) = FLIGHT.clone();
        flight.extend(behind);
        for (at, value) in touches {
            let at = at % flight.len();
            flight[at] = value;
        }
        let mut handshake = Handshake::new(server).expect("a server");
        let mut rest = &flight[..];
        for size in sizes.iter().cycle() {
            let (part, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            // Whoever broke off is not listened to again.
            if handshake.receive(part).is_err() || rest.is_empty() {
                break;
            }
        }
    }
}

/// A server and what a client says first to it.
static FLIGHT: LazyLock<(Arc<ServerConfig>, Vec<u8>)> = LazyLock::new(|| {
    let identity = Identity::new();
    let mut client = client(&identity.client(suites()[0]));
    (identity.server, said(&mut client))
});

#[test]
fn files_that_cannot_be_used_are_refused_by_name() {
    let identity = Identity::new();
    let tickets = Tickets::new().expect("randomness");
    let write = |name: &str, text: &str| {
        let path = identity.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let other = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let Files { certificate, key } = identity.files.clone();
    let absent = identity.folder.path().join("absent.pem");
    let cases = [
        (absent.clone(), key.clone(), "absent.pem could not be read"),
        (certificate.clone(), absent, "absent.pem could not be read"),
        (key.clone(), key.clone(), "holds no certificate in PEM"),
        (certificate.clone(), certificate.clone(), "holds no private key in PEM"),
        (write("empty.pem", ""), key.clone(), "holds no certificate in PEM"),
        (write("cut.pem", "-----BEGIN CERTIFICATE-----\nMII"), key, "is not valid PEM"),
        (certificate, write("other.pem", &other), "is not that of the certificate in"),
    ];
    for (certificate, key, expected) in cases {
        let error = Files { certificate, key }.load(&tickets).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
