//! Frames that break RFC 6455: `on_read_error` with the right kind, the right close code on the wire, a new session.

use e2e::{Event, RawServer, Reporter, frame, within};
use wscengine::{Engine, Initiator, ReadErrorKind};

use super::builder;

const LIMIT: usize = 64 << 10;

async fn open(server: &RawServer) -> (Engine, e2e::RawConnection, e2e::Events) {
    let (reporter, mut events) = Reporter::new();
    let prepared = builder(&server.url(), reporter)
        .max_message_size(LIMIT)
        .max_frame_size(LIMIT)
        .build()
        .unwrap();
    let (engine, connection) =
        within(async { tokio::join!(prepared.start(), server.accept()) }).await;
    assert!(!events.opened().await);
    (engine.unwrap(), connection, events)
}

/// Each of these in a session of its own, all in one engine.
async fn each_is(kind: ReadErrorKind, code: u16, violations: &[(&str, Vec<u8>)]) {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) = open(&server).await;
    for (what, bytes) in violations {
        connection.write(bytes).await;
        assert_eq!(events.read_error().await, kind, "{what}");
        let closed = events.closed().await;
        assert_eq!((closed.initiator, closed.restarting), (Initiator::Lost, true), "{what}");
        let told = connection.frame().await.unwrap_or_else(|| panic!("{what}: no close frame"));
        assert_eq!(told.close_code(), Some(code), "{what}");
        connection.end().await;
        assert_eq!(connection.frame().await, None, "{what}: something came after the close frame");
        connection = server.accept().await;
        assert!(events.opened().await, "{what}");
    }
    connection.send_text("still alive").await;
    assert_eq!(events.message().await.text(), Some("still alive"));
    let answer = async {
        let told = connection.frame().await;
        connection.close(1001, "").await;
        told
    };
    let (_, told) = within(async { tokio::join!(engine.stop(), answer) }).await;
    assert_eq!(told.and_then(|told| told.close_code()), Some(1001));
    assert_eq!(engine.stats().sessions, violations.len() as u64 + 1);
    assert_eq!(engine.stats().panics, 0);
}

#[tokio::test]
async fn frames_that_break_the_protocol_end_the_session_with_1002() {
    let close = |code: u16| frame(0x88, &code.to_be_bytes());
    let too_long_form = [&[0x82, 126, 0, 5][..], b"short"].concat();
    each_is(
        ReadErrorKind::Protocol,
        1002,
        &[
            ("masked", vec![0x81, 0x81, 1, 2, 3, 4, b'x' ^ 1]),
            ("first reserved bit", frame(0xC1, b"x")),
            ("second reserved bit", frame(0xA1, b"x")),
            ("third reserved bit", frame(0x91, b"x")),
            ("unknown data opcode", frame(0x83, b"x")),
            ("unknown control opcode", frame(0x8B, b"x")),
            ("ping of 126 bytes", frame(0x89, &[0; 126])),
            ("ping in fragments", frame(0x09, b"x")),
            ("close in fragments", frame(0x08, &1000u16.to_be_bytes())),
            ("continuation of nothing", frame(0x80, b"x")),
            ("message within a message", [frame(0x01, b"a"), frame(0x81, b"b")].concat()),
            ("16-bit length for 5 bytes", too_long_form),
            ("64-bit length with the highest bit", vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 1]),
            ("close of one byte", frame(0x88, &[3])),
            ("close 0", close(0)),
            ("close 999", close(999)),
            ("close 1004", close(1004)),
            ("close 1005", close(1005)),
            ("close 1006", close(1006)),
            ("close 1015", close(1015)),
            ("close 2999", close(2999)),
            ("close 5000", close(5000)),
        ],
    )
    .await;
}

#[tokio::test]
async fn frames_and_messages_over_the_limit_end_the_session_with_1009() {
    let gigabytes = [&[0x82, 127][..], &(8u64 << 30).to_be_bytes()].concat();
    let parts = [frame(0x02, &vec![0; LIMIT]), frame(0x80, &vec![0; LIMIT])].concat();
    each_is(
        ReadErrorKind::TooBig,
        1009,
        &[
            ("one byte too many", frame(0x82, &vec![0; LIMIT + 1])),
            ("the header of 8 GiB", gigabytes),
            ("fragments too big together", parts),
        ],
    )
    .await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_session_with_1007() {
    let reason = frame(0x88, &[&1000u16.to_be_bytes()[..], &[0xC3, 0x28]].concat());
    each_is(
        ReadErrorKind::InvalidUtf8,
        1007,
        &[
            ("a lone byte", frame(0x81, &[0xFF])),
            ("a surrogate", frame(0x81, &[0xED, 0xA0, 0x80])),
            ("cut short", frame(0x81, &[b'a', 0xE2, 0x82])),
            ("in the second fragment", [frame(0x01, b"fine"), frame(0x80, &[0xFF])].concat()),
            ("in the reason of a close", reason),
        ],
    )
    .await;
}

#[tokio::test]
async fn messages_before_a_violation_in_the_same_segment_are_handled() {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) = open(&server).await;
    connection
        .write(
            &[frame(0x81, b"one"), frame(0x82, b"two"), frame(0x83, b"?"), frame(0x81, b"never")]
                .concat(),
        )
        .await;
    assert_eq!(events.message().await.text(), Some("one"));
    assert_eq!(events.message().await.payload(), b"two");
    assert_eq!(events.read_error().await, ReadErrorKind::Protocol);
    events.closed().await;
    connection.end().await;
    let second = server.accept().await;
    assert!(events.opened().await);
    drop(second);
    within(engine.stop()).await;
}

#[tokio::test]
async fn random_bytes_end_the_session_and_the_engine_reconnects() {
    let server = RawServer::bind().await;
    let (engine, mut connection, mut events) = open(&server).await;
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..50 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(4096)
        .collect();
        connection.write(&noise).await;
        // Noise that begins like a long frame is not complete before the stream ends.
        drop(connection);
        loop {
            if let Event::Close(_) = events.next().await {
                break;
            }
        }
        connection = server.accept().await;
        assert!(events.opened().await);
    }
    assert_eq!(engine.stats().panics, 0);
    drop(connection);
    within(engine.stop()).await;
}
