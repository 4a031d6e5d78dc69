//! The wire formats of four WebSocket room servers, as pure functions.
mod encoded;
mod limits;
pub use encoded::{Encoded, share, share_str};
pub use limits::Limits;
