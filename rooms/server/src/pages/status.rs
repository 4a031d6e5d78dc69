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

use crate::app::App;
use crate::broker::options as broker;
use crate::metrics::Meters;

/// Rooms that are listed: the largest.
const ROOMS: usize = 20;
/// All who ask within this time get the same answer: it walks through all rooms.
const FRESH: Duration = Duration::from_millis(500);

/// Of a server, what does not change, and its last answer.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    since: Instant,
    last: Arc<Mutex<Option<(Instant, Bytes)>>>,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    /// This one first.
    nodes: Vec<Node>,
    rooms_total: usize,
    rooms: Vec<Room>,
    protocols: Vec<Protocol>,
}

#[derive(Serialize)]
struct Node {
    name: String,
    state: &'static str,
    /// In seconds; of this node only.
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime: Option<f64>,
    connections: u64,
    rooms: u64,
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
        Self { since: Instant::now(), last: Arc::default() }
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

    fn report(&self, app: &App) -> Report {
        let rooms = app.rooms();
        Report {
            version: env!("CARGO_PKG_VERSION"),
            rooms_total: rooms.rooms(),
            nodes: rooms.nodes().into_iter().map(|node| self.node(app, &node)).collect(),
            rooms: largest(rooms.sizes()),
            protocols: rooms.meters().into_iter().map(Protocol::from).collect(),
        }
    }

    fn node(&self, app: &App, node: &broker::Node) -> Node {
        let state = match node.is_self {
            true if app.drain().draining().is_cancelled() => "draining",
            true => "serving",
            false => "heard of",
        };
        let uptime = node.is_self.then(|| self.since.elapsed().as_secs_f64());
        let name = node.name.to_string();
        Node { name, state, uptime, connections: node.connections, rooms: node.rooms }
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
