//! A peer: a child process that says in lines of JSON what it sees, and does what it is told in the same way.

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{self, Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use e2e::within;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::programs::{User, bound_to_us, installed, program, script};

/// The two echo servers. They take the same options and commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// npm `ws`
    Ws,
    /// Python `websockets`
    Websockets,
}

/// A running peer. It dies with its handle, and with the thread that started it.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    commands: UnboundedSender<String>,
    events: UnboundedReceiver<Value>,
    unread: Vec<Value>,
    host: Ipv4Addr,
    port: u16,
}

impl Server {
    /// Starts one on an address of its own.
    pub(crate) async fn start(self, options: Value) -> Peer {
        self.listen(own_address(), 0, options).await
    }

    /// Starts one on the address of a peer that is gone.
    pub(crate) async fn start_again(self, gone: Peer, options: Value) -> Peer {
        let (host, port) = (gone.host, gone.port);
        drop(gone);
        self.listen(host, port, options).await
    }

    /// Starts a client of the rooms at this URL with the same library.
    pub(crate) fn rooms_client(self, url: &str) -> Peer {
        self.rooms_client_with(url, None)
    }

    /// The same, with a cookie.
    pub(crate) fn rooms_client_with(self, url: &str, cookie: Option<&str>) -> Peer {
        let mut command = match self {
            Self::Ws => self.command("rooms_client.js"),
            Self::Websockets => self.command("rooms_client.py"),
        };
        command.arg(url).args(cookie);
        Peer::run(command, Ipv4Addr::LOCALHOST)
    }

    /// Starts the client for browsers that is at `script` on node, for an iris endpoint.
    pub(crate) fn iris_client(endpoint: &str, script: &str) -> Peer {
        let mut command = Self::Ws.command("iris_client.js");
        command.args([endpoint, script]);
        Peer::run(command, Ipv4Addr::LOCALHOST)
    }

    fn command(self, name: &str) -> Command {
        match self {
            Self::Ws => {
                let mut command = bound_to_us(&program("node"), User::Ours);
                command.env("NODE_PATH", installed("node_modules")).arg(script(name));
                command
            }
            Self::Websockets => {
                let mut command = bound_to_us(&installed("venv/bin/python"), User::Ours);
                command.arg(script(name));
                command
            }
        }
    }

    async fn listen(self, host: Ipv4Addr, port: u16, options: Value) -> Peer {
        let mut command = match self {
            Self::Ws => self.command("ws_server.js"),
            Self::Websockets => self.command("websockets_server.py"),
        };
        command.arg(with_address(options, host, port).to_string());
        Peer::spawn(command, host).await
    }
}

impl Peer {
    async fn spawn(command: Command, host: Ipv4Addr) -> Self {
        let mut peer = Self::run(command, host);
        let said = peer.event("listening").await;
        peer.port = said["port"].as_u64().unwrap().try_into().unwrap();
        peer
    }

    fn run(mut command: Command, host: Ipv4Addr) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the peer starts");
        let events = lines(BufReader::new(child.stdout.take().unwrap()));
        let commands = commands_to(child.stdin.take().unwrap());
        Self { child, commands, events, unread: Vec::new(), host, port: 0 }
    }

    /// `ws://HOST:PORT/echo`
    pub(crate) fn url(&self) -> String {
        format!("ws://{}:{}/echo", self.host, self.port)
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Tells it what to do to all its connections.
    pub(crate) fn tell(&self, command: &Value) {
        self.commands.send(command.to_string()).expect("the peer is there");
    }

    /// The next event of this name. Others are kept for whoever asks for them.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        if let Some(at) = self.unread.iter().position(|event| event["event"] == name) {
            return self.unread.remove(at);
        }
        within(async {
            loop {
                let event = self.events.recv().await;
                let event = event.unwrap_or_else(|| panic!("the peer ended before `{name}`"));
                if event["event"] == name {
                    break event;
                }
                self.unread.push(event);
            }
        })
        .await
    }

    /// How many events there are that nobody has asked for.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Waits until it has ended by itself. Events that nobody asked for are forgotten.
    pub(crate) async fn ended(&mut self) {
        within(async { while self.events.recv().await.is_some() {} }).await;
        assert!(self.child.wait().unwrap().success());
    }

    /// Stops it where it is: the system still takes what comes for it, up to its buffers, but nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it at once, without a word of its own. What it has not read makes the system reset the connection.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that nothing else uses: while the peer is down nobody can take its port, and who dials it then
/// cannot be connected with itself, as can happen where both have one address.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % 1_000;
    let process = process::id() & 0x1fff;
    Ipv4Addr::from_bits(0x7f80_0000 | (process << 10) | number)
}

fn with_address(mut options: Value, host: Ipv4Addr, port: u16) -> Value {
    options["host"] = host.to_string().into();
    options["port"] = port.into();
    options
}

/// Writes on a thread of its own: a peer that does not read must not block a test, which has time limits.
fn commands_to(mut peer: ChildStdin) -> UnboundedSender<String> {
    let (sender, mut commands) = mpsc::unbounded_channel::<String>();
    thread::spawn(move || {
        while let Some(command) = commands.blocking_recv() {
            if writeln!(peer, "{command}").is_err() {
                break;
            }
        }
    });
    sender
}

fn lines(from: impl BufRead + Send + 'static) -> UnboundedReceiver<Value> {
    let (sender, events) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in from.lines().map_while(Result::ok) {
            let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "text": line }));
            // A test that has seen enough is not disturbed.
            let _ = sender.send(event);
        }
    });
    events
}
