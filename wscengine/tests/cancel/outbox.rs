//! `enqueue`: dropped while it waits for room, it has sent nothing, and its room goes to the next.

use futures_util::future::BoxFuture;
use wscengine::{Delivery, Engine, EnqueueOptions, Outbox, SendError, SendErrorKind};

use crate::cut::at_each_await;
use crate::kit::{assert_gets, assert_gets_all, fill, goes_on, messages_of_the_rest};
use crate::support::{Probe, Rig, secs, start_with};

const TEXT: &str = "dropped?";

#[derive(Clone, Copy)]
enum Call {
    Enqueue,
    EnqueueWith,
}

impl Call {
    fn of(self, engine: &Engine) -> BoxFuture<'_, Result<Delivery, SendError>> {
        match self {
            Self::Enqueue => Box::pin(engine.enqueue(TEXT)),
            Self::EnqueueWith => {
                Box::pin(engine.enqueue_with(TEXT, EnqueueOptions::new().max_age(secs(60))))
            }
        }
    }
}

async fn rig() -> Rig {
    start_with(Probe::default(), |builder| builder.outbox(Outbox::new().capacity(2, 1 << 20))).await
}

async fn waits_for_room(call: Call) {
    let reached = at_each_await(|cut| async move {
        let mut rig = rig().await;
        let taken = fill(&rig).await;
        let makes_room = async {
            tokio::time::sleep(secs(1)).await;
            rig.peer.stall_writes(false);
        };
        let (done, behind, ()) =
            tokio::join!(cut.call(call.of(&rig.engine)), rig.engine.send("behind"), makes_room,);
        behind.unwrap();
        let sent = [(done.is_some(), TEXT), (true, "behind")];
        // Its fate is of no interest: it is sent all the same.
        drop(done.map(Result::unwrap));
        assert_gets(&mut rig, &taken).await;
        let sent = sent.into_iter().filter(|(is_sent, _)| *is_sent);
        assert_gets_all(&mut rig, sent.map(|(_, text)| text.to_owned()).collect()).await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn waits_while_the_session_ends(call: Call) {
    let reached = at_each_await(|cut| async move {
        let mut rig = rig().await;
        let taken = fill(&rig).await;
        let ends_session = async {
            tokio::time::sleep(secs(1)).await;
            rig.peer.reset();
        };
        let (done, ()) = tokio::join!(cut.call(call.of(&rig.engine)), ends_session);
        if let Some(result) = done {
            assert_eq!(result.unwrap_err().kind(), SendErrorKind::Full);
        }
        drop(messages_of_the_rest(&mut rig).await);
        rig.reopened().await;
        // The transport had taken the first.
        assert_gets(&mut rig, &taken[1..]).await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

#[tokio::test(start_paused = true)]
async fn engine_enqueue_dropped_while_it_waits_for_room_has_sent_nothing() {
    waits_for_room(Call::Enqueue).await;
}

#[tokio::test(start_paused = true)]
async fn engine_enqueue_with_dropped_while_it_waits_for_room_has_sent_nothing() {
    waits_for_room(Call::EnqueueWith).await;
}

#[tokio::test(start_paused = true)]
async fn engine_enqueue_dropped_while_the_session_ends_sends_nothing_in_the_next() {
    waits_while_the_session_ends(Call::Enqueue).await;
}

#[tokio::test(start_paused = true)]
async fn engine_enqueue_with_dropped_while_the_session_ends_sends_nothing_in_the_next() {
    waits_while_the_session_ends(Call::EnqueueWith).await;
}
