//! What is written is read as what it was, whatever is in it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

use proptest::prelude::*;
use serde_json::Value as Json;
use wscengine_rooms_protocol::iris::{self, Codec, Kind};
use wscengine_rooms_protocol::room::{Data, Framing, Message};
use wscengine_rooms_protocol::{Encoded, Limits, easy, grows, json, share, wsrooms};

/// Any text, often with the characters that mean something to one of the protocols.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{0,12}", "[:; {}\"\\\\<&m0-4é\u{2028}\n]{0,12}"]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![text().prop_map(String::into_bytes), any::<Vec<u8>>()]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        // Written without a point, a whole number is read as an integer: these have a fraction.
        any::<f64>().prop_filter_map("a fraction", |x| (x.fract() != 0.0).then(|| Json::from(x))),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    // A failing case is printed in full and belongs into a test of its own, not into a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wsrooms_frames_come_back(
        room in text(), event in text(), dst in text(), src in text(), payload in payload(),
    ) {
        let (room, event, dst, src) = (&room[..], &event[..], &dst[..], &src[..]);
        let frame = wsrooms::Frame { room, event, dst, src, payload: &payload };
        let bytes = frame.encode().unwrap().into_bytes();
        prop_assert_eq!(bytes.len(), frame.encoded_len());
        let decoded = wsrooms::Frame::decode(&bytes, &Limits::NONE);
        prop_assert_eq!(&decoded, &Ok(frame));
        let kept = share(&bytes, decoded.unwrap().payload);
        prop_assert_eq!(&kept[..], &payload[..]);
    }

    #[test]
    fn lists_of_members_come_back(ids in proptest::collection::vec(text(), 0..8)) {
        let payload = wsrooms::encode_members(ids.iter().map(String::as_str));
        prop_assert_eq!(wsrooms::decode_members(&payload).unwrap(), ids);
    }

    #[test]
    fn grows_events_come_back(name in text(), data in any_json()) {
        let data_text = json::encode(&data).unwrap();
        let event = grows::Event::new(&name, &data_text);
        let bytes = grows::Frame::Event(event).encode().into_bytes();
        let decoded = grows::Frame::decode(&bytes, &Limits::NONE).unwrap();
        let grows::Frame::Event(event) = decoded else { panic!("raw") };
        prop_assert_eq!(&event.name, &name);
        prop_assert_eq!(serde_json::from_str::<Json>(event.data.get()).unwrap(), data);
    }

    #[test]
    fn floats_come_back_as_the_same_number(number in any::<f64>()) {
        let written = json::encode(&number).unwrap();
        let read: Option<f64> = serde_json::from_str(written.get()).unwrap();
        prop_assert_eq!(read, Some(number).filter(|number| number.is_finite()));
    }

    #[test]
    fn raw_grows_messages_come_back(text in text()) {
        let raw = grows::Frame::Raw(&text);
        let bytes = raw.encode().into_bytes();
        match grows::Frame::decode(&bytes, &Limits::NONE).unwrap() {
            grows::Frame::Event(_) => assert!(text.starts_with('{') && text.ends_with('}')),
            decoded @ grows::Frame::Raw(_) => prop_assert_eq!(decoded, raw),
        }
    }

    #[test]
    fn easy_frames_come_back(command in text(), content in payload()) {
        let frame = easy::Frame { command: &command, content: &content };
        match frame.encode() {
            Err(error) => prop_assert_eq!(Err(error), easy::check_command(&command)),
            Ok(encoded) => {
                let text = matches!(encoded, Encoded::Text(_));
                prop_assert_eq!(text, std::str::from_utf8(&content).is_ok());
                let decoded = easy::Frame::decode(encoded.as_bytes(), &Limits::NONE);
                prop_assert_eq!(decoded, Ok(frame));
            }
        }
    }

    #[test]
    fn iris_frames_come_back(
        prefix in prop_oneof![Just(iris::IRIS), Just(iris::GOWSAL), Just(iris::GO_WEBSOCKET)],
        name in text(), digit in b'0'..=b'4', data in payload(), native in payload(),
    ) {
        let codec = Codec::new(prefix);
        let kind = Kind::from_digit(digit).unwrap();
        let event = iris::Frame::Event(iris::Event { name: &name, kind, data: &data });
        for frame in [event, iris::Frame::Native(&native)] {
            match codec.encode(&frame) {
                Err(iris::EncodeError::Semicolon { at }) => prop_assert_eq!(name.find(';'), Some(at)),
                Err(_) => prop_assert!(native.starts_with(prefix.as_bytes())),
                Ok(encoded) => {
                    prop_assert_eq!(codec.decode(encoded.as_bytes(), &Limits::NONE), Ok(frame));
                }
            }
        }
    }

    #[test]
    fn iris_values_come_back(number in any::<i64>(), yes in any::<bool>(), text in text(), json in any_json()) {
        let json_text = json::encode(&json).unwrap();
        let event = |value: iris::Value<'_>| {
            let encoded = Codec::default().emit("e", &value).unwrap();
            encoded.into_bytes().slice("m:e;".len()..)
        };
        let read = |message: &[u8], check: &dyn Fn(iris::Event<'_>)| {
            let kind = Kind::from_digit(message[0]).unwrap();
            check(iris::Event { name: "e", kind, data: &message[2..] });
        };
        read(&event(iris::Value::Int(number)), &|e| assert_eq!(e.int().unwrap(), number));
        read(&event(iris::Value::Bool(yes)), &|e| assert_eq!(e.bool().unwrap(), yes));
        read(&event(iris::Value::Text(&text)), &|e| assert_eq!(e.text().unwrap(), text));
        read(&event(iris::Value::Bytes(text.as_bytes())), &|e| {
            assert_eq!(e.bytes().unwrap(), text.as_bytes());
        });
        read(&event(iris::Value::Json(&json_text)), &|e| assert_eq!(e.json::<Json>().unwrap(), json));
    }

    #[test]
    fn what_one_framing_says_the_others_say(data in any_json()) {
        let text = json::encode(&data).unwrap();
        let message =
            Message { room: "r", event: "e", sender: "s", dst: "", data: Data::from_json(&text) };
        let iris = Framing::Iris(Codec::default()).encode(&message).unwrap();
        let iris::Frame::Event(event) =
            Codec::default().decode(iris.as_bytes(), &Limits::NONE).unwrap() else { panic!("native") };
        prop_assert_eq!(event.json::<Json>().unwrap(), data.clone());
        let grows = Framing::Grows.encode(&message).unwrap();
        let grows::Frame::Event(event) =
            grows::Frame::decode(grows.as_bytes(), &Limits::NONE).unwrap() else { panic!("raw") };
        prop_assert_eq!(serde_json::from_str::<Json>(event.data.get()).unwrap(), data);
        let wsrooms = Framing::Wsrooms.encode(&message).unwrap();
        let easy = Framing::Easy.encode(&message).unwrap();
        let payload =
            wsrooms::Frame::decode(wsrooms.as_bytes(), &Limits::NONE).unwrap().payload.to_vec();
        let content = easy::Frame::decode(easy.as_bytes(), &Limits::NONE).unwrap().content.to_vec();
        prop_assert_eq!(payload, content);
    }
}
