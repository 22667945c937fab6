//! What the coordinator tells a worker and what comes back: one line of JSON each.

use crate::client::{Kind, Member, Storm};
use crate::tally::Tally;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Everything a worker knows before it begins; in a file, since it is long.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Which of how many workers it is.
    pub turn: (u32, u32),
    /// The run, which messages carry.
    pub run: u32,
    /// Where the servers listen.
    pub servers: Vec<SocketAddr>,
    /// The certificate that they show, if they speak TLS.
    pub certificate: Option<PathBuf>,
    /// Who connects.
    pub members: Vec<Member>,
    /// The ping interval.
    pub ping_seconds: u64,
    /// Whether they ask what they have missed.
    pub sync: bool,
    /// Nanoseconds that they gather before they acknowledge; 0 for never.
    pub ack_after: u64,
    /// How many connect at the same time.
    pub connecting_max: usize,
}

/// Do this.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Connect so many of the members in all, and answer when all are ready.
    Open {
        /// How many.
        count: usize,
    },
    /// Have each ping once, and answer at once.
    Ping,
    /// Cut all connections and open them again; answer as for `Open`.
    Reopen,
    /// Send, and answer when all has been accounted for.
    Send(Stage),
}

/// A stage of traffic. Moments are on the clock of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// When it begins.
    pub begin: u64,
    /// When it ends.
    pub end: u64,
    /// From when to when it is measured.
    pub measured: (u64, u64),
    /// Until when what is missing is waited for.
    pub settled_by: u64,
    /// Messages a second, of all workers together.
    pub rate: f64,
    /// Instead of a rate: how many each writer keeps unanswered.
    pub window: Option<usize>,
    /// What is sent.
    pub kind: Kind,
    /// Bytes of each body.
    pub bytes: usize,
    /// Nanoseconds that a writer is patient; `None` if it sends until all is stored.
    pub patience: Option<u64>,
    /// Connections that are cut.
    pub cuts: Vec<Cut>,
    /// The first cut of many but not of all.
    pub storm: Option<Storm>,
}

/// Connections that are cut at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cut {
    /// When.
    pub at: u64,
    /// How many of all, from 0 to 1.
    pub share: f64,
    /// How.
    pub how: How,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// The socket is closed.
    Close,
    /// It is closed with a reset, as when the client's process is killed.
    Reset,
    /// It is closed in the middle of a message.
    Halfway,
}

/// Done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// With what was counted since the last.
    Done(Box<Tally>),
}
