//! What the scenarios share.

use futures_util::future::BoxFuture;
use wscengine::testing::memory::PeerEvent;
use wscengine::{Engine, Exclusive, OutcomeKind, PingError, SendError, Session};

use crate::support::{Rig, settle, within};

/// Whose method is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Engine,
    Session,
    Exclusive,
}

/// One of the three handles that can send and ping.
pub(crate) enum Caller {
    Engine(Engine),
    Session(Session),
    Exclusive(Exclusive),
}

/// Which way to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Send,
    SendFlushed,
}

impl From {
    pub(crate) async fn of(self, rig: &Rig) -> Caller {
        match self {
            Self::Engine => Caller::Engine(rig.engine.clone()),
            Self::Session => Caller::Session(rig.engine.session().unwrap()),
            Self::Exclusive => Caller::Exclusive(within(rig.engine.pause()).await.unwrap()),
        }
    }
}

impl Caller {
    pub(crate) fn send(
        &mut self,
        way: Way,
        text: &'static str,
    ) -> BoxFuture<'_, Result<(), SendError>> {
        match (self, way) {
            (Self::Engine(engine), Way::Send) => Box::pin(engine.send(text)),
            (Self::Engine(engine), Way::SendFlushed) => Box::pin(engine.send_flushed(text)),
            (Self::Session(session), Way::Send) => Box::pin(session.send(text)),
            (Self::Session(session), Way::SendFlushed) => Box::pin(session.send_flushed(text)),
            (Self::Exclusive(conn), Way::Send) => Box::pin(conn.send(text)),
            (Self::Exclusive(conn), Way::SendFlushed) => Box::pin(conn.send_flushed(text)),
        }
    }

    pub(crate) fn ping(&mut self) -> BoxFuture<'_, Result<std::time::Duration, PingError>> {
        match self {
            Self::Engine(engine) => Box::pin(engine.ping()),
            Self::Session(session) => Box::pin(session.ping()),
            Self::Exclusive(conn) => Box::pin(conn.ping()),
        }
    }
}

/// Lets the socket take nothing, and sends until there is no more room. Gives what was accepted.
pub(crate) async fn fill(rig: &Rig) -> Vec<String> {
    rig.peer.stall_writes(true);
    let mut taken = Vec::new();
    loop {
        settle().await;
        let text = format!("{:04}", taken.len());
        if rig.engine.try_send(text.clone()).is_err() {
            return taken;
        }
        taken.push(text);
    }
}

/// Asserts that these are the next messages that the peer gets.
pub(crate) async fn assert_gets(rig: &mut Rig, texts: &[String]) {
    for text in texts {
        assert_eq!(within(rig.peer.next_message()).await.text(), Some(&**text));
    }
}

/// Asserts that the next messages that the peer gets are these, in whatever order those who waited at once came.
pub(crate) async fn assert_gets_all(rig: &mut Rig, mut texts: Vec<String>) {
    let mut got = Vec::new();
    for _ in 0..texts.len() {
        got.push(within(rig.peer.next_message()).await.text().unwrap().to_owned());
    }
    texts.sort();
    got.sort();
    assert_eq!(got, texts);
}

/// The messages among all that the client still writes on this connection.
pub(crate) async fn messages_of_the_rest(rig: &mut Rig) -> Vec<String> {
    let events = crate::support::rest_of(&mut rig.peer).await;
    let messages = events.into_iter().filter_map(|event| match event {
        PeerEvent::Message(message) => Some(message.text().unwrap().to_owned()),
        _ => None,
    });
    messages.collect()
}

/// The engine goes on as if nothing had been dropped: a message passes in each direction, a ping and a pause are
/// answered, a stop is clean. Nothing else may be on its way to the peer.
pub(crate) async fn goes_on(mut rig: Rig) {
    rig.peer.send("there");
    rig.journal.until("message there").await;
    within(rig.engine.send_flushed("and back")).await.unwrap();
    assert_gets(&mut rig, &["and back".to_owned()]).await;
    within(rig.engine.ping()).await.unwrap();
    let mut held = within(rig.engine.pause()).await.unwrap();
    rig.peer.send("held");
    assert_eq!(within(held.recv()).await.unwrap().text(), Some("held"));
    drop(held);
    ends(rig).await;
}

/// The engine stops, cleanly.
pub(crate) async fn ends(rig: Rig) {
    let outcome = rig.stop().await;
    assert_eq!((outcome.kind(), outcome.is_forced()), (OutcomeKind::Requested, false));
    assert_eq!(rig.server.live(), 0);
}
