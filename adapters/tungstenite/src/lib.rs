//! The transport of [`wscengine`] on [tokio-tungstenite](tokio_tungstenite): the default one.
//!
//! [`TungsteniteTransport`] dials through [`wscengine_dial`] and frames with tokio-tungstenite.
//! [`FromStreams`] takes ready [`WebSocketStream`](tokio_tungstenite::WebSocketStream)s instead, for
//! programs that have a way of their own to open them.
//!
//! # TLS
//!
//! `wss://` works as it is: the certificate authorities of the system are trusted, or built-in ones if it has none.
//! One of your own is added in a [`TlsConfig`](wscengine_dial::TlsConfig), of the package `wscengine-dial`:
//!
//! ```no_run
//! use wscengine::{Engine, Handler, Message, Session};
//! use wscengine_dial::{Dialer, TlsConfig};
//! use wscengine_tungstenite::TungsteniteTransport;
//!
//! struct Printer;
//!
//! impl Handler for Printer {
//!     async fn on_message(&self, _session: &Session, message: Message<'_>) {
//!         println!("{}", message.text().unwrap_or("(binary)"));
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let tls = TlsConfig::builder().ca_pem(std::fs::read("company-ca.pem")?).build()?;
//!     let transport = TungsteniteTransport::new().dialer(Dialer::default().tls(tls));
//!     let engine = Engine::builder(transport, Printer).url("wss://feed.internal/").build()?.start().await?;
//!     engine.stopped().await;
//!     Ok(())
//! }
//! ```
//!
//! # Logs
//!
//! tungstenite writes frames, payloads included, to the `log` crate at level TRACE, and
//! `tracing_subscriber::fmt().init()` bridges `log` by default. Filter with `trace,tungstenite=info`.
//!
//! # Strictness
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
