//! A program that passes connections on, started from a configuration of ours.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use e2e::within;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::interval;

use super::programs::{User, bound_to_us, program, script};

/// What to start, and how.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// The program's name.
    pub(crate) program: &'static str,
    /// Its arguments. In these, too, the values are filled in.
    pub(crate) arguments: &'static [&'static str],
    /// The file in `tests/peers` that becomes its configuration. It is at `/dev/stdin`, so that a program without
    /// rights can read it, wherever it is.
    pub(crate) template: Option<&'static str>,
    /// As whom it runs.
    pub(crate) user: User,
    /// What stands for `@NAME@`. `HOST`, `PORT` and `FOLDER` are added.
    pub(crate) values: BTreeMap<&'static str, String>,
    /// Files to put into its folder.
    pub(crate) files: Vec<(&'static str, String)>,
}

/// A running proxy. It dies with its handle, and with the thread that started it.
#[derive(Debug)]
pub(crate) struct Proxy {
    recipe: Recipe,
    port: Port,
    folder: PathBuf,
    /// The first of its processes, which leads a group of their own.
    leader: Option<Child>,
}

/// A port of 127.0.0.1 that the system chose. Who has it may listen on it, and let others listen; while nobody does,
/// nobody can take it, nor be connected with himself by dialing it.
#[derive(Debug)]
pub(crate) struct Port(TcpSocket);

impl Port {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Bound and not listening it lets others bind who have set this, as all servers do.
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

impl Proxy {
    /// Starts one. It listens when this returns.
    pub(crate) async fn start(mut recipe: Recipe) -> Self {
        let port = Port::new();
        let folder = new_folder(recipe.program);
        for (name, content) in &recipe.files {
            fs::write(folder.join(name), content).unwrap();
        }
        recipe.values.extend([
            ("HOST", port.address().ip().to_string()),
            ("PORT", port.address().port().to_string()),
            ("FOLDER", folder.display().to_string()),
        ]);
        let mut proxy = Self { recipe, port, folder, leader: None };
        proxy.start_again().await;
        proxy
    }

    /// Starts it on its port after it was killed.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.leader.is_none(), "it still runs");
        // What its processes leave behind becomes our child, so that `kill` can wait for it.
        set_child_subreaper(true).unwrap();
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = bound_to_us(&program(self.recipe.program), self.recipe.user);
        command
            .args(self.recipe.arguments.iter().map(|argument| self.filled(argument)))
            .stdin(self.configuration())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        self.leader = Some(command.spawn().expect("the proxy starts"));
        within(self.accepts()).await;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Stops it where it is: the system still takes what comes for it, up to its buffers, but nobody answers.
    pub(crate) fn freeze(&self) {
        killpg(self.group(), Signal::SIGSTOP).unwrap();
        // Its threads go on until one of them has seen the signal.
        waitpid(self.group(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        killpg(self.group(), Signal::SIGCONT).unwrap();
    }

    /// Ends all its processes at once, without a word of their own. What they have not read makes the system reset the
    /// connection. They are gone when this returns.
    pub(crate) fn kill(&mut self) {
        let group = self.group();
        killpg(group, Signal::SIGKILL).unwrap();
        self.leader.take().unwrap().wait().unwrap();
        while waitpid(Pid::from_raw(-group.as_raw()), None).is_ok() {}
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.leader.as_ref().expect("it was killed").id().try_into().unwrap())
    }

    fn filled(&self, text: &str) -> String {
        let fill =
            |text: String, (name, value): (_, &String)| text.replace(&format!("@{name}@"), value);
        self.recipe.values.iter().fold(text.to_owned(), fill)
    }

    /// What it gets for its standard input.
    fn configuration(&self) -> process::Stdio {
        let Some(template) = self.recipe.template else { return process::Stdio::null() };
        let file = self.folder.join(template);
        fs::write(&file, self.filled(&fs::read_to_string(script(template)).unwrap())).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        File::open(file).unwrap().into()
    }

    /// Waits until somebody listens: these programs do not say when they do.
    async fn accepts(&mut self) {
        let mut pace = interval(Duration::from_millis(10));
        while TcpStream::connect(self.address()).await.is_err() {
            let ended = self.leader.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the proxy has ended: {ended:?}");
            pace.tick().await;
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.leader.is_some() {
            self.kill();
        }
        if thread::panicking() {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            eprintln!("{} said:\n{log}", self.recipe.program);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn new_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", process::id()));
    // One of a test that was killed, and of a process with our number.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
