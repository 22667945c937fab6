//! The requests of one connection that have not been answered.
//!
//! Owns the uniqueness of rids and their two limits. Takes no heap while there are none.

/// What kind of answer a request awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// SENT.
    Send,
    /// SYNCED.
    Sync,
    /// ENTRY frames and FETCHED.
    Fetch,
}

impl Kind {
    /// Whether the request counts as a read.
    const fn is_read(self) -> bool {
        matches!(self, Self::Sync | Self::Fetch)
    }
}

/// The unanswered requests. There are at most a few dozen, so they are searched in line.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<(u64, Kind)>);

impl Requests {
    /// Whether `rid` is still unanswered.
    pub(super) fn contains(&self, rid: u64) -> bool {
        self.0.iter().any(|(known, _)| *known == rid)
    }

    /// How many SEND requests are unanswered.
    pub(super) fn sends(&self) -> usize {
        self.0.iter().filter(|(_, kind)| !kind.is_read()).count()
    }

    /// How many SYNC and FETCH requests are unanswered.
    pub(super) fn reads(&self) -> usize {
        self.0.len() - self.sends()
    }

    /// Notes a request.
    pub(super) fn add(&mut self, rid: u64, kind: Kind) {
        self.0.push((rid, kind));
    }

    /// Takes a request out, since it is answered; `None` if there is none.
    pub(super) fn remove(&mut self, rid: u64) -> Option<Kind> {
        let index = self.0.iter().position(|(known, _)| *known == rid)?;
        let (_, kind) = self.0.swap_remove(index);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_heap_is_kept_once_everything_is_answered() {
        let mut requests = Requests::default();
        requests.add(1, Kind::Send);
        requests.add(2, Kind::Fetch);
        assert_eq!((requests.sends(), requests.reads()), (1, 1));
        assert_eq!(requests.remove(1), Some(Kind::Send));
        assert_eq!(requests.remove(1), None);
        assert_eq!(requests.remove(2), Some(Kind::Fetch));
        assert_eq!(requests.0.capacity(), 0);
    }
}
