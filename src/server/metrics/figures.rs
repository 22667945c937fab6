//! Which numbers there are, what they are called and where they come from.

use super::process::Process;
use crate::admission::{self, Admission};
use crate::gateway::listener;
use crate::model::Timestamp;
use crate::shard::{self, ShardHandle};
use crate::store::Backend;
use crate::telemetry::{Kind, Page};
use std::sync::Arc;

/// Where the numbers are kept.
#[derive(Clone, Debug)]
pub(in crate::server) struct Sources {
    /// The shards.
    pub(in crate::server) shards: ShardHandle,
    /// Their listeners.
    pub(in crate::server) listeners: Vec<Arc<listener::Counters>>,
    /// Who counts the connections of both kinds.
    pub(in crate::server) admission: Admission,
    /// The store.
    pub(in crate::server) store: Backend,
    /// When the server began to serve.
    pub(in crate::server) started: Timestamp,
}

impl Sources {
    /// The numbers now.
    pub(super) fn read(&self) -> Figures<'_> {
        let mut http = listener::Counts::default();
        for counters in &self.listeners {
            http.add(&counters.counts());
        }
        Figures {
            shards: self.shards.counts(),
            http,
            admission: self.admission.counts(),
            process: Process::read(),
            sources: self,
        }
    }
}

/// The numbers at one moment.
#[derive(Debug)]
pub(super) struct Figures<'s> {
    shards: shard::Counts,
    http: listener::Counts,
    admission: admission::Counts,
    process: Process,
    sources: &'s Sources,
}

impl Figures<'_> {
    /// All of them, on a page.
    pub(super) fn page(&self) -> Page {
        let mut page = Page::default();
        self.put_doors(&mut page);
        self.put_admission(&mut page);
        self.put_messages(&mut page);
        self.sources.store.put_figures(&mut page);
        self.put_process(&mut page);
        page
    }

    fn put_doors(&self, page: &mut Page) {
        let Self { shards, http, .. } = self;
        let open = ("chasqui_connections", "Open WebSockets.");
        page.number(Kind::Gauge, open, shards.connections);
        let open = ("chasqui_http_connections", "Open connections that speak HTTP.");
        page.number(Kind::Gauge, open, http.connections);
        let upgraded = ("chasqui_handshakes_total", "WebSockets opened.");
        page.number(Kind::Counter, upgraded, shards.handshakes);
        let failed =
            ("chasqui_tls_handshakes_failed_total", "TLS handshakes that failed or took too long.");
        page.number(Kind::Counter, failed, http.tls_failed);
        let answered = ("chasqui_http_requests_total", "HTTP requests answered.");
        page.number(Kind::Counter, answered, http.requests);
        let mut refused = shards.refused;
        refused.add(&http.refused);
        let text = ("chasqui_refused_total", "Requests refused by either door, by error code.");
        page.labelled(Kind::Counter, text, "code", refused.iter());
    }

    fn put_admission(&self, page: &mut Page) {
        let admission::Counts { connections, .. } = self.admission;
        let text = (
            "chasqui_admitted_connections",
            "Open connections of every kind, those that wait for a handshake among them.",
        );
        page.number(Kind::Gauge, text, connections);
        let text = ("chasqui_connections_refused_total", "Connections over a limit, by reason.");
        page.labelled(Kind::Counter, text, "reason", self.admission.refused());
    }

    fn put_messages(&self, page: &mut Page) {
        let shards = &self.shards;
        let taken = ("chasqui_messages_total", "SEND frames taken in.");
        page.number(Kind::Counter, taken, shards.messages);
        let queued = ("chasqui_deliveries_total", "Pushes queued for connections.");
        page.number(Kind::Counter, queued, shards.deliveries);
        let dropped = (
            "chasqui_deliveries_dropped_total",
            "Pushes that connections did not get since a queue was full.",
        );
        page.number(Kind::Counter, dropped, shards.deliveries_dropped);
        let told = ("chasqui_resyncs_total", "RESYNC frames sent.");
        page.number(Kind::Counter, told, shards.resyncs);
        let rounds = ("chasqui_shard_rounds_total", "Rounds of the shards' loops.");
        page.number(Kind::Counter, rounds, shards.rounds);
        let calls =
            [("read", shards.reads), ("write", shards.writes), ("epoll_wait", shards.epoll_waits)];
        let text = ("chasqui_syscalls_total", "System calls of the shards for WebSockets.");
        page.labelled(Kind::Counter, text, "call", calls);
    }

    fn put_process(&self, page: &mut Page) {
        let Process { cpu, resident_bytes, anonymous_bytes, open_fds, max_fds } = self.process;
        let text = ("chasqui_memory_bytes", "Resident memory of a kind.");
        page.labelled(Kind::Gauge, text, "kind", [("rss_anon", anonymous_bytes)]);
        let text = ("chasqui_build_info", "Always 1; the label tells the version.");
        page.labelled(Kind::Gauge, text, "version", [(env!("CARGO_PKG_VERSION"), 1)]);
        let text = ("process_cpu_seconds_total", "Processor time, user and system.");
        page.number(Kind::Counter, text, cpu.as_secs_f64());
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory.", resident_bytes),
            ("process_open_fds", "Descriptors in use.", open_fds),
            ("process_max_fds", "The most descriptors that may be in use.", max_fds),
        ];
        for (name, help, number) in gauges {
            page.number(Kind::Gauge, (name, help), number);
        }
        let started = self.sources.started.since(Timestamp::ZERO).as_secs_f64();
        let text = ("process_start_time_seconds", "When it began to serve, since 1970.");
        page.number(Kind::Gauge, text, started);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Options, embedded};

    #[tokio::test]
    async fn the_documentation_lists_every_number_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options::Embedded(embedded::Options::new(folder.path()));
        let fatal = |failure: &_| panic!("{failure:?}");
        let waiting = |error: &dyn std::error::Error| panic!("{error}");
        let store = Backend::open(&options, waiting, fatal).await.expect("an empty folder");
        let (shards, _seats) = shard::seats(2, 1);
        let listeners = vec![Arc::default(), Arc::default()];
        let admission = Admission::new(admission::Limits::default());
        let sources = Sources { shards, listeners, admission, store, started: Timestamp::ZERO };
        let page = sources.read().page().into_text();
        let mut served = Vec::new();
        let mut help = "";
        for line in page.lines() {
            if let Some(text) = line.strip_prefix("# HELP ") {
                help = text.split_once(' ').expect("a help text").1;
            } else if let Some(text) = line.strip_prefix("# TYPE ") {
                let (name, kind) = text.split_once(' ').expect("a type");
                served.push(format!("| `{name}` | {kind} | {help} |"));
            }
        }
        let documentation = include_str!("../../../docs/metrics.md");
        let (documentation, _) = documentation.split_once("## On a CQL").expect("two parts");
        let rows: Vec<&str> =
            documentation.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows, served);
    }
}
