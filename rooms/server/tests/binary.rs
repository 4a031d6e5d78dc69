//! The program itself: its first line, its signals, its exit codes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

mod common;

use std::net::SocketAddr;
use std::process::Stdio;

use common::{HANG, close_code, connect, receive};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
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
    let args = ["--listen", "127.0.0.1:0", "--drain", "100ms"];
    let mut child = command().args(args).spawn().unwrap();
    let mut client = connect(ready(&mut child).await).await;
    send_signal(signal, &child).await;
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Restart));
    drop(client);
    let status = timeout(HANG, child.wait()).await.expect("no hang").unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn sigterm_closes_clients_with_1012_and_exits_0() {
    assert_ends_gracefully("TERM").await;
}

#[tokio::test]
async fn sigint_closes_clients_with_1012_and_exits_0() {
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
    for path in ["/ws/wsrooms", "/ws/grows/example", "/ws/easy", "/ws/iris", "/ws/gowsal"] {
        assert!(help.contains(path), "{help}");
    }
}

#[tokio::test]
async fn a_file_sets_what_neither_a_flag_nor_the_environment_sets() {
    let file = std::env::temp_dir().join(format!("rooms-server-{}.toml", std::process::id()));
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\ndrain = \"100ms\"\nmax-echo = 3\n").unwrap();
    let mut child = command().arg("--config").arg(&file).spawn().unwrap();
    let addr = ready(&mut child).await;
    let mut client = connect(addr).await;
    client.send(Message::text("four")).await.unwrap();
    assert_eq!(close_code(&mut client).await, Some(CloseCode::Size));

    let mut child = command().arg("--config").arg(&file).args(["--max-echo", "4"]).spawn().unwrap();
    let mut client = connect(ready(&mut child).await).await;
    client.send(Message::text("four")).await.unwrap();
    assert_eq!(receive(&mut client).await, Some(Message::text("four")));

    std::fs::write(&file, "max-rumors = 5\n").unwrap();
    let output =
        command().arg("--config").arg(&file).stderr(Stdio::piped()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("max-rumors"), "{message}");
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_certificate_without_its_key_is_an_error_and_so_is_a_file_that_is_missing() {
    for (args, part) in [
        (&["--tls-cert", "no such file"][..], "--tls-key"),
        (&["--tls-key", "no such file"], "--tls-cert"),
        (&["--tls-cert", "no such file", "--tls-key", "no such file"], "no such file"),
    ] {
        let output = command()
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stderr(Stdio::piped())
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(part) && !message.contains("panicked"), "{message}");
    }
}

#[tokio::test]
async fn with_a_certificate_it_serves_over_tls() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stem = std::env::temp_dir().join(format!("rooms-server-tls-{}", std::process::id()));
    let [cert_file, key_file] = ["crt", "key"].map(|extension| stem.with_extension(extension));
    std::fs::write(&cert_file, key.cert.pem()).unwrap();
    std::fs::write(&key_file, key.signing_key.serialize_pem()).unwrap();
    let mut child = command()
        .args(["--listen", "127.0.0.1:0", "--tls-cert"])
        .arg(&cert_file)
        .arg("--tls-key")
        .arg(&key_file)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(HANG, lines.next_line()).await.expect("no hang").unwrap().unwrap();
    let addr = line.strip_prefix("listening on https://").expect(&line);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let url = format!("wss://{addr}/ws/wsrooms");
    let (mut client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let ack = timeout(HANG, client.next()).await.expect("no hang").unwrap().unwrap();
    assert!(matches!(ack, Message::Binary(ack) if ack.starts_with(b"\0\0\0\x04root")));

    let output = command().arg("--tls-cert").arg(&cert_file).stderr(Stdio::piped()).output().await;
    let message = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(message.contains("--tls-key"), "{message}");
    for file in [cert_file, key_file] {
        std::fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named_and_nothing_is_started() {
    for (args, named) in [
        (&["--max-message", "0"][..], "--max-message"),
        (&["--max-rooms", "0"], "--max-rooms"),
        (&["--max-messages-per-second", "0"], "--max-messages-per-second"),
        (&["--history-messages", "0"], "--history-messages"),
        (&["--ping-interval", "0s"], "--ping-interval"),
        (&["--idle-timeout", "soon"], "--idle-timeout"),
        (&["--node", "a"], "--redis"),
        (&["--listen", "nowhere"], "--listen nowhere"),
    ] {
        let output = command().args(args).stderr(Stdio::piped()).output().await.unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(named), "{args:?}: {message}");
    }
}

#[tokio::test]
async fn logs_are_json_objects_that_name_the_connection_if_so_wished() {
    let args = ["--listen", "127.0.0.1:0", "--log", "debug", "--log-format", "json"];
    let mut child = command().args(args).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let _client = connect(ready(&mut child).await).await;
    let connected = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("a line about the connection");
            let line: serde_json::Value = serde_json::from_str(&line).expect(&line);
            if line["fields"]["message"] == "connected" {
                return line;
            }
        }
    };
    let line = timeout(HANG, connected).await.expect("no hang");
    assert_eq!(line["span"]["name"], "rooms.connection", "{line}");
    assert!(line["timestamp"].is_string() && line["level"] == "DEBUG", "{line}");
}
