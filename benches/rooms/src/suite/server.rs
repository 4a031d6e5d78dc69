//! A server process: started, waited for, ended.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process;

const STEP: Duration = Duration::from_millis(20);
/// Node.js and servers under callgrind take their time.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);

/// Ends with the value.
pub(super) struct Server {
    child: Child,
    pub(super) pid: i32,
}

/// An address of this machine that nobody listens on.
pub(super) fn free_address() -> anyhow::Result<SocketAddrV4> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

impl Server {
    /// Starts it and waits until it listens. What it says goes to `log`.
    pub(super) fn start(command: &[String], port: u16, log: &Path) -> anyhow::Result<Self> {
        let says = log.display();
        let log = File::create(log).with_context(|| says.to_string())?;
        let (program, arguments) = command.split_first().context("an empty command")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| program.clone())?;
        let pid = child.id() as i32;
        let mut server = Self { child, pid };
        let begin = Instant::now();
        while !process::listens(port) {
            if server.child.try_wait()?.is_some() {
                bail!("the server ended at once: see {says}");
            }
            if begin.elapsed() > START {
                bail!("the server does not listen on {port}: see {says}");
            }
            thread::sleep(STEP);
        }
        Ok(server)
    }

    /// Tells it to end and waits for that.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Not reaped yet, the process id is still its own.
        if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        if wait(&mut self.child, STOP).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether the process ended well within the time; `None` if it did not end.
pub(super) fn wait(child: &mut Child, limit: Duration) -> Option<bool> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if begin.elapsed() < limit => thread::sleep(STEP),
            Ok(None) | Err(_) => return None,
        }
    }
}
