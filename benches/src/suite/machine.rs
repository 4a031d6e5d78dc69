//! What the figures were taken on: without it they say nothing.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;

use serde::Serialize;

/// The packages whose versions matter.
const PEERS: &[&str] = &[
    "tokio",
    "tokio-tungstenite",
    "tokio-websockets",
    "fastwebsockets",
    "yawc",
    "sockudo-ws",
    "web-socket",
    "ezsockets",
    "fast_websocket_client",
];

#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    date: String,
    /// The commit that was measured.
    commit: String,
    rustc: String,
    kernel: String,
    processor: String,
    processors: usize,
    /// How busy it was with other things at the beginning.
    load: String,
    versions: Vec<(&'static str, Vec<&'static str>)>,
}

impl Machine {
    pub(super) fn look() -> Self {
        Self {
            date: output("date", &["-u", "+%F %H:%M UTC"]),
            commit: output("git", &["describe", "--always", "--dirty"]),
            rustc: output("rustc", &["--version"]),
            kernel: output("uname", &["-sr"]),
            processor: processor(),
            processors: thread::available_parallelism().map_or(0, usize::from),
            load: fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
            versions: PEERS.iter().map(|&name| (name, versions(name))).collect(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, rustc, kernel, processor, load, .. } = self;
        writeln!(f, "{date}, wscengine {commit}, {rustc}")?;
        writeln!(f, "{processor}, {} usable, {kernel}, load {load}", self.processors)?;
        let versions: Vec<_> = self
            .versions
            .iter()
            .map(|(name, versions)| format!("{name} {}", versions.join(" and ")))
            .collect();
        write!(f, "{}", versions.join(", "))
    }
}

/// What a command says; "unknown" where it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success());
    output.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}

/// Those in the lock file that this was built with. Some peers bring an older version of another.
fn versions(package: &str) -> Vec<&'static str> {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let lines: Vec<_> = LOCK.lines().collect();
    let found = lines.windows(2).filter(|pair| pair[0] == name);
    found.filter_map(|pair| pair[1].strip_prefix("version = \"")?.strip_suffix('"')).collect()
}
