//! What every adapter must pass: `main.rs` has these modules once for each, and [`Chosen`] is the one they are for.

mod adapter_defects;
mod closes;
mod dialects;
mod echo;
mod frames;
mod handshakes;
mod outbox;
mod reconnect;
mod rooms;
mod spans;
mod survey;
mod tls;
mod traces;
mod wsrooms;

use e2e::{Adapter, Events};
use wscengine::{Engine, EngineBuilder, Handler};

use super::Chosen;

/// An engine to be, over the adapter: [`e2e::builder`].
fn builder<H: Handler>(url: &str, handler: H) -> EngineBuilder<<Chosen as Adapter>::Transport, H> {
    e2e::builder::<Chosen, H>(url, handler)
}

/// An engine connected over the adapter: [`e2e::open`].
async fn open(url: &str) -> (Engine, Events) {
    e2e::open::<Chosen>(url).await
}
