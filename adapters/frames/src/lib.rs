//! RFC 6455 frames, as far as the adapters of [`wscengine`] do them themselves.
//!
//! A WebSocket library takes frames one by one, and makes a message of each. An adapter that is to be faster does what is
//! most of the traffic by itself, and leaves the rest to the library. This is the part of it that is the same for each
//! library, and may be of use for an adapter of your own. [`FramedConnection`] is a connection without a [`Library`] for the
//! rest: parts of messages, and what is compressed. It is made of
//!
//! - [`ReadBuffer`] reads from a byte stream into memory that grows as it is of use and is given back when nothing comes;
//! - [`Batch::take_frames`](wscengine::transport::Batch::take_frames), of the engine, lends whole messages out of it;
//! - [`Rules`] judges the headers of all other frames, before memory is given to what they announce;
//! - [`FrameWriter`] masks and gathers frames, and writes them in one go.
//!
//! There is no message put together here that comes in parts, and nothing inflated.

mod close;
mod connection;
mod encode;
mod header;
mod library;
mod read_buffer;
mod reader;
mod writer;

pub use connection::{Buffers, FramedConnection};
pub use header::{Begun, Frame, Header, MAX_CONTROL, Rules, Violation, compressed_limit};
pub use library::Library;
pub use read_buffer::ReadBuffer;
pub use writer::FrameWriter;

/// The bit of a message's last frame, to which the opcode is added: the first byte of a header (RFC 6455 section 5.2).
const FIN: u8 = 0x80;
/// The bit of a compressed message's first frame (RFC 7692 section 6).
const RSV1: u8 = 0x40;
const OPCODE_CLOSE: u8 = 8;
const OPCODE_PING: u8 = 9;
const OPCODE_PONG: u8 = 10;
