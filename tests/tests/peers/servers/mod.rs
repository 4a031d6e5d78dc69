//! The engine and the two servers: `main.rs` has these modules once for each adapter, and [`Chosen`] is the one.

mod closes;
mod echo;
mod half_open;
mod handshakes;
mod liveness;
mod losses;
mod refusals;

use e2e::{Adapter, Events, Reporter};
use wscengine::{Engine, EngineBuilder, Handler};
use wscengine_dial::Dialer;

use super::Chosen;
use crate::harness::{over, started_over};

type Builder<H> = EngineBuilder<<Chosen as Adapter>::Transport, H>;

/// A builder as [`over`] makes it.
fn quick<H: Handler>(url: &str, handler: H) -> Builder<H> {
    over(Chosen::transport(Dialer::default()), url, handler)
}

/// Starts an engine that reports, as [`started_over`] does.
async fn started(
    url: &str,
    with: impl FnOnce(Builder<Reporter>) -> Builder<Reporter>,
) -> (Engine, Events) {
    started_over(Chosen::transport(Dialer::default()), url, with).await
}

/// An engine connected over the adapter: [`e2e::open`].
async fn open(url: &str) -> (Engine, Events) {
    e2e::open::<Chosen>(url).await
}
