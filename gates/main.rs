//! Holds the exact costs of a message to `limits.toml`: user-mode instructions under valgrind,
//! allocations, system calls, bytes on the wire, bytes held at rest. They are the same on a busy machine
//! as on a quiet one, so a limit is close to what is measured.
//!
//! It owns what is measured and how. It deliberately measures no time: `benches` do that, and no limit
//! hangs on it. Storage is measured by itself; elsewhere [`chasqui::store::null`] takes its place.
#![expect(clippy::print_stdout, reason = "a measuring tool prints what it found")]

mod allocations;
mod chat;
mod instructions;
mod limits;
mod operation;
mod resting;
mod storage;
mod system_calls;
mod wire;

use chat::Failure;
use operation::Operation;
use std::process::ExitCode;

/// One figure, as the table of limits names it.
#[derive(Debug)]
struct Figure {
    unit: &'static str,
    name: String,
    value: f64,
}

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => check(),
        // What runs under valgrind.
        [name, count] => {
            let operation = Operation::named(name).ok_or("no such operation")?;
            operation.repeat(count.parse()?)?;
            Ok(ExitCode::SUCCESS)
        }
        [_, ..] => Err("usage: gates [OPERATION COUNT]".into()),
    }
}

fn check() -> Result<ExitCode, Failure> {
    let mut figures = wire::measure()?;
    figures.extend(resting::measure()?);
    figures.extend(system_calls::measure()?);
    // Those of all threads, so the commit thread has no figure of its own.
    let of_all_threads = |operation: &Operation| *operation != Operation::StoreCommitThread;
    figures.extend(per_operation("allocations", of_all_threads, |operation, count| {
        let before = allocations::count();
        operation.repeat(count)?;
        Ok(allocations::count() - before)
    })?);
    figures.extend(per_operation("instructions", |_| true, instructions::count)?);
    limits::check(&figures)
}

/// The cost of each operation once, as the difference between two runs; and what one more receiver
/// of a fan-out adds.
fn per_operation(
    unit: &'static str,
    included: impl Fn(&Operation) -> bool,
    cost: impl Fn(Operation, u64) -> Result<u64, Failure>,
) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    let mut of_fanouts = Vec::new();
    for operation in Operation::ALL.into_iter().filter(included) {
        let (few, many) = (operation.most() / 6, operation.most());
        // The first run of all warms up what is made once.
        let base = cost(operation, few)?;
        let added = cost(operation, many)?.saturating_sub(base);
        let value = ratio(added, (many - few) * operation.per_repetition());
        if matches!(operation, Operation::Fanout100 | Operation::Fanout500) {
            of_fanouts.push(value);
        } else {
            figures.push(Figure { unit, name: operation.name().to_owned(), value });
        }
    }
    if let [of_100, of_500] = of_fanouts.as_slice() {
        let value = (of_500 - of_100) / 400.0;
        figures.push(Figure { unit, name: "one_more_receiver".to_owned(), value });
    }
    Ok(figures)
}

fn ratio(sum: u64, count: u64) -> f64 {
    let exact = |number| u32::try_from(number).map_or(f64::INFINITY, f64::from);
    exact(sum) / exact(count)
}
