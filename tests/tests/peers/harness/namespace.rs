//! A network of a test's own, in which packets can be lost.

use std::future::Future;
use std::io::{self, Write};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use tokio::runtime::Builder;

use super::programs::program;

/// The loopback interface of the namespace.
#[derive(Debug)]
pub(crate) struct Link(());

impl Link {
    /// Drops all packets from and to this port, silently. The two ends are not told.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn drop_packets(&self, port: u16) {
        for side in ["--sport", "--dport"] {
            self.run("iptables", &format!("-A INPUT -p tcp {side} {port} -j DROP"));
        }
    }

    /// Drops all packets from and to this address, silently. The two ends are not told.
    #[allow(dead_code, reason = "each test binary uses its own part")]
    pub(crate) fn drop_packets_of(&self, address: &str) {
        for side in ["-s", "-d"] {
            self.run("iptables", &format!("-A INPUT {side} {address} -j DROP"));
        }
    }

    /// Lets all packets pass again.
    pub(crate) fn heal(&self) {
        self.run("iptables", "-F");
    }

    #[allow(clippy::unused_self, reason = "who has a link is in its namespace")]
    fn run(&self, name: &str, arguments: &str) {
        let status = Command::new(program(name)).args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "{name} {arguments}: {status}");
    }
}

/// Runs a test in a network namespace of its own, which ends with it. Where namespaces are not allowed the test is
/// skipped, which `tests/run` shows.
pub(crate) fn in_namespace<F: Future<Output = ()>>(
    name: &str,
    test: impl FnOnce(Link) -> F + Send,
) {
    // The namespace is one of a thread, and goes with it; libtest may have use for its own thread.
    let ran = thread::scope(|scope| scope.spawn(|| run(test)).join());
    match ran {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => skipped(name, &reason),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(Link) -> F) -> Result<(), String> {
    if !geteuid().is_root() {
        return Err("only root may make a network namespace".to_owned());
    }
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => {}
        Err(error @ (Errno::EPERM | Errno::ENOSYS | Errno::EINVAL | Errno::ENOSPC)) => {
            return Err(format!("no network namespace can be made here: {error}"));
        }
        Err(error) => panic!("no network namespace: {error}"),
    }
    let link = Link(());
    link.run("ip", "link set lo up");
    // Sockets belong to the namespace of the thread that makes them, so one thread does all.
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test(link));
    Ok(())
}

/// Past the capture of libtest, which shows nothing of tests that do not fail.
fn skipped(name: &str, reason: &str) {
    io::stderr().write_all(format!("\nSKIPPED {name}: {reason}\n").as_bytes()).unwrap();
}
