//! The server under measurement: a release binary beside this one, on a folder of its own.

use crate::Failure;
use chasqui::model::ConversationId;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A device of an account that was made for the measurement.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Account {
    /// Its user.
    pub user: u64,
    /// Its access token.
    pub access_token: String,
}

/// A running server. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub(crate) struct Server {
    folder: PathBuf,
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The accounts that it knows.
    pub accounts: Vec<Account>,
}

impl Server {
    /// Makes accounts and starts a server that knows them. Huge pages are off, in this process and
    /// those it starts, since they would blur figures of memory.
    pub(crate) fn start(accounts: u32) -> Result<Self, Failure> {
        rustix::thread::disable_transparent_huge_pages(true)?;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;

        let folder = std::env::temp_dir().join(format!("chasqui-loadtest-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let (data, tokens) = (folder.join("data"), folder.join("tokens.jsonl"));
        let binary = std::env::current_exe()?.with_file_name("chasqui");
        println!("making {accounts} accounts");
        let created = Command::new(&binary)
            .args(["user", "create", "--expires-in", "12h", "--count", &accounts.to_string()])
            .args([Path::new("--tokens"), &tokens, Path::new("--data"), &data])
            .stdout(Stdio::null())
            .status()?;
        if !created.success() {
            return Err(format!("{} could not make accounts", binary.display()).into());
        }
        let accounts = read_accounts(&tokens)?;

        let mut process = Command::new(&binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("stderr"))?)
            .spawn()?;
        let stdout = process.stdout.take().ok_or("no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = lines
            .find_map(|line| line.ok()?.strip_prefix("listening on http://")?.trim().parse().ok());
        let Some(address) = address else {
            process.kill()?;
            return Err(fs::read_to_string(folder.join("stderr"))?.into());
        };
        Ok(Self { folder, process, address, accounts })
    }

    /// The direct chat of two accounts, by REST.
    pub(crate) fn direct(&self, one: &Account, other: &Account) -> Result<ConversationId, Failure> {
        let (address, token) = (self.address, &one.access_token);
        let body = format!("{{\"kind\":\"direct\",\"user\":{}}}", other.user);
        let length = body.len();
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "POST /chats HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let json = answer.split_once("\r\n\r\n").ok_or("no answer")?.1;
        let chat: serde_json::Value = serde_json::from_str(json)?;
        let id = chat.get("chat").and_then(serde_json::Value::as_u64).and_then(ConversationId::new);
        id.ok_or_else(|| answer.into())
    }

    /// The memory that is the process's own, in KiB.
    pub(crate) fn anonymous_kib(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let text = line.ok_or("no RssAnon")?.trim().trim_end_matches("kB").trim();
        Ok(text.parse()?)
    }

    /// The processor time that the server has used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        cpu_seconds(self.process.id())
    }

    /// Lets it drain and end, and returns what it has logged.
    pub(crate) fn stop(mut self) -> Result<String, Failure> {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.ok_or("no pid")?, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        Ok(fs::read_to_string(self.folder.join("stderr"))?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to be done about either.
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The processor time that a process has used, in seconds.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let ticks: Vec<f64> =
        after_name.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn read_accounts(tokens: &Path) -> Result<Vec<Account>, Failure> {
    let lines = BufReader::new(File::open(tokens)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
