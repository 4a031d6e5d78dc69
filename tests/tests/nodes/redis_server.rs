//! A Redis of a test's own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::programs::{User, bound_to_us, program};

/// Dies with its handle, and with the thread that started it.
#[derive(Debug)]
pub(crate) struct RedisServer {
    child: Child,
    folder: PathBuf,
    port: u16,
}

/// A port on which nobody listens now, and no Redis of another test will.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut given = GIVEN.lock().unwrap();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

impl RedisServer {
    pub(crate) fn start() -> Self {
        // The port may be another's by the time that Redis wants it.
        (0..10).find_map(|_| Self::start_on(free_port())).expect("Redis starts on some port")
    }

    /// None if it ends at once.
    pub(crate) fn start_on(port: u16) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("nodes-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut child = bound_to_us(&program("redis-server"), User::Ours)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "127.0.0.2"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready =
            lines.map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        let server = Self { child, folder, port };
        is_ready.then_some(server)
    }

    /// The same again, with nothing in it.
    pub(crate) fn restart(self) -> Self {
        let port = self.port;
        drop(self);
        Self::start_on(port).expect("its port is free again")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// By another address, which can be cut off by itself.
    pub(crate) fn other_url(&self) -> String {
        format!("redis://127.0.0.2:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
