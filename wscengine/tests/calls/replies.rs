//! Which call a reply reaches, and what `on_message` is given.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use wscengine::request::{CallErrorKind, Requests};
use wscengine::{Message, MessageKind};

use crate::kit::{LONG, calls, id_of, kind, next_request, spawn, start, start_probe, text};
use crate::support::{Probe, secs, start_with, within};

#[tokio::test(start_paused = true)]
async fn a_call_returns_its_reply_and_on_message_is_not_given_it() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let reply = spawn(&calls, "7 balance");
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("7 balance"));
    rig.peer.send("price 1");
    rig.peer.send("7 100");
    rig.peer.send("price 2");
    assert_eq!(text(within(reply).await.unwrap()), "7 100");
    rig.journal.until("message price 2").await;
    assert_eq!(rig.journal.lines(), ["open", "message price 1", "message price 2"]);
}

#[tokio::test(start_paused = true)]
async fn answers_out_of_order_reach_their_calls() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let replies = ["1 a", "2 b", "3 c", "4 d"].map(|request| spawn(&calls, request));
    for _ in 0..4 {
        next_request(&mut rig).await;
    }
    for answer in ["3 C", "1 A", "4 D", "2 B"] {
        rig.peer.send(answer);
    }
    let replies = join_all(replies).await.into_iter().map(|reply| text(reply.unwrap()));
    assert_eq!(replies.collect::<Vec<_>>(), ["1 A", "2 B", "3 C", "4 D"]);
    assert_eq!(rig.journal.lines(), ["open"]);
}

/// From tasks on two threads, answered in another order than they came, news between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_in_flight_each_get_their_own_reply() {
    const CALLS: u64 = 10_000;
    let calls = calls();
    let mut rig = start(&calls).await;
    let callers: Vec<_> = (0..CALLS)
        .map(|number| {
            let calls = calls.clone();
            tokio::spawn(async move {
                let reply = calls.call(format!("{number} double"), LONG).await;
                assert_eq!(text(reply), format!("{number} {}", number * 2));
            })
        })
        .collect();
    let mut numbers = Vec::new();
    while numbers.len() < CALLS as usize {
        numbers.push(next_request(&mut rig).await);
    }
    // All are in flight now. 7,919 is prime: each comes once, far from where it stood.
    for at in 0..CALLS {
        let number = numbers[(at * 7_919 % CALLS) as usize];
        if at % 100 == 0 {
            rig.peer.send(format!("news {at}"));
        }
        rig.peer.send(format!("{number} {}", number * 2));
    }
    for caller in callers {
        within(caller).await.unwrap();
    }
    rig.journal.until("message news 9900").await;
    assert_eq!(rig.journal.lines().len(), 1 + 100);
    within(rig.engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn replies_among_lent_messages_are_taken_out_and_the_others_stay_in_order() {
    for workers in [1, 3] {
        let calls = calls();
        let mut rig = start_with(Probe::default(), |builder| {
            builder.requests(&calls).workers(workers).ordered_by(|_| 0)
        })
        .await;
        let (first, second) = (spawn(&calls, "1 a"), spawn(&calls, "2 b"));
        next_request(&mut rig).await;
        next_request(&mut rig).await;
        rig.peer.send_lent(&[
            (MessageKind::Text, b"x"),
            (MessageKind::Text, b"2 B"),
            (MessageKind::Text, b"y"),
            (MessageKind::Text, b"1 A"),
            (MessageKind::Binary, b"z"),
        ]);
        assert_eq!(text(within(first).await.unwrap()), "1 A");
        assert_eq!(text(within(second).await.unwrap()), "2 B");
        rig.journal.until("message z").await;
        assert_eq!(rig.journal.lines(), ["open", "message x", "message y", "message z"]);
    }
}

/// What comes behind a violation in the same chunk means nothing, a reply neither.
#[tokio::test(start_paused = true)]
async fn a_reply_behind_text_that_is_not_utf_8_is_none() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let (before, behind) = (spawn(&calls, "1 a"), spawn(&calls, "2 b"));
    next_request(&mut rig).await;
    next_request(&mut rig).await;
    rig.peer.send_lent(&[
        (MessageKind::Text, b"1 A"),
        (MessageKind::Text, b"\xff"),
        (MessageKind::Text, b"2 B"),
    ]);
    assert_eq!(text(within(before).await.unwrap()), "1 A");
    assert_eq!(kind(within(behind).await.unwrap()), CallErrorKind::SessionEnded);
    rig.journal.until("read error InvalidUtf8 fatal=true").await;
}

/// The id is any type, and stands where the server has it: here, before the request and behind the reply.
#[tokio::test(start_paused = true)]
async fn an_id_of_any_type_may_stand_elsewhere_in_the_request() {
    let calls = Requests::new(|message: &Message<'_>| {
        message.text()?.strip_prefix("re:")?.rsplit(':').next().map(str::to_owned)
    });
    let mut rig = start_with(Probe::default(), |builder| builder.requests(&calls)).await;
    let without = calls.call("a:ask", LONG).await.unwrap_err();
    assert_eq!(without.kind(), CallErrorKind::NoId);
    assert_eq!(without.into_message().unwrap().text(), Some("a:ask"));
    let (reply, ()) = tokio::join!(calls.call_with_id("a".to_owned(), "a:ask", LONG), async {
        assert_eq!(within(rig.peer.next_message()).await.text(), Some("a:ask"));
        rig.peer.send("re:yes:a");
    });
    assert_eq!(text(reply), "re:yes:a");
}

#[tokio::test(start_paused = true)]
async fn two_calls_with_the_same_id_in_flight_are_refused_and_the_first_is_answered() {
    let calls = calls();
    let mut rig = start(&calls).await;
    let first = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    let second = calls.call("1 again", LONG).await.unwrap_err();
    assert_eq!(second.kind(), CallErrorKind::IdInUse);
    assert_eq!(second.into_message().unwrap().text(), Some("1 again"));
    rig.peer.send("1 A");
    assert_eq!(text(within(first).await.unwrap()), "1 A");
    // Its id may be used again: the reply has come.
    let third = spawn(&calls, "1 third");
    assert_eq!(within(rig.peer.next_message()).await.text(), Some("1 third"));
    rig.peer.send("1 C");
    assert_eq!(text(within(third).await.unwrap()), "1 C");
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_asked_for_are_each_given_once_by_all_clones() {
    let calls = calls();
    let mut numbers: Vec<_> = (0..10).map(|_| calls.clone().next_id()).collect();
    numbers.extend((0..10).map(|_| calls.next_id()));
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_id_is_not_looked_for_while_no_call_waits() {
    let looks = Arc::new(AtomicUsize::new(0));
    let seen = looks.clone();
    let calls = Requests::new(move |message: &Message<'_>| {
        seen.fetch_add(1, Ordering::SeqCst);
        id_of(message)
    });
    let mut rig = start_with(Probe::default(), |builder| builder.requests(&calls)).await;
    for number in 0..10 {
        rig.peer.send(format!("{number} price"));
    }
    rig.journal.until("message 9 price").await;
    assert_eq!(looks.load(Ordering::SeqCst), 0);
    let reply = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    rig.peer.send("1 A");
    assert_eq!(text(within(reply).await.unwrap()), "1 A");
    // Once in the request, once in the reply.
    assert_eq!(looks.load(Ordering::SeqCst), 2);
    rig.peer.send("2 price");
    rig.journal.until("message 2 price").await;
    assert_eq!(looks.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_for_which_the_function_panics_is_nobodys_reply() {
    let calls = Requests::new(|message: &Message<'_>| {
        assert_ne!(message.text(), Some("bad"), "as the test wants it");
        id_of(message)
    });
    let mut rig = start_with(Probe::default(), |builder| builder.requests(&calls)).await;
    let reply = spawn(&calls, "1 a");
    next_request(&mut rig).await;
    rig.peer.send("bad");
    rig.peer.send("1 A");
    assert_eq!(text(within(reply).await.unwrap()), "1 A");
    rig.journal.until("message bad").await;
}

/// An id that cannot be looked up.
#[derive(PartialEq, Eq)]
struct Fragile(u64);

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert_ne!(self.0, 13, "as the test wants it");
        self.0.hash(state);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_id_panics_is_nobodys_reply() {
    let calls = Requests::new(|message: &Message<'_>| id_of(message).map(Fragile));
    let mut rig = start_with(Probe::default(), |builder| builder.requests(&calls)).await;
    let reply = tokio::spawn(async move { calls.call("1 a", LONG).await });
    next_request(&mut rig).await;
    rig.peer.send("13 bad");
    rig.peer.send("1 A");
    assert_eq!(text(within(reply).await.unwrap()), "1 A");
    rig.journal.until("message 13 bad").await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_was_built_without_the_requests_says_so() {
    let (ours, others) = (calls(), calls());
    let rig = start(&ours).await;
    let session = rig.engine.session().unwrap();
    let error = others.on(&session).call("1 a", LONG).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::NotInstalled);
    assert_eq!(error.into_message().unwrap().text(), Some("1 a"));
    let rig = start_with(Probe::default(), |builder| builder).await;
    let session = rig.engine.session().unwrap();
    assert_eq!(kind(ours.on(&session).call("1 a", LONG).await), CallErrorKind::NotInstalled);
}

#[tokio::test(start_paused = true)]
async fn requests_given_to_a_second_engine_call_on_that_one() {
    let calls = calls();
    let mut first = start(&calls).await;
    let on_first = calls.on(&first.engine.session().unwrap());
    let mut second = start(&calls).await;
    let replies = (spawn(&calls, "1 a"), spawn(&on_first, "1 b"));
    next_request(&mut second).await;
    next_request(&mut first).await;
    second.peer.send("1 A");
    first.peer.send("1 B");
    assert_eq!(text(within(replies.0).await.unwrap()), "1 A");
    assert_eq!(text(within(replies.1).await.unwrap()), "1 B");
}

/// They count as received like all others, and keep the idle watchdog quiet.
#[tokio::test(start_paused = true)]
async fn a_reply_is_counted_as_a_message_and_as_a_sign_of_life() {
    let calls = calls();
    let mut rig = start_with(Probe::default(), |builder| {
        builder.requests(&calls).idle_timeout(Some(secs(10)))
    })
    .await;
    for _ in 0..5 {
        let reply = spawn(&calls, "1 a");
        next_request(&mut rig).await;
        tokio::time::sleep(secs(8)).await;
        rig.peer.send("1 A");
        assert_eq!(text(within(reply).await.unwrap()), "1 A");
    }
    assert_eq!(rig.engine.stats().messages_received, 5);
    assert_eq!(rig.engine.stats().sessions, 1);
}

/// A transport that is at the end of what it can read after each message must not be left unread.
#[tokio::test(start_paused = true)]
async fn a_read_that_gave_only_replies_is_followed_by_another() {
    let calls = calls();
    let mut rig = start_probe(Probe::default(), &calls).await;
    for number in 0..100 {
        let reply = spawn(&calls, "5 a");
        next_request(&mut rig).await;
        rig.peer.send_lent(&[(MessageKind::Text, b"5 A")]);
        rig.peer.send(format!("behind {number}"));
        assert_eq!(text(within(reply).await.unwrap()), "5 A");
        rig.journal.until(&format!("message behind {number}")).await;
    }
}
