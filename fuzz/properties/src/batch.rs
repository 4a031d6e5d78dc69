//! A batch of what was read: nothing is lost, changed or reordered, however ranges and owned messages are mixed.

use std::collections::VecDeque;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use wscengine::transport::{Batch, Inbound};
use wscengine::{CloseFrame, Message, MessageKind, ReadErrorKind};

#[derive(Arbitrary, Debug)]
enum Step {
    Chunk(Vec<u8>),
    Text(u8, u8),
    Binary(u8, u8),
    Owned(Vec<u8>),
    Pong(Vec<u8>),
    Ping,
    Close(u16),
    Next,
}

/// What was put in: of a message its kind and payload.
#[derive(Debug, PartialEq)]
enum Entry {
    Range(MessageKind, Vec<u8>),
    Owned(Vec<u8>),
    Pong(Vec<u8>),
    Ping,
    Close(u16),
}

/// Steps that fill and empty a batch.
pub fn batch(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let (mut batch, mut plain, mut chunk) = (Batch::new(), VecDeque::new(), Vec::new());
    while let (false, Ok(step)) = (input.is_empty(), input.arbitrary()) {
        match step {
            // Another chunk may come only when nothing refers to the last one.
            Step::Chunk(bytes) if !batch.is_lent() => {
                batch.set_chunk(Bytes::from(bytes.clone()));
                chunk = bytes;
            }
            Step::Chunk(_) => {}
            Step::Text(from, to) => {
                push_range(&mut batch, &mut plain, &chunk, MessageKind::Text, from, to);
            }
            Step::Binary(from, to) => {
                push_range(&mut batch, &mut plain, &chunk, MessageKind::Binary, from, to);
            }
            Step::Owned(bytes) => {
                batch.push(Message::from(&bytes[..]));
                plain.push_back(Entry::Owned(bytes));
            }
            Step::Pong(bytes) => {
                batch.push_pong(Bytes::from(bytes.clone()));
                plain.push_back(Entry::Pong(bytes));
            }
            Step::Ping => {
                batch.push_ping();
                plain.push_back(Entry::Ping);
            }
            Step::Close(code) => {
                batch.push_close(Some(CloseFrame::received(code, "")));
                plain.push_back(Entry::Close(code));
            }
            Step::Next => check_next(&mut batch, plain.pop_front()),
        }
        check_counts(&batch, &plain);
    }
    while !plain.is_empty() {
        check_next(&mut batch, plain.pop_front());
    }
    assert!(batch.is_empty() && batch.next().is_none() && batch.payload_bytes() == 0);
}

fn push_range(
    batch: &mut Batch,
    plain: &mut VecDeque<Entry>,
    chunk: &[u8],
    kind: MessageKind,
    from: u8,
    to: u8,
) {
    let end = usize::from(from.max(to)).min(chunk.len());
    let range = usize::from(from.min(to)).min(end)..end;
    plain.push_back(Entry::Range(kind, chunk[range.clone()].to_vec()));
    batch.push_range(kind, range);
}

fn check_counts(batch: &Batch, plain: &VecDeque<Entry>) {
    let bytes = |entry: &Entry| match entry {
        Entry::Range(_, bytes) | Entry::Owned(bytes) => bytes.len(),
        Entry::Pong(_) | Entry::Ping | Entry::Close(_) => 0,
    };
    assert_eq!(batch.len(), plain.len());
    assert_eq!(batch.payload_bytes(), plain.iter().map(bytes).sum::<usize>());
    assert_eq!(batch.is_lent(), plain.iter().any(|entry| matches!(entry, Entry::Range(..))));
}

fn check_next(batch: &mut Batch, expected: Option<Entry>) {
    match (batch.next(), expected) {
        (None, None) => {}
        (Some(Ok(Inbound::Message(message))), Some(Entry::Range(kind, bytes))) => {
            assert_eq!(message.kind(), kind);
            check_message(message, &bytes);
        }
        (Some(Ok(Inbound::Message(message))), Some(Entry::Owned(bytes))) => {
            check_message(message, &bytes);
        }
        (Some(Err(error)), Some(Entry::Range(MessageKind::Text, bytes))) => {
            assert_eq!(error.kind(), ReadErrorKind::InvalidUtf8);
            assert!(str::from_utf8(&bytes).is_err());
        }
        (Some(Ok(Inbound::Pong(payload))), Some(Entry::Pong(bytes))) => assert_eq!(payload, bytes),
        (Some(Ok(Inbound::Ping)), Some(Entry::Ping)) => {}
        (Some(Ok(Inbound::Close(Some(frame)))), Some(Entry::Close(code))) => {
            assert_eq!(frame.code().0, code);
        }
        (got, expected) => panic!("{got:?} in place of {expected:?}"),
    }
}

/// Lent, kept without a copy and kept with one, it is the same message.
fn check_message(message: Message<'_>, bytes: &[u8]) {
    assert_eq!(message.payload(), bytes);
    assert_eq!(message.text().is_some(), message.is_text());
    assert_eq!(message.text().map(str::as_bytes).unwrap_or(bytes), bytes);
    let compact = message.to_compact();
    let owned = message.clone().into_owned();
    assert_eq!((&compact, &owned), (&message, &message));
    assert_eq!(message.into_bytes(), bytes);
    assert_eq!(owned.into_bytes(), bytes);
}
