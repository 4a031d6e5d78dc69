//! Dials: answers, faults, counters.

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;

use super::*;
use crate::error::{ConnectErrorKind, ReadErrorKind, WriteErrorKind};
use crate::testing::memory::{Fault, PeerEvent};
use crate::transport::HandshakeResponse;

const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn an_accepted_dial_gives_the_answer_and_shows_the_request() {
    let (transport, mut server) = transport();
    let mut wanted = request();
    wanted.subprotocols = vec!["chat.v2".into()];
    let response =
        HandshakeResponse { subprotocol: Some("chat.v2".into()), ..HandshakeResponse::accepted() };

    let answer = async {
        let dial = server.next_dial().await;
        assert_eq!(dial.request().subprotocols, ["chat.v2"]);
        dial.accept_with(response.clone())
    };
    let (connected, peer) = tokio::join!(transport.connect(wanted), answer);

    assert_eq!(connected.unwrap().response, response);
    assert_eq!(peer.request().url.as_str(), "ws://server.test/");
}

#[tokio::test]
async fn a_refused_dial_fails_with_the_error_given() {
    let (transport, mut server) = transport();
    let unauthorized =
        HandshakeResponse { status: StatusCode::UNAUTHORIZED, ..HandshakeResponse::accepted() };
    let error = ConnectError::new(ConnectErrorKind::Status).with_response(unauthorized);

    let refuse = async { server.next_dial().await.refuse(error) };
    let (connected, ()) = tokio::join!(dial(&transport), refuse);

    let error = connected.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Status);
    assert_eq!(error.response().unwrap().status, StatusCode::UNAUTHORIZED);
    assert_eq!((server.dials(), server.live(), server.max_live()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_pending_dial_that_is_kept_hangs_until_it_is_given_up() {
    let (transport, mut server) = transport();
    let dialing = tokio::spawn(async move { timeout(LONG, dial(&transport)).await.is_err() });

    let mut pending = server.next_dial().await;
    assert!(!pending.is_abandoned());
    pending.abandoned().await;

    assert!(pending.is_abandoned());
    assert!(dialing.await.unwrap());
    let mut peer = pending.accept();
    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
    assert_eq!(peer.recv().await, None);
    assert_eq!(server.max_live(), 0);
}

#[tokio::test]
async fn a_pending_dial_that_is_dropped_was_lost_in_the_handshake() {
    let (transport, mut server) = transport();
    let (connected, ()) = tokio::join!(dial(&transport), async { drop(server.next_dial().await) });
    assert_eq!(connected.unwrap_err().kind(), ConnectErrorKind::Io);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_dial_is_skipped_and_never_live() {
    let (transport, mut server) = transport();
    assert!(timeout(LONG, dial(&transport)).await.is_err());

    let (connected, mut peer) = tokio::join!(dial(&transport), server.accept());
    let mut connection = connected.unwrap().connection;
    write(&mut connection, outgoing("second")).await.unwrap();

    assert_eq!(peer.next_message().await, Message::from("second"));
    assert_eq!((server.dials(), server.live(), server.max_live()), (2, 1, 1));
}

#[tokio::test]
async fn an_acceptance_that_the_dial_did_not_live_to_take_is_never_live() {
    let (transport, mut server) = transport();
    let mut dialing = Box::pin(dial(&transport));
    assert!(poll_once(&Arc::default(), |cx| dialing.as_mut().poll(cx)).is_pending());
    let mut peer = server.accept().await;

    drop(dialing);

    assert_eq!(peer.recv().await, Some(PeerEvent::Dropped));
    assert_eq!((server.live(), server.max_live()), (0, 0));
}

#[tokio::test]
async fn without_a_server_a_dial_fails_at_once() {
    let (transport, server) = transport();
    let observer = server.observer();
    drop(server);
    assert_eq!(dial(&transport).await.unwrap_err().kind(), ConnectErrorKind::Connect);
    assert_eq!(observer.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn accepting_waits_when_nobody_dials_even_without_a_transport() {
    let (transport, mut server) = transport();
    assert!(timeout(LONG, server.accept()).await.is_err());
    drop(transport);
    assert!(timeout(LONG, server.accept()).await.is_err());
}

#[tokio::test]
async fn the_counters_follow_connections_as_they_come_and_go() {
    let (transport, mut server) = transport();
    let observer = server.observer();
    let clone = transport.clone();
    let (first, _first_peer) = tokio::join!(dial(&transport), server.accept());
    let (second, _second_peer) = tokio::join!(dial(&clone), server.accept());
    assert_eq!((observer.dials(), observer.live(), observer.max_live()), (2, 2, 2));

    drop((first, second));

    assert_eq!((observer.dials(), observer.live(), observer.max_live()), (2, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_script_answers_one_dial_with_each_fault_in_order() {
    let (transport, mut server) = transport();
    server.script([Fault::Refuse(ConnectErrorKind::Resolve.into()), Fault::Hang]);
    server.script([Fault::AcceptThenEof, Fault::Accept]);

    assert_eq!(dial(&transport).await.unwrap_err().kind(), ConnectErrorKind::Resolve);
    assert!(timeout(LONG, dial(&transport)).await.is_err());
    let mut ended = dial(&transport).await.unwrap().connection;
    assert_eq!(read(&mut ended).await.unwrap_err().kind(), ReadErrorKind::UnexpectedEof);
    for _ in ["Fault::Accept", "after the script"] {
        let (connected, _peer) = tokio::join!(dial(&transport), server.accept());
        assert!(connected.is_ok());
    }
    assert_eq!(server.dials(), 5);
}

#[tokio::test]
async fn a_script_accepts_and_closes() {
    let (transport, server) = transport();
    server.script([Fault::AcceptThenClose(frame(CloseCode::TRY_AGAIN_LATER, "full"))]);
    let mut connection = dial(&transport).await.unwrap().connection;

    let entries = read(&mut connection).await.unwrap();

    assert_eq!(entries, [Inbound::Close(frame(CloseCode::TRY_AGAIN_LATER, "full"))]);
    assert_eq!(read(&mut connection).await.unwrap_err().kind(), ReadErrorKind::Closed);
    flush(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_script_accepts_and_resets() {
    let (transport, server) = transport();
    server.script([Fault::AcceptThenReset]);
    let mut connection = dial(&transport).await.unwrap().connection;

    assert_eq!(read(&mut connection).await.unwrap_err().kind(), ReadErrorKind::Io);
    let error = write(&mut connection, outgoing("too late")).await.unwrap_err();
    assert_eq!(error.kind(), WriteErrorKind::Io);
}
