//! What must not be sent is not sent: the core would.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use common::{close, outgoing, plain, read_all, sent};
use wscengine::WriteErrorKind;
use wscengine::transport::{Connection, Outgoing};

#[tokio::test]
async fn close_frames_that_must_not_be_sent_are_refused_and_one_that_may_is_sent() {
    let (mut connection, mut peer) = plain();
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let error = connection.start_send(close(code, "")).unwrap_err();
        assert_eq!(error.kind(), WriteErrorKind::Invalid, "{code}");
    }
    let error = connection.start_send(close(1000, &"x".repeat(124))).unwrap_err();
    assert_eq!(error.kind(), WriteErrorKind::Invalid);
    let wire = sent(&mut connection, &mut peer, vec![close(4999, &"x".repeat(123))]).await;
    assert_eq!(wire[..2], [0x88, 0x80 | 125]);
}

#[tokio::test]
async fn pings_over_125_bytes_are_refused() {
    let (mut connection, mut peer) = plain();
    let error = connection.start_send(Outgoing::Ping("x".repeat(126).into())).unwrap_err();
    assert_eq!(error.kind(), WriteErrorKind::Invalid);
    let wire = sent(&mut connection, &mut peer, vec![Outgoing::Ping("x".repeat(125).into())]).await;
    assert_eq!(wire.len(), 6 + 125);
}

#[tokio::test]
async fn nothing_follows_our_close_frame_not_even_a_pong() {
    let (mut connection, mut peer) = plain();
    sent(&mut connection, &mut peer, vec![close(1000, "")]).await;
    let written = connection.bytes_written();
    read_all(&mut connection, &mut peer, b"\x89\x02hi").await;
    assert_eq!(connection.bytes_written(), written);
    let error = connection.start_send(outgoing("late".into())).unwrap_err();
    assert_eq!(error.kind(), WriteErrorKind::Closed);
}
