//! Calls inside callbacks, and while somebody holds the connection.

use futures_util::FutureExt;
use wscengine::request::CallErrorKind;

use crate::kit::{LONG, call_on, calls, kind, next_request, spawn, start, start_probe, text};
use crate::support::{Probe, secs, start_with, within};

#[tokio::test(start_paused = true)]
async fn a_call_inside_on_message_with_one_worker_gets_its_reply_past_what_waits_before_it() {
    let calls = calls();
    let inside = calls.clone();
    let probe = Probe::default();
    let journal = probe.journal.clone();
    let probe = probe.on_message(move |session, message| {
        let (calls, journal) = (inside.clone(), journal.clone());
        async move {
            if message.text() == Some("go") {
                journal.note(call_on(&calls, &session, "1 a").await);
            }
        }
    });
    let mut rig = start_probe(probe, &calls).await;
    rig.peer.send("go");
    next_request(&mut rig).await;
    for news in ["x", "y"] {
        rig.peer.send(news);
    }
    rig.peer.send("1 A");
    rig.journal.until("message y").await;
    assert_eq!(rig.journal.lines(), ["open", "message go", "1 A", "message x", "message y"]);
}

#[tokio::test(start_paused = true)]
async fn calls_of_all_workers_at_once_are_answered() {
    let calls = calls();
    let inside = calls.clone();
    let probe = Probe::default();
    let journal = probe.journal.clone();
    let probe = probe.on_message(move |session, message| {
        let (calls, journal) = (inside.on(&session), journal.clone());
        async move {
            let id = calls.next_id();
            let request = format!("{id} {}", message.text().unwrap());
            let reply = text(calls.call(request, secs(10)).await);
            journal.note(format!("reply {}", reply.split(' ').nth(1).unwrap()));
        }
    });
    let mut rig = start_with(probe, |builder| builder.requests(&calls).workers(3)).await;
    for task in ["a", "b", "c"] {
        rig.peer.send(task);
    }
    let mut requests = Vec::new();
    for _ in 0..3 {
        requests.push(within(rig.peer.next_message()).await);
    }
    for request in requests.into_iter().rev() {
        rig.peer.send(request);
    }
    for task in ["a", "b", "c"] {
        rig.journal.until(&format!("reply {task}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_inside_on_open_is_made_on_the_session_of_the_connection() {
    let calls = calls();
    let inside = calls.clone();
    let probe = Probe::default().on_open(move |conn, _| {
        let calls = inside.clone();
        async move {
            // It is not open yet for anybody else.
            assert_eq!(kind(calls.call("1 a", LONG).await), CallErrorKind::NotConnected);
            assert_eq!(call_on(&calls, conn.session(), "2 log in").await, "2 ok");
            // What is no reply is received as ever.
            assert_eq!(conn.recv().await?.text(), Some("welcome"));
            Ok(())
        }
        .boxed()
    });
    let (builder, mut server) = crate::support::builder(probe);
    let prepared = builder.requests(&calls).build().unwrap();
    let (engine, _peer) = tokio::join!(within(prepared.start()), async {
        let mut peer = within(server.accept()).await;
        assert_eq!(within(peer.next_message()).await.text(), Some("2 log in"));
        peer.send("welcome");
        peer.send("2 ok");
        peer
    });
    within(engine.unwrap().stop()).await;
}

#[tokio::test(start_paused = true)]
async fn while_paused_replies_go_to_their_calls_and_the_holder_receives_the_rest() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let before = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    let mut held = within(rig.engine.pause()).await.unwrap();
    let meanwhile = spawn(&calls, "2 b");
    next_request(&mut rig).await;
    for message in ["x", "2 B", "3 nobody's", "1 A"] {
        rig.peer.send(message);
    }
    assert_eq!(text(within(before).await.unwrap()), "1 A");
    assert_eq!(text(within(meanwhile).await.unwrap()), "2 B");
    assert_eq!(within(held.recv()).await.unwrap().text(), Some("x"));
    assert_eq!(within(held.recv()).await.unwrap().text(), Some("3 nobody's"));
    drop(held);
    assert_eq!(rig.journal.lines(), ["open"]);
}

/// When we end the session, its calls have failed: what still comes is for `on_close` alone.
#[tokio::test(start_paused = true)]
async fn inside_on_close_a_call_fails_and_an_answer_is_received_instead() {
    let calls = calls();
    let inside = calls.clone();
    let probe = Probe::default().on_close(move |conn, _| {
        let calls = inside.clone();
        async move {
            let call = calls.on(conn.session()).call("1 a", LONG).await;
            assert_eq!(kind(call), CallErrorKind::SessionEnded);
            conn.send("2 log out").await.unwrap();
            assert_eq!(conn.recv().await.unwrap().text(), Some("2 bye"));
            None
        }
        .boxed()
    });
    let mut rig = start_probe(probe, &calls).await;
    let engine = rig.engine.clone();
    let stop = tokio::spawn(async move { engine.stop().await });
    assert_eq!(next_request(&mut rig).await, 2);
    rig.peer.send("2 bye");
    assert!(!within(stop).await.unwrap().is_forced());
}
