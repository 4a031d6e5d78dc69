//! What a browser is given: pages, their files, and the figures of the status page.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, also in its helpers")]

mod common;

use std::net::SocketAddr;

use common::{connect_to, http, receive, start};
use serde_json::Value;
use wscengine_rooms_server::Config;

async fn get(addr: SocketAddr, path: &str, headers: &str) -> String {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{headers}\r\n");
    http(addr, &request).await
}

fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let head = response.split("\r\n\r\n").next().unwrap();
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

async fn status(addr: SocketAddr) -> Value {
    let response = get(addr, "/status.json", "").await;
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn pages_and_their_files_have_their_types() {
    let server = start(Config::default().pages(true)).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/status", "text/html; charset=utf-8"),
        ("/rooms.js", "text/javascript; charset=utf-8"),
        ("/assets/chat.js", "text/javascript; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let response = get(server.local_addr(), path, "").await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{path}: {response}");
        assert_eq!(header(&response, "content-type"), Some(kind), "{path}");
        assert_eq!(header(&response, "x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn whatever_a_page_asks_for_is_there() {
    let server = start(Config::default().pages(true)).await;
    for page in ["/", "/status"] {
        let html = get(server.local_addr(), page, "").await;
        let files = html.split(['"', '\'']).filter(|part| part.starts_with("assets/"));
        let files: Vec<_> = files.collect();
        assert!(files.len() > 3, "{files:?}");
        for file in files {
            let response = get(server.local_addr(), &format!("/{file}"), "").await;
            assert!(response.starts_with("HTTP/1.1 200 "), "{file}: {response}");
        }
    }
}

#[tokio::test]
async fn pages_may_use_nothing_but_their_own_server() {
    let server = start(Config::default().pages(true)).await;
    for path in ["/", "/status"] {
        let response = get(server.local_addr(), path, "").await;
        let policy = header(&response, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for inline in ["<style", "onclick=", "style=", "http://", "https://"] {
            assert!(!response.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_known_is_not_sent_again() {
    let server = start(Config::default().pages(true)).await;
    let response = get(server.local_addr(), "/rooms.js", "").await;
    let etag = header(&response, "etag").unwrap();
    assert_eq!(header(&response, "cache-control"), Some("no-cache"));
    let again = get(server.local_addr(), "/rooms.js", &format!("If-None-Match: {etag}\r\n")).await;
    assert!(again.starts_with("HTTP/1.1 304 "), "{again}");
    assert_eq!(header(&again, "etag"), Some(etag));
    assert!(again.ends_with("\r\n\r\n"), "{again}");
    let other = get(server.local_addr(), "/rooms.js", "If-None-Match: \"other\"\r\n").await;
    assert!(other.starts_with("HTTP/1.1 200 "), "{other}");
}

#[tokio::test]
async fn pages_of_other_hosts_may_import_the_client() {
    let server = start(Config::default().pages(true)).await;
    let response = get(server.local_addr(), "/rooms.js", "Origin: https://example.com\r\n").await;
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert!(response.contains("export function wsrooms("));
}

#[tokio::test]
async fn the_status_has_nodes_rooms_and_protocols() {
    let server = start(Config::default().pages(true)).await;
    let mut client = connect_to(server.local_addr(), "/ws/wsrooms").await;
    receive(&mut client).await.unwrap();
    let status = status(server.local_addr()).await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["rooms"], serde_json::json!([{ "name": "root", "members": 1 }]));
    assert_eq!(status["rooms_total"], 1);
    let node = &status["nodes"][0];
    assert_eq!((&node["state"], &node["connections"]), (&"serving".into(), &1.into()));
    assert!(node["uptime"].as_f64().unwrap() > 0.0, "{node}");
    let protocols = status["protocols"].as_array().unwrap();
    let wsrooms = protocols.iter().find(|protocol| protocol["name"] == "wsrooms").unwrap();
    assert_eq!(wsrooms["connections"], 1);
    assert_eq!(wsrooms["connections_total"], 1);
}

#[tokio::test]
async fn without_the_option_there_are_no_pages() {
    let server = start(Config::default()).await;
    for path in ["/", "/status", "/status.json", "/rooms.js", "/assets/chat.js"] {
        let response = get(server.local_addr(), path, "").await;
        assert!(response.starts_with("HTTP/1.1 404 "), "{path}: {response}");
    }
}
