//! iris websocket (gowsal): a prefix, the name of an event, a digit, the data; and any other message.
//!
//! # Wire format
//! The same in both directions:
//!
//! ```text
//! event  = prefix name ";" type ";" data
//! native = anything that does not begin with the prefix
//! ```
//!
//! | part | what |
//! |---|---|
//! | prefix | [`GOWSAL`], [`IRIS`], [`GO_WEBSOCKET`], or another that both sides know: see [`Codec`] |
//! | name | UTF-8 up to the first semicolon, perhaps empty |
//! | type | one digit, see below |
//! | data | all the rest, semicolons too; perhaps empty |
//!
//! | type | kind | data |
//! |---|---|---|
//! | 0 | [`Kind::Text`] | the text |
//! | 1 | [`Kind::Int`] | decimal digits, perhaps a sign; from browsers all that JavaScript can turn into a number |
//! | 2 | [`Kind::Bool`] | `true` or `false` |
//! | 3 | [`Kind::Bytes`] | the bytes |
//! | 4 | [`Kind::Json`] | JSON text: all other values, such as numbers with a point and `null` |
//!
//! Nothing is escaped, and no length is told. Messages go as text; as binary if they are not UTF-8 or the
//! server is set to binary messages ([`Encoded::into_binary`](crate::Encoded::into_binary)), which the
//! original browser client cannot read. Received are both alike.
//!
//! # Two steps of decoding
//! [`Codec::decode`] takes a message apart and judges only its form. Whether the data is what the type
//! says is judged by [`Event::value`], and whether a listener takes it by [`Event::text`],
//! [`Event::int`], [`Event::bool`], [`Event::bytes`] and [`Event::json`]. A fault in either step is for the
//! connection's error callbacks; the connection stays.
//!
//! The original browser client reads messages in a way of its own, which [`Codec::heard`] follows.

mod codec;
mod error;
mod event;
mod value;

pub use self::codec::{Codec, Heard};
pub use self::error::{DataError, DecodeError, EncodeError, Expected};
pub use self::event::{Event, Frame, Kind};
pub use self::value::Value;

/// The prefix of gowsal's documentation.
pub const GOWSAL: &str = "m:";
/// The prefix of iris 3.0 to 4.1 and 6 to 11.1.
pub const IRIS: &str = "iris-websocket-message:";
/// The prefix of kataras/go-websocket, which iris 4.2 to 5 used.
pub const GO_WEBSOCKET: &str = "go-websocket-message:";
