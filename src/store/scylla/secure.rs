//! Logging in and encryption, on a server that wants both.

use super::Options;
use super::database::{ConnectError, Database};
use super::ground::{authority, options};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Who believes these authorities.
fn believer(authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// The settings that the server accepts.
fn accepted() -> Options {
    let certificate = CertificateDer::from_pem_file(authority()).expect("a certificate");
    Options {
        user: "cassandra".to_owned(),
        password: "cassandra".to_owned(),
        tls: Some(believer([certificate])),
        ..options("")
    }
}

/// Why there is no connection.
async fn refusal(options: Options) -> String {
    match Database::connect(&options).await {
        Err(ConnectError::Session(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a secure CQL server: make cql-tls"]
async fn whoever_logs_in_and_encrypts_is_served() {
    let database = Database::connect(&accepted()).await.expect("a connection");
    let statement = "CREATE KEYSPACE guarded WITH replication = \
        {'class': 'SimpleStrategy', 'replication_factor': 1}";
    database.execute(statement).await.expect("a keyspace");
}

#[tokio::test]
#[ignore = "needs a secure CQL server: make cql-tls"]
async fn without_the_password_nobody_is_served() {
    let told = refusal(Options { password: "guessed".to_owned(), ..accepted() }).await;
    assert!(told.contains("incorrect"), "{told}");
    refusal(Options { user: String::new(), ..accepted() }).await;
}

#[tokio::test]
#[ignore = "needs a secure CQL server: make cql-tls"]
async fn a_server_that_nobody_believed_vouches_for_is_not_spoken_to() {
    let told = refusal(Options { tls: Some(believer([])), ..accepted() }).await;
    assert!(told.contains("UnknownIssuer"), "{told}");
    refusal(Options { tls: None, ..accepted() }).await;
}
