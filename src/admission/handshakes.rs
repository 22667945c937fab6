//! How many handshakes one shard has under way.
//!
//! A handshake begins when a connection is served and ends when its client is welcomed, when its
//! first request turns out to be no upgrade, or when it is gone. Invariants: never more than the
//! bound at a time, and never more than half of it from one source, so that half-open connections
//! of one cannot keep the others out.

use super::Source;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;
use tokio::sync::Notify;

/// The budget of a shard. Clones share it.
#[derive(Clone, Debug)]
pub struct Handshakes(Rc<Budget>);

#[derive(Debug)]
struct Budget {
    max: u32,
    open: Cell<u32>,
    sources: RefCell<HashMap<Source, u32, ahash::RandomState>>,
    freed: Notify,
}

/// Why a handshake has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowded {
    /// As many as may be are under way.
    Whole,
    /// Its source has its half.
    Source,
}

/// One handshake under way; over when dropped.
#[derive(Debug)]
pub struct Handshake {
    budget: Rc<Budget>,
    source: Source,
}

impl Handshakes {
    /// A budget of so many at a time; 0 sets no limit.
    pub fn new(max: u32) -> Self {
        let max = if max == 0 { u32::MAX } else { max };
        let sources = RefCell::default();
        Self(Rc::new(Budget { max, open: Cell::new(0), sources, freed: Notify::new() }))
    }

    /// Begins one.
    ///
    /// # Errors
    /// If it has to wait for others to end.
    pub fn begin(&self, source: Source) -> Result<Handshake, Crowded> {
        let Budget { max, open, sources, .. } = &*self.0;
        if open.get() >= *max {
            return Err(Crowded::Whole);
        }
        let mut sources = sources.borrow_mut();
        let of_source = sources.entry(source).or_default();
        if *of_source >= max.div_ceil(2) {
            return Err(Crowded::Source);
        }
        *of_source += 1;
        open.set(open.get() + 1);
        Ok(Handshake { budget: Rc::clone(&self.0), source })
    }

    /// How many are under way.
    pub fn open(&self) -> u32 {
        self.0.open.get()
    }

    /// Waits until one has ended, or [`Self::nudge`] was called, since this last returned.
    pub async fn freed(&self) {
        self.0.freed.notified().await;
    }

    /// Wakes whoever waits for a handshake to end, because there is another reason to look.
    pub fn nudge(&self) {
        self.0.freed.notify_one();
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let Budget { open, sources, freed, .. } = &*self.budget;
        open.set(open.get().saturating_sub(1));
        if let Entry::Occupied(mut count) = sources.borrow_mut().entry(self.source) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    #[test]
    fn one_source_has_at_most_half_of_the_budget() {
        let handshakes = Handshakes::new(5);
        let begin = |last| handshakes.begin(source(last));
        let mut of_one: Vec<_> = (0..3).map(|_| begin(1).expect("room")).collect();
        assert_eq!(begin(1).expect_err("its half is taken"), Crowded::Source);
        let _others = (begin(2).expect("room"), begin(3).expect("room"));
        assert_eq!(begin(4).expect_err("all are taken"), Crowded::Whole);
        of_one.pop();
        assert_eq!(handshakes.open(), 4);
        assert!(begin(4).is_ok());
    }

    #[test]
    fn an_end_is_heard_of_even_if_nobody_waits_yet() {
        let handshakes = Handshakes::new(1);
        drop(handshakes.begin(source(1)));
        assert_eq!((handshakes.open(), handshakes.0.sources.borrow().len()), (0, 0));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(handshakes.freed());
    }

    #[test]
    fn zero_is_no_limit() {
        let handshakes = Handshakes::new(0);
        let all: Vec<_> = (0..10_000).map(|_| handshakes.begin(source(1))).collect();
        assert!(all.iter().all(Result::is_ok));
    }
}
