//! The `chasqui` binary: arguments in, exit status out; nothing else.

use chasqui::cli::{self, Cli, Command, Failure, output};
use clap::Parser;
use std::process::ExitCode;

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
        Command::Config(command) => cli::config(command),
        Command::User(command) => cli::user(command),
    }
}
