use wscengine_rooms_protocol::easy::{CommandError, Frame, Refusal, WEBSOCKET};
use wscengine_rooms_protocol::{Encoded, Limits};

use super::{Entry, check_all};

#[test]
fn easy_messages_are_read_and_written_as_the_survey_says() {
    check_all("go-easy-websocket", |entry| {
        match entry.text("test") {
            "read" | "both" => {
                read(entry);
                written(entry);
            }
            "read_only" => {
                read(entry);
                assert_eq!(frame(entry).encode(), Err(CommandError::Colon));
            }
            "refused" => {
                assert!(Frame::decode(&entry.bytes(), &Limits::default()).is_err());
            }
            _ => return false,
        }
        true
    });
}

fn frame(entry: &Entry) -> Frame<'_> {
    Frame { command: entry.text("command"), content: entry.text("content").as_bytes() }
}

fn read(entry: &Entry) {
    assert_eq!(Frame::decode(&entry.bytes(), &Limits::default()), Ok(frame(entry)));
}

fn written(entry: &Entry) {
    let text = String::from_utf8(entry.bytes()).unwrap();
    assert_eq!(frame(entry).encode(), Ok(Encoded::Text(text.into())));
    if frame(entry).command == WEBSOCKET && entry.text("direction") == "server->client" {
        let refusal = frame(entry).refusal().expect("one of the four errors");
        assert_eq!(refusal.frame(), frame(entry));
    }
}

#[test]
fn each_of_the_four_errors_is_in_the_survey() {
    let entries = super::entries();
    for refusal in Refusal::ALL {
        let encoded = refusal.frame().encode().unwrap();
        assert!(entries.iter().any(|entry| entry.bytes() == encoded.as_bytes()[..]), "{refusal}");
    }
}
