//! What one shard's listener counts.
//!
//! Owns the numbers. They are counted on the thread of the shard, each by a plain addition, and may
//! be read by any thread.

use crate::model::ErrorCode;
use crate::telemetry::{Count, Refusals, Tally};

/// See the module.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    /// Connections that speak HTTP now.
    pub(super) connections: Count,
    /// TLS handshakes that led to nothing.
    pub(super) tls_failed: Count,
    /// Requests answered.
    pub(super) requests: Count,
    /// Requests refused.
    pub(super) refused: Refusals,
}

impl Counters {
    /// Counts one answer, and with what code it refuses if it does.
    pub(super) fn answered(&self, refusal: Option<ErrorCode>) {
        self.requests.add(1);
        if let Some(code) = refusal {
            self.refused.count(code);
        }
    }

    /// The numbers now.
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.get(),
            tls_failed: self.tls_failed.get(),
            requests: self.requests.get(),
            refused: self.refused.tally(),
        }
    }
}

/// What listeners have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that speak HTTP now.
    pub connections: u64,
    /// TLS handshakes that failed or took too long.
    pub tls_failed: u64,
    /// Requests answered, handshakes among them.
    pub requests: u64,
    /// Requests refused, by code.
    pub refused: Tally,
}

impl Counts {
    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.tls_failed += other.tls_failed;
        self.requests += other.requests;
        self.refused.add(&other.refused);
    }
}
