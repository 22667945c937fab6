//! TLS from the client's side: over a socket that does not wait, and over one that does.
//!
//! Owns the certificate that servers under measurement show, made for one run, and the client that
//! trusts it and no other. Sessions are not resumed, so every handshake that is measured is a whole one.
//! A session keeps what rustls keeps, some kilobytes: it is the server that is to be small.

use crate::Failure;
use rustix::net::{SendFlags, send};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The name in the certificate.
const NAME: &str = "localhost";

/// A client that trusts one certificate.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// TLS on one connection.
#[derive(Debug)]
pub(crate) struct Session(ClientConnection);

impl Tls {
    /// A client that trusts the certificate in a file.
    pub(crate) fn trusting(certificate: &Path) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name: ServerName::try_from(NAME)? })
    }

    /// Begins a handshake.
    pub(crate) fn session(&self) -> Result<Session, rustls::Error> {
        Ok(Session(ClientConnection::new(Arc::clone(&self.config), self.name.clone())?))
    }

    /// TLS over a socket that waits.
    pub(crate) fn over(
        &self,
        socket: TcpStream,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, Failure> {
        Ok(StreamOwned::new(self.session()?.0, socket))
    }
}

impl Session {
    /// Whether something is to be written that the socket has not taken.
    pub(crate) fn is_behind(&self) -> bool {
        self.0.wants_write()
    }

    /// Takes what has arrived until `plain` is full or nothing is left, and answers what TLS itself asks.
    /// An error of kind `WouldBlock` says that there is nothing yet, 0 that the connection is over.
    pub(crate) fn read(&mut self, socket: &OwnedFd, plain: &mut [u8]) -> io::Result<usize> {
        let mut taken = 0;
        while let Some(room) = plain.get_mut(taken..).filter(|room| !room.is_empty()) {
            let got = match self.0.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.refill(socket),
                got => got.map(Some),
            };
            match got {
                Ok(Some(0)) => break,
                Ok(Some(count)) => taken += count,
                Ok(None) => {}
                Err(_) if taken > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Reads from the socket once: `Some(0)` at its end, `None` if there may be plaintext now.
    fn refill(&mut self, socket: &OwnedFd) -> io::Result<Option<usize>> {
        if self.0.read_tls(&mut Descriptor(socket))? == 0 {
            return Ok(Some(0));
        }
        let read = self.0.process_new_packets();
        // Also what says why a peer is refused.
        self.push(socket)?;
        read.map_err(io::Error::other)?;
        Ok(None)
    }

    /// Takes plaintext, as much as there is room for, and writes what the socket takes.
    pub(crate) fn write(&mut self, socket: &OwnedFd, plain: &[u8]) -> io::Result<usize> {
        self.push(socket)?;
        let taken = if self.is_behind() { 0 } else { self.0.writer().write(plain)? };
        self.push(socket)?;
        if taken == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Writes what the socket takes.
    pub(crate) fn push(&mut self, socket: &OwnedFd) -> io::Result<()> {
        while self.0.wants_write() {
            match self.0.write_tls(&mut Descriptor(socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A socket that does not wait.
struct Descriptor<'s>(&'s OwnedFd);

impl Read for Descriptor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buffer)?)
    }
}

impl Write for Descriptor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a certificate and its key in a folder: two files.
pub(crate) fn make_certificate(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args([Path::new("-keyout"), &key, Path::new("-out"), &certificate])
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("openssl, for a certificate: {error}"))?;
    if made.success() { Ok((certificate, key)) } else { Err("openssl made no certificate".into()) }
}
