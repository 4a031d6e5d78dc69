//! The transport of [`wscengine`] on [tokio-tungstenite](tokio_tungstenite): the default one.
//!
//! [`TungsteniteTransport`] dials through [`wscengine_dial`] and frames with tokio-tungstenite.
//! [`FromStreams`] takes ready [`WebSocketStream`](tokio_tungstenite::WebSocketStream)s instead, for
//! programs that have a way of their own to open them.
//!
//! What tungstenite lets pass and RFC 6455 does not, [`Checked`] finds beneath it: lengths in a longer form
//! than they need, and close codes that must not be sent.

mod connection;
mod convert;
mod scan;
mod stream;
mod transport;

pub use tokio_tungstenite;

pub use connection::TungsteniteConnection;
pub use stream::Checked;
pub use transport::{FromStreams, TungsteniteTransport};

/// The program in README.md compiles: it is a doctest of this crate, which has all that it needs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
