//! Messages recorded of the original, over a real socket: what each kind of listener is called with, and what is sent
//! for each kind of value.

use bytes::Bytes;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use wscengine_rooms_protocol::iris::GOWSAL;
use wscengine_rooms_server::iris::{Any, Conn, FrameKind, Iris, Json, ListenerError};

use crate::common::assert_nothing_more;
use crate::peer::{P, Pen, meet, notes};

const VECTORS: &str = include_str!("../../../protocol/tests/vectors.json");

fn vectors(test: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    all.into_iter().filter(|it| it["system"] == "iris" && it["test"] == test).collect()
}

fn bytes(vector: &Value) -> Vec<u8> {
    let hex = vector["hex"].as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    hex.chunks(2).map(byte).collect()
}

/// A listener that notes its kind and what it gets.
fn noting<T: 'static>(
    pen: &Pen,
    kind: &'static str,
    show: fn(T) -> Value,
) -> impl Fn(Conn, T) -> std::future::Ready<Result<(), ListenerError>> + Send + Sync + 'static {
    let pen = pen.clone();
    move |_, data| {
        pen.note(format!("{kind} {}", show(data)));
        std::future::ready(Ok(()))
    }
}

fn shown(any: Any) -> Value {
    match any {
        Any::Text(text) => text.into(),
        Any::Int(number) => number.into(),
        Any::Float(number) => number.into(),
        Any::Bool(yes) => yes.into(),
        Any::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap().into(),
        Any::Json(json) => json,
    }
}

/// All kinds of listeners for one event.
fn listening(iris: Iris, event: &str, pen: &Pen) -> Iris {
    let nothing = pen.clone();
    iris.on(event, move |_: Conn| {
        nothing.note("nothing");
        std::future::ready(Ok(()))
    })
    .on(event, noting::<String>(pen, "text", Value::from))
    .on(event, noting::<i64>(pen, "int", Value::from))
    .on(event, noting::<bool>(pen, "bool", Value::from))
    .on(
        event,
        noting(pen, "bytes", |bytes: Bytes| Value::from(std::str::from_utf8(&bytes).unwrap())),
    )
    .on(event, noting(pen, "json", |Json(json): Json<Value>| json))
    .on(event, noting(pen, "any", shown))
}

/// What the listeners of an entry are called with. Its table says it of five kinds: the one without an argument is
/// called with all but JSON `null`, and the one for JSON as the one for anything, but not with bytes.
fn expected(vector: &Value) -> Vec<String> {
    let listeners = vector["listeners"].as_object().unwrap();
    let is_bytes = listeners.contains_key("bytes");
    let any = if is_bytes { listeners.get("bytes") } else { listeners.get("any") };
    let mut calls = Vec::new();
    if any.is_some_and(|value| !value.is_null()) {
        calls.push("nothing".to_owned());
    }
    for kind in ["text", "int", "bool", "bytes"] {
        calls.extend(listeners.get(kind).map(|value| format!("{kind} {value}")));
    }
    if !is_bytes {
        calls.extend(any.map(|value| format!("json {value}")));
    }
    calls.extend(any.map(|value| format!("any {value}")));
    calls
}

#[tokio::test]
async fn i031_to_i064_each_listener_is_called_with_what_it_takes_and_no_other() {
    let entries = vectors("read");
    assert!(entries.len() >= 30, "{}", entries.len());
    let (pen, mut seen) = notes();
    let events = ["s", "", "chat", "n", "b", "j", "u"];
    let iris =
        events.iter().fold(Iris::new().prefix(P), |iris, event| listening(iris, event, &pen));
    let iris = iris.on_message(move |_: Conn, _| {
        pen.note("end");
        std::future::ready(Ok(()))
    });
    let (_addr, _host, [mut a]) = meet(iris).await;
    for entry in &entries {
        a.say(std::str::from_utf8(&bytes(entry)).unwrap()).await;
        a.say("native").await;
        let mut calls = Vec::new();
        loop {
            match seen.next().await {
                call if call == "end" => break,
                call => calls.push(call),
            }
        }
        assert_eq!(calls, expected(entry), "{entry}");
    }
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn i045_to_i048_what_cannot_be_read_is_told_to_the_error_callbacks_and_to_nobody_else() {
    let entries = vectors("refused");
    assert_eq!(entries.len(), 4);
    let (pen, mut seen) = notes();
    let errors = pen.clone();
    let iris = listening(listening(Iris::new().prefix(P), "s", &pen), "a", &pen)
        .on_error(move |_, error| errors.note(error.to_string()));
    let (_addr, _host, [mut a]) = meet(iris).await;
    for entry in &entries {
        a.say(std::str::from_utf8(&bytes(entry)).unwrap()).await;
        assert!(seen.next().await.starts_with("Invalid websocket Message: "));
    }
    assert_nothing_more(&mut [&mut a]).await;
    seen.assert_no_more();
}

fn emit(conn: &Conn, entry: &Value) -> Result<(), ListenerError> {
    let (event, value) = (entry["event"].as_str().unwrap(), entry["value"].as_object().unwrap());
    let (kind, value) = value.iter().next().unwrap();
    match &**kind {
        "text" => conn.emit(event, value.as_str().unwrap())?,
        "int" => conn.emit(event, value.as_i64().unwrap())?,
        "bool" => conn.emit(event, value.as_bool().unwrap())?,
        "bytes" => conn.emit(event, value.as_str().unwrap().as_bytes())?,
        "float" => conn.emit(event, value.as_f64().unwrap())?,
        "json" => conn.emit(event, Json(value))?,
        kind => panic!("{kind}"),
    }
    Ok(())
}

#[tokio::test]
async fn i001_to_i028_each_value_is_sent_under_its_type_to_one_and_to_all() {
    for prefix in [P, GOWSAL] {
        let entries: Vec<_> =
            vectors("emit").into_iter().filter(|it| it["prefix"] == prefix).collect();
        assert_eq!(entries.len(), 14);
        let expected: Vec<_> = entries.iter().map(bytes).collect();
        let iris = Iris::new().prefix(prefix).on("go", move |conn: Conn| {
            let result = entries.iter().try_for_each(|entry| emit(&conn, entry));
            std::future::ready(result)
        });
        let (_addr, _host, [mut a]) = meet(iris).await;
        a.say(&format!("{prefix}go;0;")).await;
        for expected in expected {
            assert_eq!(a.receive().await, Message::text(String::from_utf8(expected).unwrap()));
        }
        assert_nothing_more(&mut [&mut a]).await;
    }
}

/// The original sends what arrives as something else. It can still be sent, as a frame.
#[tokio::test]
async fn i029_i030_a_name_with_a_semicolon_is_an_error_and_can_be_written_as_a_frame() {
    for entry in vectors("emit_unchecked") {
        let (prefix, frame) = (entry["prefix"].as_str().unwrap().to_owned(), bytes(&entry));
        let expected = Message::text(String::from_utf8(frame.clone()).unwrap());
        let iris = Iris::new().prefix(&*prefix).on("go", move |conn: Conn| {
            let error = conn.emit("r;x", "v").unwrap_err();
            assert_eq!(error.to_string(), "the name of the event has a semicolon at byte 1");
            assert!(conn.to(conn.id()).emit("r;x", "v").is_err());
            let written = conn.write(FrameKind::Text, &frame);
            std::future::ready(written.map_err(Into::into))
        });
        let (_addr, _host, [mut a]) = meet(iris).await;
        a.say(&format!("{prefix}go;0;")).await;
        assert_eq!(a.receive().await, expected);
        assert_nothing_more(&mut [&mut a]).await;
    }
}
