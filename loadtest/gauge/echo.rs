//! What an echoed message costs: the floor and the server by turns, the same client on both.

use crate::Failure;
use crate::clients::{Clients, message};
use crate::figures::{Figures, Spread, ratio};
use crate::target::Target;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Options {
    /// Bytes of each message.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=125))]
    bytes: u8,
    /// Turns of each.
    #[arg(long, default_value_t = 6)]
    rounds: usize,
    /// How long a turn is, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    millis: u64,
}

/// How many connections, and how many messages each keeps on its way.
const SHAPES: [(usize, usize); 4] = [(1, 1), (200, 1), (200, 16), (5_000, 1)];

/// How long a turn warms up.
const WARM_UP: Duration = Duration::from_millis(300);

/// Bytes of a server's head of so short a message.
const HEAD_BYTES: usize = 2;

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<Figures, Failure> {
    let mut figures = Figures::new();
    let (floor, server) = (Target::floor()?, Target::chasqui(0)?);
    let payload = vec![b'x'; usize::from(options.bytes)];
    println!("{} bytes, {} turns of {} ms each", options.bytes, options.rounds, options.millis);
    for (connections, depth) in SHAPES {
        let mut floor_side = Side::open(&floor, connections, depth, &payload)?;
        let mut server_side = Side::open(&server, connections, depth, &payload)?;
        let (mut floors, mut servers, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut calls, mut echoes) = (0, 0);
        for _ in 0..options.rounds {
            let turn = Duration::from_millis(options.millis);
            let low = floor_side.turn(turn)?;
            let own = server_side.turn(turn)?;
            floors.push(low.micros());
            servers.push(own.micros());
            ratios.push(own.micros() / low.micros());
            calls += own.calls;
            echoes += own.echoes;
        }
        println!(
            "{connections} x {depth}: server {:.3} us, floor {:.3} us, ratio {:.2}; \
             {:.2} system calls of the loop each",
            Spread::of(&servers),
            Spread::of(&floors),
            Spread::of(&ratios),
            ratio(calls, echoes),
        );
        let name = |figure: &str| format!("{figure}_of_{connections}_at_{depth}");
        figures.insert(name("floor_ratio"), Spread::of(&ratios).median());
        figures.insert(name("cpu_us_per_echo"), Spread::of(&servers).median());
    }
    Ok(figures)
}

/// What one turn came to.
struct Reading {
    echoes: u64,
    nanos: u64,
    calls: u64,
}

impl Reading {
    /// Processor time of an echo.
    fn micros(&self) -> f64 {
        ratio(self.nanos, self.echoes) / 1e3
    }
}

/// A target with its clients.
pub(crate) struct Side<'t> {
    target: &'t Target,
    clients: Clients,
    depth: usize,
    /// As many messages as a client keeps on their way, and the bytes of one.
    messages: Vec<u8>,
    message_bytes: usize,
    /// The bytes of an echo, head and all.
    echo_bytes: usize,
    /// Of each client, how much of an echo has come.
    partial: Vec<usize>,
    echoes: u64,
    ends: bool,
    waiting: usize,
}

impl<'t> Side<'t> {
    /// Opens the connections.
    pub(crate) fn open(
        target: &'t Target,
        connections: usize,
        depth: usize,
        payload: &[u8],
    ) -> Result<Self, Failure> {
        let mut clients = Clients::new()?;
        for _ in 0..connections {
            clients.open(target.address, "/echo", &[])?;
        }
        let one = message(payload)?;
        Ok(Self {
            target,
            clients,
            depth,
            messages: one.repeat(depth),
            message_bytes: one.len(),
            echo_bytes: HEAD_BYTES + payload.len(),
            partial: vec![0; connections],
            echoes: 0,
            ends: true,
            waiting: 0,
        })
    }

    /// Echoes for a while, and ends with nothing on its way.
    fn turn(&mut self, length: Duration) -> Result<Reading, Failure> {
        self.begin()?;
        self.work(WARM_UP)?;
        let before = (self.echoes, self.target.cpu_nanos()?, self.calls()?);
        self.work(length)?;
        let after = (self.echoes, self.target.cpu_nanos()?, self.calls()?);
        self.ends = true;
        while self.waiting > 0 {
            self.step()?;
        }
        Ok(Reading {
            echoes: after.0 - before.0,
            nanos: after.1 - before.1,
            calls: after.2 - before.2,
        })
    }

    /// Sends the first messages.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        self.ends = false;
        for index in 0..self.clients.len() {
            self.clients.send(index, &self.messages)?;
            self.waiting += self.depth;
        }
        Ok(())
    }

    /// Echoes for a while.
    pub(crate) fn work(&mut self, length: Duration) -> Result<(), Failure> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.step()?;
        }
        Ok(())
    }

    /// Takes what has come, and sends as many messages again.
    fn step(&mut self) -> Result<(), Failure> {
        let Self { clients, partial, messages, echoes, waiting, .. } = self;
        let (echo_bytes, message_bytes, ends) = (self.echo_bytes, self.message_bytes, self.ends);
        clients.receive(Duration::from_millis(100), |clients, index, bytes| {
            let partial = partial.get_mut(index).ok_or("no such client")?;
            let whole = (*partial + bytes.len()) / echo_bytes;
            *partial = (*partial + bytes.len()) % echo_bytes;
            *echoes += u64::try_from(whole)?;
            if ends {
                *waiting -= whole;
                return Ok(());
            }
            clients.send(index, messages.get(..whole * message_bytes).unwrap_or_default())
        })
    }

    fn calls(&self) -> Result<u64, Failure> {
        let mut sum = 0;
        for call in ["read", "write", "epoll_wait"] {
            sum += self.target.metric(&format!("chasqui_syscalls_total{{call=\"{call}\"}}"))?;
        }
        Ok(sum)
    }
}
