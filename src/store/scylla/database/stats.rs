//! Counters of what was sent to the database, and their names to the world.

use super::kind::Kind;
use crate::telemetry::{self, Count, Histogram, Page};
use std::time::Duration;

/// What has been sent since the database was connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads of a quorum.
    pub reads: u64,
    /// Serial reads.
    pub serial_reads: u64,
    /// Changes without a condition.
    pub writes: u64,
    /// Changes with a condition, batches of them included.
    pub conditionals: u64,
    /// Statements of any kind that failed.
    pub failed: u64,
    /// Changes of which it is not known whether they were made.
    pub unknown: u64,
}

/// The counters behind [`Stats`]. The database's own thread is their one writer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    kinds: [PerKind; Kind::ALL.len()],
    unknown: Count,
    read_times: Histogram,
    conditional_times: Histogram,
}

#[derive(Debug, Default)]
struct PerKind {
    sent: Count,
    failed: Count,
}

impl Counters {
    pub(super) fn count(&self, kind: Kind, is_answered: bool, took: Duration) {
        if let Some(counts) = self.kinds.get(kind.place()) {
            counts.sent.add(1);
            counts.failed.add(usize::from(!is_answered));
        }
        match kind {
            Kind::Read => self.read_times.observe(took),
            Kind::Conditional => self.conditional_times.observe(took),
            Kind::SerialRead | Kind::Write => {}
        }
    }

    pub(super) fn count_unknown(&self) {
        self.unknown.add(1);
    }

    pub(super) fn stats(&self) -> Stats {
        let [reads, serial_reads, writes, conditionals] = &self.kinds;
        Stats {
            reads: reads.sent.get(),
            serial_reads: serial_reads.sent.get(),
            writes: writes.sent.get(),
            conditionals: conditionals.sent.get(),
            failed: self.kinds.iter().map(|counts| counts.failed.get()).sum(),
            unknown: self.unknown.get(),
        }
    }

    /// Puts them on a page.
    pub(super) fn put(&self, page: &mut Page) {
        let counter = telemetry::Kind::Counter;
        let by_kind = |count: fn(&PerKind) -> &Count| {
            Kind::ALL
                .into_iter()
                .zip(&self.kinds)
                .map(move |(kind, c)| (kind.name(), count(c).get()))
        };
        let sent = ("chasqui_store_statements_total", "Statements sent to the database.");
        page.labelled(counter, sent, "kind", by_kind(|counts| &counts.sent));
        let failed = ("chasqui_store_statements_failed_total", "Statements that failed.");
        page.labelled(counter, failed, "kind", by_kind(|counts| &counts.failed));
        let unknown = "Changes of which it is not known whether they were made.";
        page.number(counter, ("chasqui_store_unknown_total", unknown), self.unknown.get());
        let reads = ("chasqui_store_read_seconds", "Time until a read was answered.");
        page.histogram(reads, &self.read_times);
        let took = ("chasqui_store_conditional_seconds", "Time until a condition was decided.");
        page.histogram(took, &self.conditional_times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_number() {
        let mut page = Page::default();
        Counters::default().put(&mut page);
        let documentation = include_str!("../../../../docs/metrics.md");
        let (_, documentation) = documentation.split_once("## On a CQL").expect("two parts");
        let rows = documentation.lines().filter(|line| line.starts_with("| `")).count();
        let text = page.into_text();
        let named = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
        let named: Vec<(&str, &str)> = named.filter_map(|help| help.split_once(' ')).collect();
        assert_eq!(named.len(), rows);
        for (name, help) in named {
            let row =
                |line: &str| line.starts_with(&format!("| `{name}` | ")) && line.contains(help);
            assert!(documentation.lines().any(row), "{name}");
        }
    }
}
