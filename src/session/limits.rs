//! The limits a session keeps, as configured.

use crate::protocol::constants::limit;
use std::time::Duration;

/// What a session allows; the same for all connections of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message from a client.
    pub message_bytes_max: usize,
    /// The largest body of a SEND.
    pub body_bytes_max: usize,
    /// How many SEND requests may be unanswered.
    pub sends_max: usize,
    /// How many SYNC and FETCH requests may be unanswered, together.
    pub reads_max: usize,
    /// How long HELLO may take.
    pub hello_deadline: Duration,
    /// The ping interval of a client that names none.
    pub ping_default: Duration,
    /// The shortest ping interval.
    pub ping_min: Duration,
    /// The longest ping interval.
    pub ping_max: Duration,
    /// Added to two ping intervals before a silent connection closes.
    pub silence_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: limit::MESSAGE_BYTES_MAX,
            body_bytes_max: limit::BODY_BYTES_MAX,
            sends_max: limit::SENDS_MAX,
            reads_max: limit::READS_MAX,
            hello_deadline: limit::HELLO_DEADLINE,
            ping_default: limit::PING_DEFAULT,
            ping_min: limit::PING_MIN,
            ping_max: limit::PING_MAX,
            silence_grace: limit::SILENCE_GRACE,
        }
    }
}

impl Limits {
    /// The ping interval that is granted, in seconds.
    pub(super) fn ping_seconds(&self, wanted: Option<u64>) -> u16 {
        let seconds = wanted.map_or(self.ping_default, Duration::from_secs);
        let granted = seconds.min(self.ping_max).max(self.ping_min);
        u16::try_from(granted.as_secs()).unwrap_or(u16::MAX)
    }

    /// How long a connection with this ping interval may be silent.
    pub(super) fn silence_max(&self, ping_seconds: u16) -> Duration {
        Duration::from_secs(2 * u64::from(ping_seconds)) + self.silence_grace
    }
}
