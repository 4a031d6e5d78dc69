use serde_json::Value;
use wscengine_rooms_protocol::grows::{Event, Frame};
use wscengine_rooms_protocol::{Encoded, Limits, json};

use super::{Entry, check_all};

#[test]
fn grows_messages_are_read_and_written_as_the_survey_says() {
    check_all("groWs", |entry| {
        match entry.text("test") {
            "written" => written(entry),
            "event" => is_event(entry),
            "raw" => is_raw(entry),
            _ => return false,
        }
        true
    });
}

fn written(entry: &Entry) {
    let data = json::encode(entry.get("data")).unwrap();
    let frame = Frame::Event(Event::new(entry.text("event"), &data));
    let encoded = frame.encode();
    assert_eq!(encoded, Encoded::Text(String::from_utf8(entry.bytes()).unwrap().into()));
    is_event(entry);
}

fn is_event(entry: &Entry) {
    let bytes = entry.bytes();
    let Frame::Event(event) = Frame::decode(&bytes, &Limits::default()).unwrap() else {
        panic!("not an event");
    };
    assert_eq!(event.name, entry.text("event"));
    let data: Value = serde_json::from_str(event.data.get()).unwrap();
    assert_eq!(data, *entry.get("data"));
}

fn is_raw(entry: &Entry) {
    let bytes = entry.bytes();
    let frame = Frame::decode(&bytes, &Limits::default()).unwrap();
    assert_eq!(frame, Frame::Raw(std::str::from_utf8(&bytes).unwrap()));
    assert_eq!(frame.encode().as_bytes()[..], bytes);
}
