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

mod beat;
mod clients;
mod echo;
mod fanout;
mod figures;
mod rest;
mod target;

use clap::{Parser, Subcommand};
use std::error::Error;

/// Anything that ends a measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures the processor time of a chasqui server.
#[derive(Debug, Parser)]
#[command(name = "gauge")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Processor time of an echoed message, by turns with the floor.
    Echo(echo::Options),
    /// Latency of REST on a shard that echoes keep busy.
    Rest(rest::Options),
    /// Processor time of connections that only send PING now and then.
    Beat(beat::Options),
    /// Deliveries of a fan-out per second of processor time, by turns with the floor.
    Fanout(fanout::Options),
}

fn main() -> Result<(), Failure> {
    match Cli::parse().scenario {
        Scenario::Echo(options) => echo::run(&options),
        Scenario::Rest(options) => rest::run(&options),
        Scenario::Beat(options) => beat::run(&options),
        Scenario::Fanout(options) => fanout::run(&options),
    }
}
