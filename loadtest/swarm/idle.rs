//! What an idle connection costs the server.
//!
//! Opens connections in steps, each on an account of its own, lets the server come to rest after each
//! step and reads its anonymous memory. The slope between the first step and the last is the figure:
//! what the process needs without connections is not in it, nor is what the kernel keeps for a socket.
//!
//! Connections that were never used say little about those that were, so each may first do something
//! that takes buffers and leaves an idle connection behind.

use crate::Failure;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::figures::Figures;
use crate::report::{Machine, Report, StageReport};
use crate::run::Run;
use crate::scenario::{Name, QUIET_PING_SECONDS, Running, Scenario};
use crate::worker::command::Command;

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args, serde::Serialize)]
pub(crate) struct Options {
    /// Connections at the first reading.
    #[arg(long, default_value_t = 2_000)]
    from: u32,
    /// Connections at the last reading.
    #[arg(long, default_value_t = 15_000)]
    to: u32,
    /// Readings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    steps: u32,
    /// What each connection does before it rests.
    #[arg(long, value_enum, default_value_t = Before::Nothing)]
    before: Before,
    /// Seconds to wait before each reading, such as until conversations at rest are forgotten.
    #[arg(long, default_value_t = 0)]
    wait_seconds: u64,
    /// The ping interval that each connection asks for.
    #[arg(long, default_value_t = QUIET_PING_SECONDS)]
    ping_seconds: u64,
    /// Seconds for which the processor time of all at rest is measured in the end.
    #[arg(long, default_value_t = 0)]
    watch_seconds: u32,
    /// Speak TLS, with a certificate made for the run.
    #[arg(long)]
    tls: bool,
}

/// What a connection does before it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Before {
    /// It is greeted, no more.
    Nothing,
    /// It asks for a PONG and gets it.
    Ping,
    /// It sends a durable message to a partner and gets one.
    Message,
    /// It is closed and opened again, together with all others.
    Reconnect,
}

/// How long each may take to send its message.
const MESSAGES_SECONDS: f64 = 2.0;

/// Measures.
pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let Options { from, to, steps, before, .. } = *options;
    let to = to.next_multiple_of(2);
    let talks = before == Before::Message;
    let scenario = Scenario {
        connections: usize::try_from(to)?,
        ping_seconds: options.ping_seconds,
        // Each sends once, so that each receives once.
        rate: if talks { f64::from(to) / MESSAGES_SECONDS } else { 0.0 },
        warm_up: 0.0,
        seconds: MESSAGES_SECONDS,
        tls: options.tls,
        ..Scenario::named(Name::Pairs)
    };
    let mut run = Run::begin(&scenario, &Running::default())?;
    let mut figures = Figures::new();
    let mut readings = Vec::new();
    let mut opening = 0.0;
    for step in 0..steps {
        let goal = (from + (to - from) * step / (steps - 1)).next_multiple_of(2);
        let closed = run.server_cpu()?;
        run.fleet.open(usize::try_from(goal)?)?;
        opening += run.server_cpu()?.zip(closed).map_or(0.0, |(opened, closed)| opened - closed);
        match before {
            Before::Nothing => {}
            Before::Ping | Before::Reconnect => {
                let pings = before == Before::Ping;
                run.fleet.order(&if pings { Command::Ping } else { Command::Reopen })?;
                run.fleet.replies()?;
            }
            Before::Message => {
                let stage = run.stage("messages", &scenario)?;
                let lost = stage.figures.get("lost").copied().unwrap_or_default();
                *figures.entry("lost".to_owned()).or_default() += lost;
            }
        }
        clock::sleep_until(clock::now() + options.wait_seconds * SECOND);
        let kib = at_rest(&run)?;
        println!("{goal:>6} idle connections: {kib:>7} KiB");
        readings.push((f64::from(goal), kib));
    }
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
        return Err("no readings".into());
    };
    let slope = (last.1 - first.1) * 1024.0 / (last.0 - first.0);
    figures.insert("memory_bytes_per_connection".to_owned(), slope);
    figures.insert("connections".to_owned(), last.0);
    figures.insert("opening_cpu_us_per_connection".to_owned(), opening * 1e6 / last.0);
    watch(&run, options.watch_seconds, last.0, &mut figures)?;
    let needed = vec!["connections".to_owned()];
    let stage = StageReport { name: "rest".to_owned(), figures, needed, memory: Vec::new() };
    Ok(Report {
        scenario: "idle".to_owned(),
        settings: serde_json::to_value(options)?,
        machine: Machine::here(),
        stages: vec![stage],
    })
}

/// The processor time that connections at rest take.
fn watch(run: &Run, seconds: u32, connections: f64, figures: &mut Figures) -> Result<(), Failure> {
    if seconds == 0 {
        return Ok(());
    }
    let before = run.server_cpu()?;
    clock::sleep_until(clock::now() + u64::from(seconds) * SECOND);
    if let (Some(before), Some(after)) = (before, run.server_cpu()?) {
        let each = (after - before) * 1e6 / f64::from(seconds) / connections;
        figures.insert("idle_cpu_us_per_connection_second".to_owned(), each);
    }
    Ok(())
}

/// The server's memory once it no longer changes, in KiB.
fn at_rest(run: &Run) -> Result<f64, Failure> {
    const PATIENCE: u64 = 30 * SECOND;
    let read = || Ok::<_, Failure>(run.memory()?.unwrap_or_default().anonymous_kib);
    let began = clock::now();
    let mut last = read()?;
    let mut same = 0;
    while same < 4 && clock::now() < began + PATIENCE {
        clock::sleep_until(clock::now() + 500 * MILLISECOND);
        let now = read()?;
        same = if (now - last).abs() <= 16.0 { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}
