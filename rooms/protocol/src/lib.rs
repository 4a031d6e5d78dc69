//! The wire formats of four WebSocket room servers, as pure functions: bytes in, a frame or an error out,
//! and back.
//!
//! | module | server | a message is | WebSocket kind |
//! |---|---|---|---|
//! | [`wsrooms`] | wsrooms, roomer | five fields with lengths in front | binary |
//! | [`grows`] | groWs | `{"event":E,"data":D}`, or any other text | text |
//! | [`easy`] | go-easy-websocket | `command: content` | text; binary if no UTF-8 |
//! | [`iris`] | iris websocket, gowsal | `prefix E;type;data`, or any other message | text; binary if no UTF-8 |
//!
//! Each module says how its format looks, which names are reserved, and what its frames mean to a server
//! and to a client. [`room`] writes one message in all four.
//!
//! - **Nothing panics.** What a peer sends is judged, never trusted: each decoder returns an error that says
//!   what is wrong and where, so that it can be answered, counted or logged.
//! - **Nothing is built.** Decoded frames borrow from the message; no length that a peer claims leads to an
//!   allocation. [`share`] keeps a part of a message without a copy.
//! - **Nothing is kept.** No state, no clock, no I/O. What a server does with a frame is for the server.
//! - [`Limits`] bound the length of names, which a server keeps; the size of messages is for the
//!   WebSocket connection to bound.
//!
//! # Examples
//! What a wsrooms client says in a room, for a groWs client in the same room:
//! ```
//! use wscengine_rooms_protocol::room::{Data, Framing, Message};
//! use wscengine_rooms_protocol::{Limits, wsrooms};
//!
//! let said = wsrooms::Frame { room: "lobby", event: "chat", payload: b"hi", ..Default::default() };
//! let received = said.encode()?.into_bytes();
//!
//! let frame = wsrooms::Frame::decode(&received, &Limits::default())?;
//! let wsrooms::Frame { room, event, dst, payload, .. } = frame;
//! let message = Message { room, event, dst, sender: "id-1", data: Data::from_payload(payload) };
//! let told = Framing::Grows.encode(&message)?;
//! assert_eq!(told.as_bytes(), r#"{"event":"chat","data":"hi"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod encoded;
mod limits;

pub mod easy;
pub mod grows;
pub mod iris;
pub mod json;
pub mod room;
pub mod wsrooms;

pub use self::encoded::{Encoded, share, share_str};
pub use self::limits::Limits;
