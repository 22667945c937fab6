//! What a worker counted and timed in one stage, and how those of several workers add up.

use crate::histogram::Times;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counts and times of one stage. Those "in the window" are of messages due while it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Whole counts.
    pub counts: Counts,
    /// When the last message was acknowledged.
    pub last_acknowledged: u64,
    /// Refused messages by the name of the code; each was given up, surely not applied.
    pub refused: BTreeMap<String, u64>,
    /// From the connect to the end of the first SYNC.
    pub connect_to_ready: Times,
    /// From when a message was due to its SENT.
    pub due_to_sent: Times,
    /// From when it was written to its SENT.
    pub write_to_sent: Times,
    /// From when it was due to each receiver.
    pub due_to_entry: Times,
    /// From when it was due to when the generator took it up: what the generator itself adds.
    pub lag: Times,
    /// From the loss of a connection until it had everything again.
    pub down_to_caught_up: Times,
    /// From due to SENT before a storm, and during it on connections that it has spared.
    pub calm: Times,
    /// Likewise.
    pub spared: Times,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Numbers that add up over workers.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counts {
            /// Adds those of another.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// Messages that fell due in the window.
    due,
    /// Messages acknowledged (EPHEMERAL: written), in all.
    acknowledged,
    /// The same while the window was open, whenever they were due.
    acknowledged_in_window,
    /// Messages at a receiver, in all.
    delivered,
    /// The same while the window was open.
    delivered_in_window,
    /// Acknowledged and not at a receiver in the end.
    lost,
    /// At a receiver more than once.
    duplicated,
    /// At a receiver behind one that was sent later.
    reordered,
    /// Neither acknowledged nor refused in the end.
    unsettled,
    /// Given up unsent: they had waited longer than their writer is patient.
    withheld,
    /// Messages written again.
    resent,
    /// Times a connection was held for a refusal.
    held,
    /// Answers that found an earlier copy.
    found_stored,
    /// RESYNCs: the server dropped pushes for a slow reader.
    resyncs,
    /// Entries that came ahead of others, which were then fetched.
    gaps,
    /// Connections that became ready.
    ready,
    /// Attempts to connect that failed.
    connect_failed,
    /// Connections cut on purpose.
    cut,
    /// Connections that the server ended.
    ended_by_server,
    /// GOAWAYs.
    goaways,
    /// Answers that make no sense: bytes that do not decode, refusals of what cannot be refused.
    faults,
    /// Connections that have had a message acknowledged.
    writers,
    /// Connections that have received a message.
    receivers,
    /// Bytes written in the window, WebSocket heads included.
    bytes_written,
    /// Bytes read in the window, likewise.
    bytes_read,
    /// Reads, writes and waits of the generator in the window.
    generator_syscalls,
}

impl Tally {
    /// Adds those of another worker.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.last_acknowledged = self.last_acknowledged.max(other.last_acknowledged);
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
        for (times, others) in [
            (&mut self.connect_to_ready, &other.connect_to_ready),
            (&mut self.due_to_sent, &other.due_to_sent),
            (&mut self.write_to_sent, &other.write_to_sent),
            (&mut self.due_to_entry, &other.due_to_entry),
            (&mut self.lag, &other.lag),
            (&mut self.down_to_caught_up, &other.down_to_caught_up),
            (&mut self.calm, &other.calm),
            (&mut self.spared, &other.spared),
        ] {
            times.merge(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_add_up() {
        let mut one = Tally::default();
        one.counts.lost = 1;
        one.refused.insert("overloaded".to_owned(), 2);
        one.due_to_sent.record(5_000_000);
        one.last_acknowledged = 7;
        let mut sum = one.clone();
        sum.last_acknowledged = 5;
        sum.merge(&one);
        assert_eq!(sum.last_acknowledged, 7);
        assert_eq!(sum.counts.lost, 2);
        assert_eq!(sum.refused["overloaded"], 4);
        assert_eq!(sum.due_to_sent.quantiles().count, 2);
    }

    #[test]
    fn a_tally_travels_as_json() {
        let mut tally = Tally::default();
        tally.counts.delivered = 7;
        tally.lag.record(1_500);
        let json = serde_json::to_string(&tally).expect("plain numbers");
        assert_eq!(serde_json::from_str::<Tally>(&json).expect("the same back"), tally);
    }
}
