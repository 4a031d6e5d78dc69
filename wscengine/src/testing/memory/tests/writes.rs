//! From the client to the peer.

use super::*;
use crate::error::WriteErrorKind;
use crate::testing::memory::PeerEvent;

fn ready(
    connection: &mut MemoryConnection,
    wakes: &Arc<Wakes>,
) -> Poll<Result<(), WriteErrorKind>> {
    poll_once(wakes, |cx| connection.poll_ready(cx)).map_err(|error| error.kind())
}

#[tokio::test]
async fn the_peer_receives_what_was_flushed_and_nothing_else() {
    let Open { mut connection, mut peer, .. } = open().await;
    connection.start_send(outgoing("one")).unwrap();
    connection.start_send(outgoing("two")).unwrap();
    flush(&mut connection).await.unwrap();
    connection.start_send(outgoing("never flushed")).unwrap();
    drop(connection);

    assert_eq!(peer.recv().await, Some(PeerEvent::Message("one".into())));
    assert_eq!(peer.recv().await, Some(PeerEvent::Message("two".into())));
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
    assert_eq!(peer.recv().await, None);
    assert_eq!(peer.recv().await, None);
}

#[tokio::test]
async fn a_receiving_peer_is_woken_by_a_flush_and_by_the_drop() {
    let Open { mut connection, mut peer, .. } = open().await;
    let received = tokio::spawn(async move { (peer.recv().await, peer.recv().await) });
    tokio::task::yield_now().await;
    write(&mut connection, outgoing("hello")).await.unwrap();
    tokio::task::yield_now().await;
    drop(connection);
    let expected = (Some(PeerEvent::Message("hello".into())), Some(PeerEvent::Dropped));
    assert_eq!(received.await.unwrap(), expected);
}

#[tokio::test]
async fn the_peer_answers_pings_unless_told_not_to() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.auto_pong(false);
    write(&mut connection, Outgoing::Ping("unanswered".into())).await.unwrap();
    peer.auto_pong(true);
    write(&mut connection, Outgoing::Ping("answered".into())).await.unwrap();

    assert_eq!(read(&mut connection).await.unwrap(), [Inbound::Pong("answered".into())]);
    assert_eq!(peer.recv().await, Some(PeerEvent::Ping("unanswered".into())));
    assert_eq!(peer.recv().await, Some(PeerEvent::Ping("answered".into())));
    peer.pong("by hand");
    assert_eq!(read(&mut connection).await.unwrap(), [Inbound::Pong("by hand".into())]);
}

#[tokio::test]
async fn the_peer_answers_a_close_frame_and_the_client_does_not_answer_back() {
    let Open { mut connection, mut peer, .. } = open().await;
    write(&mut connection, Outgoing::Close(frame(CloseCode::GOING_AWAY, "done"))).await.unwrap();
    assert_eq!(
        read(&mut connection).await.unwrap(),
        [Inbound::Close(frame(CloseCode::GOING_AWAY, ""))]
    );
    poll_fn(|cx| connection.poll_close(cx)).await.unwrap();
    drop(connection);

    assert_eq!(peer.recv().await, Some(PeerEvent::Close(frame(CloseCode::GOING_AWAY, "done"))));
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
}

#[tokio::test]
async fn a_peer_told_not_to_close_leaves_the_close_frame_unanswered() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.auto_close(false);
    write(&mut connection, Outgoing::Close(None)).await.unwrap();
    assert_eq!(peer.recv().await, Some(PeerEvent::Close(None)));
    let mut batch = Batch::new();
    assert!(poll_once(&Arc::default(), |cx| connection.poll_recv(cx, &mut batch)).is_pending());
    peer.ping("no pong after a close frame");
    peer.close(frame(CloseCode::NORMAL, ""));
    let entries = read(&mut connection).await.unwrap();
    assert_eq!(entries, [Inbound::Ping, Inbound::Close(frame(CloseCode::NORMAL, ""))]);
    flush(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
}

#[tokio::test]
async fn nothing_is_taken_after_a_close_frame() {
    let Open { mut connection, .. } = open().await;
    connection.start_send(Outgoing::Close(None)).unwrap();
    assert_eq!(connection.start_send(outgoing("late")).unwrap_err().kind(), WriteErrorKind::Closed);
    assert_eq!(ready(&mut connection, &Arc::default()), Poll::Ready(Err(WriteErrorKind::Closed)));
}

#[tokio::test]
async fn a_close_frame_that_crosses_the_echo_is_taken_and_not_written_twice() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.close(frame(CloseCode::NORMAL, ""));
    read(&mut connection).await.unwrap();
    connection.start_send(Outgoing::Close(frame(CloseCode::GOING_AWAY, ""))).unwrap();
    flush(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(peer.recv().await, Some(PeerEvent::Close(frame(CloseCode::NORMAL, ""))));
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
}

#[tokio::test]
async fn the_seventeenth_unflushed_frame_makes_room_by_flushing() {
    let Open { mut connection, mut peer, .. } = open().await;
    let wakes = Arc::default();
    for _ in 0..16 {
        assert_eq!(ready(&mut connection, &wakes), Poll::Ready(Ok(())));
        connection.start_send(outgoing("x")).unwrap();
    }
    assert_eq!(connection.bytes_written(), 0);
    assert_eq!(ready(&mut connection, &wakes), Poll::Ready(Ok(())));
    assert_eq!(connection.bytes_written(), 16 * 3);
    assert_eq!(peer.next_message().await, Message::from("x"));
}

#[tokio::test]
async fn stalled_writes_take_one_frame_and_then_wait_until_lifted() {
    let Open { mut connection, mut peer, .. } = open().await;
    let wakes = Arc::default();
    peer.stall_writes(true);
    assert_eq!(
        poll_once(&wakes, |cx| connection.poll_flush(cx)).map(|flushed| flushed.is_ok()),
        Poll::Ready(true)
    );
    assert_eq!(ready(&mut connection, &wakes), Poll::Ready(Ok(())));
    connection.start_send(outgoing("stuck")).unwrap();
    assert!(ready(&mut connection, &wakes).is_pending());
    assert!(poll_once(&wakes, |cx| connection.poll_flush(cx)).is_pending());
    assert!(poll_once(&wakes, |cx| connection.poll_close(cx)).is_pending());
    assert_eq!((connection.bytes_written(), wakes.count()), (0, 0));

    peer.stall_writes(false);

    assert_eq!(wakes.count(), 1);
    flush(&mut connection).await.unwrap();
    assert_eq!(peer.next_message().await, Message::from("stuck"));
}

#[tokio::test]
async fn a_reset_wakes_and_fails_a_stalled_write() {
    let Open { mut connection, peer, .. } = open().await;
    let wakes = Arc::default();
    peer.stall_writes(true);
    connection.start_send(outgoing("lost")).unwrap();
    assert!(poll_once(&wakes, |cx| connection.poll_flush(cx)).is_pending());
    peer.reset();
    assert_eq!(wakes.count(), 1);
    assert_eq!(flush(&mut connection).await.unwrap_err().kind(), WriteErrorKind::Io);
    assert_eq!(
        connection.start_send(Outgoing::Close(None)).unwrap_err().kind(),
        WriteErrorKind::Io
    );
    assert_eq!(connection.bytes_written(), 0);
}

#[tokio::test]
async fn after_an_end_of_stream_the_client_can_still_write() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.eof();
    assert!(read(&mut connection).await.is_err());
    write(&mut connection, outgoing("last words")).await.unwrap();
    assert_eq!(peer.next_message().await, Message::from("last words"));
}

#[tokio::test]
async fn bytes_written_count_at_the_flush_with_two_for_each_frame() {
    let Open { mut connection, server, .. } = open().await;
    connection.start_send(outgoing("12345")).unwrap();
    connection.start_send(Outgoing::Ping("1".into())).unwrap();
    connection.start_send(Outgoing::Close(frame(CloseCode::NORMAL, "bye"))).unwrap();
    assert_eq!(connection.bytes_written(), 0);
    flush(&mut connection).await.unwrap();
    assert_eq!(connection.bytes_written(), 7 + 3 + 7);
    assert_eq!(server.live(), 1);
}

#[tokio::test]
async fn waiting_for_a_message_passes_pings_and_pongs_by() {
    let Open { mut connection, mut peer, .. } = open().await;
    peer.ping("x");
    read(&mut connection).await.unwrap();
    write(&mut connection, Outgoing::Ping("y".into())).await.unwrap();
    write(&mut connection, outgoing("here")).await.unwrap();
    assert_eq!(peer.next_message().await, Message::from("here"));
}

#[tokio::test]
async fn waiting_for_a_message_that_cannot_come_panics_with_the_reason() {
    let Open { mut connection, mut peer, .. } = open().await;
    write(&mut connection, Outgoing::Close(None)).await.unwrap();
    let waited = tokio::spawn(async move { peer.next_message().await }).await;
    let panic = waited.unwrap_err().into_panic();
    let reason = panic.downcast_ref::<String>().unwrap();
    assert!(reason.contains("the client closed the connection"), "{reason}");
}
