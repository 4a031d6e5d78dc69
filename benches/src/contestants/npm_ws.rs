//! The `ws` package of npm, in the cases about compression: a process of Node.js that measures itself. Left out where
//! `benches/run` could not set it up.

use std::env;
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::Cx;
use crate::corpus;

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![
        Box::new(NpmWs {
            name: "npm-ws",
            about: "ws of npm, Node.js, perMessageDeflate off",
            deflate: "off",
        }),
        Box::new(NpmWs {
            name: "npm-ws-deflate1",
            about: "ws of npm, Node.js, perMessageDeflate with level 1",
            deflate: "1",
        }),
    ]
}

/// Where its script is: set by `benches/run`, as is where the package is.
const SCRIPT: &str = "BENCHES_NPM_SCRIPT";

struct NpmWs {
    name: &'static str,
    about: &'static str,
    deflate: &'static str,
}

impl NpmWs {
    fn run(&self, cx: Cx, direction: &'static str) -> Running {
        let deflate = self.deflate;
        Box::pin(async move {
            let mut node = Command::new("node")
                .arg(env::var(SCRIPT)?)
                .args([direction, deflate, &cx.url(), &cx.job.count.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            let mut messages = node.stdin.take().context("standard input is a pipe")?;
            for message in corpus::messages() {
                messages.write_all(&message).await?;
            }
            drop(messages);
            let output = node.wait_with_output().await?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            cx.meter.set(serde_json::from_slice(&output.stdout)?);
            Ok(())
        })
    }
}

impl Contestant for NpmWs {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        matches!(work, Work::JsonIn | Work::JsonOut) && env::var_os(SCRIPT).is_some()
    }

    fn uses_runtime(&self) -> bool {
        false
    }

    fn flood(&self, cx: Cx) -> Running {
        self.run(cx, "in")
    }

    fn blast(&self, cx: Cx) -> Running {
        self.run(cx, "out")
    }

    fn echo(&self, _: Cx) -> Running {
        Box::pin(async { bail!("only JSON") })
    }

    fn idle(&self, _: Cx) -> Running {
        Box::pin(async { bail!("only JSON") })
    }
}
