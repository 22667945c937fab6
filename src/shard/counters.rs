//! What one shard counts of its own work.
//!
//! Owns the numbers. They are counted by the shard's thread alone, each by a plain addition in a
//! place that no other shard writes, and may be read by any thread at any time: each is exact,
//! together they may be read in the middle of a step.

use crate::model::ErrorCode;
use crate::protocol::constants::frame;
use crate::protocol::{ServerFrame, frames};
use crate::telemetry::{Count, Refusals, Tally};

/// See the module. Aligned so that no two shards count in one pair of cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    /// Live connections.
    pub(super) connections: Count,
    /// Upgraded sockets taken over.
    pub(super) handshakes: Count,
    /// Rounds of the loop. The runtime waits for sockets and wakes at most once a round.
    pub(super) rounds: Count,
    /// Reads of sockets.
    pub(super) reads: Count,
    /// Writes to sockets.
    pub(super) writes: Count,
    /// Questions to the shard's epoll set.
    pub(super) epoll_waits: Count,
    /// SENDs that sessions let through.
    pub(super) messages: Count,
    /// Pushes queued for connections.
    pub(super) deliveries: Count,
    /// Pushes that connections were not given, or that were taken out of their queue again.
    pub(super) deliveries_dropped: Count,
    /// RESYNCs sent.
    pub(super) resyncs: Count,
    /// ERROR frames sent.
    pub(super) refused: Refusals,
}

impl Counters {
    /// Counts a reply if it is a refusal.
    pub(super) fn note_reply(&self, reply: &[u8]) {
        if reply.first() == Some(&frame::ERROR)
            && let Some(code) = code_of(reply)
        {
            self.refused.count(code);
        }
    }

    /// The numbers now.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.get(),
            handshakes: self.handshakes.get(),
            rounds: self.rounds.get(),
            reads: self.reads.get(),
            writes: self.writes.get(),
            epoll_waits: self.epoll_waits.get(),
            messages: self.messages.get(),
            deliveries: self.deliveries.get(),
            deliveries_dropped: self.deliveries_dropped.get(),
            resyncs: self.resyncs.get(),
            refused: self.refused.tally(),
        }
    }
}

fn code_of(reply: &[u8]) -> Option<ErrorCode> {
    match ServerFrame::decode(&frames(reply).next()?.ok()?) {
        Ok(Some(ServerFrame::Error(refusal))) => refusal.known(),
        _ => None,
    }
}

/// What shards have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Live connections.
    pub connections: u64,
    /// Upgraded sockets taken over.
    pub handshakes: u64,
    /// Rounds of the loops.
    pub rounds: u64,
    /// Reads of sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Questions to the epoll sets.
    pub epoll_waits: u64,
    /// SENDs taken in.
    pub messages: u64,
    /// Pushes queued for connections.
    pub deliveries: u64,
    /// Pushes that connections were not given, or that were taken out of their queue again.
    pub deliveries_dropped: u64,
    /// RESYNCs sent.
    pub resyncs: u64,
    /// ERROR frames sent, by code.
    pub refused: Tally,
}

impl Counts {
    /// Adds those of another shard.
    pub(super) fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.handshakes += other.handshakes;
        self.rounds += other.rounds;
        self.reads += other.reads;
        self.writes += other.writes;
        self.epoll_waits += other.epoll_waits;
        self.messages += other.messages;
        self.deliveries += other.deliveries;
        self.deliveries_dropped += other.deliveries_dropped;
        self.resyncs += other.resyncs;
        self.refused.add(&other.refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommandError;
    use crate::protocol::Refusal;

    #[test]
    fn only_refusals_count_as_such_and_by_their_code() {
        let counters = Counters::default();
        let error = CommandError::overloaded("busy");
        for sent in
            [ServerFrame::Error(Refusal::of_command(7, &error)), ServerFrame::Pong { nonce: 2 }]
        {
            let mut reply = Vec::new();
            sent.encode(&mut reply);
            counters.note_reply(&reply);
        }
        let refused: Vec<_> =
            counters.counts().refused.iter().filter(|(_, number)| *number > 0).collect();
        assert_eq!(refused, [(ErrorCode::Overloaded, 1)]);
    }
}
