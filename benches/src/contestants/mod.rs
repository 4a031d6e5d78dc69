//! The contestants. To add one: a file here, a line in `all`, and its dependency in Cargo.toml.

mod calls;
mod ezsockets;
mod fast_websocket_client;
mod fastwebsockets;
mod floor;
mod mini_engine;
mod npm_ws;
mod sockudo_core;
mod sockudo_ws;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod wscengine;
mod yawc;

use crate::contestant::Contestant;

/// The one that all others are compared with.
pub(crate) const BASELINE: &str = tungstenite::BASELINE;

/// In the order of the table.
pub(crate) fn all() -> Vec<Box<dyn Contestant>> {
    [
        floor::contestants(),
        tungstenite::contestants(),
        wscengine::contestants(),
        tokio_websockets::contestants(),
        fastwebsockets::contestants(),
        yawc::contestants(),
        sockudo_ws::contestants(),
        sockudo_core::contestants(),
        web_socket::contestants(),
        ezsockets::contestants(),
        fast_websocket_client::contestants(),
        npm_ws::contestants(),
        mini_engine::contestants(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
