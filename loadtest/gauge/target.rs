//! What is measured: a process of its own, on a core of its own.

use crate::Failure;
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where this program runs, and where what it measures does.
const OWN_CORE: usize = 0;
const TARGET_CORE: usize = 1;

/// A device of an account that was made for the measurement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    /// Its user.
    pub user: u64,
    /// Its access token.
    pub access_token: String,
}

/// A running process. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub(crate) struct Target {
    folder: PathBuf,
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its metrics are, if it has any.
    metrics: Option<SocketAddr>,
    /// The accounts that it knows.
    pub accounts: Vec<Account>,
}

impl Target {
    /// The floor, built by the compiler of this machine.
    pub(crate) fn floor() -> Result<Self, Failure> {
        let folder = folder("floor")?;
        let binary = folder.join("floor");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest/floor/floor.c");
        let built = Command::new("cc").args(["-O2", "-o"]).args([&binary, &source]).status()?;
        if !built.success() {
            return Err("the floor does not compile".into());
        }
        Self::spawn(folder, &mut Command::new(binary), Vec::new())
    }

    /// A server of one shard with an echo and so many accounts: the release binary beside this one.
    pub(crate) fn chasqui(accounts: usize) -> Result<Self, Failure> {
        let folder = folder("chasqui")?;
        let (data, tokens) = (folder.join("data"), folder.join("tokens.jsonl"));
        let binary = std::env::current_exe()?.with_file_name("chasqui");
        let mut known = Vec::new();
        if accounts > 0 {
            let created = Command::new(&binary)
                .args(["user", "create", "--expires-in", "12h", "--count", &accounts.to_string()])
                .args([Path::new("--tokens"), &tokens, Path::new("--data"), &data])
                .stdout(Stdio::null())
                .status()?;
            if !created.success() {
                return Err(format!("{} could not make accounts", binary.display()).into());
            }
            for line in BufReader::new(File::open(tokens)?).lines() {
                known.push(serde_json::from_str(&line?)?);
            }
        }
        let mut command = Command::new(&binary);
        command
            .args(["serve", "--shards", "1", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .env("CHASQUI_SERVER__ECHO", "true")
            .env("CHASQUI_SERVER__METRICS", "127.0.0.1:0");
        Self::spawn(folder, &mut command, known)
    }

    fn spawn(
        folder: PathBuf,
        command: &mut Command,
        accounts: Vec<Account>,
    ) -> Result<Self, Failure> {
        raise_descriptors()?;
        // A child begins where its parent is.
        stay_on(TARGET_CORE)?;
        let spawned =
            command.stdout(Stdio::piped()).stderr(File::create(folder.join("stderr"))?).spawn();
        stay_on(OWN_CORE)?;
        let mut process = spawned?;
        let mut stdout = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        let mut told = |prefix: &str| -> Option<SocketAddr> {
            let mut line = String::new();
            stdout.read_line(&mut line).ok()?;
            let rest = line.trim().strip_prefix(prefix)?;
            rest.trim_end_matches("/metrics").parse().ok()
        };
        let address = told("listening on http://");
        let metrics = if command.get_envs().len() > 0 { told("metrics on http://") } else { None };
        let Some(address) = address else {
            process.kill()?;
            return Err(fs::read_to_string(folder.join("stderr"))?.into());
        };
        Ok(Self { folder, process, address, metrics, accounts })
    }

    /// The processor time that all its threads have used.
    pub(crate) fn cpu_nanos(&self) -> Result<u64, Failure> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0_u64);
        }
        Ok(nanos)
    }

    /// A number out of its metrics; zero where there is none.
    pub(crate) fn metric(&self, name: &str) -> Result<u64, Failure> {
        let Some(address) = self.metrics else { return Ok(0) };
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no metric {name}"))?.parse()?)
    }

    /// Posts JSON as an account and returns the answer's.
    pub(crate) fn post(
        &self,
        account: &Account,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, Failure> {
        let (address, token, body) = (self.address, &account.access_token, body.to_string());
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if !answer.starts_with("HTTP/1.1 2") {
            return Err(answer.into());
        }
        let json = answer.split_once("\r\n\r\n").map_or("", |(_, json)| json);
        Ok(serde_json::from_str(json).unwrap_or_default())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to be done about either.
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn folder(name: &str) -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("gauge-{name}-{}", std::process::id()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

fn raise_descriptors() -> Result<(), Failure> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    Ok(rustix::process::setrlimit(Resource::Nofile, raised)?)
}

/// Keeps this thread, and what it starts, on one core; where there is but one, anywhere.
fn stay_on(core: usize) -> Result<(), Failure> {
    if std::thread::available_parallelism().is_ok_and(|_| num_cores() > TARGET_CORE) {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// The cores of the machine, whatever this thread is kept to.
fn num_cores() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|line| line.starts_with("processor")).count()
}
