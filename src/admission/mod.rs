//! Who may be connected: how many in all, how many from one address, and how many handshakes a
//! shard has under way.
//!
//! Owns the counts and the guards that give a place back however its connection ends. It accepts
//! and closes nothing itself: the listener asks, and the shard holds the guards of what it adopts.
//!
//! Invariants: at every moment `connections` is the number of passes, no source that is counted has
//! more than its limit, and a source without a pass takes no memory.

mod handshakes;
mod passes;
mod source;

pub use handshakes::{Crowded, Handshake, Handshakes};
pub use passes::Passes;
pub use source::Source;

use dashmap::DashMap;
use dashmap::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many connections there may be, for the whole process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// In all, upgraded or not; 0 sets no limit.
    pub connections_max: usize,
    /// From one [`Source`]; 0 sets no limit.
    pub address_connections_max: usize,
}

/// Why a connection or its first request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many connections as may be.
    Total,
    /// There are as many from this source as may be.
    Address,
    /// Too many already wait to begin their handshake.
    Handshakes,
    /// Too many connections of its shard speak HTTP already.
    Http,
}

/// What admission has come to, for those who watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections now, upgraded or not.
    pub connections: u64,
    /// Refused since the start: [`Refusal::Total`].
    pub refused_total: u64,
    /// Refused since the start: [`Refusal::Address`].
    pub refused_address: u64,
    /// Refused since the start: [`Refusal::Handshakes`].
    pub refused_handshakes: u64,
    /// Refused since the start: [`Refusal::Http`].
    pub refused_http: u64,
}

impl Counts {
    /// Refused since the start, by reason.
    pub fn refused(&self) -> [(&'static str, u64); 4] {
        [
            ("total", self.refused_total),
            ("address", self.refused_address),
            ("handshakes", self.refused_handshakes),
            ("http", self.refused_http),
        ]
    }
}

/// The counts of the process. Clones share them; usable from any thread.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    connections: AtomicUsize,
    sources: DashMap<Source, usize, ahash::RandomState>,
    refused_total: AtomicU64,
    refused_address: AtomicU64,
    refused_handshakes: AtomicU64,
    refused_http: AtomicU64,
}

/// The right to be connected, given back when dropped.
#[derive(Debug)]
pub struct Pass {
    /// `None` once it has been handed on.
    admission: Option<Admission>,
    /// Where it counts besides, if sources are counted.
    source: Option<Source>,
}

/// What a WebSocket brings along from the listener.
#[derive(Debug)]
pub struct Admitted {
    /// Held as long as it is connected.
    pub pass: Pass,
    /// Held until its client is welcomed.
    pub handshake: Handshake,
}

impl Admission {
    /// Nobody is connected yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            connections: AtomicUsize::new(0),
            sources: DashMap::default(),
            refused_total: AtomicU64::new(0),
            refused_address: AtomicU64::new(0),
            refused_handshakes: AtomicU64::new(0),
            refused_http: AtomicU64::new(0),
        }))
    }

    /// Admits a connection whose source is not known yet, or is not to be counted.
    ///
    /// # Errors
    /// If there are as many as may be. It is for the caller to [`Self::refuse`] it.
    pub fn enter(&self) -> Result<Pass, Refusal> {
        let Limits { connections_max, .. } = self.0.limits;
        let one_more = |count: usize| {
            (connections_max == 0 || count < connections_max).then(|| count.saturating_add(1))
        };
        let counted =
            self.0.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        match counted {
            Ok(_before) => Ok(Pass { admission: Some(self.clone()), source: None }),
            Err(_full) => Err(Refusal::Total),
        }
    }

    /// Counts a refusal.
    pub fn refuse(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::Total => &self.0.refused_total,
            Refusal::Address => &self.0.refused_address,
            Refusal::Handshakes => &self.0.refused_handshakes,
            Refusal::Http => &self.0.refused_http,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What it has come to.
    pub fn counts(&self) -> Counts {
        let told = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections: u64::try_from(self.0.connections.load(Ordering::Relaxed))
                .unwrap_or(u64::MAX),
            refused_total: told(&self.0.refused_total),
            refused_address: told(&self.0.refused_address),
            refused_handshakes: told(&self.0.refused_handshakes),
            refused_http: told(&self.0.refused_http),
        }
    }

    /// Counts one more from a source; false if it has as many as it may.
    fn enter_source(&self, source: Source) -> bool {
        let mut count = self.0.sources.entry(source).or_default();
        let fits = *count < self.0.limits.address_connections_max;
        *count += usize::from(fits);
        fits
    }

    /// Takes back what a pass stood for.
    fn leave(&self, source: Option<Source>) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        let entry = source.map(|source| self.0.sources.entry(source));
        if let Some(Entry::Occupied(mut count)) = entry {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Pass {
    /// Counts the connection for its source too, once that is known. To be called once at most.
    ///
    /// # Errors
    /// If there are as many from there as may be. It is for the caller to [`Admission::refuse`] it.
    pub fn attribute(&mut self, source: Source) -> Result<(), Refusal> {
        let Some(admission) = &self.admission else { return Ok(()) };
        if admission.0.limits.address_connections_max == 0 || self.source.is_some() {
            return Ok(());
        }
        if !admission.enter_source(source) {
            return Err(Refusal::Address);
        }
        self.source = Some(source);
        Ok(())
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(admission) = &self.admission {
            admission.leave(self.source);
        }
    }
}

#[cfg(test)]
mod tests;
