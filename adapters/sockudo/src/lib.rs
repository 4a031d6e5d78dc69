//! The transport of [`wscengine`] with permessage-deflate (RFC 7692), on the sans-I/O core of sockudo-ws.
//!
//! [`SockudoTransport`] dials through [`wscengine_dial`], as every adapter does; whole messages, control frames, buffers and
//! masks are [`wscengine_frames`]'s, parts of messages and compressed ones the core's. It is put in the place of another by
//! one line:
//!
//! ```no_run
//! use wscengine::{Engine, Handler, Message, Session};
//! use wscengine_sockudo::SockudoTransport;
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
//!     // Was: let transport = wscengine_tungstenite::TungsteniteTransport::new();
//!     let transport = SockudoTransport::new();
//!     let engine = Engine::builder(transport, Printer).url("wss://feed.example/").build()?.start().await?;
//!     engine.stopped().await;
//!     Ok(())
//! }
//! ```
//!
//! # Which adapter when
//!
//! | | `wscengine-tungstenite` | `wscengine-sockudo` |
//! |---|---|---|
//! | choose it | by default: tungstenite is old, widely used and seldom changes | for compression |
//! | permessage-deflate | no | by option |
//! | messages in parts are put together by | tungstenite | the core of sockudo-ws |
//! | a stream of messages made elsewhere | yes (`FromStreams`) | no; a byte stream: [`SockudoConnection`] |
//!
//! All else is the same: whole messages are lent where they were read, [`Message::into_owned`](wscengine::Message::into_owned)
//! keeps the whole read alive and [`to_compact`](wscengine::Message::to_compact) copies; a connection that waits holds no
//! buffer. Both pass the same conformance suite and the same end-to-end tests, and are equally strict.
//!
//! # Options
//!
//! | option | default | why |
//! |---|---|---|
//! | [`SockudoTransport::dialer`] | [`Dialer::default`](wscengine_dial::Dialer) | |
//! | [`SockudoTransport::deflate`] | not offered | it costs 20 times the CPU of framing and some 350 KiB for a connection, and lengths of compressed messages tell of secrets in them |
//! | [`SockudoTransport::read_buffer_size`] | 32 KiB | taken as it is of use, given back when a connection waits |
//! | [`SockudoTransport::write_buffer_size`] | 160 KiB | so much is gathered for one write; given back once written |
//!
//! What compression is made of stands with [`Deflate`].
//!
//! # Strictness
//!
//! Every header is judged before memory is given to what it announces, in the same way however the bytes are cut: reserved
//! bits and opcodes, masked frames, lengths in a longer form than needed, control frames that are fragmented or too long,
//! the order of fragments, and the limits. Text and close frames are judged as they come. What cannot be inflated is a
//! violation of the protocol (close code 1002), what becomes larger than the limit by inflating is too big (1009).
//!
//! sockudo-ws sends whatever it is given: close codes, reasons and pings are checked here. Masks are drawn, many at a
//! time, from the thread's CSPRNG of the crate rand.
//!
//! # Logs
//!
//! There are none but the engine's and the dialer's.

mod convert;
mod core;
mod deflate;
mod negotiation;
mod transport;

pub use core::Sockudo;
pub use deflate::{Deflate, InvalidWindowBits, WindowBits};
pub use transport::SockudoTransport;

/// An open connection: [`SockudoTransport`] opens it, and [`new`](wscengine_frames::FramedConnection::new) or
/// [`Deflate::connection`] makes one of any upgraded byte stream.
pub type SockudoConnection<S = wscengine_dial::Stream> =
    wscengine_frames::FramedConnection<S, Sockudo>;
