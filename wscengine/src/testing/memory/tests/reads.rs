//! From the peer to the client.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::error::ReadErrorKind;
use crate::message::MessageKind;
use crate::testing::memory::PeerEvent;

#[tokio::test]
async fn messages_arrive_in_order_several_in_a_read() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send("one");
    peer.send(vec![2u8]);
    peer.send("three");
    assert_eq!(peer.unread(), 3);

    let entries = read(&mut connection).await.unwrap();

    assert_eq!(
        entries,
        [message("one"), Inbound::Message(Message::from(vec![2u8])), message("three")]
    );
    assert_eq!(peer.unread(), 0);
}

#[tokio::test]
async fn a_read_takes_no_more_than_a_socket_buffer_would_hold() {
    let Open { mut connection, peer, .. } = open().await;
    (0..40).for_each(|_| peer.send("x"));
    assert_eq!(read(&mut connection).await.unwrap().len(), 32);
    assert_eq!(read(&mut connection).await.unwrap().len(), 8);

    (0..4).for_each(|_| peer.send(vec![0; 40 * 1024]));
    assert_eq!(read(&mut connection).await.unwrap().len(), 2);
    assert_eq!(peer.unread(), 2);
}

#[tokio::test]
async fn lent_messages_share_one_chunk() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send("owned");
    peer.send_lent(&[
        (MessageKind::Text, b"lent"),
        (MessageKind::Binary, b""),
        (MessageKind::Binary, b"\xff"),
    ]);
    peer.send("owned again");

    let mut batch = Batch::new();
    poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap();

    assert!(batch.is_lent());
    let expected = [
        message("owned"),
        message("lent"),
        Inbound::Message(Message::from(Vec::new())),
        Inbound::Message(Message::from(vec![0xff])),
        message("owned again"),
    ];
    assert_eq!(drain(&mut batch), expected);
}

#[tokio::test]
async fn each_chunk_has_a_read_of_its_own() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send_lent(&[]);
    peer.send_lent(&[(MessageKind::Text, b"a"), (MessageKind::Text, b"b")]);
    peer.send_lent(&[(MessageKind::Text, b"c")]);
    assert_eq!(peer.unread(), 3);
    assert_eq!(read(&mut connection).await.unwrap(), [message("a"), message("b")]);
    assert_eq!(read(&mut connection).await.unwrap(), [message("c")]);
}

#[tokio::test]
async fn a_chunk_read_into_a_batch_that_still_lends_another_arrives_owned() {
    let Open { mut connection, peer, .. } = open().await;
    let mut batch = Batch::new();
    for text in [b"first", b"other"] {
        peer.send_lent(&[(MessageKind::Text, text)]);
        poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap();
    }
    assert_eq!(drain(&mut batch), [message("first"), message("other")]);
}

#[tokio::test]
async fn lent_text_that_is_not_utf8_fails_when_it_is_lent() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send_lent(&[(MessageKind::Text, b"\xc3\x28")]);
    let mut batch = Batch::new();
    poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap();
    assert_eq!(batch.next().unwrap().unwrap_err().kind(), ReadErrorKind::InvalidUtf8);
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_what_arrives() {
    let Open { mut connection, peer, .. } = open().await;
    let (wakes, mut batch) = (Arc::default(), Batch::new());
    assert!(poll_once(&wakes, |cx| connection.poll_recv(cx, &mut batch)).is_pending());
    assert_eq!(wakes.count(), 0);
    peer.send("wake up");
    assert_eq!(wakes.count(), 1);
    assert!(poll_once(&wakes, |cx| connection.poll_recv(cx, &mut batch)).is_ready());
}

#[tokio::test]
async fn a_ping_is_answered_with_the_next_flush() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.ping("alive?");
    assert_eq!(read(&mut connection).await.unwrap(), [Inbound::Ping]);
    assert!(poll_once(&Arc::default(), |cx| std::pin::pin!(peer.recv()).poll(cx)).is_pending());

    flush(&mut connection).await.unwrap();

    assert_eq!(peer.recv().await, Some(PeerEvent::Pong(Bytes::from("alive?"))));
}

#[tokio::test]
async fn a_close_frame_is_echoed_with_the_next_flush_and_ends_reading() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.send("last");
    peer.close(frame(CloseCode(4000), "bye"));
    peer.send("after the end");

    let entries = read(&mut connection).await.unwrap();
    assert_eq!(entries, [message("last"), Inbound::Close(frame(CloseCode(4000), "bye"))]);
    for _ in 0..2 {
        assert_eq!(read(&mut connection).await.unwrap_err().kind(), ReadErrorKind::Closed);
    }
    assert_eq!(peer.unread(), 0, "nothing is sent after a close frame");

    flush(&mut connection).await.unwrap();
    assert_eq!(peer.recv().await, Some(PeerEvent::Close(frame(CloseCode(4000), ""))));
}

#[tokio::test]
async fn a_close_frame_without_a_code_is_echoed_without_one() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.close(None);
    assert_eq!(read(&mut connection).await.unwrap(), [Inbound::Close(None)]);
    poll_fn(|cx| connection.poll_close(cx)).await.unwrap();
    drop(connection);
    assert_eq!(peer.recv().await, Some(PeerEvent::Close(None)));
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
}

#[tokio::test]
async fn a_reset_fails_reading_after_what_was_sent_before() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send("before");
    peer.reset();
    let mut batch = Batch::new();
    let error = poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap_err();
    assert_eq!(drain(&mut batch), [message("before")]);
    assert!(error.is_fatal());
    assert_eq!(error.kind(), ReadErrorKind::Io);
}

#[tokio::test]
async fn a_dropped_peer_ends_the_stream() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send("goodbye");
    drop(peer);
    let mut batch = Batch::new();
    let error = poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap_err();
    assert_eq!(drain(&mut batch), [message("goodbye")]);
    assert_eq!(error.kind(), ReadErrorKind::UnexpectedEof);
    write(&mut connection, outgoing("into the void")).await.unwrap();
}

#[tokio::test]
async fn reading_goes_on_after_a_survivable_error_only() {
    let Open { mut connection, peer, .. } = open().await;
    peer.read_error(ReadError::new(ReadErrorKind::Codec).survivable());
    peer.send("still here");
    peer.read_error(ReadErrorKind::Protocol.into());
    peer.send("never read");

    assert_eq!(read(&mut connection).await.unwrap_err().kind(), ReadErrorKind::Codec);
    let mut batch = Batch::new();
    for _ in 0..2 {
        let error = poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::Protocol);
    }
    assert_eq!(drain(&mut batch), [message("still here")]);
}

#[tokio::test]
async fn a_message_beyond_the_limit_fails_the_read() {
    for lent in [false, true] {
        let Open { mut connection, peer, .. } = open_with(Limits { message: 10, frame: 4 }).await;
        let send = |payload: &[u8]| match lent {
            true => peer.send_lent(&[(MessageKind::Binary, payload)]),
            false => peer.send(payload),
        };
        send(b"four");
        assert_eq!(read(&mut connection).await.unwrap().len(), 1);
        send(b"5five");
        assert_eq!(read(&mut connection).await.unwrap_err().kind(), ReadErrorKind::TooBig);
    }
}

#[tokio::test(start_paused = true)]
async fn stalled_reads_hold_everything_back_until_lifted() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.stall_reads(true);
    peer.send("held");
    peer.drip(5);
    write(&mut connection, Outgoing::Ping("p".into())).await.unwrap();
    assert_eq!(peer.recv().await, Some(PeerEvent::Ping("p".into())));
    assert!(timeout(Duration::from_secs(60), read(&mut connection)).await.is_err());
    assert_eq!(connection.bytes_read(), 0);

    let (wakes, mut batch) = (Arc::default(), Batch::new());
    assert!(poll_once(&wakes, |cx| connection.poll_recv(cx, &mut batch)).is_pending());
    peer.send("held too");
    assert_eq!(wakes.count(), 0);
    peer.stall_reads(false);
    assert_eq!(wakes.count(), 1);
    let entries = read(&mut connection).await.unwrap();
    assert_eq!(entries, [message("held"), Inbound::Pong("p".into()), message("held too")]);
}

#[tokio::test]
async fn dripped_bytes_count_and_give_nothing() {
    let Open { mut connection, peer, .. } = open().await;
    let (wakes, mut batch) = (Arc::default(), Batch::new());
    assert!(poll_once(&wakes, |cx| connection.poll_recv(cx, &mut batch)).is_pending());
    peer.drip(100);
    assert_eq!(wakes.count(), 1);
    assert!(poll_once(&wakes, |cx| connection.poll_recv(cx, &mut batch)).is_pending());
    assert_eq!(connection.bytes_read(), 100);
    assert!(batch.is_empty());
}

#[tokio::test]
async fn bytes_read_are_payloads_and_two_for_each_frame() {
    let Open { mut connection, peer, .. } = open().await;
    peer.send("12345");
    peer.send_lent(&[(MessageKind::Text, b"123"), (MessageKind::Text, b"")]);
    peer.ping("1");
    peer.close(frame(CloseCode::NORMAL, "bye"));
    assert_eq!(connection.bytes_read(), 0);
    read(&mut connection).await.unwrap();
    assert_eq!(connection.bytes_read(), 7 + 5 + 2 + 3 + 7);
}
