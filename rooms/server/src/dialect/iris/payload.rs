//! What events can carry, to be sent.

use bytes::Bytes;
use serde::Serialize;
use wscengine_rooms_protocol::iris::Value;
use wscengine_rooms_protocol::json;

use super::{Any, Json};

/// What an event can carry: text as type 0, whole numbers as 1, `bool` as 2, bytes as 3, all else as 4.
///
/// | value | type |
/// |---|---|
/// | `str`, `String`, and `()` as empty text | 0 |
/// | integers; above 2^63 - 1 as 4 | 1 |
/// | `bool` | 2 |
/// | `[u8]`, `[u8; N]`, `Vec<u8>`, `Bytes` | 3 |
/// | `f32`, `f64`, and [`Json`] of anything that can be serialised | 4 |
/// | [`serde_json::Value`] and [`Any`] | that of what is in it |
///
/// Implemented for these and references to them, and for nothing else.
pub trait Payload: sealed::Payload {}

impl<T: sealed::Payload + ?Sized> Payload for T {}

pub(super) mod sealed {
    use std::fmt::Debug;

    use serde_json::value::RawValue;
    use wscengine_rooms_protocol::iris::Value;

    /// A value, or JSON that was made of it.
    #[derive(Debug)]
    pub enum Sent<'a> {
        Value(Value<'a>),
        Json(Box<RawValue>),
    }

    impl Sent<'_> {
        pub(in super::super) fn value(&self) -> Value<'_> {
            match self {
                Self::Value(value) => *value,
                Self::Json(json) => Value::Json(json),
            }
        }
    }

    pub trait Payload {
        fn sent(&self) -> Result<Sent<'_>, serde_json::Error>;
    }
}

pub(super) use sealed::Sent;

type Made<'a> = Result<Sent<'a>, serde_json::Error>;

impl<T: sealed::Payload + ?Sized> sealed::Payload for &T {
    fn sent(&self) -> Made<'_> {
        (**self).sent()
    }
}

/// Those of which a value can be had without fail.
macro_rules! payloads {
    ($($what:ty: $self:ident => $value:expr;)+) => {
        $(impl sealed::Payload for $what {
            fn sent(&$self) -> Made<'_> {
                Ok(Sent::Value($value))
            }
        })+
    };
}

payloads! {
    (): self => Value::Text("");
    str: self => Value::Text(self);
    String: self => Value::Text(self);
    bool: self => Value::Bool(*self);
    [u8]: self => Value::Bytes(self);
    Vec<u8>: self => Value::Bytes(self);
    Bytes: self => Value::Bytes(self);
    i8: self => Value::Int((*self).into());
    i16: self => Value::Int((*self).into());
    i32: self => Value::Int((*self).into());
    i64: self => Value::Int(*self);
    u8: self => Value::Int((*self).into());
    u16: self => Value::Int((*self).into());
    u32: self => Value::Int((*self).into());
}

impl<const N: usize> sealed::Payload for [u8; N] {
    fn sent(&self) -> Made<'_> {
        Ok(Sent::Value(Value::Bytes(self)))
    }
}

impl sealed::Payload for u64 {
    fn sent(&self) -> Made<'_> {
        match i64::try_from(*self) {
            Ok(number) => Ok(Sent::Value(Value::Int(number))),
            Err(_) => encoded(self),
        }
    }
}

impl sealed::Payload for usize {
    fn sent(&self) -> Made<'_> {
        match i64::try_from(*self) {
            Ok(number) => Ok(Sent::Value(Value::Int(number))),
            Err(_) => encoded(self),
        }
    }
}

impl sealed::Payload for f64 {
    fn sent(&self) -> Made<'_> {
        if self.is_finite() {
            return Ok(Sent::Value(Value::Float(*self)));
        }
        Err(serde::ser::Error::custom("JSON has no form for this number"))
    }
}

impl sealed::Payload for f32 {
    fn sent(&self) -> Made<'_> {
        if self.is_finite() {
            return encoded(self);
        }
        Err(serde::ser::Error::custom("JSON has no form for this number"))
    }
}

impl<T: Serialize> sealed::Payload for Json<T> {
    fn sent(&self) -> Made<'_> {
        encoded(&self.0)
    }
}

impl sealed::Payload for serde_json::Value {
    fn sent(&self) -> Made<'_> {
        Ok(Sent::Value(match self {
            Self::String(text) => Value::Text(text),
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Number(number) => match number.as_i64() {
                Some(number) => Value::Int(number),
                None => return encoded(self),
            },
            Self::Null | Self::Array(_) | Self::Object(_) => return encoded(self),
        }))
    }
}

impl sealed::Payload for Any {
    fn sent(&self) -> Made<'_> {
        match self {
            Self::Text(text) => text.sent(),
            Self::Int(number) => number.sent(),
            Self::Float(number) => number.sent(),
            Self::Bool(yes) => yes.sent(),
            Self::Bytes(bytes) => bytes.sent(),
            Self::Json(json) => encoded(json),
        }
    }
}

fn encoded(value: &impl Serialize) -> Made<'static> {
    json::encode(value).map(Sent::Json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wscengine_rooms_protocol::iris::Codec;

    use super::sealed::Payload as _;
    use super::*;

    fn emitted(payload: &(impl Payload + ?Sized)) -> String {
        let sent = payload.sent().unwrap();
        let encoded = Codec::default().emit("e", &sent.value()).unwrap();
        String::from_utf8(encoded.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn each_value_goes_under_its_type() {
        assert_eq!(emitted("a;b"), "m:e;0;a;b");
        assert_eq!(emitted(&()), "m:e;0;");
        assert_eq!(emitted(&-7_i32), "m:e;1;-7");
        assert_eq!(emitted(&u64::MAX), "m:e;4;18446744073709551615");
        assert_eq!(emitted(&false), "m:e;2;false");
        assert_eq!(emitted(b"a\0b"), "m:e;3;a\0b");
        assert_eq!(emitted(&1.5), "m:e;4;1.5");
        assert_eq!(emitted(&Json(42)), "m:e;4;42");
        assert_eq!(emitted(&Json(json!({ "h": "<&>" }))), r#"m:e;4;{"h":"\u003c\u0026\u003e"}"#);
        assert_eq!(emitted(&json!("x")), "m:e;0;x");
        assert_eq!(emitted(&json!(3)), "m:e;1;3");
        assert_eq!(emitted(&json!(null)), "m:e;4;null");
        assert_eq!(emitted(&Any::Json(json!(3))), "m:e;4;3");
        assert!(f64::NAN.sent().is_err() && f32::INFINITY.sent().is_err());
    }
}
