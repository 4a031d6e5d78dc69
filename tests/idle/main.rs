//! Many idle connections in one process: what each costs, and whether all still live.
//!
//! `tests/run idle` runs it: 10,000 engines, each with one connection, with each adapter, against an echo server in a
//! process of its own. They stay idle over two heartbeats, then each sends a message and gets it back, then all are
//! stopped. `IDLE_CONNECTIONS` and `IDLE_SECONDS` say how many and how long.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how this run fails")]

mod client;
mod process;
mod server;

use std::process::ExitCode;

use e2e::{Sockudo, Tungstenite};
use process::Child;

/// What a process of this run is told to be.
const ROLE: &str = "IDLE_ROLE";
/// Where the server is.
const PORT: &str = "IDLE_PORT";

fn main() -> ExitCode {
    process::raise_descriptor_limit();
    match std::env::var(ROLE).as_deref() {
        Ok("server") => process::run(server::run()),
        // The most that an idle connection may take, all in all, in KiB.
        Ok("tungstenite") => process::run(client::run::<Tungstenite>(20)),
        Ok("sockudo") => process::run(client::run::<Sockudo>(12)),
        Ok(role) => panic!("there is no role {role:?}"),
        Err(_) => both(),
    }
}

/// Each adapter in a process of its own, so that none finds the memory of another.
fn both() -> ExitCode {
    let mut passed = true;
    for adapter in ["tungstenite", "sockudo"] {
        println!("{adapter}");
        let mut server = Child::start(&[(ROLE, "server")]);
        let port = server.line();
        passed &= Child::start(&[(ROLE, adapter), (PORT, port.trim())]).wait();
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
