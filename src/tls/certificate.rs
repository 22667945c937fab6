//! The certificate and key of the server, from their files to what handshakes use.
//!
//! Owns the provider of cryptography, which is named here and nowhere else, and what is offered:
//! TLS 1.3 and 1.2 with what rustls supports, HTTP/1.1 by ALPN, tickets for resumption. When files
//! are read anew, the keys of tickets stay, so that clients resume across a new certificate.

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ProducesTickets;
use rustls::{Error, InconsistentKeys, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is spoken inside, as ALPN names it.
const ALPN: &[u8] = b"http/1.1";

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The certificate in PEM, then those that lead to its root.
    pub certificate: PathBuf,
    /// Its private key in PEM: PKCS #8, PKCS #1 or SEC1.
    pub key: PathBuf,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file could not be read.
    #[error("{path} could not be read")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{path} holds no {wanted} in PEM")]
    Empty {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A file is damaged.
    #[error("{path} is not valid PEM: {reason}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The key belongs to another certificate.
    #[error("the key in {key} is not that of the certificate in {certificate}")]
    Mismatch {
        /// Where the key is.
        key: PathBuf,
        /// Where the certificate is.
        certificate: PathBuf,
    },
    /// They cannot be used.
    #[error("the certificate in {certificate} cannot be used: {source}")]
    Unusable {
        /// Where the certificate is.
        certificate: PathBuf,
        /// Why.
        source: Error,
    },
    /// The system has no randomness for the keys of tickets.
    #[error("no keys for session tickets")]
    Tickets(#[source] Error),
}

/// The keys with which sessions are resumed. They change every six hours and are in memory alone.
#[derive(Clone, Debug)]
pub struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    /// New keys.
    pub fn new() -> Result<Self, LoadError> {
        ring::Ticketer::new().map(Self).map_err(LoadError::Tickets)
    }
}

impl Files {
    /// Reads both and checks that they belong together.
    pub fn load(&self, tickets: &Tickets) -> Result<Arc<ServerConfig>, LoadError> {
        let chain = read_chain(&self.certificate)?;
        let key = read_key(&self.key)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| self.refused(error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.ticketer = Arc::clone(&tickets.0);
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        // A channel goes on with the keys alone.
        config.enable_secret_extraction = true;
        Ok(Arc::new(config))
    }

    fn refused(&self, error: Error) -> LoadError {
        let Self { certificate, key } = self.clone();
        if error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
            LoadError::Mismatch { key, certificate }
        } else {
            LoadError::Unusable { certificate, source: error }
        }
    }
}

/// What all handshakes and records are computed with.
pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}

pub(super) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, LoadError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, "private key", error))
}

pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    const WANTED: &str = "certificate";
    let chain =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable(path, WANTED, error))?;
    if chain.is_empty() {
        return Err(LoadError::Empty { path: path.into(), wanted: WANTED });
    }
    Ok(chain)
}

fn unreadable(path: &Path, wanted: &'static str, error: pem::Error) -> LoadError {
    let path = path.to_owned();
    if let pem::Error::Io(source) = error {
        LoadError::Unreadable { path, source }
    } else if matches!(error, pem::Error::NoItemsFound) {
        LoadError::Empty { path, wanted }
    } else {
        LoadError::Malformed { path, reason: error.to_string() }
    }
}
