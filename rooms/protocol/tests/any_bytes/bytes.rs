//! Bytes that get further into a decoder than chance alone would.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

/// Messages for the codec of `system`: of pieces of its syntax, of the survey's messages with bytes
/// changed, and of chance.
pub(crate) fn messages(system: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    prop_oneof![
        5 => vec(select(pieces(system)), 0..12).prop_map(|pieces| pieces.concat()),
        4 => (select(surveyed(system)), vec(change(), 0..5)).prop_map(|(message, changes)| {
            changes.into_iter().fold(message, apply)
        }),
        1 => vec(any::<u8>(), 0..64),
    ]
}

fn pieces(system: &str) -> Vec<&'static [u8]> {
    const COMMON: [&[u8]; 10] =
        [b"", b"a", b"lobby", b"chat", b"true", b"-12", b"1.5", "é".as_bytes(), b"\xff", b"\xc3"];
    let own: &[&[u8]] = match system {
        "wsrooms" => &[
            &[0, 0, 0, 0],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0],
            &[0, 0, 0, 1],
            b"\0\0\0\x01a",
            b"\0\0\0\x02\xc3\xa9",
            b"\0\0\0\x02\xff\xff",
            b"\0\0\0\x04join",
            b"\0\0\0\x08join_ack",
            b"\0\0\0\x0anew_member",
            b"\0\0\0\x06[\"ab\"]",
            b"\0\0\0\x05lobby",
            &[255, 255, 255, 255],
            &[127, 255, 255, 255],
            &[0, 0],
        ],
        "groWs" => &[
            b"{",
            b"}",
            b"{\"event\":",
            b"{\"Event\":\"x\",\"DATA\":",
            b"\"event\":",
            b"\"data\":",
            b"\"x\"",
            b",",
            b":",
            b"[",
            b"]",
            b"null",
            b"\"",
            b"\\",
            b"\\u",
            b"d800",
            b"00e9",
            b" ",
            b"\n",
            b"1e999",
            b"\"<&\\u2028\"",
            "\u{2028}".as_bytes(),
        ],
        "iris" => &[
            b"iris-websocket-message:",
            b"m:",
            b"m:chat;0;",
            b"m:n;1;",
            b"m:b;2;",
            b"m:y;3;",
            b"m:j;4;",
            b";",
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
            b"5",
            b"{\"a\":",
            b"}",
            b"[1]",
            b"null",
            b"1e5",
            b"0x10",
            b" ",
        ],
        _ => {
            &[b": ", b":", b" ", b"listen", b"open", b"websocket", b"not authorized", &[b'c'; 254]]
        }
    };
    COMMON.iter().chain(own).copied().collect()
}

fn surveyed(system: &str) -> Vec<Vec<u8>> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let of_system = all.iter().filter(|entry| entry["system"] == system);
    of_system.map(|entry| unhex(entry["hex"].as_str().unwrap())).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// One thing that can happen to a message.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    CutOff(Index),
    Repeat(Index),
}

fn change() -> impl Strategy<Value = Change> {
    // The bytes that mean something somewhere, and all others.
    let byte = || prop_oneof![select(&b"\0\x01\xff{}\":;, mM0149\\"[..]), any::<u8>()];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<Index>().prop_map(Change::CutOff),
        any::<Index>().prop_map(Change::Repeat),
    ]
}

fn apply(mut message: Vec<u8>, change: Change) -> Vec<u8> {
    if message.is_empty() {
        return message;
    }
    let length = message.len();
    match change {
        Change::Set(at, byte) => message[at.index(length)] = byte,
        Change::Insert(at, byte) => message.insert(at.index(length), byte),
        Change::Remove(at) => drop(message.remove(at.index(length))),
        Change::CutOff(at) => message.truncate(at.index(length)),
        Change::Repeat(at) => message.extend_from_within(at.index(length)..),
    }
    message
}
