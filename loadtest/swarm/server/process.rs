//! One server process: started, told to drain, started again on the same folder and address.

use crate::Failure;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long the first line may take.
const START_MAX: Duration = Duration::from_mins(1);

/// How long the second line is waited for once the first is there.
const SECOND_LINE_MAX: Duration = Duration::from_millis(500);

/// What the server is told about metrics.
const METRICS: (&str, &str) = ("CHASQUI_SERVER__METRICS", "127.0.0.1:0");

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Process {
    binary: PathBuf,
    folder: PathBuf,
    data: PathBuf,
    environment: Vec<(String, String)>,
    child: Child,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
}

/// What it says of itself.
struct Announced {
    child: Child,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
}

impl Process {
    /// Starts it on any free port.
    pub(super) fn start(
        binary: PathBuf,
        folder: PathBuf,
        data: PathBuf,
        environment: Vec<(String, String)>,
    ) -> Result<Self, Failure> {
        let log = folder.join("log");
        let base = || {
            let mut command = Command::new(&binary);
            command.args(["serve", "--data"]).arg(&data).envs(environment.iter().cloned());
            command
        };
        let Announced { child, address, metrics } = launch(base(), "127.0.0.1:0", &log)?;
        Ok(Self { binary, folder, data, environment, child, address, metrics })
    }

    /// Starts it again where it was.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--data"]).arg(&self.data).envs(self.environment.iter().cloned());
        let listen = self.address.to_string();
        let started = launch(command, &listen, &self.folder.join("log"))?;
        (self.child, self.metrics) = (started.child, started.metrics);
        Ok(())
    }

    /// Tells it to drain and waits until it has ended.
    pub(super) fn stop(&mut self) -> Result<(), Failure> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.ok_or("no pid")?, rustix::process::Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// What it has logged.
    pub(super) fn log(&self) -> Result<String, Failure> {
        Ok(fs::read_to_string(self.folder.join("log"))?)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to be done about either.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn launch(mut command: Command, listen: &str, log: &std::path::Path) -> Result<Announced, Failure> {
    let file = || OpenOptions::new().create(true).append(true).open(log);
    command.args(["--listen", listen]).env(METRICS.0, METRICS.1).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(file()?).spawn()?;
    let lines = follow(child.stdout.take().ok_or("no stdout")?);
    let announced = |prefix: &str, line: &str| -> Option<SocketAddr> {
        line.strip_prefix(prefix)?.split('/').next()?.trim().parse().ok()
    };
    let first = lines.recv_timeout(START_MAX).ok();
    let address = first.as_deref().and_then(|line| {
        announced("listening on http://", line).or_else(|| announced("listening on https://", line))
    });
    let Some(address) = address else {
        child.kill()?;
        child.wait()?;
        return Err(format!("the server did not start: {}", fs::read_to_string(log)?).into());
    };
    let second = lines.recv_timeout(SECOND_LINE_MAX).ok();
    let metrics = second.as_deref().and_then(|line| announced("metrics on http://", line));
    Ok(Announced { child, address, metrics })
}

/// Its lines; they are taken for as long as it runs, so that it never waits for a reader.
fn follow(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody may be listening any more.
            sender.send(line).ok();
        }
    });
    receiver
}
