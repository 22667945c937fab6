//! Certificates and keys in files.

use super::*;

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
