//! Every entry of the survey of the four servers' wire protocols, and where it is shown: what the demo can
//! show is played here against the program itself, entry by entry.
//!
//! `exchanges.json` holds the exchanges and HTTP answers as they were recorded (`steps`, `fields`), and what is
//! done about each here:
//!
//! - `play`: it is played. `path`, `headers` and `clients` say who connects, and where; wsrooms clients are in
//!   `rooms` before it begins. `steps` says more than was recorded: what leads to it, what follows, and
//!   where `recorded` is another value than is recommended. `requests` are those of an HTTP entry,
//!   `answer` is recommended instead of `fields`, and `absent` names headers that it may not have.
//! - `test`: what the demo has no handler for. The test of the library that shows it.
//!
//! The messages by themselves are in `rooms/protocol/tests/vectors.json`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

#[path = "../common/mod.rs"]
mod common;
mod entry;
mod http;
mod play;
mod player;
mod program;
mod shown;

use entry::exchanges;
use program::Program;

async fn play_all(system: &str) {
    let mut played = 0;
    for entry in exchanges().iter().filter(|entry| entry.text("system") == system) {
        let Some(play) = entry.0.get("play") else { continue };
        println!("{} {}", entry.text("id"), entry.text("name"));
        // One each: what is left of an entry does not reach the next.
        let program = Program::start().await;
        if entry.text("direction") == "http" {
            http::check(program.addr, entry, play).await;
        } else {
            play::check(program.addr, entry, play).await;
        }
        program.assert_ends_in_order().await;
        played += 1;
    }
    assert_ne!(played, 0, "nothing of {system}");
}

#[tokio::test]
async fn the_program_answers_wsrooms_clients_as_recorded_or_recommended() {
    play_all("wsrooms").await;
}

#[tokio::test]
async fn the_program_answers_go_easy_clients_as_recorded_or_recommended() {
    play_all("go-easy-websocket").await;
}

#[tokio::test]
async fn the_program_answers_iris_clients_as_recorded_or_recommended() {
    play_all("iris").await;
}

#[tokio::test]
async fn the_program_answers_grows_clients_as_recorded_or_recommended() {
    play_all("groWs").await;
}
