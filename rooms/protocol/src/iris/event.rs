//! An event as it stands in a message, and what a listener makes of it.

use std::fmt;

use serde::de::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{DataError, Expected, Value};

/// A message, in either direction. It borrows; [`share`](crate::share) keeps a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frame<'a> {
    /// An event.
    Event(Event<'a>),
    /// A message that does not begin with the prefix; perhaps empty.
    Native(&'a [u8]),
}

/// An event: a name, and data of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event<'a> {
    /// The name, perhaps empty.
    pub name: &'a str,
    /// What the sender says the data is.
    pub kind: Kind,
    /// The data as it stands in the message.
    pub data: &'a [u8],
}

/// What the data of an event is, by its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Type 0: text.
    Text,
    /// Type 1: a whole number, and what browsers take for a number.
    Int,
    /// Type 2: `true` or `false`.
    Bool,
    /// Type 3: bytes.
    Bytes,
    /// Type 4: JSON.
    Json,
}

impl Kind {
    /// The digit on the wire, in ASCII.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Text => b'0',
            Self::Int => b'1',
            Self::Bool => b'2',
            Self::Bytes => b'3',
            Self::Json => b'4',
        }
    }

    /// The kind of a digit in ASCII.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Text,
            b'1' => Self::Int,
            b'2' => Self::Bool,
            b'3' => Self::Bytes,
            b'4' => Self::Json,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Int => "a number",
            Self::Bool => "a bool",
            Self::Bytes => "bytes",
            Self::Json => "JSON",
        })
    }
}

/// What each kind of listener takes. First [`value`](Self::value), which a listener for anything takes
/// and which is to be asked before a listener without argument is called; then one for each type.
///
/// | type | text | int | bool | bytes | any JSON type |
/// |---|---|---|---|---|---|
/// | 0 | the text | no | no | no | made of the text |
/// | 1 | the data as it came | if it is one | if it is `true` | no | made of the number, `true` or the text |
/// | 2 | no | no | yes | no | made of it |
/// | 3 | no | no | no | yes | no |
/// | 4 | no | no | no | no | made of the JSON |
///
/// Type 1 is wide because the original browser client sends under it all that JavaScript can turn into a
/// number: the text `"123"`, the number 1.5, `true`, a space, an empty array.
impl<'a> Event<'a> {
    /// What a listener for anything gets: the data, checked against its type.
    ///
    /// # Errors
    /// The data is not what its type says. No listener of any kind is to be called then.
    pub fn value(&self) -> Result<Value<'a>, DataError> {
        Ok(match self.kind {
            Kind::Text => Value::Text(self.utf8()?),
            Kind::Int => loose_number(self.utf8()?),
            Kind::Bool => Value::Bool(parse_bool(self.data)?),
            Kind::Bytes => Value::Bytes(self.data),
            Kind::Json => Value::Json(serde_json::from_slice::<&RawValue>(self.data)?),
        })
    }

    /// What a listener for text gets.
    ///
    /// # Errors
    /// The event is not of type 0 or 1, or its data not UTF-8.
    pub fn text(&self) -> Result<&'a str, DataError> {
        match self.kind {
            Kind::Text | Kind::Int => self.utf8(),
            Kind::Bool | Kind::Bytes | Kind::Json => Err(self.mismatch(Expected::Text)),
        }
    }

    /// What a listener for whole numbers gets.
    ///
    /// # Errors
    /// The event is not of type 1, or its data no whole number.
    pub fn int(&self) -> Result<i64, DataError> {
        if self.kind != Kind::Int {
            return Err(self.mismatch(Expected::Int));
        }
        self.utf8()?.parse().map_err(|_| DataError::Invalid { expected: Expected::Int })
    }

    /// What a listener for `true` and `false` gets.
    ///
    /// # Errors
    /// The event is not of type 2, or its data neither; or it is of type 1, and its data not `true`.
    pub fn bool(&self) -> Result<bool, DataError> {
        match self.kind {
            Kind::Bool => parse_bool(self.data),
            Kind::Int if self.data == b"true" => Ok(true),
            Kind::Text | Kind::Int | Kind::Bytes | Kind::Json => Err(self.mismatch(Expected::Bool)),
        }
    }

    /// What a listener for bytes gets.
    ///
    /// # Errors
    /// The event is not of type 3.
    pub fn bytes(&self) -> Result<&'a [u8], DataError> {
        if self.kind == Kind::Bytes { Ok(self.data) } else { Err(self.mismatch(Expected::Bytes)) }
    }

    /// What a listener for any type that can be made of JSON gets.
    ///
    /// # Errors
    /// The event is of type 3, its data is not what its type says, or no `T` can be made of it.
    ///
    /// # Examples
    /// ```
    /// use std::collections::BTreeMap;
    /// use wscengine_rooms_protocol::iris::{Event, Kind};
    ///
    /// let event = Event { name: "j", kind: Kind::Json, data: br#"{"a":1}"# };
    /// let object: BTreeMap<String, u8> = event.json()?;
    /// assert_eq!(object["a"], 1);
    ///
    /// // Sent by the browser client for the number 1.5.
    /// let event = Event { name: "n", kind: Kind::Int, data: b"1.5" };
    /// assert_eq!(event.json::<f64>()?, 1.5);
    /// # Ok::<(), wscengine_rooms_protocol::iris::DataError>(())
    /// ```
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, DataError> {
        let value = match self.value()? {
            Value::Json(json) => return Ok(serde_json::from_str(json.get())?),
            Value::Text(text) => Json::from(text),
            Value::Int(number) => Json::from(number),
            Value::Float(number) => Json::from(number),
            Value::Bool(yes) => Json::from(yes),
            Value::Bytes(_) => return Err(self.mismatch(Expected::Json)),
        };
        Ok(T::deserialize(value)?)
    }

    fn utf8(&self) -> Result<&'a str, DataError> {
        std::str::from_utf8(self.data)
            .map_err(|wrong| DataError::NotUtf8 { at: wrong.valid_up_to() })
    }

    fn mismatch(&self, expected: Expected) -> DataError {
        DataError::Mismatch { expected, found: self.kind }
    }
}

/// What data under type 1 stands for: a number if it is written as one, else what the browser had.
fn loose_number(text: &str) -> Value<'_> {
    if let Ok(number) = text.parse() {
        return Value::Int(number);
    }
    if text == "true" {
        return Value::Bool(true);
    }
    // By the grammar of JSON, not of Rust, for which `inf` is a number too; and without white space
    // around it, which JSON allows and a number does not have.
    match serde_json::from_str::<f64>(text) {
        Ok(number) if text.trim() == text => Value::Float(number),
        _ => Value::Text(text),
    }
}

fn parse_bool(data: &[u8]) -> Result<bool, DataError> {
    match data {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(DataError::Invalid { expected: Expected::Bool }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Kind, data: &str) -> Event<'_> {
        Event { name: "e", kind, data: data.as_bytes() }
    }

    /// Which listeners take the event: text, int, bool, bytes, JSON.
    fn takers(kind: Kind, data: &str) -> [bool; 5] {
        let event = event(kind, data);
        [
            event.text().is_ok(),
            event.int().is_ok(),
            event.bool().is_ok(),
            event.bytes().is_ok(),
            event.json::<Json>().is_ok(),
        ]
    }

    #[test]
    fn each_kind_of_listener_takes_what_the_table_says() {
        assert_eq!(takers(Kind::Text, "5"), [true, false, false, false, true]);
        assert_eq!(takers(Kind::Int, "5"), [true, true, false, false, true]);
        assert_eq!(takers(Kind::Int, "1.5"), [true, false, false, false, true]);
        assert_eq!(takers(Kind::Int, "true"), [true, false, true, false, true]);
        assert_eq!(takers(Kind::Bool, "false"), [false, false, true, false, true]);
        assert_eq!(takers(Kind::Bytes, "5"), [false, false, false, true, false]);
        assert_eq!(takers(Kind::Json, "5"), [false, false, false, false, true]);
    }

    #[test]
    fn data_that_is_not_what_its_type_says_is_for_nobody() {
        for (kind, data) in [(Kind::Bool, "yes"), (Kind::Json, "bad"), (Kind::Json, "")] {
            assert!(event(kind, data).value().is_err(), "{data}");
            assert_eq!(takers(kind, data), [false; 5]);
        }
        let broken = Event { name: "e", kind: Kind::Text, data: b"ab\xff" };
        assert!(matches!(broken.value(), Err(DataError::NotUtf8 { at: 2 })));
    }

    #[test]
    fn what_browsers_take_for_a_number_is_a_number_true_or_text() {
        let value = |data| format!("{:?}", event(Kind::Int, data).value().unwrap());
        assert_eq!(value("007"), "Int(7)");
        assert_eq!(value("-7"), "Int(-7)");
        assert_eq!(value("1e5"), "Float(100000.0)");
        assert_eq!(value("9223372036854775808"), "Float(9.223372036854776e18)");
        assert_eq!(value("true"), "Bool(true)");
        for text in ["", " ", " 5", "1.5 ", "0x10", "Infinity", "inf", "NaN"] {
            assert_eq!(value(text), format!("Text({text:?})"));
        }
    }

    #[test]
    fn json_listeners_get_their_own_type() {
        assert_eq!(event(Kind::Json, "null").json::<Option<u8>>().unwrap(), None);
        assert_eq!(event(Kind::Int, "7").json::<Option<u8>>().unwrap(), Some(7));
        assert!(event(Kind::Int, "300").json::<u8>().is_err());
        assert_eq!(event(Kind::Text, "x").json::<String>().unwrap(), "x");
        assert_eq!(event(Kind::Json, r#""x""#).json::<&str>().unwrap(), "x");
    }
}
