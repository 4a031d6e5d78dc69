//! The harness of the end-to-end tests: a handler that reports what it is called with, a server that does what a test
//! says byte by byte, a proxy that does harm on command, a certificate authority, and a subscriber that keeps the
//! spans.
//!
//! The tests themselves are in `tests/e2e` and `tests/peers`; `README.md` says what they show.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]
#![allow(clippy::missing_panics_doc, reason = "every helper panics where the test has failed")]

mod adapter;
mod client;
mod dialects;
pub mod proxy;
mod raw;
mod spans;
mod tls;

pub use adapter::{Adapter, Sockudo, Tungstenite};
pub use client::{Event, Events, Reporter, builder, open, within};
pub use dialects::{Dialect, Said};
pub use proxy::Proxy;
pub use raw::{Frame, Opening, RawConnection, RawServer, frame};
pub use spans::{Recorded, Spans};
pub use tls::Authority;
