//! Nodes of Apache Cassandra, started by `scripts/cassandra/node.sh`, that can be killed, paused and
//! started again.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Where each node of three begins to own the ring: its thirds.
const TOKENS: [i64; 3] = [i64::MIN, -3_074_457_345_618_258_603, 3_074_457_345_618_258_602];

/// Some nodes that form a cluster. Dropping it kills them and removes their data.
#[derive(Debug)]
pub(crate) struct Cassandra {
    nodes: Vec<Node>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Node {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
    address: SocketAddr,
}

impl Cassandra {
    /// Starts one node, or three.
    pub(crate) fn start(count: usize) -> Self {
        run(&mut Command::new(script("install.sh")));
        // The nodes of a cluster have the same ports and differ in their addresses.
        let hosts: Vec<String> = (1..=count).map(|number| format!("127.0.0.{number}")).collect();
        let [port, storage_port] = free_ports();
        let new = |(host, token): (&String, i64)| {
            let address = format!("{host}:{port}").parse().expect("an address");
            let environment = vec![
                ("ADDRESS", host.clone()),
                ("SEEDS", hosts.join(",")),
                ("TOKEN", token.to_string()),
                ("PORT", port.to_string()),
                ("STORAGE_PORT", storage_port.to_string()),
            ];
            Node { folder: tempfile::tempdir().expect("a folder"), environment, address }
        };
        let nodes: Vec<Node> = hosts.iter().zip(TOKENS).map(new).collect();
        let cassandra = Self { nodes };
        cassandra.nodes.iter().for_each(Node::start);
        cassandra.nodes.iter().for_each(Node::wait);
        cassandra
    }

    /// A node, counted from 0.
    pub(crate) fn node(&self, number: usize) -> &Node {
        &self.nodes[number]
    }

    /// Where the nodes take statements, as a list for the server's configuration.
    pub(crate) fn contact_points(&self) -> String {
        let points: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
        points.join(",")
    }
}

impl Node {
    /// Begins to start it on the data that it has.
    pub(crate) fn start(&self) {
        run(self.script("start").envs(self.environment.iter().cloned()));
    }

    /// Waits until it takes statements.
    pub(crate) fn wait(&self) {
        run(&mut self.script("wait"));
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&self) {
        run(&mut self.script("kill"));
    }

    /// Stops it in the middle of whatever it does.
    pub(crate) fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("it was started");
        let pid = pid.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), signal).expect("it runs");
    }

    fn script(&self, what: &str) -> Command {
        let mut command = Command::new(script("node.sh"));
        command.arg(what).arg(self.folder.path());
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be gone already.
        self.script("kill").stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log/system.log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(20);
            eprintln!("--- the end of the log of {}\n{}", self.address, lines[last..].join("\n"));
        }
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/cassandra").join(name)
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("bash");
    assert!(status.success(), "{command:?}: {status}");
}

/// Two ports that nobody has here and now: a node must know them before it starts.
fn free_ports() -> [u16; 2] {
    let sockets = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    sockets.map(|socket| socket.local_addr().expect("bound").port())
}
