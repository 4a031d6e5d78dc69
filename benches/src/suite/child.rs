//! The processes of the suite: this program once more.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::job::Job;
use crate::meter::Measured;
use crate::process::CPU;

/// The server. It ends when its standard input does, at the latest with this process.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(cpu: usize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg("server")
            .env(CPU, cpu.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("standard output is a pipe")?;
        BufReader::new(output).read_line(&mut line)?;
        let port =
            line.trim().strip_prefix("LISTEN ").context("the server did not start")?.parse()?;
        Ok(Self { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one job on that processor.
pub(super) fn measure(job: &Job, cpu: usize) -> Result<Measured> {
    let output = client(Command::new(env::current_exe()?), job, cpu)?.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{}", errors.trim().lines().last().unwrap_or("it failed").to_owned());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Lets `command` run one job.
pub(super) fn client(mut command: Command, job: &Job, cpu: usize) -> Result<Command> {
    command
        .args(["client", &serde_json::to_string(job)?])
        .env(CPU, cpu.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}
