//! The `chasqui` binary: arguments in, exit status out; nothing else.

use chasqui::cli::{self, Cli, Command, Failure, output};
use chasqui::server;
use clap::Parser;
use std::process::ExitCode;

/// Gives memory back and keeps small blocks small, with many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure);
            failure.status()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(settings) => cli::serve(settings, |config, dev| server::run(&config, dev)),
        Command::Config(command) => cli::config(command),
        Command::User(command) => cli::user(command),
        Command::Store(command) => cli::store(command),
        Command::Schema(command) => cli::schema::run(command),
        Command::Healthcheck(request) => cli::healthcheck(request),
    }
}
