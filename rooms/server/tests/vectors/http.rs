//! The HTTP entries: one request each, written as it is, and the answer to it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::HANG;
use crate::entry::{Entry, text};

struct Answer {
    status: u64,
    /// By their names in small letters.
    headers: HashMap<String, String>,
    body: String,
}

/// What every WebSocket client sends (RFC 6455, section 4.1).
const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

pub(crate) async fn check(addr: SocketAddr, entry: &Entry, play: &Value) {
    let expected = play.get("answer").unwrap_or(&entry.0["fields"]);
    for request in play["requests"].as_array().unwrap() {
        let answer = ask(addr, &head(addr, request)).await;
        let context = format!("{}: {request}", entry.id());
        assert_eq!(answer.status, expected["status"].as_u64().unwrap(), "{context}");
        if let Some(body) = expected.get("body") {
            assert_eq!(answer.body, *body, "{context}");
        }
        if let Some(content_type) = expected.get("content_type") {
            assert_eq!(answer.headers["content-type"], *content_type, "{context}");
        }
        for (name, value) in fields(expected, "headers") {
            let header = answer.headers.get(&name.to_lowercase());
            assert_eq!(header.map(String::as_str), value.as_str(), "{context}: {name}");
        }
        for name in play["absent"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap().to_lowercase();
            assert_eq!(answer.headers.get(&name), None, "{context}: {name}");
        }
    }
}

/// With the headers of an upgrade if it is to be one; others take their places, null takes one away.
fn head(addr: SocketAddr, request: &Value) -> String {
    let upgrade = request.get("upgrade").is_some();
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in UPGRADE.iter().take(if upgrade { UPGRADE.len() } else { 0 }) {
        headers.push(((*name).to_owned(), (*value).to_owned()));
    }
    for (name, value) in fields(request, "headers") {
        headers.retain(|(other, _)| other != name);
        if let Some(value) = value.as_str() {
            headers.push((name.clone(), value.to_owned()));
        }
    }
    let method = request.get("method").map_or("GET", |_| text(request, "method"));
    let mut head = format!("{method} {} HTTP/1.1\r\nHost: {addr}\r\n", text(request, "path"));
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head + "\r\n"
}

fn fields<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(field).and_then(Value::as_object).into_iter().flatten()
}

async fn ask(addr: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, |read| read.ends_with(b"\r\n\r\n")).await;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HashMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let body = read_until(&mut stream, |read| read.len() == length).await;
    Answer { status, headers, body }
}

async fn read_until(stream: &mut TcpStream, is_all: impl Fn(&[u8]) -> bool) -> String {
    let mut read = Vec::new();
    while !is_all(&read) {
        let byte = timeout(HANG, stream.read_u8()).await.expect("no hang");
        read.push(byte.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&read))));
    }
    String::from_utf8(read).unwrap()
}
