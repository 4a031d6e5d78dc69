//! The examples as a user runs them. `cargo test` builds them before this runs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

/// An example, with no collector but the one that a test names.
fn example(name: &str) -> Command {
    // The test is target/PROFILE/deps/programs-HASH.
    let test = std::env::current_exe().unwrap();
    let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is not built: run `cargo test -p examples`", path.display());
    let mut command = Command::new(path);
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(variable);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(command: &mut Command) -> Output {
    timeout(LIMIT, command.output()).await.expect("it ends").unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The numbers of the steps, each where it begins.
fn steps(stdout: &str) -> Vec<String> {
    let number = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
    let mut steps: Vec<_> = stdout.lines().map(|line| number(line).expect(line)).collect();
    steps.dedup();
    steps
}

#[tokio::test]
async fn echo_shows_its_eight_steps_in_order_and_exits_0_within_5_s() {
    let began = Instant::now();
    let output = output(&mut example("echo")).await;
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(steps(&stdout), ["1", "2", "3", "4", "5", "6", "7", "8"], "{stdout}");
    for number in 1..=5 {
        assert!(stdout.contains(&format!("on_message: \"message {number}\"")), "{stdout}");
    }
    for said in
        ["restarting: false", "restarting: true", "on_close: Lost", "on_close: Local", "gracefully"]
    {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
}

#[tokio::test]
async fn echo_without_an_end_stops_gracefully_on_sigint() {
    let mut child = example("echo")
        .args(["--count", "0", "--interval", "10ms"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    read_until(&mut lines, "\"message 7\"").await;
    interrupt(&child).await;
    let mut last = String::new();
    while let Some(line) = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap() {
        last = last + &line + "\n";
    }
    let status = timeout(LIMIT, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{last}");
    for said in ["interrupted", "on_close: Local", "gracefully"] {
        assert!(last.contains(said), "{said}: {last}");
    }
}

#[tokio::test]
async fn echo_without_an_end_waits_for_its_server_and_stops_on_sigint() {
    let address = unused_address().await;
    let mut child = example("echo")
        .args(["--count", "0", "--url", &format!("ws://{address}/echo")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    read_until(&mut lines, "on_restart_error").await;
    interrupt(&child).await;
    assert!(timeout(LIMIT, child.wait()).await.unwrap().unwrap().success());
}

async fn interrupt(child: &Child) {
    let id = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
}

async fn unused_address() -> String {
    // Bound and dropped: nobody listens there.
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn echo_without_its_server_exits_1_and_says_why() {
    let url = format!("ws://{}/echo", unused_address().await);
    let output = output(example("echo").args(["--url", &url])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("did not accept the connection"),
        "{}",
        text(&output.stderr)
    );
}

#[tokio::test]
async fn echo_only_warns_when_the_collector_is_away_or_silent() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (away, silent_one) = (unused_address().await, silent.local_addr().unwrap().to_string());
    tokio::join!(
        warns(&away, "grpc"),
        warns(&away, "http/protobuf"),
        warns(&silent_one, "grpc"),
        warns(&silent_one, "http/protobuf")
    );
}

async fn warns(collector: &str, protocol: &str) {
    let began = Instant::now();
    let mut command = example("echo");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
    let output = output(command.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)).await;
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{protocol}: {stderr}");
    assert!(stderr.contains("warning: traces were not exported"), "{protocol}: {stderr}");
    // The run itself, 3 s for the flush, and some for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(10), "{protocol}: {:?}", began.elapsed());
}

#[tokio::test]
async fn echo_refuses_a_protocol_that_it_does_not_speak() {
    let mut command = example("echo");
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke");
    let output = output(&mut command).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("\"smoke\""), "{}", text(&output.stderr));
}

#[tokio::test]
async fn pause_shows_answers_while_on_message_is_silent_and_exits_0() {
    let output = output(&mut example("pause")).await;
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    let heard: Vec<_> =
        stdout.lines().filter_map(|line| line.trim().strip_prefix("on_message: ")).collect();
    assert_eq!(heard, ["\"news\"", "\"log in\"", "\"goodbye\""]);
    for said in [
        "the answer: \"what time is it?\"",
        "the answer: \"answer 42\"",
        "inside on_message, the answer:",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
}

#[tokio::test]
async fn request_shows_answers_out_of_order_and_calls_that_fail_and_exits_0() {
    let output = output(&mut example("request")).await;
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    let answers: Vec<_> =
        stdout.lines().filter_map(|line| line.trim().strip_prefix("the answer")).collect();
    assert_eq!(answers, [": 42", " to 3: 6", " to 2: 4", " to 1: 2"]);
    for said in [
        "inside on_message, the answer: 8",
        "the call: no reply came in time",
        "on_message: {\"id\":6,\"result\":10}",
        "the call: the session has ended",
        "on the next connection: 12",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
}

#[tokio::test]
async fn custom_transport_sends_three_lines_gets_them_back_and_exits_0() {
    let output = output(&mut example("custom_transport")).await;
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    let printed = [
        "sending: \"one\"",
        "sending: \"two\"",
        "sending: \"three\"",
        "on_message: \"one\"",
        "on_message: \"two\"",
        "on_message: \"three\"",
        "stopped: Requested",
    ];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), printed);
}

#[test]
fn a_transport_of_ones_own_takes_less_than_80_lines() {
    assert!(include_str!("../custom_transport.rs").lines().count() < 80);
}

/// Reads on to the line that contains this.
async fn read_until(lines: &mut Lines<BufReader<ChildStdout>>, text: &str) {
    while !timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap().contains(text) {}
}
