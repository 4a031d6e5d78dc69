//! A call by id: dropped, it is given up, and no other is disturbed.

use futures_util::FutureExt;
use tokio::time::Instant;
use wscengine::request::{CallErrorKind, Requests};
use wscengine::{Message, Session};

use crate::cut::at_each_await;
use crate::kit::{fill, goes_on};
use crate::support::{Probe, Rig, secs, start_with, within};

fn calls() -> Requests<u64> {
    Requests::new(|message: &Message<'_>| message.text()?.split(' ').next()?.parse().ok())
}

async fn start(calls: &Requests<u64>) -> Rig {
    start_with(Probe::default(), |builder| builder.requests(calls)).await
}

/// After a second, both replies, in the wrong order.
async fn answers_late(rig: &Rig) {
    tokio::time::sleep(secs(1)).await;
    rig.peer.send("2 B");
    rig.peer.send("1 A");
}

/// The call beside it gets its own reply; that of one that was dropped goes to `on_message`, unless it had been handed
/// over already.
async fn is_given_up(with_id: bool) {
    let reached = at_each_await(|cut| async move {
        let calls = calls();
        let mut rig = start(&calls).await;
        let began = Instant::now();
        let call = async {
            let call = match with_id {
                true => cut.call(calls.call_with_id(1, "1 a", secs(10)).boxed()),
                false => cut.call(calls.call("1 a", secs(10)).boxed()),
            };
            (call.await, began.elapsed() >= secs(1))
        };
        let other = calls.call("2 b", secs(10));
        let ((reply, came), other, ()) = tokio::join!(call, other, answers_late(&rig));
        assert_eq!(other.unwrap().text(), Some("2 B"));
        match reply {
            Some(reply) => assert_eq!(reply.unwrap().text(), Some("1 A")),
            None if came => assert!(!rig.journal.lines().contains(&"message 1 A".to_owned())),
            None => rig.journal.until("message 1 A").await,
        }
        let sent = if cut.polls() > 0 { 2 } else { 1 };
        for _ in 0..sent {
            within(rig.peer.next_message()).await;
        }
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_call_dropped_while_it_waits_for_its_reply_is_given_up() {
    is_given_up(false).await;
}

#[tokio::test(start_paused = true)]
async fn requests_call_with_id_dropped_while_it_waits_for_its_reply_is_given_up() {
    is_given_up(true).await;
}

/// The request is not sent, and nothing is left of the call but its id.
#[tokio::test(start_paused = true)]
async fn requests_call_with_id_dropped_while_it_waits_for_room_has_sent_nothing() {
    at_each_await(|cut| async move {
        let calls = calls();
        let mut rig = start(&calls).await;
        let session: Session = rig.engine.session().unwrap();
        let filled = fill(&rig).await;
        let calls = calls.on(&session);
        let call = cut.call(calls.call_with_id(9_999, "9999 a", secs(5)));
        if let Some(reply) = call.await {
            assert_eq!(reply.unwrap_err().kind(), CallErrorKind::Timeout);
        }
        rig.peer.stall_writes(false);
        crate::kit::assert_gets(&mut rig, &filled).await;
        goes_on(rig).await;
    })
    .await;
}
