//! The client's side of TLS: certificates made for a test, and relays that encrypt for clients that
//! do not.
//!
//! Everything that speaks to a plain server speaks through a relay to an encrypted one, so that no
//! client here needs to know of TLS.

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Both versions.
pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A self-signed certificate for `localhost` in two files.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    roots: RootCertStore,
}

impl Credentials {
    /// Makes one, over what was in the folder.
    pub(crate) fn make(folder: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem()).expect("written");
        fs::write(&key, made.signing_key.serialize_pem()).expect("written");
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("valid");
        Self { certificate, key, roots }
    }

    /// What a server is configured with.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        [("tls.certificate", text(&self.certificate)), ("tls.key", text(&self.key))]
    }

    /// A client that trusts it alone, speaks these versions, and resumes.
    pub(crate) fn trusting(&self, versions: &[&'static SupportedProtocolVersion]) -> Tls {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions).expect("versions that are known");
        let builder = builder.with_root_certificates(self.roots.clone());
        Tls(TlsConnector::from(Arc::new(builder.with_no_client_auth())))
    }
}

/// A client of TLS.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Does the handshake on a connected stream.
    pub(crate) async fn over(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").expect("a name");
        self.0.connect(name, stream).await
    }

    /// Connects and does the handshake.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.over(stream).await
    }
}

/// Passes connections on for as long as it lives.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

/// How a relay passes connections on.
#[derive(Clone)]
enum Manner {
    Encrypted(Tls),
    InPieces(usize),
}

impl Relay {
    /// Takes plain connections and passes them on encrypted.
    pub(crate) async fn encrypting(tls: &Tls, to: SocketAddr) -> Self {
        Self::start(Manner::Encrypted(tls.clone()), to).await
    }

    /// Passes connections on as they are, what goes there in pieces of `size` bytes.
    pub(crate) async fn in_pieces(size: usize, to: SocketAddr) -> Self {
        Self::start(Manner::InPieces(size), to).await
    }

    async fn start(manner: Manner, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let task = tokio::spawn(async move {
            let mut relayed = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let manner = manner.clone();
                relayed.spawn(async move {
                    match manner {
                        Manner::Encrypted(tls) => encrypt(from, &tls, to).await,
                        Manner::InPieces(size) => cut(from, size, to).await,
                    }
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whoever ends it, it is over.
async fn encrypt(mut from: TcpStream, tls: &Tls, to: SocketAddr) {
    from.set_nodelay(true).ok();
    if let Ok(mut onward) = tls.connect(to).await {
        tokio::io::copy_bidirectional(&mut from, &mut onward).await.ok();
    }
}

async fn cut(mut from: TcpStream, size: usize, to: SocketAddr) {
    let Ok(mut onward) = TcpStream::connect(to).await else { return };
    onward.set_nodelay(true).ok();
    let (mut from_read, mut from_write) = from.split();
    let (mut onward_read, mut onward_write) = onward.split();
    let there = async {
        let mut piece = vec![0; size];
        while let Ok(count @ 1..) = from_read.read(&mut piece).await {
            onward_write.write_all(&piece[..count]).await?;
            // The server may see each piece alone.
            tokio::task::yield_now().await;
        }
        onward_write.shutdown().await
    };
    let back = tokio::io::copy(&mut onward_read, &mut from_write);
    tokio::join!(there, back).0.ok();
}
