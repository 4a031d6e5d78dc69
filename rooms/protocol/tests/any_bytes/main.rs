//! Whatever bytes come: no codec panics, and what is read can be written and read again.
//!
//! `ROOMS_PROTOCOL_CASES` sets how many messages each codec gets. Ten million:
//! `ROOMS_PROTOCOL_CASES=10000000 cargo test --release -p wscengine-rooms-protocol --test any_bytes`
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod bytes;

use proptest::test_runner::{Config, TestRunner};
use serde_json::Value as Json;
use wscengine_rooms_protocol::iris::{self, Codec};
use wscengine_rooms_protocol::room::{Data, Framing, Message};
use wscengine_rooms_protocol::{Limits, easy, grows, json, wsrooms};

/// Enough to meet each branch many times, and a second's work without optimisation.
const CASES: u32 = 4_000;
/// The second kind of limits that each message is read under.
const SHORT: usize = 3;

fn try_any_bytes(system: &'static str, check: fn(&[u8])) {
    let cases = std::env::var("ROOMS_PROTOCOL_CASES");
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number of cases"));
    // A failing case is printed in full and belongs into a test of its own, not into a file of seeds.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let ran = TestRunner::new(config).run(&bytes::messages(system), |message| {
        check(&message);
        Ok(())
    });
    if let Err(failure) = ran {
        panic!("{system}: {failure}");
    }
}

#[test]
fn any_bytes_are_a_wsrooms_message_or_an_error() {
    try_any_bytes("wsrooms", |bytes| {
        // Of each well-formed message there is one form only.
        if let Ok(frame) = wsrooms::Frame::decode(bytes, &Limits::default()) {
            assert_eq!(frame.encode().unwrap().as_bytes()[..], *bytes);
            assert_eq!(frame.encoded_len(), bytes.len());
            let _request = frame.request();
            let _notice = frame.notice().map_err(|error| error.to_string());
            tell_everybody(frame.event, Data::from_payload(frame.payload));
        }
        match wsrooms::Frame::decode(bytes, &Limits::default().max_name(SHORT)) {
            Ok(frame) => assert!(frame.room.len().max(frame.event.len()) <= SHORT),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

#[test]
fn any_bytes_are_a_grows_message_or_no_text() {
    try_any_bytes("groWs", |bytes| {
        match grows::Frame::decode(bytes, &Limits::default()) {
            Err(error) => assert!(std::str::from_utf8(bytes).is_err(), "{error}"),
            Ok(frame @ grows::Frame::Raw(_)) => assert_eq!(frame.encode().as_bytes()[..], *bytes),
            Ok(frame) => {
                let encoded = frame.encode();
                assert_eq!(
                    grows::Frame::decode(encoded.as_bytes(), &Limits::NONE),
                    Ok(frame.clone())
                );
                let grows::Frame::Event(event) = &frame else { panic!("neither") };
                let _data: Result<Json, _> = serde_json::from_str(event.data.get());
                tell_everybody(&event.name, Data::from_json(event.data));
            }
        }
        if let Ok(grows::Frame::Event(event)) =
            grows::Frame::decode(bytes, &Limits::default().max_name(SHORT))
        {
            assert!(event.name.len() <= SHORT);
        }
    });
}

#[test]
fn any_bytes_are_an_easy_message_or_an_error() {
    try_any_bytes("go-easy-websocket", |bytes| {
        if let Ok(frame) = easy::Frame::decode(bytes, &Limits::default()) {
            match frame.encode() {
                Ok(encoded) => assert_eq!(encoded.as_bytes()[..], *bytes),
                Err(error) => assert_eq!(error, easy::CommandError::Colon),
            }
            assert_eq!(frame.encoded_len(), bytes.len());
            let _request = frame.request();
            let _refusal = frame.refusal();
            tell_everybody(frame.command, Data::from_payload(frame.content));
        }
        match easy::Frame::decode(bytes, &Limits::default().max_name(SHORT)) {
            Ok(frame) => assert!((1..=SHORT).contains(&frame.command.len())),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

#[test]
fn any_bytes_are_an_iris_message_or_an_error() {
    try_any_bytes("iris", |bytes| {
        for codec in [Codec::new(iris::IRIS), Codec::new(iris::GOWSAL), Codec::new("")] {
            let _heard = codec.heard(bytes);
            let Ok(frame) = codec.decode(bytes, &Limits::default()) else { continue };
            // Of each well-formed message there is one form only.
            assert_eq!(codec.encode(&frame).unwrap().as_bytes()[..], *bytes);
            assert_eq!(codec.encoded_len(&frame), bytes.len());
            if let iris::Frame::Event(event) = frame {
                listen(&event);
            }
        }
        let short = Codec::default().decode(bytes, &Limits::default().max_name(SHORT));
        if let Ok(iris::Frame::Event(event)) = short {
            assert!(event.name.len() <= SHORT);
        }
    });
}

/// Every kind of listener, whether it takes the event or not.
fn listen(event: &iris::Event<'_>) {
    if let Ok(value) = event.value() {
        tell_everybody(event.name, Data::from_iris(&value));
    } else {
        assert!(event.json::<Json>().is_err() && event.bool().is_err() && event.bytes().is_err());
    }
    let _text = event.text();
    let _int = event.int();
    let _numbers: Result<Vec<u8>, _> = event.json();
}

/// The same message in all four framings; those that carry it must be able to read it.
fn tell_everybody(event: &str, data: Data<'_>) {
    let plain = data.plain().to_vec();
    let message = Message { room: "r", event, sender: "s", dst: "", data };
    let codec = Codec::default();
    let wsrooms = Framing::Wsrooms.encode(&message).unwrap();
    let frame = wsrooms::Frame::decode(wsrooms.as_bytes(), &Limits::NONE).unwrap();
    assert_eq!((frame.event, frame.payload), (event, &plain[..]));
    if let Ok(easy) = Framing::Easy.encode(&message) {
        let frame = easy::Frame::decode(easy.as_bytes(), &Limits::NONE).unwrap();
        assert_eq!((frame.command, frame.content), (event, &plain[..]));
    }
    if let Ok(iris) = Framing::Iris(codec.clone()).encode(&message) {
        let frame = codec.decode(iris.as_bytes(), &Limits::NONE).unwrap();
        let iris::Frame::Event(got) = frame else { panic!("not an event") };
        assert_eq!((got.name, got.data), (event, &plain[..]));
        assert!(got.value().is_ok());
    }
    if let Ok(encoded) = Framing::Grows.encode(&message) {
        let frame = grows::Frame::decode(encoded.as_bytes(), &Limits::NONE).unwrap();
        let grows::Frame::Event(got) = frame else { panic!("not an event") };
        assert_eq!(got.name, event);
        let text = json::text(got.data).map(|text| text.into_owned().into_bytes());
        assert_eq!(text.unwrap_or_else(|| got.data.get().as_bytes().to_vec()), plain);
    }
}
