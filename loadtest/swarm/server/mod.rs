//! The servers under measurement: release binaries beside this one, each on a folder of its own with
//! accounts made before it starts.
//!
//! Owns their processes and folders; what they use up is read by `probe`. A server that runs already
//! is named by its address instead, with a file of tokens, and then nothing is known of its process
//! unless its number is given too.

pub(crate) mod probe;
mod process;
mod rest;
mod throttle;

use crate::Failure;
use crate::tls::{self, Tls};
use process::Process;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A device of an account that was made for the measurement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    /// Its user.
    pub user: u64,
    /// Its access token.
    pub access_token: String,
}

/// What the servers of a run are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// How many.
    pub servers: usize,
    /// Accounts on each.
    pub accounts: usize,
    /// Bytes a second that the disk is made to take, if it is to be slow.
    pub store_bytes_per_second: Option<u64>,
    /// Over how many milliseconds GOAWAY spreads, and how long a drain waits.
    pub goaway_spread_ms: u64,
    /// Whether each gets one shard only.
    pub one_shard: bool,
    /// Whether they speak TLS.
    pub tls: bool,
    /// A server that runs already: where, the tokens of its accounts, and its process.
    pub running: Option<(SocketAddr, PathBuf, Option<u32>)>,
}

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    process: Option<Process>,
    /// The number of its process, if that is known.
    pub pid: Option<u32>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it tells its metrics.
    pub metrics: Option<SocketAddr>,
    /// The certificate that it shows, if it speaks TLS.
    pub certificate: Option<PathBuf>,
    /// The accounts that it knows.
    pub accounts: Vec<Account>,
}

/// A folder that goes away with the run.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one.
    pub(crate) fn new() -> Result<Self, Failure> {
        let name = format!("chasqui-swarm-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    /// Something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to be done.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Lets this process, and those it starts, open as many files as the machine lets them.
pub(crate) fn raise_file_limit() -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?)
}

impl Server {
    /// Starts the servers of a run. Huge pages are off, in this process and those it starts, since
    /// they would blur figures of memory.
    pub(crate) fn start_all(setup: &Setup, scratch: &Scratch) -> Result<Vec<Self>, Failure> {
        rustix::thread::disable_transparent_huge_pages(true)?;
        raise_file_limit()?;
        if let Some((address, tokens, pid)) = &setup.running {
            let accounts = read_accounts(tokens)?;
            return Ok(vec![Self {
                process: None,
                pid: *pid,
                address: *address,
                metrics: None,
                certificate: None,
                accounts,
            }]);
        }
        let shim = match setup.store_bytes_per_second {
            Some(_) => Some(throttle::build(&scratch.path("throttle.so"))?),
            None => None,
        };
        let pair = if setup.tls { Some(tls::make_certificate(&scratch.0)?) } else { None };
        let folder = |number| scratch.path(&format!("server{number}"));
        (0..setup.servers)
            .map(|number| Self::start(setup, folder(number), shim.as_deref(), pair.as_ref()))
            .collect()
    }

    fn start(
        setup: &Setup,
        folder: PathBuf,
        shim: Option<&Path>,
        pair: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self, Failure> {
        let binary = std::env::current_exe()?.with_file_name("chasqui");
        let (data, tokens) = (folder.join("data"), folder.join("tokens.jsonl"));
        fs::create_dir(&folder)?;
        let created = Command::new(&binary)
            .args(["user", "create", "--expires-in", "12h"])
            .args(["--count", &setup.accounts.max(1).to_string()])
            .args([Path::new("--tokens"), &tokens, Path::new("--data"), &data])
            .stdout(Stdio::null())
            .status()?;
        if !created.success() {
            return Err(format!("{} could not make accounts", binary.display()).into());
        }
        let mut environment = vec![
            ("CHASQUI_SERVER__GOAWAY_SPREAD".to_owned(), format!("{}ms", setup.goaway_spread_ms)),
            ("CHASQUI_SERVER__DRAIN_GRACE".to_owned(), format!("{}ms", 2 * setup.goaway_spread_ms)),
        ];
        if setup.one_shard {
            environment.push(("CHASQUI_SERVER__SHARDS".to_owned(), "1".to_owned()));
        }
        if let (Some(shim), Some(rate)) = (shim, setup.store_bytes_per_second) {
            environment.push(("LD_PRELOAD".to_owned(), shim.display().to_string()));
            environment.push((throttle::RATE.to_owned(), rate.to_string()));
        }
        if let Some((certificate, key)) = pair {
            environment
                .push(("CHASQUI_TLS__CERTIFICATE".to_owned(), certificate.display().to_string()));
            environment.push(("CHASQUI_TLS__KEY".to_owned(), key.display().to_string()));
        }
        let accounts = read_accounts(&tokens)?;
        let process = Process::start(binary, folder, data, environment)?;
        Ok(Self {
            pid: Some(process.pid()),
            address: process.address(),
            metrics: process.metrics(),
            process: Some(process),
            certificate: pair.map(|(certificate, _)| certificate.clone()),
            accounts,
        })
    }

    /// Makes a chat for each of `groups`; their ids, in order.
    pub(crate) fn make_chats(&self, groups: &[rest::Founders<'_>]) -> Result<Vec<u64>, Failure> {
        let tls = self.certificate.as_deref().map(Tls::trusting).transpose()?;
        rest::make_chats(self.address, tls.as_ref(), groups)
    }

    /// Tells it to drain, waits for its end and starts it again at the same address.
    pub(crate) fn drain_and_restart(&mut self) -> Result<(), Failure> {
        let process = self.process.as_mut().ok_or("only a server of one's own can be drained")?;
        process.stop()?;
        process.restart()?;
        (self.pid, self.metrics) = (Some(process.pid()), process.metrics());
        Ok(())
    }

    /// Lets it drain and end; how many entries it wrote, and in how many syncs, by its last words.
    pub(crate) fn stop(&mut self) -> Result<Option<(f64, f64)>, Failure> {
        let Some(process) = &mut self.process else { return Ok(None) };
        process.stop()?;
        Ok(logged_syncs(&process.log()?))
    }
}

fn read_accounts(tokens: &Path) -> Result<Vec<Account>, Failure> {
    let lines = BufReader::new(File::open(tokens)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// Entries and syncs, as the store counts them in the server's last words.
fn logged_syncs(log: &str) -> Option<(f64, f64)> {
    let line = log.lines().rev().find(|line| line.contains("\"syncs\""))?;
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields").unwrap_or(&event);
    let number = |name: &str| fields.get(name).and_then(serde_json::Value::as_f64);
    Some((number("entries")?, number("syncs")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_understood() {
        let log = "{\"fields\":{\"message\":\"serving\"}}\n\
                   {\"fields\":{\"message\":\"store closed\",\"syncs\":4,\"entries\":100}}\n";
        assert_eq!(logged_syncs(log), Some((100.0, 4.0)));
        assert_eq!(logged_syncs("nothing"), None);
    }
}
