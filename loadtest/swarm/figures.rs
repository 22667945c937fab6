//! The figures of a report: what each is called, in which direction it is better, and how they follow
//! from what was counted.

use crate::client::Kind;
use crate::histogram::Times;
use crate::server::probe::{Kernel, Memory, Metrics};
use crate::tally::Tally;
use std::collections::BTreeMap;

/// Figures by name.
pub(crate) type Figures = BTreeMap<String, f64>;

/// In which direction a figure is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Better {
    /// Anything but 0 is a failure.
    Zero,
    /// Less; differences up to so much are noise.
    Less(f64),
    /// More.
    More,
    /// Neither: it is told.
    Neither,
}

/// What ends in one of these is better in that direction; the first that fits counts.
const DIRECTIONS: [(&str, Better); 25] = [
    ("lost", Better::Zero),
    ("duplicated", Better::Zero),
    ("reordered", Better::Zero),
    ("unsettled", Better::Zero),
    ("faults", Better::Zero),
    ("silent", Better::Zero),
    ("generator_lag_p99_us", Better::Neither),
    ("generator_lag_max_us", Better::Neither),
    ("connect_to_ready_max_us", Better::Neither),
    ("offered_per_second", Better::Neither),
    ("generator_cpu_us_per_message", Better::Neither),
    ("p50_us", Better::Less(100.0)),
    ("p99_us", Better::Less(1_000.0)),
    ("p999_us", Better::Less(5_000.0)),
    ("max_us", Better::Less(50_000.0)),
    ("cpu_us_per_message", Better::Less(0.5)),
    ("cpu_us_per_delivery", Better::Less(0.5)),
    ("idle_cpu_us_per_connection_second", Better::Less(0.05)),
    ("bytes_per_message", Better::Less(2.0)),
    ("bytes_per_connection", Better::Less(20.0)),
    ("opening_cpu_us_per_connection", Better::Less(5.0)),
    ("syscalls_per_delivery", Better::Less(0.02)),
    ("goodput", Better::More),
    ("messages_per_sync", Better::More),
    ("_per_second", Better::More),
];

/// In which direction a figure is better.
pub(crate) fn better(name: &str) -> Better {
    let known = DIRECTIONS.iter().find(|(end, _)| name.ends_with(end));
    known.map_or(Better::Neither, |(_, better)| *better)
}

/// What was used up while a stage was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage {
    /// For how long, in seconds.
    pub seconds: f64,
    /// Processor time of the servers, in seconds; `None` where it is not known.
    pub server_cpu: Option<f64>,
    /// Processor time of the workers.
    pub generator_cpu: f64,
    /// Bytes that the servers had written to devices; `None` where it is not known.
    pub device_bytes: Option<f64>,
    /// What the servers counted before and after.
    pub metrics: Option<(Metrics, Metrics)>,
    /// The servers' memory, and when, in seconds.
    pub memory: Vec<(f64, Memory)>,
    /// What the kernel held, before there were connections and now.
    pub kernel: (Kernel, Kernel),
    /// Connections that are held.
    pub connections: usize,
    /// Servers.
    pub servers: usize,
}

/// The figures of a stage.
pub(crate) fn of_stage(tally: &Tally, usage: &Usage, kind: Kind) -> Figures {
    let mut figures = Figures::new();
    truth(tally, kind, &mut figures);
    rates(tally, usage, &mut figures);
    for (name, times) in [
        ("due_to_sent", &tally.due_to_sent),
        ("write_to_sent", &tally.write_to_sent),
        ("due_to_entry", &tally.due_to_entry),
        ("connect_to_ready", &tally.connect_to_ready),
        ("down_to_caught_up", &tally.down_to_caught_up),
        ("calm_due_to_sent", &tally.calm),
        ("spared_due_to_sent", &tally.spared),
        ("generator_lag", &tally.lag),
    ] {
        put_times(name, times, &mut figures);
    }
    costs(tally, usage, &mut figures);
    memory(usage, &mut figures);
    figures
}

/// The quantiles of times, if there are any.
pub(crate) fn put_times(name: &str, times: &Times, figures: &mut Figures) {
    let quantiles = times.quantiles();
    if quantiles.count == 0 {
        return;
    }
    for (part, micros) in [
        ("p50", quantiles.p50_us),
        ("p99", quantiles.p99_us),
        ("p999", quantiles.p999_us),
        ("max", quantiles.max_us),
    ] {
        figures.insert(format!("{name}_{part}_us"), micros);
    }
}

fn truth(tally: &Tally, kind: Kind, figures: &mut Figures) {
    let counts = &tally.counts;
    // What may be dropped is not lost.
    let lost = if kind == Kind::Durable { "lost" } else { "dropped" };
    for (name, count) in [
        (lost, counts.lost),
        ("duplicated", counts.duplicated),
        ("reordered", counts.reordered),
        ("unsettled", counts.unsettled),
        ("faults", counts.faults),
        ("acknowledged", counts.acknowledged),
        ("delivered", counts.delivered),
        ("writers", counts.writers),
        ("receivers", counts.receivers),
    ] {
        figures.insert(name.to_owned(), real(count));
    }
    for (name, count) in [
        ("withheld", counts.withheld),
        ("resent", counts.resent),
        ("held", counts.held),
        ("found_stored", counts.found_stored),
        ("resyncs", counts.resyncs),
        ("gaps", counts.gaps),
        ("ready", counts.ready),
        ("connect_failed", counts.connect_failed),
        ("cut", counts.cut),
        ("ended_by_server", counts.ended_by_server),
        ("goaways", counts.goaways),
    ] {
        if count > 0 {
            figures.insert(name.to_owned(), real(count));
        }
    }
    for (code, count) in &tally.refused {
        figures.insert(format!("refused_{}", code.replace('-', "_")), real(*count));
    }
}

fn rates(tally: &Tally, usage: &Usage, figures: &mut Figures) {
    let counts = &tally.counts;
    for (name, count) in [
        ("offered_per_second", counts.due),
        ("acknowledged_per_second", counts.acknowledged_in_window),
        ("delivered_per_second", counts.delivered_in_window),
    ] {
        if count > 0 && usage.seconds > 0.0 {
            figures.insert(name.to_owned(), real(count) / usage.seconds);
        }
    }
}

fn costs(tally: &Tally, usage: &Usage, figures: &mut Figures) {
    let counts = &tally.counts;
    let (messages, deliveries) = (counts.acknowledged_in_window, counts.delivered_in_window);
    let mut put = |name: &str, sum: f64, count: u64| {
        if count > 0 {
            figures.insert(name.to_owned(), sum / real(count));
        }
    };
    put("wire_bytes_per_message", real(counts.bytes_written + counts.bytes_read), messages);
    put("generator_cpu_us_per_message", usage.generator_cpu * 1e6, messages);
    put("generator_syscalls_per_message", real(counts.generator_syscalls), messages);
    if let Some(cpu) = usage.server_cpu {
        put("server_cpu_us_per_message", cpu * 1e6, messages);
        put("server_cpu_us_per_delivery", cpu * 1e6, deliveries);
    }
    if let Some(bytes) = usage.device_bytes {
        put("device_bytes_per_message", bytes, messages);
    }
    let Some((before, after)) = &usage.metrics else { return };
    let grown = |name: &str| {
        let at = |metrics: &Metrics| metrics.get(name).copied().unwrap_or_default();
        (at(after) - at(before)).max(0.0)
    };
    put("server_syscalls_per_delivery", grown("chasqui_syscalls_total"), deliveries);
    put("store_bytes_per_message", grown("chasqui_store_bytes_total"), messages);
    let syncs = grown("chasqui_store_syncs_total");
    if syncs > 0.0 {
        let entries = grown("chasqui_store_entries_total");
        figures.insert("messages_per_sync".to_owned(), entries / syncs);
    }
}

fn memory(usage: &Usage, figures: &mut Figures) {
    let mut put = |name: &str, value: f64| figures.insert(name.to_owned(), value);
    put("generator_cpu_seconds", usage.generator_cpu);
    if let Some(cpu) = usage.server_cpu {
        put("server_cpu_seconds", cpu);
    }
    let most = |of: fn(&Memory) -> f64| {
        usage.memory.iter().map(|(_, memory)| of(memory)).fold(0.0, f64::max)
    };
    if !usage.memory.is_empty() {
        let servers = f64::from(u32::try_from(usage.servers.max(1)).unwrap_or(u32::MAX));
        put("server_rss_kib", most(|memory| memory.resident_kib) / servers);
        put("server_anonymous_kib", most(|memory| memory.anonymous_kib) / servers);
    }
    let anonymous: Vec<(f64, f64)> =
        usage.memory.iter().map(|(at, memory)| (*at, memory.anonymous_kib)).collect();
    if let Some(slope) = slope(&anonymous) {
        put("server_anonymous_kib_per_minute", slope * 60.0);
    }
    let (before, now) = &usage.kernel;
    put("kernel_slab_kib", now.slab_kib - before.slab_kib);
    put("kernel_tcp_buffers_kib", now.tcp_buffers_kib);
    put("kernel_tcp_sockets", now.tcp_sockets - before.tcp_sockets);
    put("connections", f64::from(u32::try_from(usage.connections).unwrap_or(u32::MAX)));
}

/// The slope of a line through points, by least squares; `None` if they do not make one.
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = f64::from(u32::try_from(points.len()).ok()?);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let across: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let along: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (points.len() > 2 && along > 0.0).then(|| across / along)
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "exact up to 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_a_stage_knows_its_direction() {
        assert_eq!(better("lost"), Better::Zero);
        assert_eq!(better("due_to_sent_p99_us"), Better::Less(1_000.0));
        assert_eq!(better("acknowledged_per_second"), Better::More);
        assert_eq!(better("offered_per_second"), Better::Neither);
        assert_eq!(better("generator_lag_p99_us"), Better::Neither);
        assert_eq!(better("cut"), Better::Neither);
    }

    #[test]
    fn a_slope_is_found_and_needs_three_points() {
        let line: Vec<(f64, f64)> =
            (0..5).map(|x| (f64::from(x), 7.0 - 2.0 * f64::from(x))).collect();
        assert!((slope(&line).expect("a slope") + 2.0).abs() < 1e-9);
        assert_eq!(slope(&line[..2]), None);
        assert_eq!(slope(&[(1.0, 1.0); 4]), None);
    }

    #[test]
    fn what_is_counted_becomes_figures() {
        let mut tally = Tally::default();
        tally.counts.acknowledged_in_window = 100;
        tally.counts.delivered_in_window = 200;
        tally.counts.bytes_read = 5_000;
        tally.refused.insert("rate-limited".to_owned(), 3);
        let counted = |syncs: f64, entries: f64| {
            Metrics::from([
                ("chasqui_store_syncs_total".to_owned(), syncs),
                ("chasqui_store_entries_total".to_owned(), entries),
            ])
        };
        let usage = Usage {
            seconds: 10.0,
            server_cpu: Some(0.002),
            metrics: Some((counted(1.0, 50.0), counted(11.0, 150.0))),
            ..Usage::default()
        };
        let figures = of_stage(&tally, &usage, Kind::Durable);
        let is = |name: &str, value: f64| assert!((figures[name] - value).abs() < 1e-9, "{name}");
        is("acknowledged_per_second", 10.0);
        is("server_cpu_us_per_message", 20.0);
        is("server_cpu_us_per_delivery", 10.0);
        is("wire_bytes_per_message", 50.0);
        is("messages_per_sync", 10.0);
        is("refused_rate_limited", 3.0);
        is("lost", 0.0);
        assert!(of_stage(&tally, &usage, Kind::Ephemeral).contains_key("dropped"));
    }
}
