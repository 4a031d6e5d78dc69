//! The fast transport of [`wscengine`], on the sans-I/O core of sockudo-ws.

mod connection;
mod convert;
mod deflate;
mod header;
mod negotiation;
mod reader;
mod transport;
mod writer;

pub use connection::SockudoConnection;
pub use deflate::{Deflate, InvalidWindowBits, WindowBits};
pub use transport::SockudoTransport;
