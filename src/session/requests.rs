//! The requests of one connection that have not been answered.
//!
//! Owns the uniqueness of rids and their two limits. Takes no heap while there are few.

use crate::model::NUMBER_MAX;
use smallvec::SmallVec;

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
pub(super) struct Requests(SmallVec<[Request; 2]>);

/// A rid, which takes 53 bits, and above it the kind: so that two take no more room than a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request(u64);

impl Request {
    const KIND_SHIFT: u32 = 62;

    fn new(rid: u64, kind: Kind) -> Self {
        let kind: u64 = match kind {
            Kind::Send => 0,
            Kind::Sync => 1,
            Kind::Fetch => 2,
        };
        Self(rid | kind << Self::KIND_SHIFT)
    }

    fn rid(self) -> u64 {
        self.0 & NUMBER_MAX
    }

    fn kind(self) -> Kind {
        match self.0 >> Self::KIND_SHIFT {
            0 => Kind::Send,
            1 => Kind::Sync,
            _ => Kind::Fetch,
        }
    }
}

impl Requests {
    /// Whether `rid` is still unanswered.
    pub(super) fn contains(&self, rid: u64) -> bool {
        self.0.iter().any(|request| request.rid() == rid)
    }

    /// How many SEND requests are unanswered.
    pub(super) fn sends(&self) -> usize {
        self.0.iter().filter(|request| !request.kind().is_read()).count()
    }

    /// How many SYNC and FETCH requests are unanswered.
    pub(super) fn reads(&self) -> usize {
        self.0.len() - self.sends()
    }

    /// Notes a request.
    pub(super) fn add(&mut self, rid: u64, kind: Kind) {
        self.0.push(Request::new(rid, kind));
    }

    /// Takes a request out, since it is answered; `None` if there is none.
    pub(super) fn remove(&mut self, rid: u64) -> Option<Kind> {
        let index = self.0.iter().position(|request| request.rid() == rid)?;
        let request = self.0.swap_remove(index);
        if self.0.is_empty() && self.0.spilled() {
            self.0 = SmallVec::new();
        }
        Some(request.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_heap_is_kept_once_everything_is_answered() {
        let mut requests = Requests::default();
        requests.add(1, Kind::Send);
        requests.add(NUMBER_MAX, Kind::Fetch);
        assert!(!requests.0.spilled(), "two lie in place");
        requests.add(3, Kind::Sync);
        assert_eq!((requests.sends(), requests.reads()), (1, 2));
        assert_eq!(requests.remove(1), Some(Kind::Send));
        assert_eq!(requests.remove(1), None);
        assert_eq!(requests.remove(NUMBER_MAX), Some(Kind::Fetch));
        assert_eq!(requests.remove(3), Some(Kind::Sync));
        assert!(!requests.0.spilled());
    }
}
