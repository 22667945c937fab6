//! What an idle connection costs the server.
//!
//! Opens connections in steps, each on an account of its own, lets the server come to rest after each
//! step and reads its anonymous memory. The slope between the first step and the last is the figure:
//! what the process needs without connections is not in it, nor is what the kernel keeps for a socket.

use crate::Failure;
use crate::link::Link;
use crate::server::Server;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
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
}

/// Measures and prints.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let Options { from, to, steps } = *options;
    let server = Server::start(to)?;
    let mut links = Vec::new();
    let mut readings = Vec::new();
    for step in 0..steps {
        let goal = from + (to - from) * step / (steps - 1);
        let opened = links.len();
        for account in server.accounts.iter().skip(opened).take(usize::try_from(goal)? - opened) {
            links.push(Link::connect(server.address, &account.access_token).await?.0);
        }
        let kib = at_rest(&server).await?;
        println!("{goal:>6} idle connections: {kib:>7} KiB");
        readings.push((f64::from(goal), f64::from(u32::try_from(kib)?)));
    }
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
        return Err("no readings".into());
    };
    let slope = (last.1 - first.1) * 1024.0 / (last.0 - first.0);
    println!("{slope:.0} bytes per idle connection, between {from} and {to}");
    Ok(())
}

/// The server's memory once it no longer changes.
async fn at_rest(server: &Server) -> Result<u64, Failure> {
    const PATIENCE: Duration = Duration::from_secs(30);
    let began = Instant::now();
    let mut last = server.anonymous_kib()?;
    let mut same = 0;
    while same < 4 && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = server.anonymous_kib()?;
        same = if now.abs_diff(last) <= 16 { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}
