//! Measures a server that it starts itself: what an idle connection costs, how many durable messages a
//! second it takes, and what it costs to catch up after an absence; and what its store writes.
//!
//! It owns the scenarios and their figures. It deliberately judges nothing: limits are asserted where
//! they are promised, in the tests and in the documentation.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring tool reads the clock and prints what it found"
)]

mod device;
mod durable;
mod idle;
mod link;
mod resume;
mod server;

use clap::{Parser, Subcommand};
use std::error::Error;

/// Anything that ends a measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures a chasqui server.
#[derive(Debug, Parser)]
#[command(name = "loadtest")]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Memory of the server per idle, authenticated connection, as a slope.
    Idle(idle::Options),
    /// Bytes that reach the device for each message stored.
    Device(device::Options),
    /// Durable messages a second over binary connections, and the time from SEND to SENT.
    Durable(durable::Options),
    /// Bytes and time until a client that was away holds everything.
    Resume(resume::Options),
}

fn main() -> Result<(), Failure> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match cli.scenario {
        Scenario::Idle(options) => runtime.block_on(idle::run(&options)),
        Scenario::Device(options) => runtime.block_on(device::run(&options)),
        Scenario::Durable(options) => runtime.block_on(durable::run(&options)),
        Scenario::Resume(options) => runtime.block_on(resume::run(&options)),
    }
}
