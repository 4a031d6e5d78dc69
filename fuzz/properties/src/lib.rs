//! What the fuzzing targets check: a function for each, from any bytes, that panics if a promise is broken.
//!
//! The targets in `fuzz/fuzz_targets` call them with what libFuzzer thinks of; `tests/corpus.rs` calls them with every
//! input that was kept. Where an input is more than bytes off a wire, [`arbitrary`] makes it of them. What only private
//! parts of the engine can show is checked by functions in its module `fuzzing`.

#![allow(clippy::missing_panics_doc, reason = "a panic is how a broken promise shows")]

mod batch;
mod close;
mod config;
mod extensions;
mod frames;
mod handshake;
mod headers;
mod no_proxy;
mod proxy_answer;
mod redact;
mod rooms;
mod scanner;
mod script;
mod socks;
mod wire;

pub use batch::batch;
pub use close::close;
pub use config::config;
pub use extensions::extensions;
pub use frames::frames;
pub use handshake::handshake;
pub use headers::headers;
pub use no_proxy::no_proxy;
pub use proxy_answer::proxy_answer;
pub use redact::redact;
pub use rooms::{rooms_easy, rooms_grows, rooms_iris, rooms_wsrooms};
pub use scanner::scanner;
pub use socks::socks;
pub use wscengine::fuzzing::{heartbeat, inbox, lifecycle, retry_after, send_queue};
