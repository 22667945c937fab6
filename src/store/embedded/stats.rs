//! Counters of what the commit thread has done and what its queue has refused, and their names to the
//! world.

use crate::telemetry::{Histogram, Kind, Page};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What the store has written since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches written.
    pub commits: u64,
    /// Batches that were synced.
    pub syncs: u64,
    /// Appends that were applied.
    pub appends: u64,
    /// Appends that were refused since they would have waited for too long.
    pub refused: u64,
    /// Entries written.
    pub entries: u64,
    /// Bytes of keys and values written.
    pub bytes: u64,
}

impl Stats {
    /// Puts them on a page.
    fn put(self, page: &mut Page) {
        let Self { commits, syncs, appends, refused, entries, bytes } = self;
        let counters = [
            ("chasqui_store_commits_total", "Batches written.", commits),
            ("chasqui_store_syncs_total", "Batches written and synced.", syncs),
            ("chasqui_store_appends_total", "Appends to logs.", appends),
            (
                "chasqui_store_appends_refused_total",
                "Appends refused since they would have waited for too long.",
                refused,
            ),
            ("chasqui_store_entries_total", "Entries written.", entries),
            ("chasqui_store_bytes_total", "Bytes of keys and values written.", bytes),
        ];
        for (name, help, number) in counters {
            page.number(Kind::Counter, (name, help), number);
        }
    }
}

/// The counters behind [`Stats`]. Each is exact; together they may be read mid-step.
#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    syncs: AtomicU64,
    appends: AtomicU64,
    refused: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    /// How long the synced batches took to write and sync.
    pub(super) commit_times: Histogram,
}

impl Counters {
    pub(super) fn count_commit(&self, is_synced: bool, written: &Written, took: Duration) {
        add(&self.commits, 1);
        add(&self.syncs, usize::from(is_synced));
        add(&self.appends, written.appends);
        add(&self.entries, written.entries);
        add(&self.bytes, written.bytes);
        if is_synced {
            self.commit_times.observe(took);
        }
    }

    pub(super) fn count_refused(&self) {
        add(&self.refused, 1);
    }

    /// Puts them on a page.
    pub(super) fn put(&self, page: &mut Page) {
        self.stats().put(page);
        let took = ("chasqui_store_commit_seconds", "Time to write and sync a batch.");
        page.histogram(took, &self.commit_times);
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: read(&self.commits),
            syncs: read(&self.syncs),
            appends: read(&self.appends),
            refused: read(&self.refused),
            entries: read(&self.entries),
            bytes: read(&self.bytes),
        }
    }
}

/// What one batch holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) appends: usize,
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}
