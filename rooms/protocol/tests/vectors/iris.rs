use serde_json::{Value as Json, json};
use wscengine_rooms_protocol::iris::{Codec, DataError, Event, Frame, Heard, IRIS, Value};
use wscengine_rooms_protocol::{Encoded, Limits, json as json_text};

use super::{Entry, check_all, variant};

#[test]
fn iris_messages_are_read_and_written_as_the_survey_says() {
    check_all("iris", |entry| {
        match entry.text("test") {
            "emit" => emitted(entry),
            "emit_unchecked" => emitted_with_semicolon(entry),
            "read" => read(entry),
            "refused" => refused(entry),
            "heard" => heard(entry),
            "heard_binary" => heard_binary(),
            _ => return false,
        }
        true
    });
}

fn codec(entry: &Entry) -> Codec {
    Codec::new(entry.text("prefix"))
}

/// A server emits a value: the bytes, and what is read from them again.
fn emitted(entry: &Entry) {
    with_value(entry.get("value"), |value| {
        let encoded = codec(entry).emit(entry.text("event"), &value).unwrap();
        assert_eq!(encoded, Encoded::Text(String::from_utf8(entry.bytes()).unwrap().into()));
        let event = event(&codec(entry), encoded.as_bytes());
        assert_eq!(event.name, entry.text("event"));
        assert_eq!(event.kind.digit(), entry.text("type").as_bytes()[0]);
        assert_eq!(event.data[..], value.data()[..]);
    });
}

/// The original writes such a name; ours does so only when told, since it cannot be read again.
fn emitted_with_semicolon(entry: &Entry) {
    with_value(entry.get("value"), |value| {
        let data = value.data();
        let event = Event { name: entry.text("event"), kind: value.kind(), data: &data };
        let encoded = codec(entry).encode_unchecked(&Frame::Event(event));
        assert_eq!(encoded.as_bytes()[..], entry.bytes());
        assert!(codec(entry).emit(event.name, &value).is_err());
    });
}

fn with_value(written: &Json, check: impl Fn(Value<'_>)) {
    let (kind, value) = written.as_object().unwrap().iter().next().unwrap();
    let json = json_text::encode(value).unwrap();
    check(match kind.as_str() {
        "text" => Value::Text(value.as_str().unwrap()),
        "int" => Value::Int(value.as_i64().unwrap()),
        "float" => Value::Float(value.as_f64().unwrap()),
        "bool" => Value::Bool(value.as_bool().unwrap()),
        "bytes" => Value::Bytes(value.as_str().unwrap().as_bytes()),
        "json" => Value::Json(&json),
        other => panic!("{other}"),
    });
}

/// A client sends an event: what each kind of listener gets, and nothing for those not named.
fn read(entry: &Entry) {
    let bytes = entry.bytes();
    let event = event(&codec(entry), &bytes);
    assert_eq!(event.name, entry.text("event"));
    let mut listeners = serde_json::Map::new();
    let mut called = |kind: &str, got: Result<Json, DataError>| {
        if let Ok(got) = got {
            listeners.insert(kind.to_owned(), got);
        }
    };
    called("text", event.text().map(Json::from));
    called("int", event.int().map(Json::from));
    called("bool", event.bool().map(Json::from));
    called("bytes", event.bytes().map(|bytes| std::str::from_utf8(bytes).unwrap().into()));
    called("any", event.json());
    assert_eq!(Json::Object(listeners), *entry.get("listeners"));
    assert_eq!(codec(entry).encode(&Frame::Event(event)).unwrap().as_bytes()[..], bytes);
}

fn refused(entry: &Entry) {
    let error = codec(entry).decode(&entry.bytes(), &Limits::default()).unwrap_err();
    assert_eq!(variant(&error), entry.text("error"));
}

/// A browser client gets a message: which of its listeners get what; and what our own decoder says.
fn heard(entry: &Entry) {
    let bytes = entry.bytes();
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    let heard = match codec(entry).heard(&bytes) {
        Heard::Event { name, data } => json!([text(name), text(data)]),
        Heard::Native(message) => json!(["<native>", text(message)]),
        Heard::Lost => Json::Null,
    };
    assert_eq!(heard, *entry.get("heard"));
    match (codec(entry).decode(&bytes, &Limits::default()), entry.0.get("error")) {
        (Err(error), expected) => assert_eq!(expected, Some(&variant(&error).into())),
        (Ok(_), Some(error)) => panic!("expected {error}"),
        (Ok(Frame::Native(native)), None) => assert_eq!(native, bytes),
        (Ok(Frame::Event(event)), None) => {
            assert_eq!(json!([event.name, text(event.data)]), heard);
        }
    }
}

/// The browser client throws on binary messages: text data must never make one, unless it is asked for.
fn heard_binary() {
    let codec = Codec::new(IRIS);
    let encoded = codec.emit("r", &Value::Bytes(b"abc")).unwrap();
    assert!(matches!(encoded, Encoded::Text(_)));
    let binary = encoded.clone().into_binary();
    assert!(matches!(binary, Encoded::Binary(_)));
    assert_eq!(
        codec.decode(binary.as_bytes(), &Limits::default()),
        codec.decode(encoded.as_bytes(), &Limits::default())
    );
}

fn event<'a>(codec: &Codec, bytes: &'a [u8]) -> Event<'a> {
    match codec.decode(bytes, &Limits::default()) {
        Ok(Frame::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}
