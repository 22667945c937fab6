//! The client's side of connections to a database: who is believed, and who one is oneself.

use super::certificate::{LoadError, provider, read_chain, read_key};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;

/// Where the certificates of a client are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The authorities in PEM that are believed. A server's certificate must be for its address.
    pub authorities: PathBuf,
    /// What the client shows if it is asked: a certificate in PEM with those that lead to its root,
    /// and its private key.
    pub own: Option<(PathBuf, PathBuf)>,
}

impl ClientFiles {
    /// Reads all of them and checks that the client's own belong together.
    pub fn load(&self) -> Result<Arc<ClientConfig>, LoadError> {
        let path = &self.authorities;
        let unusable =
            |path: &PathBuf, source| LoadError::Unusable { certificate: path.clone(), source };
        let mut roots = RootCertStore::empty();
        for certificate in read_chain(path)? {
            roots.add(certificate).map_err(|error| unusable(path, error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(path, error))?
            .with_root_certificates(roots);
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(read_chain(certificate)?, read_key(key)?)
                .map_err(|error| unusable(certificate, error))?,
        };
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate of its own authority and its key, in files.
    fn certificate(folder: &tempfile::TempDir, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
        let at = |ending: &str| folder.path().join(format!("{name}.{ending}"));
        std::fs::write(at("pem"), made.cert.pem()).expect("written");
        std::fs::write(at("key"), made.signing_key.serialize_pem()).expect("written");
        (at("pem"), at("key"))
    }

    #[test]
    fn a_client_is_made_of_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let (authorities, key) = certificate(&folder, "authority");
        let own = certificate(&folder, "client");
        let load = |own| ClientFiles { authorities: authorities.clone(), own }.load();
        assert!(!load(None).expect("valid").client_auth_cert_resolver.has_certs());
        assert!(load(Some(own.clone())).expect("valid").client_auth_cert_resolver.has_certs());
        let mixed = load(Some((own.0, key))).expect_err("another key");
        assert!(matches!(mixed, LoadError::Unusable { .. }), "{mixed}");
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, key) = certificate(&folder, "authority");
        let refused = ClientFiles { authorities: key.clone(), own: None }.load();
        let refused = refused.expect_err("no certificate").to_string();
        assert!(refused.contains(&key.display().to_string()), "{refused}");
    }
}
