//! What a client is told when it is called: who it is, what time it is, what the traffic looks like,
//! and where to put what it learns.

use crate::schedule::Schedule;
use crate::tally::Tally;
use chasqui::model::ConversationId;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// What is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// SEND: stored before it is acknowledged.
    #[default]
    Durable,
    /// EPHEMERAL: passed on, or dropped.
    Ephemeral,
}

/// Who a client is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    /// Its access token.
    pub token: String,
    /// Which server it connects to.
    pub server: usize,
    /// The conversation that counts, if it has one.
    pub conversation: Option<ConversationNumber>,
    /// Which of that conversation's writers it is, if it writes.
    pub stream: Option<u16>,
    /// Whether it reads a byte a second.
    pub slow: bool,
}

/// A conversation's id as a number.
pub(crate) type ConversationNumber = u64;

impl Member {
    /// The conversation that counts.
    pub(crate) fn conversation(&self) -> Option<ConversationId> {
        self.conversation.and_then(ConversationId::new)
    }
}

/// What is sent in a stage, and what of it is measured.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    /// When messages are due; not used in a closed loop.
    pub schedule: Schedule,
    /// In a closed loop: how many each writer keeps unanswered.
    pub window: Option<usize>,
    /// When it begins and ends.
    pub span: Range<u64>,
    /// When it is measured.
    pub measured: Range<u64>,
    /// A storm within.
    pub storm: Option<Storm>,
    /// What is sent.
    pub kind: Kind,
    /// Bytes of each body.
    pub bytes: usize,
    /// Whether a refused message is given up, and how long a message waits before it is; `None` if
    /// all are sent until they are stored.
    pub patience: Option<u64>,
}

/// Many connections cut at one moment, for those that are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Storm {
    /// When.
    pub cut_at: u64,
    /// From when on those that were spared are looked at.
    pub from: u64,
    /// Until when.
    pub to: u64,
}

/// What a client is to be woken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// To connect.
    Connect,
    /// To try again what was refused for now.
    Wake,
    /// To leave for another server.
    Leave,
    /// To acknowledge what it has.
    Ack,
    /// To read another byte, slowly.
    Trickle,
}

/// Who is to be woken when.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<(u64, u32, Alarm)>>);

impl Timers {
    /// Wakes client `index` at a moment.
    pub(crate) fn set(&mut self, moment: u64, index: u32, alarm: Alarm) {
        self.0.push(Reverse((moment, index, alarm)));
    }

    /// The next that is due by `now`.
    pub(crate) fn pop(&mut self, now: u64) -> Option<(u32, Alarm)> {
        self.next().filter(|moment| *moment <= now)?;
        self.0.pop().map(|Reverse((_, index, alarm))| (index, alarm))
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((moment, ..))| *moment)
    }
}

/// What a client is told when it is called.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// Its number among the clients of the worker.
    pub index: u32,
    /// Its turn among the writers of the worker.
    pub turn: Option<u32>,
    /// Who it is.
    pub member: &'a Member,
    /// The time.
    pub now: u64,
    /// The run, which its messages carry.
    pub run: u32,
    /// The ping interval to ask for.
    pub ping_seconds: u64,
    /// Whether it asks what it has missed; a client that only rests need not.
    pub sync: bool,
    /// How long it gathers before it acknowledges; 0 for never.
    pub ack_after: u64,
    /// What is sent, if anything.
    pub traffic: Option<&'a Traffic>,
    /// Where it counts.
    pub tally: &'a mut Tally,
    /// Where it asks to be woken.
    pub timers: &'a mut Timers,
    /// Random numbers.
    pub random: &'a mut Random,
    /// A buffer that holds nothing between calls.
    pub scratch: &'a mut Vec<u8>,
}

impl Context<'_> {
    /// Asks to be woken.
    pub(crate) fn wake_at(&mut self, moment: u64, alarm: Alarm) {
        self.timers.set(moment, self.index, alarm);
    }

    /// Whether a moment lies in the measured part of the traffic.
    pub(crate) fn is_measured(&self, moment: u64) -> bool {
        self.traffic.is_some_and(|traffic| traffic.measured.contains(&moment))
    }
}

/// Random numbers, as good as ids for a test need them and no better.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    /// The next (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One below a limit; 0 for a limit of 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_alarm_is_the_earliest_and_not_early() {
        let mut timers = Timers::default();
        timers.set(20, 1, Alarm::Ack);
        timers.set(10, 2, Alarm::Wake);
        assert_eq!((timers.next(), timers.pop(9)), (Some(10), None));
        assert_eq!(timers.pop(15), Some((2, Alarm::Wake)));
        assert_eq!(timers.pop(15), None);
        assert_eq!(timers.pop(20), Some((1, Alarm::Ack)));
        assert_eq!(timers.next(), None);
    }
}
