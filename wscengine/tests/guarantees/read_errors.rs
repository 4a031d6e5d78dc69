//! `on_read_error`: survivable and fatal errors, what the peer is told, and where in the order it is called.

use futures_util::FutureExt;
use wscengine::testing::memory::PeerEvent;
use wscengine::{Message, MessageKind, ReadError, ReadErrorKind, Session};

use crate::support::{
    Journal, Probe, Rig, builder, farewell_of, millis, rest_of, secs, settle, start, start_with,
    timed, within, within_real,
};

/// Ends a session in some way.
type End = fn(&Rig);

fn survivable() -> ReadError {
    ReadError::new(ReadErrorKind::Codec).survivable()
}

#[tokio::test(start_paused = true)]
async fn a_survivable_error_is_reported_in_its_place_and_the_session_goes_on() {
    for workers in [1, 4] {
        let rig = start_with(Probe::default(), |builder| builder.workers(workers)).await;
        rig.peer.send("1");
        rig.peer.read_error(survivable());
        rig.peer.send("2");
        rig.journal.until("message 2").await;
        assert_eq!(
            rig.journal.lines(),
            ["open", "message 1", "read error Codec fatal=false", "message 2"]
        );
        rig.engine.send("still writing").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_callback_runs_beside_on_read_error() {
    let slow = |_: Session, _: Message<'static>| tokio::time::sleep(millis(100));
    let probe = Probe::default().on_message(slow).on_read_error(|_, _| tokio::time::sleep(secs(1)));
    let rig = start_with(probe, |builder| builder.workers(4)).await;
    for text in ["1", "2", "3"] {
        rig.peer.send(text);
    }
    rig.peer.read_error(survivable());
    for text in ["4", "5", "6"] {
        rig.peer.send(text);
    }
    rig.journal.until_messages(6).await;
    // The journal itself checks that nothing overlapped; this is the order.
    let lines = rig.journal.lines();
    assert_eq!(lines[4], "read error Codec fatal=false", "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_survivable_error_without_a_good_message_between_ends_the_session() {
    let mut rig = start(Probe::default()).await;
    rig.peer.read_error(survivable());
    rig.journal.until("read error Codec fatal=false").await;
    rig.peer.read_error(survivable());
    rig.journal.until("close read failed: the transport could not decode a message").await;
    assert_eq!(
        rig.journal.lines(),
        [
            "open",
            "read error Codec fatal=false",
            "read error Codec fatal=true",
            "close read failed: the transport could not decode a message"
        ]
    );
    rig.reopened().await;
}

#[tokio::test(start_paused = true)]
async fn survivable_errors_with_good_messages_between_them_never_end_the_session() {
    let rig = start(Probe::default()).await;
    for round in 0..20 {
        rig.peer.read_error(survivable());
        rig.peer.send(round.to_string());
        rig.journal.until(&format!("message {round}")).await;
    }
    assert_eq!(rig.journal.count("read error Codec fatal=false"), 20);
    assert!(rig.journal.after("close ").is_empty());
}

/// The count of errors belongs to the session.
#[tokio::test(start_paused = true)]
async fn one_survivable_error_in_each_of_two_sessions_is_not_two_in_a_row() {
    let mut rig = start(Probe::default()).await;
    rig.peer.read_error(survivable());
    rig.journal.until("read error Codec fatal=false").await;
    rig.close_by_peer();
    rig.reopened().await;
    rig.peer.read_error(survivable());
    rig.peer.send("goes on");
    rig.journal.until("message goes on").await;
    assert_eq!(rig.journal.count("read error Codec fatal=false"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fatal_error_is_reported_after_all_that_was_read_before_it_and_then_on_close() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(100)));
        let rig = start_with(probe, |builder| builder.workers(workers)).await;
        for text in ["1", "2", "3"] {
            rig.peer.send(text);
        }
        rig.peer.read_error(ReadErrorKind::Protocol.into());
        rig.journal.until("close read failed: the peer broke the WebSocket protocol").await;
        assert_eq!(
            rig.journal.lines(),
            [
                "open",
                "message 1",
                "message 2",
                "message 3",
                "read error Protocol fatal=true",
                "close read failed: the peer broke the WebSocket protocol"
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_peer_is_told_the_code_that_rfc_6455_demands() {
    let codes = [
        (ReadErrorKind::Protocol, Some(1002)),
        (ReadErrorKind::InvalidUtf8, Some(1007)),
        (ReadErrorKind::TooBig, Some(1009)),
        (ReadErrorKind::Io, None),
        (ReadErrorKind::UnexpectedEof, None),
    ];
    for (kind, code) in codes {
        let mut rig = start(Probe::default()).await;
        rig.peer.read_error(kind.into());
        let sent = farewell_of(&mut rig.peer).await.map(|frame| frame.code().0);
        assert_eq!(sent, code, "{kind:?}");
        assert_eq!(rig.journal.count(&format!("read error {kind:?} fatal=true")), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_code_overtakes_what_waits_to_be_written_and_the_callbacks() {
    let probe = Probe::default().on_message(|_, _| tokio::time::sleep(secs(2)));
    let mut rig = start(probe).await;
    rig.peer.send("slow");
    rig.journal.until("message slow").await;
    rig.peer.read_error(ReadErrorKind::TooBig.into());
    let event =
        tokio::time::timeout(millis(1), rig.peer.recv()).await.expect("it was held up").unwrap();
    assert!(matches!(&event, PeerEvent::Close(Some(frame)) if frame.code().0 == 1009), "{event:?}");
    assert_eq!(rig.journal.count("read error TooBig fatal=true"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_code_on_the_wire() {
    let probe = Probe::default().on_read_error(|session, _| async move {
        let _ = session.send("too late").await;
        let _ = session.send_flushed("too late").await;
    });
    let mut rig = start(probe).await;
    rig.peer.read_error(ReadErrorKind::Protocol.into());
    let events = rest_of(&mut rig.peer).await;
    assert!(matches!(&events[..], [PeerEvent::Close(Some(_)), PeerEvent::Dropped]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_too_big() {
    let mut rig = start_with(Probe::default(), |builder| builder.max_message_size(10)).await;
    rig.peer.send("0123456789");
    rig.peer.send("0123456789x");
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1009);
    rig.journal.until("read error TooBig fatal=true").await;
    assert_eq!(rig.journal.messages(), ["0123456789"]);
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf8_is_refused_and_what_came_before_it_is_handled() {
    let mut rig = start(Probe::default()).await;
    rig.peer.send_lent(&[
        (MessageKind::Text, b"good"),
        (MessageKind::Text, b"b\xffd"),
        (MessageKind::Text, b"never read"),
    ]);
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1007);
    rig.journal.until("read error InvalidUtf8 fatal=true").await;
    settle().await;
    assert_eq!(rig.journal.messages(), ["good"]);
}

/// What a callback does while a fatal error is dealt with must not undo the session's end.
#[tokio::test(start_paused = true)]
async fn a_restart_asked_for_in_on_read_error_opens_one_new_session() {
    let probe = Probe::default().on_read_error(|session, _| async move { session.restart() });
    let mut rig = start(probe).await;
    rig.peer.read_error(ReadErrorKind::Protocol.into());
    rig.reopened().await;
    tokio::time::sleep(secs(15)).await;
    assert_eq!(rig.server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_asked_for_after_a_survivable_error_ends_that_session_locally() {
    let probe = Probe::default().on_read_error(|session, _| async move { session.restart() });
    let mut rig: Rig = start(probe).await;
    rig.peer.read_error(survivable());
    assert_eq!(farewell_of(&mut rig.peer).await.unwrap().code().0, 1001);
    rig.reopened().await;
    assert_eq!(
        rig.journal.lines(),
        ["open", "read error Codec fatal=false", "close restarted", "reopen"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_on_read_error_runs_waits_for_it() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal)
        .on_read_error(move |_, _| {
            let journal = seen.clone();
            async move {
                tokio::time::sleep(secs(1)).await;
                journal.note("dealt with");
            }
        })
        .on_close(|_, _| async { None }.boxed());
    let rig = start(probe).await;
    rig.peer.read_error(survivable());
    journal.until("read error Codec fatal=false").await;
    rig.stop().await;
    assert_eq!(
        journal.lines(),
        ["open", "read error Codec fatal=false", "dealt with", "close stopped"]
    );
}

#[tokio::test(start_paused = true)]
async fn pausing_inside_on_read_error_gives_what_follows_the_error() {
    let journal = Journal::default();
    let seen = journal.clone();
    let probe = Probe::new(&journal).on_read_error(move |session, _| {
        let journal = seen.clone();
        async move {
            let mut held = session.pause().await.unwrap();
            let message = held.recv().await.unwrap();
            journal.note(format!("held {}", message.text().unwrap()));
        }
    });
    let rig = start(probe).await;
    rig.peer.read_error(survivable());
    rig.peer.send("1");
    rig.peer.send("2");
    within(journal.until("message 2")).await;
    assert_eq!(journal.lines(), ["open", "read error Codec fatal=false", "held 1", "message 2"]);
}

/// However fast they follow each other, the handler hears of each.
#[tokio::test(start_paused = true)]
async fn a_survivable_error_is_reported_though_the_session_ends_right_behind_it() {
    let ends: [(End, &[&str]); 2] = [
        (|rig| rig.close_by_peer(), &["close closed by the peer with 1012"]),
        (
            |rig| rig.peer.read_error(survivable()),
            &[
                "read error Codec fatal=true",
                "close read failed: the transport could not decode a message",
            ],
        ),
    ];
    for (end, expected) in ends {
        let mut rig = start(Probe::default()).await;
        rig.peer.send("1");
        rig.peer.read_error(survivable());
        end(&rig);
        rig.accept().await;
        assert_eq!(rig.journal.lines()[..3], ["open", "message 1", "read error Codec fatal=false"]);
        assert_eq!(rig.journal.lines()[3..], *expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_survivable_error_between_messages_keeps_its_place_when_the_peer_closes_behind_them() {
    for workers in [1, 3] {
        let probe = Probe::default().on_message(|_, _| tokio::time::sleep(millis(100)));
        let mut rig = start_with(probe, |builder| builder.workers(workers)).await;
        rig.peer.send("1");
        rig.peer.read_error(survivable());
        rig.peer.send("2");
        rig.close_by_peer();
        rig.accept().await;
        assert_eq!(
            rig.journal.lines(),
            [
                "open",
                "message 1",
                "read error Codec fatal=false",
                "message 2",
                "close closed by the peer with 1012"
            ]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_taken_by_recv_matching_from_a_full_read_ahead_lets_reading_go_on() {
    let mut rig = start_with(Probe::default(), |builder| builder.read_ahead(1, 1024)).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.read_error(survivable());
    settle().await;
    assert!(within(held.recv_matching(|_| true)).await.is_err());
    rig.close_by_peer();
    let (_, took) = timed(rig.accept()).await;
    assert!(took < secs(1), "the close was seen only after {took:?}");
}

/// The close code of a violation overtakes what waits for the socket, and not what was said before it.
#[tokio::test(start_paused = true)]
async fn what_is_sent_for_messages_before_a_violation_goes_out_before_its_close_frame() {
    for together in [true, false] {
        let probe = Probe::default().on_message(|session, message| async move {
            session.send(message).await.unwrap();
        });
        let mut rig = start(probe).await;
        if together {
            rig.peer.send_lent(&[(MessageKind::Text, b"good"), (MessageKind::Text, b"\xff")]);
        } else {
            rig.peer.send("good");
            rig.peer.send_lent(&[(MessageKind::Text, b"\xff")]);
        }
        let events = rest_of(&mut rig.peer).await;
        assert!(
            matches!(&events[..], [PeerEvent::Message(good), PeerEvent::Close(Some(frame)), ..]
                if good.text() == Some("good") && frame.code().0 == 1007),
            "together {together}: {events:?}"
        );
    }
}

/// As above, where both come with the acceptance, before `on_open` was called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_with_the_acceptance_is_handled_before_a_violation_behind_it_is_answered() {
    for _ in 0..100 {
        let probe = Probe::default().on_message(|session, message| async move {
            session.send(message).await.unwrap();
        });
        let (builder, mut server) = builder(probe);
        let prepared = builder.auto_reconnect(false).build().unwrap();
        let serve = async {
            let mut peer = server.accept().await;
            peer.send_lent(&[(MessageKind::Text, b"good"), (MessageKind::Text, b"\xff")]);
            rest_of(&mut peer).await
        };
        let (engine, events) = within_real(async { tokio::join!(prepared.start(), serve) }).await;
        engine.unwrap();
        assert!(
            matches!(&events[..], [PeerEvent::Message(_), PeerEvent::Close(Some(frame)), ..]
                if frame.code().0 == 1007),
            "{events:?}"
        );
    }
}
