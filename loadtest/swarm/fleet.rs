//! The workers of a run, as processes.

use crate::Failure;
use crate::client::Member;
use crate::server::Scratch;
use crate::server::probe;
use crate::tally::Tally;
use crate::worker::command::{Command, Plan, Reply};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// The most connections of one worker: a process may open 20,000 files in many places.
pub(crate) const CONNECTIONS_MAX: usize = 19_000;

/// Workers. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Fleet(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    process: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
    members: usize,
}

impl Fleet {
    /// Starts as many workers as there are shares of members, each with one of them; the rest of the
    /// plan is the same for all.
    pub(crate) fn start(
        common: &Plan,
        shares: Vec<Vec<Member>>,
        scratch: &Scratch,
    ) -> Result<Self, Failure> {
        let count = u32::try_from(shares.len())?;
        let mut workers = Vec::new();
        for (turn, members) in (0..).zip(shares) {
            let file = scratch.path(&format!("worker{turn}.json"));
            let size = members.len();
            let plan = Plan { turn: (turn, count), members, ..common.clone() };
            std::fs::write(&file, serde_json::to_vec(&plan)?)?;
            let mut process = std::process::Command::new(std::env::current_exe()?)
                .arg("worker")
                .arg(&file)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let orders = process.stdin.take().ok_or("no stdin")?;
            let replies = BufReader::new(process.stdout.take().ok_or("no stdout")?);
            workers.push(Worker { process, orders, replies, members: size });
        }
        Ok(Self(workers))
    }

    /// Gives all the same order.
    pub(crate) fn order(&mut self, command: &Command) -> Result<(), Failure> {
        self.0.iter_mut().try_for_each(|worker| worker.order(command))
    }

    /// Opens `count` connections in all, the first members first.
    pub(crate) fn open(&mut self, count: usize) -> Result<Tally, Failure> {
        let mut left = count;
        for worker in &mut self.0 {
            let count = left.min(worker.members);
            left -= count;
            worker.order(&Command::Open { count })?;
        }
        self.replies()
    }

    /// Waits until all have done what they were told; what they counted.
    pub(crate) fn replies(&mut self) -> Result<Tally, Failure> {
        let mut sum = Tally::default();
        for worker in &mut self.0 {
            let mut line = String::new();
            worker.replies.read_line(&mut line)?;
            if line.is_empty() {
                return Err("a worker has ended early".into());
            }
            let Reply::Done(tally) = serde_json::from_str(&line)?;
            sum.merge(&tally);
        }
        Ok(sum)
    }

    /// The processor time that they have used, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, Failure> {
        self.0.iter().map(|worker| probe::cpu_seconds(worker.process.id())).sum()
    }
}

impl Worker {
    fn order(&mut self, command: &Command) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.orders.write_all(&line)?;
        Ok(self.orders.flush()?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to be done about either.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
