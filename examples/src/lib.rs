//! What the examples share, as a library, so that tests run the very code that the examples run.
//!
//! - [`answers`]: the server of `cargo run --example request`;
//! - [`echo`]: the engine of `cargo run --example echo`, and the server that it talks to;
//! - [`lines`]: what the transport of `cargo run --example custom_transport` talks to;
//! - [`telemetry`]: traces to an OpenTelemetry collector.

pub mod answers;
pub mod echo;
pub mod lines;
pub mod narration;
pub mod telemetry;
