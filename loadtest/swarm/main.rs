//! Very many clients on one machine, and what they find.
//!
//! Owns the scenarios: each starts servers of its own (or is pointed at one), opens connections from
//! several processes, sends at a fixed rate whatever comes back, accounts for every message, and tells
//! what it saw as a table and as JSON. It deliberately judges figures by nothing but what must be 0
//! and by an earlier report: what they should be is said where it is promised.
//!
//! ```text
//! coordinator (run, idle, resume) --lines of JSON--> worker processes --WebSocket--> servers
//!      |                                                 client: the protocol, without a socket
//!      '--/proc, /metrics--> servers                     ledger, schedule, tally: what came of it
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

mod blocking;
mod client;
mod clock;
mod compare;
mod figures;
mod fleet;
mod histogram;
mod idle;
mod ledger;
mod message;
mod planning;
mod report;
mod resume;
mod run;
mod scenario;
mod schedule;
mod server;
mod tally;
mod tls;
mod worker;

use clap::{Parser, Subcommand};
use compare::Verdict;
use report::Report;
use scenario::{Name, Overrides, Running, Scenario};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Anything that ends a measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures chasqui servers with very many clients.
#[derive(Debug, Parser)]
#[command(name = "swarm")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a scenario that sends messages.
    Run {
        /// Which.
        scenario: Name,
        #[command(flatten)]
        overrides: Box<Overrides>,
        #[command(flatten)]
        running: Running,
        #[command(flatten)]
        output: Output,
    },
    /// Memory of the server for each idle, authenticated connection, as a slope.
    Idle {
        #[command(flatten)]
        options: idle::Options,
        #[command(flatten)]
        output: Output,
    },
    /// Bytes and time until a client that was away holds everything.
    Resume {
        #[command(flatten)]
        options: resume::Options,
        #[command(flatten)]
        output: Output,
    },
    /// Compare two reports; the exit status is 1 if a figure has become worse.
    Compare {
        /// The report to compare with.
        before: PathBuf,
        /// The report to judge.
        after: PathBuf,
        /// The part by which a figure may differ.
        #[arg(long, default_value_t = 0.1)]
        tolerance: f64,
    },
    /// Be a worker of a run.
    #[command(hide = true)]
    Worker {
        /// Its plan.
        plan: PathBuf,
    },
}

/// Where the report goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Write the report here too, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run { scenario, overrides, running, output } => {
            let mut scenario = Scenario::named(scenario);
            overrides.apply(&mut scenario);
            run::run(&scenario, &running).and_then(|report| tell(&report, &output))
        }
        Command::Idle { options, output } => {
            idle::run(&options).and_then(|report| tell(&report, &output))
        }
        Command::Resume { options, output } => {
            resume::run(&options).and_then(|report| tell(&report, &output))
        }
        Command::Compare { before, after, tolerance } => judge(&before, &after, tolerance),
        Command::Worker { plan } => worker::run(&plan).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("swarm: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Prints and writes a report; whether the run holds.
fn tell(report: &Report, output: &Output) -> Result<bool, Failure> {
    print!("{report}");
    if let Some(path) = &output.json {
        report.write(path)?;
    }
    Ok(report.failures().is_empty())
}

fn judge(before: &Path, after: &Path, tolerance: f64) -> Result<bool, Failure> {
    let lines = compare::compare(&Report::read(before)?, &Report::read(after)?, tolerance);
    for line in &lines {
        println!("{line}");
    }
    Ok(lines.iter().all(|line| line.verdict != Verdict::Worse))
}
