//! What listeners take of an event.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use wscengine_rooms_protocol::iris::{DataError, Event, Expected, Value};

/// What a listener can take of an event.
///
/// | argument | takes |
/// |---|---|
/// | `String` | types 0 and 1: the data as it came |
/// | integers | type 1, if it is a whole number that fits |
/// | `bool` | type 2, and `true` under type 1, as browsers send it |
/// | `Bytes`, `Vec<u8>` | type 3 |
/// | [`Json`] | all but type 3: what can be made of the text, the number, the bool or the JSON |
/// | [`Any`] | all |
///
/// A listener whose argument cannot be made is not called, and the callbacks for errors are told. JSON `null` is for
/// [`Json`] and [`Any`] only; other listeners are not called, without an error.
pub trait FromEvent: sealed::FromEvent {}

impl<T: sealed::FromEvent> FromEvent for T {}

/// JSON, as an argument of a listener and as something to emit.
///
/// # Examples
/// ```
/// use serde::{Deserialize, Serialize};
/// use wscengine_rooms_server::iris::{BROADCAST, Conn, Iris, Json};
///
/// #[derive(Deserialize, Serialize)]
/// struct Point {
///     x: i32,
///     y: i32,
/// }
///
/// let iris = Iris::new().on("draw", async |conn: Conn, Json(point): Json<Point>| {
///     conn.to(BROADCAST).emit("drawn", Json(point))?;
///     Ok(())
/// });
/// # let _ = iris;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Json<T>(pub T);

/// The data of an event, whatever it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Any {
    /// Type 0, and what browsers take for a number and is none.
    Text(String),
    /// Type 1.
    Int(i64),
    /// A number with a point, which browsers send under type 1.
    Float(f64),
    /// Type 2, and `true` under type 1.
    Bool(bool),
    /// Type 3.
    Bytes(Bytes),
    /// Type 4.
    Json(serde_json::Value),
}

pub(super) mod sealed {
    use wscengine_rooms_protocol::iris::{DataError, Event};

    pub trait FromEvent: Sized + Send + 'static {
        const TAKES_NULL: bool = false;

        fn from_event(event: &Event<'_>) -> Result<Self, DataError>;
    }
}

impl sealed::FromEvent for String {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.text().map(str::to_owned)
    }
}

macro_rules! integers {
    ($($integer:ty)+) => {
        $(impl sealed::FromEvent for $integer {
            fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
                let invalid = DataError::Invalid { expected: Expected::Int };
                Self::try_from(event.int()?).map_err(|_| invalid)
            }
        })+
    };
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl sealed::FromEvent for bool {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.bool()
    }
}

impl sealed::FromEvent for Bytes {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.bytes().map(Self::copy_from_slice)
    }
}

impl sealed::FromEvent for Vec<u8> {
    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.bytes().map(<[u8]>::to_vec)
    }
}

impl<T: DeserializeOwned + Send + 'static> sealed::FromEvent for Json<T> {
    const TAKES_NULL: bool = true;

    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        event.json().map(Self)
    }
}

impl sealed::FromEvent for Any {
    const TAKES_NULL: bool = true;

    fn from_event(event: &Event<'_>) -> Result<Self, DataError> {
        Ok(match event.value()? {
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Int(number) => Self::Int(number),
            Value::Float(number) => Self::Float(number),
            Value::Bool(yes) => Self::Bool(yes),
            Value::Bytes(bytes) => Self::Bytes(Bytes::copy_from_slice(bytes)),
            Value::Json(json) => Self::Json(serde_json::from_str(json.get())?),
        })
    }
}
