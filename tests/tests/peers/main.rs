//! The engine against WebSocket programs that are not ours: npm `ws`, Python `websockets`, proxies of all kinds in
//! between, and a link that goes dead without a word. `tests/peers/README.md` describes them.
//!
//! Every test exists once for each adapter, and every test of [`for_each_server!`] once for each of the two servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]
#![allow(
    clippy::duplicate_mod,
    reason = "it is how each test with a server is one for each adapter"
)]

mod deflate;
mod dialects;
mod environment;
mod forwards;
mod fronts;
mod harness;
mod iris;
mod rooms;

#[path = "."]
mod sockudo {
    use e2e::Sockudo as Chosen;

    mod servers;
}

#[path = "."]
mod tungstenite {
    use e2e::Tungstenite as Chosen;

    mod servers;
}
