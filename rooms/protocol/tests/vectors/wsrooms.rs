use wscengine_rooms_protocol::Limits;
use wscengine_rooms_protocol::wsrooms::Frame;

use super::{Entry, check_all, unhex, variant};

#[test]
fn wsrooms_messages_are_read_and_written_as_the_survey_says() {
    check_all("wsrooms", |entry| {
        match entry.text("test") {
            "both" => read_and_written(entry),
            "refused" => refused(entry),
            _ => return false,
        }
        true
    });
}

fn read_and_written(entry: &Entry) {
    let fields = Entry(entry.get("frame").clone());
    let payload = unhex(fields.text("payload_hex"));
    let frame = Frame {
        room: fields.text("room"),
        event: fields.text("event"),
        dst: fields.text("dst"),
        src: fields.text("src"),
        payload: &payload,
    };
    assert_eq!(Frame::decode(&entry.bytes(), &Limits::default()), Ok(frame));
    assert_eq!(frame.encode().unwrap().as_bytes()[..], entry.bytes());
}

fn refused(entry: &Entry) {
    let error = Frame::decode(&entry.bytes(), &Limits::default()).unwrap_err();
    assert_eq!(variant(&error), entry.text("error"));
}

/// The constructors give the frames that the originals send.
#[test]
fn the_frames_with_a_meaning_are_those_of_the_originals() {
    let a = "00000000-0000-4000-8000-00000000000a";
    let b = "00000000-0000-4000-8000-00000000000b";
    let members = wscengine_rooms_protocol::wsrooms::encode_members([a, b]);
    let alone = wscengine_rooms_protocol::wsrooms::encode_members([a]);
    let frames = [
        ("W001", Frame::join("lobby")),
        ("W008", Frame::leave("lobby", a)),
        ("W010", Frame::join_ack("root", a, &alone)),
        ("W011", Frame::join_ack("lobby", b, &members)),
        ("W012", Frame::new_member("lobby", b)),
        ("W013", Frame::member_left("lobby", b)),
        ("W014", Frame::leave_ack("lobby", b)),
    ];
    let entries = super::entries();
    for (id, frame) in frames {
        let entry = entries.iter().find(|entry| entry.text("id") == id).unwrap();
        assert_eq!(frame.encode().unwrap().as_bytes()[..], entry.bytes(), "{id}");
    }
}
