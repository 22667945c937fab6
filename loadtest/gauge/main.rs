//! Measures what a server costs its processor, beside the least that this machine allows.
//!
//! Wall-clock figures of a machine that does other things as well say little; the processor time of the
//! server per piece of work says much, and its ratio to that of the floor (`loadtest/floor`), taken in
//! turns in one run, travels between machines. The server runs on the second core, this program on the
//! first. It judges nothing.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring tool reads the clock and prints what it found"
)]

mod clients;
mod echo;
mod fanout;
mod figures;
mod rest;
mod target;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::path::PathBuf;

/// Anything that ends a measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures the processor time of a chasqui server.
#[derive(Debug, Parser)]
#[command(name = "gauge")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
    /// Write what was found here too, as JSON that has the form of swarm's reports.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Processor time of an echoed message, by turns with the floor.
    Echo(echo::Options),
    /// Latency of REST on a shard that echoes keep busy.
    Rest(rest::Options),
    /// Deliveries of a fan-out per second of processor time, by turns with the floor.
    Fanout(fanout::Options),
}

fn main() -> Result<(), Failure> {
    let Cli { scenario, json } = Cli::parse();
    let figures = match scenario {
        Scenario::Echo(options) => echo::run(&options),
        Scenario::Rest(options) => rest::run(&options),
        Scenario::Fanout(options) => fanout::run(&options),
    }?;
    if let Some(path) = json {
        let report = serde_json::json!({"stages": [{"name": "gauge", "figures": figures}]});
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}
