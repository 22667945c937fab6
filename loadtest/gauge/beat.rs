//! What a connection costs that does nothing but to show, now and then, that it lives.

use crate::Failure;
use crate::clients::{Clients, message};
use crate::figures::{as_f64, ratio};
use crate::target::Target;
use chasqui::protocol::{ClientFrame, Hello};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Connections, each on an account of its own.
    #[arg(long, default_value_t = 15_000)]
    connections: u32,
    /// Seconds between two PINGs of one.
    #[arg(long, default_value_t = 25)]
    every: u16,
    /// How often each sends one while it is measured.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// The greeting of a client that sends PING so often.
pub(crate) fn greeting(token: &str, every: u16, capabilities: u64) -> Result<Vec<u8>, Failure> {
    let ping_seconds = Some(u64::from(every));
    let mut hello = Vec::new();
    let frame = Hello { minor: 0, capabilities, token, client: None, ping_seconds, epoch: None };
    ClientFrame::Hello(frame).encode(&mut hello);
    ClientFrame::Resume.encode(&mut hello);
    message(&hello)
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let server = Target::chasqui(usize::try_from(options.connections)?)?;
    let idle = idle(&server)?;
    let mut clients = Clients::new()?;
    let mut ignore = |_: &Clients, _, _: &[u8]| Ok(());
    for account in &server.accounts {
        clients.open(server.address, "/ws", &greeting(&account.access_token, options.every, 0)?)?;
        clients.receive(Duration::ZERO, &mut ignore)?;
    }
    let mut ping = Vec::new();
    ClientFrame::Ping { nonce: 1 }.encode(&mut ping);
    let ping = message(&ping)?;
    let period = Duration::from_secs(u64::from(options.every));
    // The first round is not measured: what opening has left to do is done in it.
    beat(&mut clients, &ping, period)?;
    let (before, began) = (reading(&server)?, Instant::now());
    for _ in 0..options.rounds {
        beat(&mut clients, &ping, period)?;
    }
    let (after, seconds) = (reading(&server)?, began.elapsed().as_secs_f64());
    let used = as_f64(after.0 - before.0) / 1e3 / seconds / f64::from(options.connections);
    println!(
        "{} connections, a PING every {} s, {seconds:.0} s: {used:.3} us of processor time a second \
         and connection; {:.0} us a second without any",
        options.connections, options.every, idle
    );
    let beats = u64::from(options.connections) * u64::from(options.rounds);
    println!("{:.2} system calls of the loop for a PING", ratio(after.1 - before.1, beats));
    Ok(())
}

/// What the process uses in a second by itself, in microseconds.
fn idle(server: &Target) -> Result<f64, Failure> {
    const SECONDS: u64 = 5;
    let before = server.cpu_nanos()?;
    std::thread::sleep(Duration::from_secs(SECONDS));
    Ok(ratio(server.cpu_nanos()? - before, SECONDS) / 1e3)
}

fn reading(server: &Target) -> Result<(u64, u64), Failure> {
    let mut calls = 0;
    for call in ["read", "write", "epoll_wait"] {
        calls += server.metric(&format!("chasqui_syscalls_total{{call=\"{call}\"}}"))?;
    }
    Ok((server.cpu_nanos()?, calls))
}

/// Has each connection send one PING, spread evenly over the period.
fn beat(clients: &mut Clients, ping: &[u8], period: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    let count = u32::try_from(clients.len())?;
    for index in 0..count {
        let due = began + period * index / count;
        let left = due.saturating_duration_since(Instant::now());
        std::thread::sleep(left);
        clients.send(usize::try_from(index)?, ping)?;
        clients.receive(Duration::ZERO, |_, _, _| Ok(()))?;
    }
    std::thread::sleep(period.saturating_sub(began.elapsed()));
    Ok(())
}
