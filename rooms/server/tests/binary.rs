//! The program itself: its first line, its signals, its exit codes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

mod common;

use std::net::SocketAddr;
use std::process::Stdio;

use common::{HANG, close_code, connect};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rooms-server"));
    command.env_remove("ROOMS_SERVER_LISTEN").kill_on_drop(true).stdout(Stdio::piped());
    command
}

/// Waits for the line that says it is ready, and takes the address from it.
async fn ready(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(HANG, lines.next_line()).await.expect("no hang").unwrap().unwrap();
    line.strip_prefix("listening on http://").expect(&line).parse().expect(&line)
}

/// The shell's own `kill`: the program of that name is not on every machine.
async fn send_signal(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id().unwrap());
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
}

async fn assert_ends_gracefully(signal: &str) {
    let mut child = command().args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut client = connect(ready(&mut child).await).await;
    send_signal(signal, &child).await;
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Away));
    drop(client);
    let status = timeout(HANG, child.wait()).await.expect("no hang").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn sigterm_closes_clients_with_1001_and_exits_0() {
    assert_ends_gracefully("TERM").await;
}

#[tokio::test]
async fn sigint_closes_clients_with_1001_and_exits_0() {
    assert_ends_gracefully("INT").await;
}

#[tokio::test]
async fn the_address_can_come_from_the_environment() {
    let mut child = command().env("ROOMS_SERVER_LISTEN", "127.0.0.1:0").spawn().unwrap();
    assert_ne!(ready(&mut child).await.port(), 0);
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_named_and_exits_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = command().args(["--listen", &addr]).stderr(Stdio::piped()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&addr), "{message}");
}

#[tokio::test]
async fn help_names_the_flag_its_default_and_its_variable() {
    let output = command().arg("--help").output().await.unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for part in ["--listen <ADDR>", "127.0.0.1:8080", "ROOMS_SERVER_LISTEN"] {
        assert!(help.contains(part), "{help}");
    }
}
