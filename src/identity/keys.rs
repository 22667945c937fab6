//! The signing keys: their file, and the public half of them.
//!
//! The file is a JWK Set (RFC 7517) of Ed25519 keys (RFC 8037) with their private part `d`. It is
//! made on the first run and never changed by the server. The first key signs, every key verifies:
//! to rotate, put a new key in front and take the old one out when no token signed with it matters
//! any more; refresh tokens have no end of their own, so that signs their devices out.
//!
//! It holds everything needed to be anybody, so a file that others may read is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file could not be read or made.
    #[error("the key file {path} could not be read or made")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner may use it.
    #[error("the key file {path} has mode {mode:04o}, which is wider than 0600: chmod 600 it")]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not a set of keys.
    #[error("the key file {path} is not usable: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key could not be made.
    #[error("a key could not be made: {reason}")]
    Generate {
        /// Why.
        reason: String,
    },
}

/// At least one key. Its `Debug` shows key ids only.
#[derive(Clone)]
pub struct Keys {
    keys: Vec<Key>,
    jwks: String,
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    d: String,
}

/// What stands before the 32 secret bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Far above what a few keys need.
const FILE_BYTES_MAX: u64 = 64 * 1024;

impl Keys {
    /// Reads the key file, or makes it with one new key if there is none. Of two processes that
    /// make it at the same time one wins, and both use its key.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        match File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path, &StoredKey::generate()?)?;
                let file = File::open(path).map_err(|source| io(path, source))?;
                Self::read(path, file)
            }
            Err(source) => Err(io(path, source)),
        }
    }

    /// One new key that no file holds.
    pub fn generate() -> Result<Self, KeysError> {
        Self::new(vec![StoredKey::generate()?]).map_err(|reason| KeysError::Generate { reason })
    }

    /// The public keys as a JWK Set.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The key that signs; `None` never occurs, since an empty set is refused.
    pub(super) fn first(&self) -> Option<&Key> {
        self.keys.first()
    }

    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    fn read(path: &Path, file: File) -> Result<Self, KeysError> {
        let metadata = file.metadata().map_err(|source| io(path, source))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & !0o600 != 0 {
            return Err(KeysError::Mode { path: path.into(), mode });
        }
        let mut text = String::new();
        let mut bounded = file.take(FILE_BYTES_MAX);
        bounded.read_to_string(&mut text).map_err(|source| io(path, source))?;
        let malformed = |reason| KeysError::Malformed { path: path.into(), reason };
        // serde's own messages may quote values, and these are secret.
        let KeyFile { keys } = serde_json::from_str(&text).map_err(|error| {
            malformed(format!("line {} is not part of a JWK Set", error.line()))
        })?;
        Self::new(keys).map_err(malformed)
    }

    fn new(stored: Vec<StoredKey>) -> Result<Self, String> {
        let mut keys: Vec<Key> = Vec::with_capacity(stored.len());
        let mut public = Vec::with_capacity(stored.len());
        for stored in stored {
            if keys.iter().any(|key| key.kid == stored.kid) {
                return Err(format!("two keys are called {:?}", stored.kid));
            }
            let (key, jwk) = stored.load()?;
            keys.push(key);
            public.push(jwk);
        }
        if keys.is_empty() {
            return Err("it holds no key".into());
        }
        let jwks = serde_json::to_string(&JwkSet { keys: public }).map_err(|e| e.to_string())?;
        Ok(Self { keys, jwks })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.kid)).finish()
    }
}

impl StoredKey {
    fn generate() -> Result<Self, KeysError> {
        let failed = |reason: String| KeysError::Generate { reason };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| failed(error.to_string()))?;
        let jwk = public_jwk(&encoding_key(&seed)).map_err(failed)?;
        let kid =
            jwk.thumbprint(ThumbprintHash::SHA256).map_err(|error| failed(error.to_string()))?;
        let x = public_part(&jwk).map_err(failed)?.to_owned();
        let d = URL_SAFE_NO_PAD.encode(seed);
        Ok(Self { kty: "OKP".to_owned(), crv: "Ed25519".to_owned(), kid, x, d })
    }

    fn load(self) -> Result<(Key, Jwk), String> {
        let Self { kty, crv, kid, x, d } = self;
        if (kty.as_str(), crv.as_str()) != ("OKP", "Ed25519") || kid.is_empty() {
            return Err(format!("key {kid:?} is not an Ed25519 key with a kid"));
        }
        let damaged = || format!("key {kid:?} is damaged");
        let seed = URL_SAFE_NO_PAD.decode(d).map_err(|_reason| damaged())?;
        let seed: [u8; 32] = seed.try_into().map_err(|_length| damaged())?;
        let encoding = encoding_key(&seed);
        let mut jwk = public_jwk(&encoding)?;
        if public_part(&jwk)? != x {
            return Err(damaged());
        }
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
        Ok((Key { kid, encoding, decoding }, jwk))
    }
}

fn encoding_key(seed: &[u8; 32]) -> EncodingKey {
    EncodingKey::from_ed_der(&[&PKCS8_HEAD[..], &seed[..]].concat())
}

fn public_jwk(key: &EncodingKey) -> Result<Jwk, String> {
    Jwk::from_encoding_key(key, Algorithm::EdDSA).map_err(|error| error.to_string())
}

fn public_part(jwk: &Jwk) -> Result<&str, String> {
    let AlgorithmParameters::OctetKeyPair(pair) = &jwk.algorithm else {
        return Err("not an Ed25519 key".into());
    };
    Ok(&pair.x)
}

fn io(path: &Path, source: std::io::Error) -> KeysError {
    KeysError::Io { path: path.into(), source }
}

/// Makes the file whole or not at all: written and synced under another name, then linked to its
/// own, which fails if that exists by now.
fn create(path: &Path, key: &StoredKey) -> Result<(), KeysError> {
    let text = serde_json::to_string_pretty(&serde_json::json!({ "keys": [key] }))
        .map_err(|error| KeysError::Generate { reason: error.to_string() })?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", key.kid));
    let draft = PathBuf::from(draft);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let write = || -> std::io::Result<()> {
        // A server that stores elsewhere has no data folder yet.
        DirBuilder::new().recursive(true).mode(0o700).create(folder.unwrap_or(Path::new(".")))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            Ok(()) | Err(_) => File::open(folder.unwrap_or(Path::new(".")))?.sync_all(),
        }
    };
    let written = write();
    let removed = std::fs::remove_file(&draft);
    written.and(removed).map_err(|source| io(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own file");
    }

    fn kids(keys: &Keys) -> Vec<String> {
        keys.keys.iter().map(|key| key.kid.clone()).collect()
    }

    #[test]
    fn the_file_is_made_once_with_mode_0600_and_nothing_is_left_beside_it() {
        let folder = folder();
        let folder = folder.path().join("data");
        let path = folder.join("keys.json");
        let made = Keys::open(&path).expect("made");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o7777;
        assert_eq!(mode, 0o600);
        assert_eq!(kids(&Keys::open(&path).expect("read")), kids(&made));
        assert_eq!(std::fs::read_dir(folder).expect("there").count(), 1);
    }

    #[test]
    fn those_who_make_it_at_the_same_time_use_the_same_key() {
        let folder = folder();
        let path = folder.path().join("keys.json");
        let opened = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| kids(&Keys::open(&path).expect("made")))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
        });
        assert!(opened.iter().all(|kids| *kids == opened[0]), "{opened:?}");
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        let folder = folder();
        let path = folder.path().join("keys.json");
        Keys::open(&path).expect("made");
        for mode in [0o640, 0o604, 0o660, 0o700] {
            chmod(&path, mode);
            let refused = Keys::open(&path).expect_err("too wide");
            assert!(matches!(refused, KeysError::Mode { mode: found, .. } if found == mode));
        }
        chmod(&path, 0o400);
        assert!(Keys::open(&path).is_ok());
    }

    #[test]
    fn the_first_key_signs_and_all_are_published() {
        let (new, old) =
            (StoredKey::generate().expect("made"), StoredKey::generate().expect("made"));
        let expected = vec![new.kid.clone(), old.kid.clone()];
        let keys = Keys::new(vec![new, old]).expect("two keys");
        assert_eq!(keys.first().map(|key| key.kid.clone()), expected.first().cloned());
        let jwks: serde_json::Value = serde_json::from_str(keys.jwks()).expect("JSON");
        let published = jwks["keys"].as_array().expect("a list");
        assert_eq!(published.len(), 2);
        for (key, kid) in published.iter().zip(&expected) {
            assert_eq!(key["kid"], **kid);
            assert_eq!((&key["kty"], &key["crv"]), (&"OKP".into(), &"Ed25519".into()));
            assert_eq!((&key["alg"], &key["use"]), (&"EdDSA".into(), &"sig".into()));
            assert!(key.get("d").is_none(), "the private part stays private");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_the_key() {
        let good = StoredKey::generate().expect("made");
        let secret = good.d.clone();
        let other = StoredKey::generate().expect("made").d;
        let text = serde_json::to_string(&KeyFile { keys: vec![good] }).expect("JSON");
        let cases = [
            String::new(),
            "{\"keys\":[]}".to_owned(),
            text.replace(&secret, &secret[1..]),
            text.replace(&secret, &other),
            text.replace("Ed25519", "X25519"),
            text.replace("\"d\":", "\"d\":7,\"e\":"),
            text.replacen('{', "{\"more\":1,", 1),
        ];
        for case in cases {
            let folder = folder();
            let path = folder.path().join("keys.json");
            std::fs::write(&path, &case).expect("written");
            chmod(&path, 0o600);
            let refused = Keys::open(&path).expect_err(&case);
            assert!(matches!(refused, KeysError::Malformed { .. }), "{case}");
            assert!(!refused.to_string().contains(&secret[1..]), "{refused}");
        }
    }

    #[test]
    fn debug_shows_key_ids_only() {
        let stored = StoredKey::generate().expect("made");
        let (kid, secret) = (stored.kid.clone(), stored.d.clone());
        let shown = format!("{:?}", Keys::new(vec![stored]).expect("one key"));
        assert!(shown.contains(&kid) && !shown.contains(&secret));
    }
}
