//! The four wire formats of the room server.

use std::sync::LazyLock;

use wscengine_rooms_protocol::iris::{self, Codec};
use wscengine_rooms_protocol::room::{Data, Framing, Message};
use wscengine_rooms_protocol::{Limits, easy, grows, json, wsrooms};

/// A wsrooms message: what is read is written as it was, its names are within their limit, and it can be told in the
/// other formats without a change.
pub fn rooms_wsrooms(input: &[u8]) {
    LIMITS.iter().for_each(|limits| read_wsrooms(input, limits));
}

/// The same of a groWs message.
pub fn rooms_grows(input: &[u8]) {
    LIMITS.iter().for_each(|limits| read_grows(input, limits));
}

/// The same of a go-easy-websocket message.
pub fn rooms_easy(input: &[u8]) {
    LIMITS.iter().for_each(|limits| read_easy(input, limits));
}

/// The same of an iris message, with each of the prefixes.
pub fn rooms_iris(input: &[u8]) {
    for prefix in [iris::IRIS, iris::GOWSAL, iris::GO_WEBSOCKET, ""] {
        let codec = Codec::new(prefix);
        LIMITS.iter().for_each(|limits| read_iris(input, &codec, limits));
    }
}

/// As a server has them by itself, and so short that inputs meet them.
static LIMITS: LazyLock<[Limits; 2]> =
    LazyLock::new(|| [Limits::default(), Limits::default().max_name(4)]);

fn read_wsrooms(input: &[u8], limits: &Limits) {
    let Ok(frame) = wsrooms::Frame::decode(input, limits) else { return };
    assert_eq!(frame.encode().expect("it was read").as_bytes()[..], *input);
    assert_eq!(frame.encoded_len(), input.len());
    assert!(
        [frame.room, frame.event, frame.dst, frame.src]
            .iter()
            .all(|name| name.len() <= limits.name())
    );
    let _request = frame.request();
    if let Ok(members) = wsrooms::decode_members(frame.payload) {
        let again = wsrooms::encode_members(members.iter().map(String::as_str));
        assert_eq!(wsrooms::decode_members(&again).expect("it was written"), members);
    }
    let _notice = frame.notice();
    tell(frame.event, Data::from_payload(frame.payload));
}

fn read_grows(input: &[u8], limits: &Limits) {
    let Ok(frame) = grows::Frame::decode(input, limits) else { return };
    let encoded = frame.encode();
    match &frame {
        grows::Frame::Raw(raw) => {
            assert_eq!((raw.as_bytes(), &encoded.as_bytes()[..]), (input, input));
        }
        grows::Frame::Event(event) => {
            assert!(event.name.len() <= limits.name());
            let again = grows::Frame::decode(encoded.as_bytes(), limits);
            assert_eq!(again.as_ref(), Ok(&frame));
            tell(&event.name, Data::from_json(event.data));
        }
    }
}

fn read_easy(input: &[u8], limits: &Limits) {
    let Ok(frame) = easy::Frame::decode(input, limits) else { return };
    assert!((1..=limits.name()).contains(&frame.command.len()));
    assert_eq!(frame.encoded_len(), input.len());
    match frame.encode() {
        Ok(encoded) => assert_eq!(encoded.as_bytes()[..], *input),
        Err(error) => assert_eq!(error, easy::CommandError::Colon),
    }
    let _request = frame.request();
    let _refusal = frame.refusal();
    tell(frame.command, Data::from_payload(frame.content));
}

fn read_iris(input: &[u8], codec: &Codec, limits: &Limits) {
    let _heard = codec.heard(input);
    let Ok(frame) = codec.decode(input, limits) else { return };
    assert_eq!(codec.encode(&frame).expect("it was read").as_bytes()[..], *input);
    assert_eq!(codec.encoded_len(&frame), input.len());
    if let iris::Frame::Event(event) = frame {
        assert!(event.name.len() <= limits.name());
        let _read = (event.text(), event.int(), event.bool(), event.bytes());
        if let Ok(value) = event.value() {
            tell(event.name, Data::from_iris(&value));
        }
    }
}

/// The same message to clients of all four kinds: each reads the name and the data that were there, or it cannot be told.
fn tell(event: &str, data: Data<'_>) {
    let plain = data.plain().to_vec();
    let message = Message { room: "room", event, sender: "sender", dst: "", data };
    let codec = Codec::default();
    if let Ok(encoded) = Framing::Wsrooms.encode(&message) {
        let frame = wsrooms::Frame::decode(encoded.as_bytes(), &Limits::NONE).expect("wsrooms");
        assert_eq!((frame.room, frame.src), ("room", "sender"));
        assert_eq!((frame.event, frame.payload), (event, &plain[..]));
    }
    if let Ok(encoded) = Framing::Easy.encode(&message) {
        let frame = easy::Frame::decode(encoded.as_bytes(), &Limits::NONE).expect("easy");
        assert_eq!((frame.command, frame.content), (event, &plain[..]));
    }
    if let Ok(encoded) = Framing::Iris(codec.clone()).encode(&message) {
        match codec.decode(encoded.as_bytes(), &Limits::NONE).expect("iris") {
            iris::Frame::Event(got) => assert_eq!((got.name, got.data), (event, &plain[..])),
            iris::Frame::Native(_) => panic!("not an event"),
        }
    }
    if let Ok(encoded) = Framing::Grows.encode(&message) {
        match grows::Frame::decode(encoded.as_bytes(), &Limits::NONE).expect("groWs") {
            grows::Frame::Event(got) => {
                assert_eq!(got.name, event);
                let text = json::text(got.data).map(|text| text.into_owned().into_bytes());
                assert_eq!(text.unwrap_or_else(|| got.data.get().into()), plain);
            }
            grows::Frame::Raw(_) => panic!("not an event"),
        }
    }
}
