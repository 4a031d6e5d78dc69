//! What the server process costs, read from /proc.

use crate::sys;
use std::fs;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) cpu_ns: u64,
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    pub(crate) rss_kib: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

pub(crate) fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|s| s.rsplit_once(") ").map(|(_, rest)| !rest.starts_with(['Z', 'X'])))
        .unwrap_or(false)
}

pub(crate) fn snapshot(pid: i32) -> Snapshot {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let number = |i: usize| after_name.split(' ').nth(i).and_then(|s| s.parse().ok()).unwrap_or(0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = |name: &str| {
        status
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .and_then(|l| l.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    let (user_ticks, system_ticks) = (number(11), number(12));
    Snapshot {
        cpu_ns: sys::process_cpu(pid).unwrap_or((user_ticks + system_ticks) * 10_000_000),
        user_ticks,
        system_ticks,
        rss_kib: line("VmRSS:"),
        threads: line("Threads:"),
        files: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |d| d.count() as u64),
    }
}

/// Busy time of some cores together since boot, in seconds: shows what else ran beside the server.
pub(crate) fn busy_s(cpus: &[usize]) -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    cpus.iter().map(|cpu| core_busy_s(&stat, &format!("cpu{cpu} "))).sum()
}

fn core_busy_s(stat: &str, name: &str) -> f64 {
    let Some(line) = stat.lines().find_map(|line| line.strip_prefix(name)) else {
        return 0.0;
    };
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|tick| tick.parse().ok()).collect();
    // user nice system [idle iowait] irq softirq; steal and guest are not ours
    [0, 1, 2, 5, 6].iter().filter_map(|&i| ticks.get(i)).sum::<u64>() as f64 / TICKS_PER_SECOND
}

/// The unit of these files, on every Linux that runs Rust.
const TICKS_PER_SECOND: f64 = 100.0;

/// Whether somebody listens on this TCP port of any address of this machine.
pub(crate) fn listens(port: u16) -> bool {
    // The port, then no peer, then the state LISTEN.
    let local = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|file| {
        let table = fs::read_to_string(file).unwrap_or_default();
        table.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().take(4).collect();
            matches!(fields[..], [_, address, _, "0A"] if address.ends_with(&local))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_alive_with_its_memory_threads_and_files() {
        let pid = std::process::id() as i32;
        let seen = snapshot(pid);
        assert!(alive(pid));
        assert!(
            seen.cpu_ns > 0 && seen.rss_kib > 0 && seen.threads > 0 && seen.files > 2,
            "{seen:?}"
        );
    }

    #[test]
    fn a_listener_is_seen_as_long_as_it_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listens(port));
        drop(listener);
        assert!(!listens(port));
    }

    #[test]
    fn busy_time_is_that_of_the_named_core() {
        let stat = "cpu  9 9 9 9 9 9 9\ncpu0 100 1 200 5000 7 3 4 9 9\ncpu10 1 1 1 1 1 1 1\n";
        assert!((core_busy_s(stat, "cpu0 ") - 3.08).abs() < 1e-9);
        assert_eq!(core_busy_s(stat, "cpu1 "), 0.0);
    }
}
