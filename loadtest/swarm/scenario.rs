//! The scenarios as data: a table of settings, and flags that override them.

use crate::client::Kind;
use crate::server::Setup;
use crate::worker::command::How;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The ping interval of connections that are to be left in peace: the longest that servers grant.
pub(crate) const QUIET_PING_SECONDS: u64 = 240;

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// Its name.
    pub name: String,
    /// Servers, which share nothing.
    pub servers: usize,
    /// Connections in all, each on an account of its own.
    pub connections: usize,
    /// Members of each conversation; 2 for direct chats.
    pub members: usize,
    /// How many of them write.
    pub writers: usize,
    /// The part of a conversation's members that read a byte a second.
    pub slow: f64,
    /// Messages a second, in all.
    pub rate: f64,
    /// Instead of a rate: how many each writer keeps unanswered (closed loop).
    pub window: Option<usize>,
    /// What is sent.
    pub kind: Kind,
    /// Bytes of each body.
    pub bytes: usize,
    /// Seconds that are not measured, and seconds that are.
    pub warm_up: f64,
    /// Likewise.
    pub seconds: f64,
    /// Seconds to wait for what is missing.
    pub settle: f64,
    /// Connections that are cut.
    pub cuts: Vec<CutPlan>,
    /// Whether the server is told to drain halfway, and started again.
    pub drain: bool,
    /// How many times what the server takes is offered, one stage after the other; empty for one
    /// stage at `rate`.
    pub overload: Vec<f64>,
    /// Bytes a second that the server's disk takes; `None` for what it does take.
    pub store_bytes_per_second: Option<u64>,
    /// Milliseconds after which a writer gives a message up; `None` for never.
    pub patience_ms: Option<u64>,
    /// The ping interval that is asked for.
    pub ping_seconds: u64,
    /// Seconds that a receiver gathers before it acknowledges; 0 for never.
    pub ack: f64,
    /// How many connect at the same time, for each worker.
    pub connecting: usize,
    /// The least number of generator processes.
    pub workers: usize,
    /// Whether servers and clients speak TLS.
    pub tls: bool,
}

/// When and how connections are cut.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CutPlan {
    /// The first time, as a part of the measured time.
    pub first: f64,
    /// Every so many seconds from then on; 0 for once.
    pub every: f64,
    /// How many of all, from 0 to 1.
    pub share: f64,
    /// How.
    pub how: How,
}

/// The names of the scenarios that send messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// One to one, at a fixed rate.
    Pairs,
    /// One to one, each writer with a window of unanswered messages.
    Durable,
    /// Groups in which few write and all read.
    Group,
    /// Very many connections on several servers, each of which sends and receives while all are held.
    Hold,
    /// All connections killed at once, and back.
    Storm,
    /// Some read a byte a second.
    Slow,
    /// Once, twice and ten times what a server with a slow disk takes.
    Overload,
    /// The server drains in mid-load and is started again.
    Drain,
    /// Long, with cuts, kills and slow readers.
    Soak,
}

impl Scenario {
    /// The settings of a scenario.
    pub(crate) fn named(name: Name) -> Self {
        let pairs = Self {
            name: format!("{name:?}").to_lowercase(),
            servers: 1,
            connections: 1_000,
            members: 2,
            writers: 2,
            slow: 0.0,
            rate: 2_000.0,
            window: None,
            kind: Kind::Durable,
            bytes: 64,
            warm_up: 2.0,
            seconds: 10.0,
            settle: 60.0,
            cuts: Vec::new(),
            drain: false,
            overload: Vec::new(),
            store_bytes_per_second: None,
            patience_ms: None,
            ping_seconds: QUIET_PING_SECONDS,
            ack: 1.0,
            connecting: 256,
            workers: 1,
            tls: false,
        };
        pairs.changed_for(name)
    }

    /// What a scenario differs in from sending one to one.
    fn changed_for(self, name: Name) -> Self {
        let pairs = self;
        let once = |how, share| CutPlan { first: 0.5, every: 0.0, share, how };
        let often = |every, share, how| CutPlan { first: 0.0, every, share, how };
        match name {
            Name::Pairs => pairs,
            Name::Durable => Self { connections: 64, window: Some(16), bytes: 100, ..pairs },
            Name::Group => Self { members: 100, writers: 2, rate: 200.0, ..pairs },
            Name::Hold => Self {
                servers: 6,
                connections: 114_000,
                // Each sends once.
                rate: 5_700.0,
                warm_up: 0.0,
                seconds: 20.0,
                ..pairs
            },
            Name::Storm => Self {
                connections: 19_000,
                rate: 1_000.0,
                seconds: 20.0,
                connecting: 1_024,
                cuts: vec![once(How::Reset, 1.0)],
                ..pairs
            },
            Name::Slow => Self {
                members: 10,
                slow: 0.2,
                connections: 50,
                rate: 250.0,
                // The kernel takes up to 4 MB for each before the server notices.
                bytes: 16_000,
                seconds: 30.0,
                ..pairs
            },
            Name::Overload => Self {
                overload: vec![1.0, 2.0, 10.0],
                store_bytes_per_second: Some(512 << 10),
                patience_ms: Some(2_000),
                settle: 120.0,
                ..pairs
            },
            Name::Drain => Self { drain: true, seconds: 20.0, ..pairs },
            Name::Soak => Self {
                members: 10,
                slow: 0.1,
                rate: 500.0,
                bytes: 200,
                seconds: 1_800.0,
                warm_up: 60.0,
                cuts: vec![
                    often(1.0, 0.002, How::Close),
                    often(1.3, 0.002, How::Reset),
                    often(1.7, 0.002, How::Halfway),
                    often(300.0, 1.0, How::Reset),
                ],
                ..pairs
            },
        }
    }

    /// How many read slowly of each conversation: the last of its members.
    pub(crate) fn slow_members(&self) -> usize {
        let numbers = 0..self.members.saturating_sub(self.writers);
        numbers.filter(|number| share(*number, self.members) < self.slow).count()
    }

    /// What servers it needs.
    pub(crate) fn setup(&self, running: &Running) -> Setup {
        Setup {
            servers: self.servers,
            accounts: self.connections.div_ceil(self.servers.max(1)),
            store_bytes_per_second: self.store_bytes_per_second,
            goaway_spread_ms: 1_000,
            one_shard: self.servers > 1,
            tls: self.tls,
            running: running
                .server
                .zip(running.tokens.clone())
                .map(|(address, tokens)| (address, tokens, running.pid)),
        }
    }
}

/// A part of a whole.
fn share(part: usize, whole: usize) -> f64 {
    let real = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    real(part) / real(whole.max(1))
}

/// A server that runs already.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Running {
    /// Where a server listens that runs already; without it, servers are started.
    #[arg(long, value_name = "ADDRESS", requires = "tokens")]
    server: Option<SocketAddr>,
    /// The tokens of its accounts, as `chasqui user create --tokens` writes them.
    #[arg(long, value_name = "FILE", requires = "server")]
    tokens: Option<PathBuf>,
    /// Its process, if it runs on this machine and is to be measured.
    #[arg(long, requires = "server")]
    pid: Option<u32>,
}

/// What a run may differ in from its scenario.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Server processes.
    #[arg(long)]
    servers: Option<usize>,
    /// Connections in all.
    #[arg(long)]
    connections: Option<usize>,
    /// Members of each conversation.
    #[arg(long)]
    members: Option<usize>,
    /// How many of them write.
    #[arg(long)]
    writers: Option<usize>,
    /// The part of the members that read a byte a second.
    #[arg(long)]
    slow: Option<f64>,
    /// Messages a second, in all.
    #[arg(long)]
    rate: Option<f64>,
    /// Closed loop: how many each writer keeps unanswered, at most 64.
    #[arg(long)]
    window: Option<usize>,
    /// What is sent.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Bytes of each body.
    #[arg(long)]
    bytes: Option<usize>,
    /// Seconds that are measured.
    #[arg(long)]
    seconds: Option<f64>,
    /// Seconds before that.
    #[arg(long)]
    warm_up: Option<f64>,
    /// Seconds to wait in the end for what is missing.
    #[arg(long)]
    settle: Option<f64>,
    /// The part of the connections that each cut of the scenario takes.
    #[arg(long)]
    cut_share: Option<f64>,
    /// Offer so many times what the server takes, one stage for each number.
    #[arg(long, value_delimiter = ',')]
    overload: Option<Vec<f64>>,
    /// Bytes a second that the server's disk is made to take.
    #[arg(long)]
    store_bytes_per_second: Option<u64>,
    /// Milliseconds after which a writer gives a message up.
    #[arg(long)]
    patience_ms: Option<u64>,
    /// The ping interval that connections ask for.
    #[arg(long)]
    ping_seconds: Option<u64>,
    /// Seconds that a receiver gathers before it acknowledges; 0 for never.
    #[arg(long)]
    ack: Option<f64>,
    /// How many connect at the same time, for each worker.
    #[arg(long)]
    connecting: Option<usize>,
    /// Generator processes, if more than the connections need.
    #[arg(long)]
    workers: Option<usize>,
    /// Speak TLS, with a certificate made for the run.
    #[arg(long)]
    tls: bool,
}

impl Overrides {
    /// Puts them in place of what the scenario says.
    pub(crate) fn apply(&self, scenario: &mut Scenario) {
        fn set<T: Clone>(value: Option<&T>, place: &mut T) {
            if let Some(value) = value {
                *place = value.clone();
            }
        }
        set(self.servers.as_ref(), &mut scenario.servers);
        set(self.connections.as_ref(), &mut scenario.connections);
        set(self.members.as_ref(), &mut scenario.members);
        set(self.writers.as_ref(), &mut scenario.writers);
        set(self.slow.as_ref(), &mut scenario.slow);
        set(self.rate.as_ref(), &mut scenario.rate);
        set(self.kind.as_ref(), &mut scenario.kind);
        set(self.bytes.as_ref(), &mut scenario.bytes);
        set(self.seconds.as_ref(), &mut scenario.seconds);
        set(self.warm_up.as_ref(), &mut scenario.warm_up);
        set(self.settle.as_ref(), &mut scenario.settle);
        set(self.overload.as_ref(), &mut scenario.overload);
        set(self.ping_seconds.as_ref(), &mut scenario.ping_seconds);
        set(self.ack.as_ref(), &mut scenario.ack);
        set(self.connecting.as_ref(), &mut scenario.connecting);
        set(self.workers.as_ref(), &mut scenario.workers);
        scenario.tls |= self.tls;
        scenario.window = self.window.or(scenario.window);
        scenario.patience_ms = self.patience_ms.or(scenario.patience_ms);
        scenario.store_bytes_per_second =
            self.store_bytes_per_second.or(scenario.store_bytes_per_second);
        for cut in &mut scenario.cuts {
            set(self.cut_share.as_ref(), &mut cut.share);
        }
        if scenario.name == "hold" && self.rate.is_none() {
            scenario.rate = share(scenario.connections, 1) / scenario.seconds;
        }
        scenario.members = scenario.members.max(2);
        scenario.writers = scenario.writers.clamp(1, scenario.members);
        scenario.connections = scenario.connections.next_multiple_of(scenario.members);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_override_what_the_scenario_says() {
        let mut scenario = Scenario::named(Name::Storm);
        let flags = Overrides {
            connections: Some(7),
            cut_share: Some(0.5),
            window: Some(3),
            ..Overrides::default()
        };
        flags.apply(&mut scenario);
        assert_eq!((scenario.connections, scenario.window), (8, Some(3)));
        assert!((scenario.cuts[0].share - 0.5).abs() < 1e-9);
        assert_eq!(scenario.name, "storm");
    }

    #[test]
    fn the_last_members_read_slowly_and_writers_never_do() {
        let slow = |members, writers, slow| {
            Scenario { members, writers, slow, ..Scenario::named(Name::Slow) }.slow_members()
        };
        assert_eq!((slow(10, 2, 0.2), slow(10, 2, 0.0), slow(2, 2, 0.5)), (2, 0, 0));
        assert_eq!(slow(4, 3, 1.0), 1);
    }

    #[test]
    fn each_connection_of_a_hold_sends_once() {
        let mut scenario = Scenario::named(Name::Hold);
        Overrides { connections: Some(100), ..Overrides::default() }.apply(&mut scenario);
        assert!((scenario.rate * scenario.seconds - 100.0).abs() < 1e-9);
    }
}
