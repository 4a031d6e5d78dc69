//! The transport of [`wscengine`] on [tokio-tungstenite](tokio_tungstenite): the default one.
//!
//! [`TungsteniteTransport`] dials through [`wscengine_dial`]. Messages in one frame, which are most of the traffic of most
//! connections, are lent where they lie in what was read, and all that is sent is masked and gathered in one buffer: that
//! is [`wscengine_frames`]'s. Messages that come in parts are put together by tungstenite.
//!
//! [`FromStreams`] takes ready [`WebSocketStream`](tokio_tungstenite::WebSocketStream)s instead, for programs that have a
//! way of their own to open them. There tungstenite does everything.
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
//! # Options
//!
//! | option | default | why |
//! |---|---|---|
//! | [`TungsteniteTransport::dialer`] | [`Dialer::default`](wscengine_dial::Dialer) | |
//! | [`TungsteniteTransport::read_buffer_size`] | 32 KiB | taken as it is of use, given back when a connection waits |
//! | [`TungsteniteTransport::write_buffer_size`] | 160 KiB | so much is gathered for one write; given back once written |
//!
//! A message that is kept by [`into_owned`](wscengine::Message::into_owned) keeps the whole read alive,
//! [`to_compact`](wscengine::Message::to_compact) copies.
//!
//! # Strictness
//!
//! Every header is judged before memory is given to what it announces, in the same way however the bytes are cut, and
//! more strictly than by tungstenite alone: lengths in a longer form than they need and close codes that must not be sent
//! are violations, close codes that tungstenite does not know (1014 among them) are kept. What a ready stream lets pass
//! says [`ReadyConnection`].
//!
//! # Logs
//!
//! What goes through tungstenite, messages in parts and all of a ready stream, it writes to the `log` crate at level
//! TRACE, payloads included, and `tracing_subscriber::fmt().init()` bridges `log` by default. Filter with
//! `trace,tungstenite=info`.

mod convert;
mod parts;
mod ready;
mod transport;

pub use tokio_tungstenite;

pub use parts::Tungstenite;
pub use ready::{FromStreams, ReadyConnection};
pub use transport::TungsteniteTransport;

/// An open connection: [`TungsteniteTransport`] opens it, and
/// [`new`](wscengine_frames::FramedConnection::new) makes one of any upgraded byte stream.
///
/// Messages in one piece are lent where they lie in what was read. tungstenite puts those together that come in parts.
///
/// # Examples
/// ```
/// use wscengine::transport::Limits;
/// use wscengine_tungstenite::TungsteniteConnection;
///
/// // Any stream that has been upgraded already; here one without a network.
/// let (client, _server) = tokio::io::duplex(4096);
/// let connection = TungsteniteConnection::new(client, b"", Limits::default());
/// # fn is_connection(_: impl wscengine::transport::Connection) {}
/// # is_connection(connection);
/// ```
pub type TungsteniteConnection<S = wscengine_dial::Stream> =
    wscengine_frames::FramedConnection<S, Tungstenite>;

/// The program in README.md compiles: it is a doctest of this crate, which has all that it needs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
