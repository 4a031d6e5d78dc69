//! Close frames: which may be made, how one goes out, and what is made of one that comes in.

use std::sync::Once;
use std::task::{Context, Poll, Waker};

use wscengine::transport::{Connection, Limits, Outgoing};
use wscengine::{CloseCode, CloseFrame, InvalidCloseFrame};

use crate::frames::{connection, read_by_pieces};
use crate::script::Script;
use crate::wire::{Read, Written, may_be_sent, written};

/// Two bytes of a code and a reason, as we would send them and as a peer sends them.
pub fn close(input: &[u8]) {
    ALL_CODES.call_once(|| {
        (0..=u16::MAX).for_each(|code| {
            assert_eq!(CloseCode(code).may_be_sent(), may_be_sent(code), "{code}");
        });
    });
    let Some((code, reason)) = input.split_first_chunk() else { return come_in(input) };
    let code = u16::from_be_bytes(*code);
    if let Ok(reason) = str::from_utf8(reason) {
        match CloseFrame::new(code, reason) {
            Ok(frame) => {
                assert!(may_be_sent(code) && reason.len() <= 123);
                assert_eq!((frame.code().0, frame.reason()), (code, reason));
                go_out(frame, input);
            }
            Err(InvalidCloseFrame::Code(wrong)) => assert!(wrong.0 == code && !may_be_sent(code)),
            Err(InvalidCloseFrame::ReasonTooLong(len)) => {
                assert!(len == reason.len() && len > 123);
            }
            Err(other) => unreachable!("{other}"),
        }
    }
    come_in(input);
}

static ALL_CODES: Once = Once::new();

/// Written, it is one frame with code and reason; nothing can be sent after it.
fn go_out(frame: CloseFrame, payload: &[u8]) {
    let mut connection = connection(&[], Script::new(&[], &[]), Limits::default());
    let mut cx = Context::from_waker(Waker::noop());
    connection.start_send(Outgoing::Close(Some(frame))).expect("it is taken");
    assert!(matches!(connection.poll_flush(&mut cx), Poll::Ready(Ok(()))));
    let frames = written(&connection.get_ref().written);
    assert_eq!(frames, [Written { opcode: 8, payload: payload.to_vec() }]);
}

/// Read, it is what a plain reading gives, and one that may not be sent is an error.
fn come_in(payload: &[u8]) {
    let Ok(len @ 0..=125) = u8::try_from(payload.len()) else { return };
    let bytes = [&[0x88, len], payload].concat();
    let expected = crate::wire::read_all(&bytes, Limits::default());
    let mut connection = connection(&bytes, Script::new(&[], &[]), Limits::default());
    let (read, end) = read_by_pieces(&mut connection);
    assert_eq!((&read, end), (&expected.read, expected.end));
    if let [Read::Close(Some(frame))] = &read[..] {
        assert!(CloseFrame::new(frame.code(), frame.reason()).is_ok(), "it could be sent back");
    }
}
