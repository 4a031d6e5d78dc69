//! The engine as a member of a room: `on_open` joins, and joins again after each reconnect.

use std::time::Duration;

use e2e::{Adapter as _, within};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use wscengine::{
    Engine, Exclusive, ExponentialBackoff, Handler, HandlerError, Message, OutcomeKind, Session,
};
use wscengine_dial::Dialer;
use wscengine_rooms_server::{Config, Server, wsrooms};

use super::Chosen;
use crate::rooms;

const ROOM: &str = "lobby";

/// Joins the room before anything is handed to `on_message`, and reports what it is told there.
struct Member {
    told: UnboundedSender<wsrooms::Message>,
}

impl Handler for Member {
    async fn on_open(
        &self,
        conn: &mut Exclusive,
        _: wscengine::Opened,
    ) -> Result<(), HandlerError> {
        conn.send(said("join", "")).await?;
        loop {
            let message = conn.recv().await?;
            let message = wsrooms::Message::from_bytes(message.payload())?;
            if (&*message.room, &*message.event) == (ROOM, "join_ack") {
                self.report(message);
                return Ok(());
            }
        }
    }

    async fn on_message(&self, _: &Session, message: Message<'_>) {
        let message = wsrooms::Message::from_bytes(message.payload()).unwrap();
        if message.room == ROOM {
            self.report(message);
        }
    }
}

impl Member {
    fn report(&self, message: wsrooms::Message) {
        // A test that has seen enough is not disturbed.
        let _ = self.told.send(message);
    }
}

fn said(event: &str, payload: &str) -> Vec<u8> {
    let message = wsrooms::Message::new(ROOM, event, "", "", payload.to_owned());
    message.to_bytes().unwrap().to_vec()
}

async fn enter(url: &str) -> (Engine, UnboundedReceiver<wsrooms::Message>) {
    let (sender, told) = mpsc::unbounded_channel();
    let quick =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(50));
    let transport = Chosen::transport(Dialer::default());
    let engine = Engine::builder(transport, Member { told: sender }).url(url).backoff(quick);
    (within(engine.build().unwrap().start()).await.unwrap(), told)
}

/// The next thing of this kind that is told, past all others.
async fn hears(told: &mut UnboundedReceiver<wsrooms::Message>, event: &str) -> wsrooms::Message {
    loop {
        let message = within(told.recv()).await.unwrap();
        if message.event == event {
            return message;
        }
    }
}

#[tokio::test]
async fn members_of_a_room_hear_each_other_and_again_after_the_server_was_away() {
    let server = rooms(Config::default()).await;
    let address = server.local_addr();
    let url = format!("ws://{address}/ws/wsrooms");
    let (one, mut to_one) = enter(&url).await;
    let (other, mut to_other) = enter(&url).await;
    let mut server = Some(server);
    for round in 0..3 {
        hears(&mut to_one, "join_ack").await;
        hears(&mut to_other, "join_ack").await;
        // Whoever joined last, both are in now.
        for number in 0..20 {
            let text = format!("{round} {number}");
            one.send(said("chat", &text)).await.unwrap();
            assert_eq!(hears(&mut to_other, "chat").await.payload, text);
            other.send(said("chat", &text)).await.unwrap();
            assert_eq!(hears(&mut to_one, "chat").await.payload, text);
        }
        if round < 2 {
            within(server.take().unwrap().shutdown()).await;
            server = Some(Server::bind(address, Config::default()).await.unwrap().spawn());
        }
    }
    let server = server.unwrap();
    assert_eq!(server.rooms().members(ROOM).len(), 2);
    assert_eq!(within(one.stop()).await.kind(), OutcomeKind::Requested);
    let left = hears(&mut to_other, "member_left").await;
    assert_eq!(left.room, ROOM);
    assert_eq!(within(other.stop()).await.kind(), OutcomeKind::Requested);
    let rooms = server.rooms().clone();
    within(server.shutdown()).await;
    assert_eq!((rooms.rooms(), rooms.connections()), (0, 0));
}

#[tokio::test]
async fn a_member_that_is_busy_is_no_slow_member_to_the_server() {
    const MESSAGES: usize = 2_000;
    let server = rooms(Config::default()).await;
    let url = format!("ws://{}/ws/wsrooms", server.local_addr());
    let (one, mut to_one) = enter(&url).await;
    let (_other, mut to_other) = enter(&url).await;
    hears(&mut to_other, "join_ack").await;
    hears(&mut to_one, "new_member").await;
    for number in 0..MESSAGES {
        one.send(said("chat", &number.to_string())).await.unwrap();
    }
    for number in 0..MESSAGES {
        assert_eq!(hears(&mut to_other, "chat").await.payload, number.to_string());
    }
}
