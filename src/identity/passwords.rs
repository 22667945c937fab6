//! Hashing and checking passwords with argon2id, a bounded number at a time.
//!
//! Owns the cost (19 MiB, 2 passes, 1 lane, which is fixed: nothing can set it lower), the line of
//! those waiting, and the memory. A check costs one computation whatever is stored, so that its
//! time does not tell whether a user exists or has a usable password.

use super::internal;
use crate::model::{CommandError, Password, PasswordHash};
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Stands for a password that nothing matches; checked at full cost all the same.
pub(super) const UNUSABLE: &str = "!";

/// What is computed where nothing usable is stored. Its cost must be that of [`COST`].
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1\
                      $bm9ib2R5J3Mgc2FsdCAxNg$bm9ib2R5J3MgaGFzaCwgbmV2ZXIgdGhlIGFuc3dlci4";

const COST: Params = match Params::new(19_456, 2, 1, Some(32)) {
    Ok(params) => params,
    Err(_) => Params::DEFAULT,
};

const SALT_BYTES: usize = 16;

/// The bounded pool.
#[derive(Clone, Debug)]
pub(super) struct Passwords(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    /// One permit for everyone admitted, computing or waiting.
    line: Arc<Semaphore>,
    /// One permit for everyone computing.
    hashers: Arc<Semaphore>,
    hashers_max: usize,
    line_max: usize,
    spare: Mutex<Vec<Memory>>,
    computed: AtomicU64,
}

type Memory = Vec<Block>;

impl Passwords {
    pub(super) fn new(hashers: usize, waiting_max: usize) -> Self {
        let hashers_max = hashers.clamp(1, Semaphore::MAX_PERMITS);
        let line_max = hashers_max.saturating_add(waiting_max).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Pool {
            line: Arc::new(Semaphore::new(line_max)),
            hashers: Arc::new(Semaphore::new(hashers_max)),
            hashers_max,
            line_max,
            spare: Mutex::default(),
            computed: AtomicU64::new(0),
        }))
    }

    pub(super) fn computed(&self) -> u64 {
        self.0.computed.load(Ordering::Relaxed)
    }

    /// Hashes a password under a new salt.
    pub(super) async fn hash(&self, password: Password) -> Result<PasswordHash, CommandError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_no_entropy| internal("no random numbers"))?;
        let hashed = self.run(move |memory| hash_with(memory, &password, &salt)).await?;
        hashed.ok_or_else(|| internal("the password could not be hashed"))
    }

    /// Whether `password` is the one that was `stored`. Nothing stored, an unusable password and a
    /// hash that cannot be read cost as much as a wrong password, and are one.
    pub(super) async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<bool, CommandError> {
        let parsed = stored.and_then(|stored| parse(stored.as_str()));
        let known = parsed.is_some();
        let Some(candidate) = parsed.or_else(|| parse(NOBODY)) else {
            return Err(internal("the password could not be checked"));
        };
        let computed = self.run(move |memory| candidate.matches(memory, &password)).await?;
        Ok(computed && known)
    }

    /// Runs `job` off the caller's thread when its turn comes. The permits go with the job: a
    /// caller who stops waiting does not make room for another before the work is done.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let place = Arc::clone(&self.0.line)
            .try_acquire_owned()
            .map_err(|_full| CommandError::overloaded("too many passwords are being checked"))?;
        let turn = Arc::clone(&self.0.hashers)
            .acquire_owned()
            .await
            .map_err(|_closed| internal("the password pool is closed"))?;
        let pool = Arc::clone(&self.0);
        let work = tokio::task::spawn_blocking(move || {
            let mut memory = pool.take_memory();
            let result = job(&mut memory);
            pool.computed.fetch_add(1, Ordering::Relaxed);
            pool.keep_memory(memory);
            drop((turn, place));
            result
        });
        work.await.map_err(|_stopped| internal("the password could not be checked"))
    }
}

impl Pool {
    fn take_memory(&self) -> Memory {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the memory for the next in line (a quarter of the time of a computation goes into
    /// fresh pages), and gives it back to the system when nobody waits.
    fn keep_memory(&self, memory: Memory) {
        let admitted = self.line_max.saturating_sub(self.line.available_permits());
        if admitted > self.hashers_max {
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        } else {
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

/// A stored hash, taken apart.
struct Candidate {
    argon2: Argon2<'static>,
    blocks: usize,
    salt: phc::Salt,
    expected: phc::Output,
}

/// Reads a PHC string; `None` if this server cannot have written it.
fn parse(stored: &str) -> Option<Candidate> {
    let stored = phc::PasswordHash::new(stored).ok()?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str()).ok()?;
    let version = Version::try_from(stored.version?).ok()?;
    let params = Params::try_from(&stored).ok()?;
    let blocks = params.block_count();
    let argon2 = Argon2::new(algorithm, version, params);
    Some(Candidate { argon2, blocks, salt: stored.salt?, expected: stored.hash? })
}

impl Candidate {
    /// The comparison takes the same time wherever the two differ.
    fn matches(&self, memory: &mut Memory, password: &Password) -> bool {
        let mut buffer = [0; phc::Output::MAX_LENGTH];
        let Some(out) = buffer.get_mut(..self.expected.len()) else { return false };
        memory.resize(self.blocks.max(memory.len()), Block::new());
        let password = password.as_str().as_bytes();
        let done =
            self.argon2.hash_password_into_with_memory(password, &self.salt, out, memory).is_ok();
        done && phc::Output::new(out).is_ok_and(|computed| computed == self.expected)
    }
}

/// Hashes under [`COST`] in PHC form; `None` never occurs with valid parameters.
fn hash_with(memory: &mut Memory, password: &Password, salt: &[u8]) -> Option<PasswordHash> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, COST);
    memory.resize(COST.block_count().max(memory.len()), Block::new());
    let password = password.as_str().as_bytes();
    let mut out = [0; 32];
    argon2.hash_password_into_with_memory(password, salt, &mut out, memory).ok()?;
    let hashed = phc::PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: phc::ParamsString::try_from(&COST).ok()?,
        salt: Some(phc::Salt::new(salt).ok()?),
        hash: Some(phc::Output::new(&out).ok()?),
    };
    Some(PasswordHash::new(&hashed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorCode;

    fn password(text: &str) -> Password {
        Password::new(text).expect("long enough")
    }

    #[tokio::test]
    async fn a_hash_matches_its_password_alone() {
        let passwords = Passwords::new(1, 1);
        let stored = passwords.hash(password("correct horse")).await.expect("hashed");
        let again = passwords.hash(password("correct horse")).await.expect("hashed");
        assert_ne!(stored, again, "every hash has its own salt");
        let verify = |typed| passwords.verify(password(typed), Some(stored.clone()));
        assert_eq!(verify("correct horse").await, Ok(true));
        assert_eq!(verify("correct horsf").await, Ok(false));
    }

    #[tokio::test]
    async fn what_is_stored_is_what_others_can_check() {
        use argon2::PasswordVerifier;
        let stored = Passwords::new(1, 1).hash(password("correct horse")).await.expect("hashed");
        assert!(
            stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            stored.as_str()
        );
        assert!(Argon2::default().verify_password(b"correct horse", stored.as_str()).is_ok());
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let nobody = phc::PasswordHash::new(NOBODY).expect("PHC form");
        assert_eq!(nobody.params, phc::ParamsString::try_from(&COST).expect("short"));
        assert_eq!((COST.m_cost(), COST.t_cost(), COST.p_cost()), (19_456, 2, 1));
        assert_eq!(parse(NOBODY).map(|candidate| candidate.blocks), Some(COST.block_count()));
    }

    #[tokio::test]
    async fn nothing_matches_where_nothing_usable_is_stored() {
        let passwords = Passwords::new(1, 1);
        for stored in
            [None, Some(UNUSABLE), Some(""), Some("$argon2id$v=19$m=8,t=1,p=1"), Some("$x$")]
        {
            let before = passwords.computed();
            let verified =
                passwords.verify(password("whatever"), stored.map(PasswordHash::new)).await;
            assert_eq!(verified, Ok(false), "{stored:?}");
            assert_eq!(passwords.computed(), before + 1, "{stored:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn beyond_the_line_the_answer_is_overloaded_and_the_line_empties() {
        let passwords = Passwords::new(1, 2);
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let first = {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.run(move |_| gate.recv()).await })
        };
        while passwords.0.hashers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.run(|memory| memory.len()).await })
            })
            .collect();
        while passwords.0.line.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = passwords.run(|_| ()).await.expect_err("the line is full");
        assert_eq!(refused.code, ErrorCode::Overloaded);
        assert!(refused.retry.is_some());

        open.send(()).expect("the first waits for it");
        assert_eq!(first.await.expect("no panic"), Ok(Ok(())));
        for task in waiting {
            assert!(task.await.expect("no panic").is_ok());
        }
        assert_eq!(passwords.0.line.available_permits(), 3);
    }

    #[tokio::test]
    async fn memory_is_given_back_when_nobody_waits() {
        let passwords = Passwords::new(1, 8);
        let hash = || passwords.hash(password("correct horse"));
        let (one, two, three) = tokio::join!(hash(), hash(), hash());
        assert!([one, two, three].iter().all(Result::is_ok));
        assert!(passwords.0.spare.lock().expect("not poisoned").is_empty());
    }
}
