//! Handshakes and records against rustls's own client, over pipes in memory.

mod files;
mod handshakes;
mod records;

use super::*;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedCipherSuite};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

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
