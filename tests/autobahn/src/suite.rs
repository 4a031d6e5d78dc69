//! The suite's processes: `wstest` as a server that fuzzes its clients, and as a client that fuzzes a server.

use std::convert::Infallible;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::agent::Agent;
use crate::report::Report;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// All 517 cases take a fraction of it.
const RUN_LIMIT: Duration = Duration::from_secs(3600);
/// Any port will do in a network of our own.
const PORT: u16 = 9001;

/// What of permessage-deflate is run each time: each kind of payload, each set of parameters, little of each.
const QUICK_DEFLATE: [&str; 12] = [
    "12.1.1", "12.1.2", "12.1.3", "12.1.4", "12.1.5", "12.1.6", "12.2.1", "12.3.1", "13.1.1",
    "13.3.1", "13.5.1", "13.7.1",
];

/// Which cases to run.
#[derive(Clone, Debug)]
pub(crate) enum Cases {
    /// All that are not about compression, and some that are.
    Quick,
    All,
    /// In the words of the suite: `6.4.*`.
    Patterns(Vec<String>),
}

impl FromStr for Cases {
    type Err = Infallible;

    fn from_str(words: &str) -> Result<Self, Infallible> {
        Ok(match words {
            "quick" => Self::Quick,
            "all" => Self::All,
            patterns => Self::Patterns(patterns.split(',').map(str::to_owned).collect()),
        })
    }
}

impl Cases {
    fn patterns(&self) -> Vec<String> {
        match self {
            Self::Quick => {
                let plain = (1..=11).map(|chapter| format!("{chapter}.*"));
                plain.chain(QUICK_DEFLATE.map(str::to_owned)).collect()
            }
            Self::All => vec!["*".to_owned()],
            Self::Patterns(patterns) => patterns.clone(),
        }
    }
}

/// The cases for one agent, and the folder that its reports go to.
#[derive(Debug)]
pub(crate) struct Suite {
    agent: Agent,
    cases: Vec<String>,
    cache: PathBuf,
}

impl Suite {
    /// Clears the folder of earlier reports.
    pub(crate) fn new(agent: Agent, cases: &Cases) -> Result<Self, Failure> {
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/autobahn");
        let suite = Self { agent, cases: cases.patterns(), cache: cache.canonicalize()? };
        if suite.reports().exists() {
            fs::remove_dir_all(suite.reports())?;
        }
        fs::create_dir_all(suite.reports())?;
        Ok(suite)
    }

    pub(crate) fn agent(&self) -> Agent {
        self.agent
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.cache.join("reports").join(self.agent.to_string())
    }

    /// Starts a server that fuzzes its clients. It listens on all interfaces, whatever it is told.
    pub(crate) fn start_server(&self) -> Result<FuzzingServer, Failure> {
        let spec = json!({ "url": format!("ws://127.0.0.1:{PORT}") });
        Ok(FuzzingServer { process: self.wstest("fuzzingserver", spec)? })
    }

    /// Fuzzes a server, and gives the report when all cases are done.
    pub(crate) async fn fuzz_server(&self, url: &str) -> Result<Report, Failure> {
        let spec = json!({ "servers": [{ "agent": self.agent.to_string(), "url": url }] });
        let status = timeout(RUN_LIMIT, self.wstest("fuzzingclient", spec)?.wait()).await??;
        if !status.success() {
            return Err(format!("wstest: {status}, see {}", self.log().display()).into());
        }
        let count = announced(&fs::read_to_string(self.log())?)
            .ok_or("wstest does not say how many cases there are")?;
        Report::read(&self.reports(), self.agent, count)
    }

    fn wstest(&self, mode: &str, mut spec: Value) -> Result<Child, Failure> {
        spec["outdir"] = json!(self.reports());
        spec["cases"] = json!(self.cases);
        spec["exclude-cases"] = json!([]);
        spec["exclude-agent-cases"] = json!({});
        let spec_file = self.reports().join("spec.json");
        fs::write(&spec_file, spec.to_string())?;
        let log = File::create(self.log())?;
        // However this process ends, that one ends with it.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(self.cache.join("suite/wstest"))
            .args(["--mode", mode, "--webport", "0", "--spec"])
            .arg(spec_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(child)
    }

    fn log(&self) -> PathBuf {
        self.reports().join("wstest.log")
    }
}

/// A running server of the suite; it is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct FuzzingServer {
    process: Child,
}

impl FuzzingServer {
    pub(crate) fn url(&self, target: &str) -> String {
        format!("ws://127.0.0.1:{PORT}/{target}")
    }

    /// The next one needs its port.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        Ok(self.process.kill().await?)
    }
}

/// `Ok, will run 517 test cases against 1 servers`.
fn announced(log: &str) -> Option<usize> {
    log.split_once("will run ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cases_is_read_from_the_log() {
        let log = "Loading\nOk, will run 313 test cases against 1 servers\nCases = ['1.1.1']\n";
        assert_eq!(announced(log), Some(313));
        assert_eq!(announced("Traceback"), None);
    }

    #[test]
    fn a_choice_of_cases_becomes_the_patterns_of_the_suite() {
        let patterns = |words: &str| words.parse::<Cases>().unwrap_or(Cases::All).patterns();
        assert_eq!(patterns("all"), ["*"]);
        assert_eq!(patterns("6.4.*,9.1.1"), ["6.4.*", "9.1.1"]);
        let quick = patterns("quick");
        assert_eq!(quick.len(), 11 + QUICK_DEFLATE.len());
        assert!(quick.contains(&"1.*".to_owned()) && quick.contains(&"13.7.1".to_owned()));
    }
}
