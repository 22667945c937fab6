//! When a connection was last heard of, in whole seconds: the sweep that asks is coarser than that.

use crate::model::Timestamp;
use std::time::Duration;

/// A moment, in four bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard(u32);

impl Heard {
    /// The second of `now`.
    pub(super) fn at(now: Timestamp) -> Self {
        Self(u32::try_from(now.as_millis() / 1000).unwrap_or(u32::MAX))
    }

    /// Whether more than `patience` has passed. Up to a second is given, none is taken.
    pub(super) fn is_longer_ago(self, now: Timestamp, patience: Duration) -> bool {
        let seconds = Self::at(now).0.saturating_sub(self.0);
        u64::from(seconds) > patience.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_up_early() {
        let at = Timestamp::from_millis;
        let heard = Heard::at(at(1_999));
        let patience = Duration::from_secs(10);
        assert!(!heard.is_longer_ago(at(11_999), patience));
        assert!(heard.is_longer_ago(at(12_000), patience));
        assert!(!heard.is_longer_ago(at(0), patience), "a clock that goes back closes nobody");
    }
}
