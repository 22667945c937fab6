//! How long REST takes on a shard that echoes keep busy.
//!
//! Requests fall due at a fixed rate, whatever became of those before, and latency counts from then. The
//! machine may do other things as well, so it is told for each of several windows.

use crate::Failure;
use crate::echo::Side;
use crate::figures::Figures;
use crate::target::Target;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Connections that echo.
    #[arg(long, default_value_t = 200)]
    connections: usize,
    /// Messages that each keeps on their way.
    #[arg(long, default_value_t = 256)]
    depth: usize,
    /// Bytes of each: few, so that the server has more to do than the client, whose work is system calls.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=125))]
    bytes: u8,
    /// Requests a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Connections that they come on.
    #[arg(long, default_value_t = 16)]
    callers: u32,
    /// Windows of ten seconds.
    #[arg(long, default_value_t = 4)]
    windows: u32,
}

const WINDOW: Duration = Duration::from_secs(10);

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<Figures, Failure> {
    let mut figures = Figures::new();
    let server = Target::chasqui(1)?;
    let account = server.accounts.first().ok_or("no account")?;
    let requests = [
        ("/healthz", format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)),
        (
            "/user/profile",
            format!(
                "GET /user/profile HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
                server.address, account.access_token
            ),
        ),
    ];
    for flooded in [false, true] {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let flood = flooded.then(|| scope.spawn(|| flood(&server, *options, &ended)));
            for (path, request) in &requests {
                for _ in 0..options.windows.div_ceil(2) {
                    let before = server.cpu_nanos()?;
                    let latencies = window(server.address, request, *options)?;
                    let busy = Duration::from_nanos(server.cpu_nanos()? - before);
                    report(path, flooded, &latencies, busy, &mut figures);
                }
            }
            ended.store(true, Ordering::Relaxed);
            match flood.map(thread::ScopedJoinHandle::join) {
                Some(Ok(result)) => result,
                Some(Err(_)) => Err("the flood ended".into()),
                None => Ok(()),
            }
        })?;
    }
    Ok(figures)
}

/// Prints a window; of those that are flooded, the worst latency and the least load become figures.
fn report(
    path: &str,
    flooded: bool,
    latencies: &[Duration],
    busy: Duration,
    figures: &mut Figures,
) {
    let at = |per_mille: usize| {
        let index = latencies.len() * per_mille / 1_000;
        latencies.get(index.min(latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let busy = busy.as_secs_f64() / WINDOW.as_secs_f64() * 100.0;
    if flooded {
        let worst = figures.entry("rest_p99_us".to_owned()).or_default();
        *worst = worst.max(at(990).as_secs_f64() * 1e6);
        let least = figures.entry("server_busy_percent".to_owned()).or_insert(busy);
        *least = least.min(busy);
    }
    let how = if flooded { "flooded" } else { "quiet" };
    println!(
        "{path}, {how}: {} requests, p50 {:?}, p99 {:?}, p99.9 {:?}; server {busy:.0} % of a core",
        latencies.len(),
        at(500),
        at(990),
        at(999),
    );
}

/// Keeps the shard busy, and gives way to whoever measures.
fn flood(server: &Target, options: Options, ended: &AtomicBool) -> Result<(), Failure> {
    rustix::process::nice(19)?;
    let mut side = Side::open(
        server,
        options.connections,
        options.depth,
        &vec![b'x'; usize::from(options.bytes)],
    )?;
    side.begin()?;
    while !ended.load(Ordering::Relaxed) {
        side.work(Duration::from_millis(100))?;
    }
    Ok(())
}

/// The latencies of one window, sorted.
fn window(address: SocketAddr, request: &str, options: Options) -> Result<Vec<Duration>, Failure> {
    let begin = Instant::now() + Duration::from_millis(500);
    let period = Duration::from_secs(1) * options.callers / options.rate;
    let results = thread::scope(|scope| {
        let callers: Vec<_> = (0..options.callers)
            .map(|caller| {
                let first = begin + period * caller / options.callers;
                scope.spawn(move || call(address, request, first, period))
            })
            .collect();
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut latencies = Vec::new();
    for result in results {
        latencies.append(&mut result.map_err(|_panic| "a caller ended")??);
    }
    latencies.sort_unstable();
    Ok(latencies)
}

/// Asks once a period on one connection.
fn call(
    address: SocketAddr,
    request: &str,
    first: Instant,
    period: Duration,
) -> Result<Vec<Duration>, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let (mut latencies, mut due) = (Vec::new(), first);
    while due < first + WINDOW {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(request.as_bytes())?;
        answer(&mut answers)?;
        latencies.push(due.elapsed());
        due += period;
    }
    Ok(latencies)
}

fn answer(answers: &mut impl BufRead) -> Result<(), Failure> {
    let mut length = 0;
    let mut line = String::new();
    answers.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(line.into());
    }
    while line != "\r\n" {
        line.clear();
        answers.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse()?;
        }
    }
    answers.read_exact(&mut vec![0; length])?;
    Ok(())
}
