//! RFC 6455 frames, as far as the adapters of [`wscengine`] do them themselves.
//!
//! A WebSocket library takes frames one by one, and makes a message of each. An adapter that is to be faster does what is
//! most of the traffic by itself, and leaves the rest to the library. This is the part of it that is the same for each
//! library, and may be of use for an adapter of your own:
//!
//! - [`ReadBuffer`] reads from a byte stream into memory that grows as it is of use and is given back when nothing comes;
//! - [`Batch::take_frames`](wscengine::transport::Batch::take_frames), of the engine, lends whole messages out of it;
//! - [`Rules`] judges the headers of all other frames, before memory is given to what they announce;
//! - [`FrameWriter`] masks and gathers frames, and writes them in one go.
//!
//! There is no fragment put together here, nothing inflated and no close frame judged: that is the library's.

mod encode;
mod header;
mod read_buffer;
mod writer;

pub use header::{Begun, Frame, Header, MAX_CONTROL, Rules, Violation};
pub use read_buffer::ReadBuffer;
pub use writer::FrameWriter;
