//! `rooms-server` as a process.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::common::{HANG, http};

pub(crate) struct Program {
    child: Child,
    /// Kept open: the program may write to it.
    _stdout: BufReader<ChildStdout>,
    pub(crate) addr: SocketAddr,
}

impl Program {
    /// As it is without any option, but for the port.
    pub(crate) async fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rooms-server"))
            .args(["--listen", "127.0.0.1:0", "--log", "warn"])
            .kill_on_drop(true)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(HANG, stdout.read_line(&mut line)).await.expect("no hang").unwrap();
        let addr = line.trim_end().strip_prefix("listening on http://").expect(&line);
        Self { child, addr: addr.parse().unwrap(), _stdout: stdout }
    }

    /// Nothing that was said to it has harmed it.
    pub(crate) async fn assert_ends_in_order(mut self) {
        let health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(http(self.addr, health).await.ends_with("\r\n\r\nok"));
        assert!(self.child.try_wait().unwrap().is_none());
        self.child.kill().await.unwrap();
    }
}
