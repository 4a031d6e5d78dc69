//! `/status.json`: what the status page shows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::metrics::Meters;

/// Rooms that are listed: the largest.
const ROOMS: usize = 20;
/// All who ask within this time get the same answer: it walks through all rooms.
const FRESH: Duration = Duration::from_millis(500);

/// Of a server, what does not change, and its last answer.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    node: Arc<str>,
    since: Instant,
    last: Arc<Mutex<Option<(Instant, Bytes)>>>,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    nodes: [Node<'a>; 1],
    rooms_total: usize,
    rooms: Vec<Room>,
    protocols: Vec<Protocol>,
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    state: &'static str,
    /// In seconds.
    uptime: f64,
    connections: usize,
    rooms: usize,
}

#[derive(Serialize)]
struct Room {
    name: String,
    members: usize,
}

/// What was counted since the start, but for `connections`, which are now.
#[derive(Serialize)]
struct Protocol {
    name: String,
    connections: i64,
    connections_total: u64,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
    dropped: u64,
    too_slow: u64,
}

pub(super) fn route() -> Router<App> {
    Router::new().route("/status.json", get(answer))
}

async fn answer(State(app): State<App>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (headers, app.status().answer(&app))
}

impl Status {
    /// Of a server that starts now.
    pub(crate) fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self { node: id[..8].into(), since: Instant::now(), last: Arc::default() }
    }

    fn answer(&self, app: &App) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = &*last
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = Bytes::from(serde_json::to_vec(&self.report(app)).unwrap_or_default());
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    fn report(&self, app: &App) -> Report<'_> {
        let rooms = app.rooms();
        let node = Node {
            name: &self.node,
            state: if app.drain().draining().is_cancelled() { "draining" } else { "serving" },
            uptime: self.since.elapsed().as_secs_f64(),
            connections: rooms.connections(),
            rooms: rooms.rooms(),
        };
        Report {
            version: env!("CARGO_PKG_VERSION"),
            rooms_total: node.rooms,
            nodes: [node],
            rooms: largest(rooms.sizes()),
            protocols: rooms.meters().into_iter().map(Protocol::from).collect(),
        }
    }
}

fn largest(mut sizes: Vec<(Arc<str>, usize)>) -> Vec<Room> {
    sizes.sort_unstable_by(|(name, members), (other_name, others)| {
        others.cmp(members).then_with(|| name.cmp(other_name))
    });
    sizes.truncate(ROOMS);
    sizes.into_iter().map(|(name, members)| Room { name: name.to_string(), members }).collect()
}

impl From<(String, Meters)> for Protocol {
    fn from((name, meters): (String, Meters)) -> Self {
        Self {
            name,
            connections: meters.connections.get(),
            connections_total: meters.opened.get(),
            messages_in: meters.messages_in.get(),
            messages_out: meters.messages_out.get(),
            bytes_in: meters.bytes_in.get(),
            bytes_out: meters.bytes_out.get(),
            dropped: meters.malformed.get() + meters.overflowed.get(),
            too_slow: meters.slow.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_rooms_come_first_and_those_of_one_size_by_name() {
        let sizes = (0..30).map(|n| (format!("{n:02}").into(), n % 3)).collect();
        let rooms = largest(sizes);
        assert_eq!(rooms.len(), ROOMS);
        assert_eq!((&*rooms[0].name, rooms[0].members), ("02", 2));
        assert_eq!((&*rooms[1].name, &*rooms[10].name), ("05", "01"));
    }
}
