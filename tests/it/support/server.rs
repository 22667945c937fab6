//! A real server process on a data folder of its own.
//!
//! It listens on a port that the kernel chooses. Its output goes to files beside the data folder and is
//! printed when the test that owns it fails. Dropping it kills the process and removes everything.

use super::eventually::{Deadline, eventually};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// How a server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Drain and end.
    Term,
    /// Read the certificate anew.
    Hangup,
    /// End now; nothing can be done about it.
    Kill,
}

/// A server process.
#[derive(Debug)]
pub(crate) struct TestServer {
    folder: TempDir,
    listen: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Child>,
    addresses: Vec<SocketAddr>,
    starts: usize,
}

impl TestServer {
    /// Starts a server on an empty data folder.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with further arguments of `serve`.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        Self::prepare(arguments).started().await
    }

    /// A server that is not running yet. It stores in a keyspace of its own where the environment
    /// names a CQL server, and in its data folder otherwise.
    pub(crate) fn prepare(arguments: &[&str]) -> Self {
        let mut server = Self::embedded(arguments);
        if let Ok(address) = std::env::var("CHASQUI_CQL") {
            let keyspace = format!("server_{:016x}", getrandom::u64().expect("random bits"));
            server.store_in(&address, &keyspace);
            server.apply_schema("simple=1");
        }
        server
    }

    fn embedded(arguments: &[&str]) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            listen: "127.0.0.1:0".to_owned(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: Vec::new(),
            process: None,
            addresses: Vec::new(),
            starts: 0,
        }
    }

    /// The binary under test with a subcommand, for what is not `serve`.
    pub(crate) fn command(subcommand: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chasqui"));
        command.args(subcommand).stdin(Stdio::null());
        command
    }

    /// A server that is not running yet, with settings other than the defaults: `section.key`.
    pub(crate) fn configured(settings: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(&[]);
        server.configure(settings);
        server
    }

    /// What the next starts find set: `section.key`.
    pub(crate) fn configure(&mut self, settings: &[(&str, &str)]) {
        for (key, value) in settings {
            let name = format!("CHASQUI_{}", key.replace('.', "__").to_ascii_uppercase());
            self.add_environment([(name, (*value).to_owned())]);
        }
    }

    /// A server that is not running yet and stores in a keyspace behind these contact points.
    pub(crate) fn on_cql(contact_points: &str, keyspace: &str) -> Self {
        let mut server = Self::embedded(&[]);
        server.store_in(contact_points, keyspace);
        server
    }

    fn store_in(&mut self, contact_points: &str, keyspace: &str) {
        self.configure(&[
            ("store.backend", "scylla"),
            ("scylla.contact_points", contact_points),
            ("scylla.keyspace", keyspace),
        ]);
    }

    /// Makes its keyspace and the tables in it.
    pub(crate) fn apply_schema(&self, replication: &str) {
        let mut command = Self::command(&["schema", "apply", "--replication", replication]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let applied = command.output().expect("the command starts");
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    }

    /// The same, listening elsewhere than on one port of `127.0.0.1`.
    pub(crate) fn listening_on(mut self, addresses: &str) -> Self {
        addresses.clone_into(&mut self.listen);
        self
    }

    /// Starts it, see [`Self::restart`].
    pub(crate) async fn started(mut self) -> Self {
        self.restart().await;
        self
    }

    /// What the next starts find in their environment besides what the test has.
    pub(crate) fn add_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) {
        self.environment.extend(environment);
    }

    /// Starts the server on its data folder and waits until it says where it listens.
    ///
    /// # Panics
    /// If it runs already, or ends instead.
    pub(crate) async fn restart(&mut self) {
        self.launch("listening on ").await;
    }

    /// The same, until it says where it waits for its store.
    pub(crate) async fn restart_to_wait(&mut self) {
        self.launch("waiting for the store on ").await;
    }

    async fn launch(&mut self, told: &str) {
        assert!(self.process.is_none(), "it runs already");
        self.starts += 1;
        let log = |name: &str| File::create(self.log(name)).expect("a log file");
        let child = Self::command(&["serve", "--listen", &self.listen, "--data"])
            .arg(self.data())
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .expect("the server starts");
        self.process = Some(child);
        self.until_it_tells(told).await;
    }

    /// Waits until it serves, having waited for its store.
    pub(crate) async fn until_it_listens(&mut self) {
        self.until_it_tells("listening on ").await;
    }

    async fn until_it_tells(&mut self, what: &str) {
        self.addresses = eventually("the server says where it is", async || {
            let output = fs::read_to_string(self.log("stdout")).expect("a log file");
            let addresses = addresses_behind(what, &output);
            let ended = self.process.as_mut().and_then(|p| p.try_wait().expect("a child"));
            assert!(!addresses.is_empty() || ended.is_none(), "the server ended: {ended:?}");
            let all = self.listen.split(',').count();
            (addresses.len() == all).then_some(addresses)
        })
        .await;
    }

    /// The address that it really listens on, the first where there are several.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses.first().copied().expect("it has been started")
    }

    /// All addresses that it really listens on.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The folder that it stores in.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder beside the data, on the same file system.
    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// The process id.
    ///
    /// # Panics
    /// If it does not run.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// What it has printed since its last start.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.log("stdout")).unwrap_or_default()
    }

    /// What it has logged since its last start.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.log("stderr")).unwrap_or_default()
    }

    /// Sends a signal without waiting for its effect.
    pub(crate) fn signal(&self, signal: Signal) {
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Hangup => rustix::process::Signal::HUP,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let deadline = Deadline::usual();
        loop {
            if let Some(status) = process.try_wait().expect("a child") {
                return status;
            }
            if deadline.has_passed() {
                self.process = Some(process);
                panic!("the server does not end");
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::Kill);
        self.wait().await;
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{name}", self.starts))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            process.kill().ok();
            process.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- stdout of start {}\n{}", self.starts, self.stdout());
            eprintln!("--- stderr of start {}\n{}", self.starts, self.stderr());
        }
    }
}

/// The addresses in the lines `WHAT http://IP:PORT` (or `https`) that are complete.
fn addresses_behind(what: &str, output: &str) -> Vec<SocketAddr> {
    let complete = output.rfind('\n').and_then(|end| output.get(..=end)).unwrap_or_default();
    let lines = complete.lines().filter_map(|line| line.strip_prefix(what));
    let urls = lines.filter_map(|line| line.split_once("://"));
    urls.filter_map(|(_, address)| address.trim().parse().ok()).collect()
}
