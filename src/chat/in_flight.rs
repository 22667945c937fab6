//! The appends under way, by the time their entries carry.
//!
//! An entry is stamped when its owner accepts it and becomes visible when it is durable. A resting
//! point of SYNC must not lie after the stamp of an entry that it did not show, so it is placed
//! before the oldest append under way.

use crate::model::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See the module. Shared by all shards; taken twice a batch, never per message.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Stamps>);

/// The stamps of the appends under way, ascending, each with how many carry it: few, since they differ
/// by milliseconds.
type Stamps = Vec<(Timestamp, usize)>;

impl InFlight {
    /// Notes an append whose entries carry `sent_at` or later, until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, sent_at: Timestamp) -> UnderWay {
        let mut stamps = self.stamps();
        // Looked for from the end, since time goes on.
        let before = stamps.iter().rposition(|(stamp, _)| *stamp <= sent_at);
        match before.and_then(|index| stamps.get_mut(index)) {
            Some((stamp, count)) if *stamp == sent_at => *count += 1,
            Some(_) | None => stamps.insert(before.map_or(0, |index| index + 1), (sent_at, 1)),
        }
        drop(stamps);
        UnderWay { in_flight: Arc::clone(self), sent_at }
    }

    /// The stamp of the oldest append under way, if there is one.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.stamps().first().map(|(stamp, _)| *stamp)
    }

    fn stamps(&self) -> MutexGuard<'_, Stamps> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One append under way, for as long as its outcome is not known.
#[derive(Debug)]
pub(super) struct UnderWay {
    in_flight: Arc<InFlight>,
    sent_at: Timestamp,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut stamps = self.in_flight.stamps();
        let Some(index) = stamps.iter().position(|(stamp, _)| *stamp == self.sent_at) else {
            return;
        };
        match stamps.get_mut(index) {
            Some((_, count)) if *count > 1 => *count -= 1,
            Some(_) | None => drop(stamps.remove(index)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_append_under_way_is_known_until_it_ends() {
        let in_flight = Arc::<InFlight>::default();
        let early = in_flight.begin(Timestamp::from_millis(5));
        let twin = in_flight.begin(Timestamp::from_millis(5));
        let late = in_flight.begin(Timestamp::from_millis(9));
        drop(early);
        assert_eq!(in_flight.oldest(), Some(Timestamp::from_millis(5)));
        drop(twin);
        assert_eq!(in_flight.oldest(), Some(Timestamp::from_millis(9)));
        drop(late);
        assert_eq!(in_flight.oldest(), None);
    }
}
