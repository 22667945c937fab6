//! What a process and the kernel use up, as the kernel tells it, and what a server counts.

use super::rest;
use crate::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;

/// Ticks of processor time in a second, as `/proc` counts it.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes of the kernel's pages.
const PAGE_BYTES: f64 = 4096.0;

/// The memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident.
    pub resident_kib: f64,
    /// What of that is its own.
    pub anonymous_kib: f64,
}

/// What the kernel holds, on the whole machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// Its own structures, sockets among them, in KiB.
    pub slab_kib: f64,
    /// Buffers of TCP, in KiB.
    pub tcp_buffers_kib: f64,
    /// TCP sockets that are in use.
    pub tcp_sockets: f64,
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name| kib(&status, name).ok_or_else(|| format!("no {name}"));
    Ok(Memory { resident_kib: of("VmRSS:")?, anonymous_kib: of("RssAnon:")? })
}

/// The processor time that a process has used, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").ok_or("no stat")?.1;
    let ticks: Vec<f64> =
        after_name.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// What the kernel holds.
pub(crate) fn kernel() -> Result<Kernel, Failure> {
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let sockstat = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = sockstat.lines().find_map(|line| line.strip_prefix("TCP: ")).unwrap_or_default();
    let words: Vec<&str> = tcp.split_whitespace().collect();
    let of = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse::<f64>().ok()
    };
    Ok(Kernel {
        slab_kib: kib(&meminfo, "Slab:").ok_or("no Slab")?,
        tcp_buffers_kib: of("mem").unwrap_or_default() * PAGE_BYTES / 1024.0,
        tcp_sockets: of("inuse").unwrap_or_default(),
    })
}

fn kib(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// What a server counts: each name once, the numbers of its labels added up.
pub(crate) type Metrics = BTreeMap<String, f64>;

/// Asks a server what it counts.
pub(crate) fn metrics(address: SocketAddr) -> Result<Metrics, Failure> {
    Ok(parse_metrics(&rest::get(address, "/metrics")?))
}

fn parse_metrics(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap_or(name);
        if let Ok(value) = value.parse::<f64>() {
            *metrics.entry(name.to_owned()).or_default() += value;
        }
    }
    metrics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_labels_are_added_up() {
        let text = "# HELP a b\na_total{call=\"read\"} 2\na_total{call=\"write\"} 3\nb 1.5\n";
        let metrics = parse_metrics(text);
        assert_eq!((metrics["a_total"], metrics["b"]), (5.0, 1.5));
    }

    #[test]
    fn this_process_and_kernel_can_be_read() {
        assert!(memory(std::process::id()).expect("a status").resident_kib > 0.0);
        assert!(cpu_seconds(std::process::id()).expect("a stat") >= 0.0);
        assert!(kernel().expect("the kernel's").slab_kib > 0.0);
    }
}
