//! What the system says of this process.

use rustix::process::Resource;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::time::Duration;

/// What the process uses. Where the system does not tell, a number is zero.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// Processor time, in user mode and in the kernel.
    pub(super) cpu: Duration,
    /// All memory that is resident.
    pub(super) resident_bytes: u64,
    /// That part of it which belongs to no file.
    pub(super) anonymous_bytes: u64,
    /// Descriptors in use.
    pub(super) open_fds: u64,
    /// The most that may be.
    pub(super) max_fds: u64,
}

impl Process {
    /// The numbers now.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu: Duration::try_from(cpu).unwrap_or_default(),
            resident_bytes: bytes_of(&status, "VmRSS:"),
            anonymous_bytes: bytes_of(&status, "RssAnon:"),
            open_fds: open_fds(),
            max_fds: rustix::process::getrlimit(Resource::Nofile).current.unwrap_or_default(),
        }
    }
}

/// A line like `RssAnon:     1234 kB`.
fn bytes_of(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1024)
}

/// Newer kernels tell the number as the size of the folder; older ones have it counted.
fn open_fds() -> u64 {
    const FOLDER: &str = "/proc/self/fd";
    match fs::metadata(FOLDER).map_or(0, |folder| folder.len()) {
        0 => fs::read_dir(FOLDER).map_or(0, |folder| folder.count().try_into().unwrap_or(0)),
        count => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_uses_something_of_everything() {
        let Process { cpu, resident_bytes, anonymous_bytes, open_fds, max_fds } = Process::read();
        assert!(!cpu.is_zero());
        assert!(resident_bytes > anonymous_bytes && anonymous_bytes > 0);
        assert!(max_fds >= open_fds && open_fds > 2);
    }

    #[test]
    fn what_is_not_told_is_zero() {
        assert_eq!(bytes_of("VmRSS:\t  12 kB\nRssAnon:\t none\n", "VmRSS:"), 12 * 1024);
        assert_eq!(bytes_of("VmRSS:\t  12 kB\nRssAnon:\t none\n", "RssAnon:"), 0);
    }
}
