//! Accounts, passwords, tokens, devices and profiles.
//!
//! Owns every rule about who somebody is: how a password is kept, what a token says, when a device
//! may no longer speak. It does not know frames, HTTP or live connections, and writes no journal:
//! methods that change a device return its record, and the caller tells the other devices and
//! closes connections.
//!
//! Invariants:
//! - A password is kept only as an argon2id hash, and an unknown user costs as much as a wrong
//!   password.
//! - A token is believed only with the signature, key id, type, issuer and audience of its kind.
//! - Of a device's refresh tokens at most two are alive: the newest and, until that is presented,
//!   its predecessor, which yields the newest again. See [`refresh`](Identity::refresh).

mod accounts;
mod devices;
mod keys;
#[cfg(test)]
pub(crate) mod memory;
mod passwords;
mod profiles;
mod refresh;
#[cfg(test)]
mod tests;
mod tokens;

pub use accounts::{Registration, SignIn};
pub use devices::DeviceCheck;
pub use keys::{Keys, KeysError};
pub use refresh::RefreshError;

use crate::model::{CommandError, ErrorCode};
use crate::store::Directory;
use passwords::Passwords;
use std::sync::Arc;
use std::time::Duration;
use tokens::Tokens;

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an access token is valid.
    pub access_token_life: Duration,
    /// How many passwords are hashed at the same time: each takes a core and 19 MiB.
    pub hashers: usize,
    /// How many more may wait for their turn; beyond that the answer is overloaded.
    pub hashes_waiting_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token_life: Duration::from_mins(15),
            hashers: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            hashes_waiting_max: 64,
        }
    }
}

/// Everything about accounts and devices. Cheap to clone; may be called from any thread.
#[derive(Clone, Debug)]
pub struct Identity<S> {
    store: S,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tokens: Tokens,
    passwords: Passwords,
    access_token_life: Duration,
}

impl<S: Directory> Identity<S> {
    /// Accounts in `store`, tokens signed with `keys`.
    pub fn new(store: S, keys: Keys, settings: Settings) -> Self {
        let Settings { access_token_life, hashers, hashes_waiting_max } = settings;
        let shared = Shared {
            tokens: Tokens::new(keys),
            passwords: Passwords::new(hashers, hashes_waiting_max),
            access_token_life,
        };
        Self { store, shared: Arc::new(shared) }
    }

    /// The public keys as a JWK Set: what `/.well-known/jwks.json` answers.
    pub fn jwks(&self) -> &str {
        self.shared.tokens.jwks()
    }

    /// How many argon2id computations have been made: the measure of the work that logins cause.
    pub fn hashes_computed(&self) -> u64 {
        self.shared.passwords.computed()
    }
}

/// How often a write is tried again whose record another writer changed in between, and how often
/// an id is drawn: so many losses in a row mean that something else is wrong.
const ATTEMPTS_MAX: usize = 16;

fn unauthenticated(detail: &'static str) -> CommandError {
    CommandError::new(ErrorCode::Unauthenticated, detail)
}

fn internal(detail: &'static str) -> CommandError {
    CommandError::new(ErrorCode::Internal, detail)
}

fn contended() -> CommandError {
    CommandError::overloaded("the record is being changed by too many at once")
}

/// Draws a random id with `make`, which turns down only the bits that stand for zero.
fn random_id<T>(make: impl Fn(u64) -> Option<T>) -> Result<T, CommandError> {
    for _ in 0..ATTEMPTS_MAX {
        let bits = getrandom::u64().map_err(|_no_entropy| internal("no random numbers"))?;
        if let Some(id) = make(bits) {
            return Ok(id);
        }
    }
    Err(internal("no random numbers"))
}
