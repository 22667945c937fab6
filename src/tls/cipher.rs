//! From the secrets of a connection to what seals and opens its records.
//!
//! Owns the two directions' ciphers and sequence numbers. What is inside a record, and where one
//! begins, is the channel's to know. A sequence number is used once: it moves with every record,
//! also a failed one, and starts anew only with a new key.

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks,
    OutboundPlainMessage,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite};

/// How many bytes of a nonce TLS 1.2 takes from the key block for AES-GCM; the others are in the
/// record.
const SALT_BYTES: usize = 4;

/// What seals the records that are sent.
pub(super) struct Sealer {
    cipher: Box<dyn MessageEncrypter>,
    sequence: u64,
}

/// What opens the records that are received.
pub(super) struct Opener {
    cipher: Box<dyn MessageDecrypter>,
    sequence: u64,
}

impl Sealer {
    /// From the secrets of the sending direction, at the record `sequence`.
    pub(super) fn new(
        suite: SupportedCipherSuite,
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
    ) -> Result<Self, Error> {
        let (key, iv, fixed_bytes) = parts(secrets)?;
        let cipher = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                let (fixed, explicit) = halves(&iv, fixed_bytes);
                suite.aead_alg.encrypter(key, fixed, explicit)
            }
        };
        Ok(Self { cipher, sequence })
    }

    /// The number of the next record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// One record with its head.
    pub(super) fn seal(
        &mut self,
        typ: ContentType,
        payload: OutboundChunks<'_>,
    ) -> Result<Vec<u8>, Error> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).ok_or(Error::EncryptError)?;
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        Ok(self.cipher.encrypt(message, sequence)?.encode())
    }
}

impl Opener {
    /// From the secrets of the receiving direction, at the record `sequence`.
    pub(super) fn new(
        suite: SupportedCipherSuite,
        (sequence, secrets): (u64, ConnectionTrafficSecrets),
    ) -> Result<Self, Error> {
        let (key, iv, fixed_bytes) = parts(secrets)?;
        let cipher = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.decrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => {
                suite.aead_alg.decrypter(key, halves(&iv, fixed_bytes).0)
            }
        };
        Ok(Self { cipher, sequence })
    }

    /// Opens the body of one record in place: what it is, and how many of the first bytes of `body`
    /// are its plaintext.
    pub(super) fn open(
        &mut self,
        typ: ContentType,
        body: &mut [u8],
    ) -> Result<(ContentType, usize), Error> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).ok_or(Error::DecryptError)?;
        let start = body.as_ptr();
        let message = InboundOpaqueMessage::new(typ, ProtocolVersion::TLSv1_2, body);
        let plain = self.cipher.decrypt(message, sequence)?;
        if plain.payload.as_ptr() == start || plain.payload.is_empty() {
            Ok((plain.typ, plain.payload.len()))
        } else {
            Err(Error::General("plaintext is not where its record was".into()))
        }
    }
}

/// A key, a nonce, and how many bytes of the nonce TLS 1.2 does not send.
fn parts(secrets: ConnectionTrafficSecrets) -> Result<(AeadKey, Iv, usize), Error> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => Ok((key, iv, SALT_BYTES)),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => {
            let all = iv.as_ref().len();
            Ok((key, iv, all))
        }
        _ => Err(Error::General("a cipher that is not known here".into())),
    }
}

/// The fixed part of a nonce of TLS 1.2, and what the sent part counts from.
fn halves(iv: &Iv, fixed_bytes: usize) -> (&[u8], &[u8]) {
    let iv = iv.as_ref();
    iv.split_at_checked(fixed_bytes).unwrap_or((iv, &[]))
}
