//! Creating accounts from the command line, straight into a store that no server holds.
//!
//! Many accounts at once are for load tests. Hashing a password for each would take minutes, and a
//! cheap hash would be one that real accounts could end up with, so they have none: their tokens
//! are the only way in.

use super::CreateUser;
use crate::identity::Identity;
use crate::model::{
    CommandError, DeviceName, DisplayName, Password, SignedIn, Timestamp, Username,
};
use crate::store::Directory;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::JoinSet;

/// Why accounts could not be created.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// A name breaks the rule.
    #[error("{name:?} is no user name: 3 to 32 of a-z 0-9 . _ -, beginning with a letter or digit")]
    Username {
        /// The name.
        name: String,
    },
    /// The name for people breaks the rule.
    #[error("a display name has 1 to 64 characters and no control characters")]
    DisplayName,
    /// The password breaks the rule.
    #[error("a password has 8 to 256 bytes")]
    Password,
    /// The password could not be read or made.
    #[error("no password")]
    NoPassword(#[source] std::io::Error),
    /// The tokens file could not be made or written.
    #[error("the tokens file {path} could not be made or written")]
    Tokens {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The account was refused.
    #[error("{username}")]
    Refused {
        /// The account.
        username: String,
        /// Why.
        source: CommandError,
    },
    /// Work was stopped before it was done.
    #[error("interrupted")]
    Interrupted,
}

/// How many accounts are created at the same time: enough to share the store's syncs.
const CONCURRENT: usize = 256;

/// One line of a tokens file.
#[derive(Serialize)]
struct TokenLine<'a> {
    username: &'a str,
    user: u64,
    device: u64,
    access_token: &'a str,
    refresh_token: &'a str,
}

/// Creates what `request` asks for at the time `now`; what to tell the user. `input` holds the
/// password if it is to be read.
pub async fn create<S>(
    identity: &Identity<S>,
    now: Timestamp,
    request: &CreateUser,
    input: impl BufRead,
) -> Result<String, UserError>
where
    S: Directory + Clone + Send + Sync + 'static,
{
    if let (Some(count), Some(path)) = (request.count, &request.tokens) {
        let created = Bulk { now, prefix: &request.prefix, life: request.expires_in };
        created.run(identity, count, path).await?;
        return Ok(format!("created {count} accounts, their tokens are in {}\n", path.display()));
    }
    let username = username(request.username.as_deref().unwrap_or_default())?;
    let display_name = request
        .display_name
        .as_deref()
        .map(|name| DisplayName::new(name).ok_or(UserError::DisplayName));
    let display_name = display_name.transpose()?;
    let (password, shown) = if request.password_stdin {
        (read_password(input)?, String::new())
    } else {
        let made = make_password()?;
        let line = format!("password: {made} (shown this once)\n");
        (Password::new(&made).ok_or(UserError::Password)?, line)
    };
    let created = identity.create_account(now, username.clone(), password, display_name).await;
    let user = created.map_err(|source| refused(&username, source))?;
    Ok(format!("created {} (user {user})\n{shown}", username.as_str()))
}

/// Accounts without passwords.
struct Bulk<'a> {
    now: Timestamp,
    prefix: &'a str,
    life: Duration,
}

impl Bulk<'_> {
    /// Writes each line when its account is stored, and after a failure waits for what is under way:
    /// the file has the tokens of all accounts that were created.
    async fn run<S>(&self, identity: &Identity<S>, count: u32, path: &Path) -> Result<(), UserError>
    where
        S: Directory + Clone + Send + Sync + 'static,
    {
        let failed = |source| UserError::Tokens { path: path.into(), source };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut lines = BufWriter::new(file.map_err(failed)?);
        let mut working = JoinSet::new();
        let mut numbers = 1..=count;
        let mut failure = None;
        loop {
            while failure.is_none()
                && working.len() < CONCURRENT
                && let Some(number) = numbers.next()
            {
                let username = username(&format!("{}{number}", self.prefix))?;
                working.spawn(enrol(identity.clone(), self.now, username, self.life));
            }
            let Some(done) = working.join_next().await else { break };
            match done.unwrap_or(Err(UserError::Interrupted)) {
                Ok((username, signed_in)) => {
                    write_line(&mut lines, &username, &signed_in).map_err(failed)?;
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let file = lines.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        failure.map_or(Ok(()), Err)
    }
}

async fn enrol<S: Directory>(
    identity: Identity<S>,
    now: Timestamp,
    username: Username,
    life: Duration,
) -> Result<(Username, SignedIn), UserError> {
    let device = DeviceName::new("load test").unwrap_or_default();
    let enrolled = identity.enrol(now, username.clone(), device, life).await;
    let (signed_in, _) = enrolled.map_err(|source| refused(&username, source))?;
    Ok((username, signed_in))
}

fn write_line(
    lines: &mut BufWriter<File>,
    username: &Username,
    signed_in: &SignedIn,
) -> std::io::Result<()> {
    let line = TokenLine {
        username: username.as_str(),
        user: signed_in.actor.user.get(),
        device: signed_in.actor.device.get(),
        access_token: signed_in.access_token.as_str(),
        refresh_token: signed_in.refresh_token.as_str(),
    };
    serde_json::to_writer(&mut *lines, &line)?;
    lines.write_all(b"\n")
}

fn refused(username: &Username, source: CommandError) -> UserError {
    UserError::Refused { username: username.as_str().to_owned(), source }
}

fn username(name: &str) -> Result<Username, UserError> {
    Username::new(name).ok_or_else(|| UserError::Username { name: name.to_owned() })
}

/// The first line, without its end.
fn read_password(input: impl BufRead) -> Result<Password, UserError> {
    let mut line = String::new();
    let bytes_max = u64::try_from(Password::BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    input.take(bytes_max).read_line(&mut line).map_err(UserError::NoPassword)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Password::new(line.strip_suffix('\r').unwrap_or(line)).ok_or(UserError::Password)
}

/// 16 characters without look-alikes: 80 random bits.
fn make_password() -> Result<String, UserError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| UserError::NoPassword(error.into()))?;
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte & 31)).copied().map(char::from);
    Ok(bytes.iter().filter_map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::memory::Memory;
    use crate::identity::{Keys, Settings, SignIn};
    use crate::model::{ErrorCode, Secret};
    use std::os::unix::fs::PermissionsExt;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn identity() -> Identity<Memory> {
        let keys = Keys::generate().expect("random numbers");
        Identity::new(Memory::default(), keys, Settings::default())
    }

    fn request(line: &str) -> CreateUser {
        use clap::Parser;
        let line = format!("chasqui user create {line}");
        let cli = super::super::Cli::try_parse_from(line.split_whitespace()).expect("valid");
        let super::super::Command::User(super::super::UserCommand::Create(request)) = cli.command
        else {
            panic!("another command")
        };
        request
    }

    async fn login(identity: &Identity<Memory>, username: &str, password: &str) -> bool {
        let sign_in = SignIn {
            username: Username::new(username).expect("a name"),
            password: Password::new(password).expect("long enough"),
            device_name: DeviceName::default(),
            device: None,
        };
        identity.login(NOW, sign_in).await.is_ok()
    }

    #[tokio::test]
    async fn the_password_made_up_is_shown_and_works() {
        let identity = identity();
        let told = create(&identity, NOW, &request("ana"), &b""[..]).await.expect("created");
        let password = told.split_once("password: ").expect("shown").1;
        let password = password.split(' ').next().expect("a word");
        assert_eq!(password.len(), 16);
        assert!(login(&identity, "ana", password).await);
    }

    #[tokio::test]
    async fn the_password_read_works_and_is_not_shown() {
        let identity = identity();
        let request = request("ana --password-stdin");
        let input = &b"correct horse\r\nmore"[..];
        let told = create(&identity, NOW, &request, input).await.expect("created");
        assert!(!told.contains("correct"), "{told}");
        assert!(login(&identity, "ana", "correct horse").await);
        let again = create(&identity, NOW, &request, input).await.expect_err("taken");
        assert!(matches!(again, UserError::Refused { source, .. }
            if source.code == ErrorCode::Conflict));
    }

    #[tokio::test]
    async fn what_breaks_a_rule_is_refused() {
        let identity = identity();
        for (line, input) in [
            ("a", ""),
            ("ana --password-stdin", "short\n"),
            ("ana --password-stdin", ""),
            ("ana --display-name \u{7}", ""),
        ] {
            let refused = create(&identity, NOW, &request(line), input.as_bytes()).await;
            assert!(refused.is_err(), "{line}");
        }
        let long = "a".repeat(Password::BYTES_MAX + 1);
        let request = request("ana --password-stdin");
        assert!(create(&identity, NOW, &request, long.as_bytes()).await.is_err());
    }

    #[tokio::test]
    async fn every_account_of_a_bulk_has_tokens_that_work_and_no_password() {
        let identity = identity();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tokens.jsonl");
        let line = format!("--count 600 --expires-in 2h --tokens {}", path.display());
        create(&identity, NOW, &request(&line), &b""[..]).await.expect("created");
        assert_eq!(identity.hashes_computed(), 0);

        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let mut names = std::collections::BTreeSet::new();
        let almost = NOW.plus(Duration::from_secs(2 * 3600 - 1));
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let token = Secret::new(line["access_token"].as_str().expect("text"));
            let grant = identity.verify_access(almost, &token).expect("valid");
            assert_eq!(identity.check_device(&grant).await, Ok(()));
            assert_eq!(line["user"], grant.actor.user.get());
            assert_eq!(line["device"], grant.actor.device.get());
            names.insert(line["username"].as_str().expect("text").to_owned());
        }
        assert_eq!(names.len(), 600);
        assert!(names.contains("load1") && names.contains("load600"));
        assert!(!login(&identity, "load1", "!!!!!!!!").await);
    }

    #[tokio::test]
    async fn a_tokens_file_is_never_written_over_and_a_failure_keeps_what_was_made() {
        let identity = identity();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("tokens.jsonl");
        let line = format!("--count 3 --tokens {}", path.display());
        create(&identity, NOW, &request(&line), &b""[..]).await.expect("created");
        let before = std::fs::read(&path).expect("there");
        let refused = create(&identity, NOW, &request(&line), &b""[..]).await;
        assert!(matches!(refused, Err(UserError::Tokens { .. })));
        assert_eq!(std::fs::read(&path).expect("there"), before);

        let other = folder.path().join("other.jsonl");
        let line = format!("--count 5 --tokens {}", other.display());
        let taken = create(&identity, NOW, &request(&line), &b""[..]).await;
        assert!(matches!(taken, Err(UserError::Refused { .. })));
        let text = std::fs::read_to_string(&other).expect("UTF-8");
        assert_eq!(text.lines().count(), 2, "load4 and load5 were under way");
    }
}
