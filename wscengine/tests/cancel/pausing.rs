//! `pause` and `pause_for`: dropped, the request is withdrawn; what arrives goes to whom it would have gone to.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use wscengine::{Engine, Exclusive, PauseError, Session};

use crate::cut::{at_each_await, at_each_moment};
use crate::kit::{ends, goes_on};
use crate::support::{Probe, Rig, assert_at_once, secs, settle, start, start_with, timed, within};

type Paused<'a> = BoxFuture<'a, Result<Exclusive, PauseError>>;

/// Which of the four is called. Those with a limit have one that is over before the holder is done.
#[derive(Clone, Copy)]
enum Pause {
    Engine,
    EngineFor,
    Session,
    SessionFor,
}

/// How long the two with a limit hold at most.
const HOLD: Duration = Duration::from_secs(5);

impl Pause {
    fn call<'a>(self, engine: &'a Engine, session: &'a Session) -> Paused<'a> {
        match self {
            Self::Engine => engine.pause().boxed(),
            Self::EngineFor => engine.pause_for(HOLD).boxed(),
            Self::Session => session.pause().boxed(),
            Self::SessionFor => session.pause_for(HOLD).boxed(),
        }
    }
}

/// Nobody holds the connection: granted at once. Dropped before it is seen, the grant is void.
async fn idle(pause: Pause) {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let session = rig.engine.session().unwrap();
        let held = cut.call(pause.call(&rig.engine, &session)).await;
        rig.peer.send("1");
        if let Some(held) = held {
            assert_eq!(within(held.unwrap().recv()).await.unwrap().text(), Some("1"));
        } else {
            // Not only when the time of a hold that nobody has is over.
            let ((), took) = timed(rig.journal.until("message 1")).await;
            assert_at_once(took);
        }
        // Its time, if it had been granted some, is not another holder's.
        let mut held = within(rig.engine.pause()).await.unwrap();
        tokio::time::sleep(2 * HOLD).await;
        rig.peer.send("2");
        assert_eq!(within(held.recv()).await.unwrap().text(), Some("2"));
        drop(held);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// Another holds the connection, and a third waits behind: the third is served whatever becomes of this one.
async fn behind_another(pause: Pause) {
    let reached = at_each_await(|cut| async move {
        let rig = start(Probe::default()).await;
        let session = rig.engine.session().unwrap();
        let first = within(rig.engine.pause()).await.unwrap();
        rig.peer.send("1");
        rig.peer.send("2");
        let release = async {
            tokio::time::sleep(secs(1)).await;
            drop(first);
        };
        let second = async {
            match cut.call(pause.call(&rig.engine, &session)).await {
                Some(held) => held.unwrap().recv().await.unwrap().text().map(str::to_owned),
                None => None,
            }
        };
        let third = async {
            settle().await;
            let mut held = rig.engine.pause().await.unwrap();
            (held.recv().await.unwrap().into_owned(), held)
        };
        let ((), second, (next, held)) = tokio::join!(release, second, third);
        let got = if second.is_some() { "2" } else { "1" };
        assert!(second.is_none_or(|text| text == "1"));
        assert_eq!(next.text(), Some(got));
        drop(held);
        if got == "1" {
            rig.journal.until("message 2").await;
        }
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// `on_message` runs, and more lies read ahead: what was read before goes to the holder, or to `on_message`, in order.
async fn with_messages_read_ahead(pause: Pause) {
    let reached = at_each_await(|cut| async move {
        let probe = Probe::default().on_message(|_, _| tokio::time::sleep(secs(1)));
        let rig = start(probe).await;
        let session = rig.engine.session().unwrap();
        for text in ["1", "2", "3"] {
            rig.peer.send(text);
        }
        rig.journal.until("message 1").await;
        if let Some(held) = cut.call(pause.call(&rig.engine, &session)).await {
            let mut held = held.unwrap();
            assert_eq!(within(held.recv()).await.unwrap().text(), Some("2"));
        } else {
            rig.journal.until("message 2").await;
        }
        rig.journal.until("message 3").await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// Inside `on_message`, as gowse has it.
async fn inside_on_message(pause: Pause) {
    let reached = at_each_await(|cut| async move {
        let engine = std::sync::Arc::new(std::sync::OnceLock::<Engine>::new());
        let (call, handle) = (cut.clone(), engine.clone());
        let probe = Probe::default().on_message(move |session, message| {
            let (cut, engine) = (call.clone(), handle.get().unwrap().clone());
            async move {
                if message.text() == Some("pause") {
                    drop(cut.call(pause.call(&engine, &session)).await);
                }
            }
        });
        let rig = start_with(probe, |builder| builder).await;
        assert!(engine.set(rig.engine.clone()).is_ok());
        for text in ["pause", "1", "2"] {
            rig.peer.send(text);
        }
        rig.journal.until("message 2").await;
        assert_eq!(rig.journal.messages(), ["pause", "1", "2"]);
        goes_on(rig).await;
        drop(engine);
    })
    .await;
    assert_eq!(reached, 1);
}

/// The session ends while the call waits behind another.
async fn while_the_session_ends(pause: Pause, end: fn(&Rig), stopped: bool) {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let session = rig.engine.session().unwrap();
        let first = within(rig.engine.pause()).await.unwrap();
        let ends_session = async {
            settle().await;
            end(&rig);
        };
        let (held, ()) = tokio::join!(cut.call(pause.call(&rig.engine, &session)), ends_session);
        if let Some(result) = held {
            assert_eq!(result.unwrap_err(), PauseError::SessionEnded);
        }
        drop(first);
        if stopped {
            return ends(rig).await;
        }
        rig.reopened().await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// There is nothing to hold, which is known at once, but not without asking.
async fn while_disconnected(pause: Pause) {
    let reached = at_each_await(|cut| async move {
        let mut rig = start(Probe::default()).await;
        let session = rig.engine.session().unwrap();
        rig.close_by_peer();
        rig.journal.until("close closed by the peer with 1012").await;
        settle().await;
        if let Some(result) = cut.call(pause.call(&rig.engine, &session)).await {
            let error = result.unwrap_err();
            assert!(matches!(error, PauseError::NotConnected | PauseError::SessionEnded));
        }
        rig.reopened().await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

/// The grant passes from the driver to the connection's task: dropped at each turn of the scheduler on that way.
async fn on_the_way(pause: Pause) {
    let moments = at_each_moment(|cut| async move {
        let rig = start(Probe::default()).await;
        let session = rig.engine.session().unwrap();
        rig.peer.send("1");
        let held = cut.call(pause.call(&rig.engine, &session)).await;
        rig.peer.send("2");
        drop(held);
        rig.journal.until("message 2").await;
        assert_eq!(rig.journal.messages(), ["1", "2"]);
        goes_on(rig).await;
    })
    .await;
    assert!(moments >= 2, "{moments}");
}

async fn everywhere(pause: Pause) {
    idle(pause).await;
    behind_another(pause).await;
    with_messages_read_ahead(pause).await;
    inside_on_message(pause).await;
    while_the_session_ends(pause, Rig::close_by_peer, false).await;
    while_the_session_ends(pause, |rig| rig.peer.reset(), false).await;
    while_the_session_ends(pause, |rig| rig.engine.restart(), false).await;
    while_the_session_ends(pause, |rig| rig.engine.control().exit(), true).await;
    while_disconnected(pause).await;
    on_the_way(pause).await;
}

#[tokio::test(start_paused = true)]
async fn engine_pause_dropped_at_any_await_withdraws_the_request() {
    everywhere(Pause::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn engine_pause_for_dropped_at_any_await_withdraws_the_request() {
    everywhere(Pause::EngineFor).await;
}

#[tokio::test(start_paused = true)]
async fn session_pause_dropped_at_any_await_withdraws_the_request() {
    everywhere(Pause::Session).await;
}

#[tokio::test(start_paused = true)]
async fn session_pause_for_dropped_at_any_await_withdraws_the_request() {
    everywhere(Pause::SessionFor).await;
}
