//! WebSocket frames on the server's side (RFC 6455), apart from I/O.
//!
//! Messages are lent where they lie in the read buffer, which no connection owns while it waits, and frames
//! are written once for all their receivers. A library's connection object has neither, which is why the
//! framing is our own.

mod assembly;
mod deflate;
mod header;
mod packet;

pub(crate) use assembly::{Assembly, Event, Kind};
pub(crate) use deflate::{WindowBits, negotiate};
pub(crate) use header::Violation;
pub(crate) use packet::Packet;

/// Codes of close frames ([RFC 6455 section 7.4.1](https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1)
/// and the IANA registry).
pub mod close_code {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The server goes away.
    pub const GOING_AWAY: u16 = 1001;
    /// The client broke RFC 6455.
    pub const PROTOCOL: u16 = 1002;
    /// In no frame (RFC 6455 section 7.1.5): the connection ends without one.
    pub(crate) const ABNORMAL: u16 = 1006;
    /// Text that is not UTF-8.
    pub const INVALID: u16 = 1007;
    /// The client broke a rule of the server.
    pub const POLICY: u16 = 1008;
    /// A message larger than the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The application failed.
    pub const INTERNAL: u16 = 1011;
    /// The server restarts: come back later.
    pub const RESTART: u16 = 1012;
    /// The client reads too slowly: come back later.
    pub const TRY_AGAIN: u16 = 1013;
}
