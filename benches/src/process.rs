//! What a process of the suite asks of the system: a processor of its own, and descriptors enough.

use std::env;
use std::fs;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// The environment variable that names the processor of a child.
pub(crate) const CPU: &str = "BENCHES_CPU";

/// Beyond what any case opens: a thousand connections and what each contestant needs besides.
const DESCRIPTORS: u64 = 20_000;

/// Does what can be done. What cannot be had makes figures worse, not wrong.
pub(crate) fn prepare() {
    if let Some(cpu) = env::var(CPU).ok().and_then(|cpu| cpu.parse().ok()) {
        let mut set = CpuSet::new();
        let _ = set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    }
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, DESCRIPTORS.min(hard), hard);
    }
}

/// What of this process is in memory, in bytes.
pub(crate) fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 =
        statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
