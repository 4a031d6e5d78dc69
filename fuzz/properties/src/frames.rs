//! What the tungstenite adapter reads from a server, whatever that sends.

use std::task::{Context, Poll, Waker};

use wscengine::ReadErrorKind;
use wscengine::transport::{Batch, Connection, Inbound, Limits};
use wscengine_tungstenite::TungsteniteConnection;

use crate::script::{Script, split_cuts};
use crate::wire::{Read, check_answers, read_all};

/// Two bytes of limits, one with how much is left over from the handshake, a list of pieces, and the bytes of a server.
///
/// Read in any pieces, they give what a plain reading of RFC 6455 gives of the whole; each ping is answered with its
/// pong, the close frame with a close frame, and nothing else is written.
pub fn frames(input: &[u8]) {
    let Some((&[message, frame, leftover], rest)) = input.split_first_chunk() else { return };
    let (cuts, bytes) = split_cuts(rest);
    let limits = Limits { message: limit(message), frame: limit(frame) };
    let whole = read_all(bytes, limits);

    let (leftover, rest) = bytes.split_at(usize::from(leftover).min(bytes.len()));
    let mut connection = connection(leftover, Script::new(rest, cuts), limits);
    let (read, end) = read_by_pieces(&mut connection);

    assert_eq!((&read, end), (&whole.read, whole.end));
    check_answers(&whole, &connection.get_ref().written);
    assert_eq!(connection.bytes_written(), connection.get_ref().written.len() as u64);
    assert!(connection.bytes_read() <= bytes.len() as u64);
}

/// Small limits more often than large ones.
fn limit(byte: u8) -> usize {
    match byte {
        0..200 => usize::from(byte) + 1,
        200.. => usize::from(byte - 199) * 4_000,
    }
}

type Reading = TungsteniteConnection<Script>;

pub(crate) fn connection(leftover: &[u8], script: Script, limits: Limits) -> Reading {
    TungsteniteConnection::new(script, leftover, limits)
}

/// Reads as the engine does: a flush after each read, and no more reads after an error.
pub(crate) fn read_by_pieces(connection: &mut Reading) -> (Vec<Read>, ReadErrorKind) {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut batch, mut read) = (Batch::new(), Vec::new());
    loop {
        let polled = connection.poll_recv(&mut cx, &mut batch);
        assert!(!matches!(polled, Poll::Ready(Ok(()))) || !batch.is_empty(), "nothing was read");
        while let Some(inbound) = batch.next() {
            match inbound {
                Ok(inbound) => read.push(taken(inbound)),
                // Text is judged when it is lent.
                Err(error) => return (read, error.kind()),
            }
        }
        assert!(connection.poll_flush(&mut cx).is_ready(), "all that is written is taken");
        if let Poll::Ready(Err(error)) = polled {
            assert!(error.is_fatal());
            return (read, error.kind());
        }
    }
}

fn taken(inbound: Inbound<'_>) -> Read {
    match inbound {
        Inbound::Message(message) => Read::Message(message.kind(), message.payload().to_vec()),
        Inbound::Ping => Read::Ping,
        Inbound::Pong(payload) => Read::Pong(payload.to_vec()),
        Inbound::Close(frame) => Read::Close(frame),
        other => unreachable!("{other:?}"),
    }
}
