//! The handle to a client.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use wscengine::transport::Transport;
use wscengine::{Delivery, Engine, Message as WireMessage, Outcome};

use crate::builder::Builder;
use crate::error::{JoinError, LeaveError, SendError};
use crate::event::{Event, State};
use crate::machine::{Answer, Machine, Members, Ticket};
use crate::message::{Data, Message};
use crate::protocol::{Acknowledged, Protocol, Saying, To};
use crate::shared::Shared;
use crate::subscription::Subscription;

/// A client of a room server. A cheap handle: clone it as you like; when the last one is dropped, the connection is closed,
/// without waiting.
///
/// # Examples
/// ```
/// use wscengine_rooms_client::{Client, Wsrooms};
/// use wscengine_rooms_server::{Config, Server};
/// use wscengine_tungstenite::TungsteniteTransport;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::bind("127.0.0.1:0", Config::default()).await?.spawn();
/// let url = format!("ws://{}/ws/wsrooms", server.local_addr());
/// let connect = || Client::builder(TungsteniteTransport::new(), Wsrooms::new()).url(url.clone()).connect();
/// let (ann, bob) = (connect().await?, connect().await?);
///
/// let mut chat = bob.on("chat");
/// assert_eq!(bob.join("lobby").await?.len(), 1);
/// assert_eq!(ann.join("lobby").await?.len(), 2);
/// ann.send("lobby", "chat", "hello").await?;
/// let message = chat.next().await.expect("the client goes on")?;
/// assert_eq!((message.src.as_str(), message.text()), (ann.id().as_deref().unwrap_or(""), Some("hello")));
/// ann.close().await;
/// # Ok(())
/// # }
/// ```
pub struct Client<P> {
    inner: Arc<Inner<P>>,
}

pub(crate) struct Inner<P> {
    engine: Engine,
    shared: Arc<Shared<P>>,
    states: watch::Receiver<State>,
}

impl<P> Inner<P> {
    pub(crate) fn new(
        engine: Engine,
        shared: Arc<Shared<P>>,
        states: watch::Receiver<State>,
    ) -> Self {
        Self { engine, shared, states }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl<P: Protocol> Client<P> {
    /// Begins to set a client up, which dials with `transport` and speaks `protocol`.
    pub fn builder<T: Transport>(transport: T, protocol: P) -> Builder<T, P> {
        Builder::new(transport, protocol)
    }

    pub(crate) fn new(inner: Arc<Inner<P>>) -> Self {
        Self { inner }
    }

    /// Joins a room, and returns who is in it, this client included; empty where the protocol does not tell. After each
    /// reconnect the client joins it again, in the order of the first joins, until it is left.
    ///
    /// While there is no connection it waits for the next one. In a room that is joined already it returns at once.
    ///
    /// # Errors
    /// [`JoinError`]: the server did not say so in [time](Builder::timeout), or refused; the room is given up then.
    ///
    /// # Cancel safety
    /// Dropped after it was polled, the join goes on: call it again for the members, or [`leave`](Self::leave).
    pub async fn join(&self, room: &str) -> Result<Vec<String>, JoinError> {
        // What cannot be said is an error now.
        self.shared().protocol.join(room)?;
        let request = self.request(room, |machine, ticket| machine.join(room, ticket));
        match request.answer().await {
            Answer::Joined(members) => {
                if self.shared().protocol.acknowledged() == Acknowledged::Never {
                    // What is said next is not to arrive before it.
                    let _ = self.shared().barrier().await;
                }
                Ok(members)
            }
            Answer::TimedOut => Err(JoinError::TimedOut),
            Answer::Refused => Err(JoinError::Refused),
            Answer::LeftMeanwhile | Answer::Left | Answer::NotJoined => Err(JoinError::Left),
            Answer::Closed => Err(JoinError::Closed),
        }
    }

    /// Leaves a room, behind what was sent to it on this connection. It is not joined again. While there is no connection,
    /// that is all there is to do; what was [enqueued](Self::enqueue) for it and waits for a connection is then sent by one
    /// who is no member, and dropped by the server: await those deliveries first.
    ///
    /// # Errors
    /// [`LeaveError`]: not in the room, the server did not say so in [time](Builder::timeout), or the protocol cannot.
    ///
    /// # Cancel safety
    /// Dropped after it was polled, the client leaves all the same.
    pub async fn leave(&self, room: &str) -> Result<(), LeaveError> {
        self.shared().protocol.leave(room, None)?;
        let request = self.request(room, |machine, ticket| machine.leave(room, ticket));
        match request.answer().await {
            Answer::Left => Ok(()),
            Answer::NotJoined => Err(LeaveError::NotJoined),
            Answer::Closed => Err(LeaveError::Closed),
            Answer::TimedOut | Answer::Refused | Answer::LeftMeanwhile | Answer::Joined(_) => {
                Err(LeaveError::TimedOut)
            }
        }
    }

    /// Says something to all in a room, and returns once it was handed to the socket: while there is no connection, to the
    /// next one's, after the rooms are joined again. It goes behind everything that was sent or enqueued before, and to one
    /// connection at most.
    ///
    /// # Errors
    /// [`SendError`]: not in the room; or the engine did not send it, since it had to wait for too long, for one.
    /// [`Lost`](wscengine::SendErrorKind::Lost) if it was on its way when the connection was lost: the server may have seen it.
    ///
    /// # Cancel safety
    /// Dropped while it waits for room in the outbox, it has sent nothing; dropped later, the message is still sent.
    pub async fn send(
        &self,
        room: &str,
        event: &str,
        data: impl Into<Data>,
    ) -> Result<(), SendError> {
        let message = self.to_room(room, event, &data.into())?;
        Ok(self.inner.engine.send_flushed(message).await?)
    }

    /// Says something to the one member with this id, as [`send`](Self::send) does to a room. Ids are told anew on each
    /// connection: one from before a reconnect is nobody's.
    ///
    /// # Errors
    /// As [`send`](Self::send); and the protocol may have no direct messages.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_to(
        &self,
        id: &str,
        event: &str,
        data: impl Into<Data>,
    ) -> Result<(), SendError> {
        let message = self.to_member(id, event, &data.into())?;
        Ok(self.inner.engine.send_flushed(message).await?)
    }

    /// Says something to a handler of the server, as [`send`](Self::send) does to a room.
    ///
    /// # Errors
    /// As [`send`](Self::send); wsrooms reaches its handlers through rooms only.
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn send_to_server(
        &self,
        event: &str,
        data: impl Into<Data>,
    ) -> Result<(), SendError> {
        let saying = Saying { to: To::Server, event, data: &data.into() };
        let message = self.shared().protocol.say(&saying)?;
        Ok(self.inner.engine.send_flushed(message).await?)
    }

    /// Gives the outbox something to say to all in a room, and does not wait for the socket: for many messages. The
    /// [`Delivery`] tells what became of it; dropped, the message is sent all the same.
    ///
    /// # Errors
    /// As [`send`](Self::send): [`Full`](wscengine::SendErrorKind::Full) while there is no connection and the outbox is full.
    /// While there is one, it waits for room.
    ///
    /// # Cancel safety
    /// Cancel safe: dropped while it waits for room, it has sent nothing.
    pub async fn enqueue(
        &self,
        room: &str,
        event: &str,
        data: impl Into<Data>,
    ) -> Result<Delivery, SendError> {
        let message = self.to_room(room, event, &data.into())?;
        Ok(self.inner.engine.enqueue(message).await?)
    }

    /// The same, to one member.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    /// As [`enqueue`](Self::enqueue).
    pub async fn enqueue_to(
        &self,
        id: &str,
        event: &str,
        data: impl Into<Data>,
    ) -> Result<Delivery, SendError> {
        let message = self.to_member(id, event, &data.into())?;
        Ok(self.inner.engine.enqueue(message).await?)
    }

    /// What is said under the name `event` from now on, in any room and to this client alone. See [`Subscription`] for what
    /// happens when it is read too slowly.
    #[must_use = "it is told to whoever reads it"]
    pub fn on(&self, event: impl Into<String>) -> Subscription<Arc<Message>> {
        self.shared().messages(event.into())
    }

    /// Everything that happens from now on: to rooms, to the connection, and what is said.
    #[must_use = "it is told to whoever reads it"]
    pub fn events(&self) -> Subscription<Event> {
        self.shared().events()
    }

    /// Who is in a room, in the order of their ids, this client included; empty where the protocol does not tell. `None`
    /// if the client is not in it. While there is no connection: the others who were in it last.
    #[must_use]
    pub fn members(&self, room: &str) -> Option<Vec<String>> {
        let listed = |members: &Members| members.iter().cloned().collect();
        self.shared().read(|machine| machine.members(room).map(listed))
    }

    /// The rooms that the client is in, or will be again after a reconnect, in the order in which it joined them.
    #[must_use]
    pub fn rooms(&self) -> Vec<String> {
        self.shared().read(|machine| machine.rooms().map(str::to_owned).collect())
    }

    /// The client's id on this connection: `None` while there is none, or if the protocol does not tell.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.shared().read(|machine| machine.id().map(str::to_owned))
    }

    /// How the connection is, and each change of it. Only the newest value is kept.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.inner.states.clone()
    }

    /// The engine below: its statistics, pings, a restart. What is sent on it goes to the server as it is.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.inner.engine()
    }

    /// Closes the connection, and waits until that is done. What was accepted for sending on it is written before.
    ///
    /// # Cancel safety
    /// Cancel safe: the close goes on.
    pub async fn close(&self) -> Outcome {
        self.inner.engine.stop().await
    }

    /// Waits until the client has ended, for whatever reason.
    ///
    /// # Cancel safety
    /// Cancel safe; may be called any number of times.
    pub async fn closed(&self) -> Outcome {
        self.inner.engine.stopped().await
    }

    fn to_room(
        &self,
        room: &str,
        event: &str,
        data: &Data,
    ) -> Result<WireMessage<'static>, SendError> {
        let message = self.shared().protocol.say(&Saying { to: To::Room(room), event, data })?;
        if self.shared().read(|machine| machine.may_speak(room)) {
            Ok(message)
        } else {
            Err(SendError::NotJoined { room: room.to_owned() })
        }
    }

    fn to_member(
        &self,
        id: &str,
        event: &str,
        data: &Data,
    ) -> Result<WireMessage<'static>, SendError> {
        Ok(self.shared().protocol.say(&Saying { to: To::Member(id), event, data })?)
    }

    fn request(&self, room: &str, ask: impl FnOnce(&mut Machine, Ticket)) -> Request<'_, P> {
        let shared = self.shared();
        let (ticket, answer) = shared.request(ask);
        Request { shared, room: room.to_owned(), ticket, answer }
    }

    fn shared(&self) -> &Shared<P> {
        &self.inner.shared
    }
}

/// One that waits for its answer. Dropped, it does so no more.
struct Request<'a, P: Protocol> {
    shared: &'a Shared<P>,
    room: String,
    ticket: Ticket,
    answer: oneshot::Receiver<Answer>,
}

impl<P: Protocol> Request<'_, P> {
    async fn answer(mut self) -> Answer {
        match timeout(self.shared.timeout, &mut self.answer).await {
            // Dropped unanswered: the runtime is shut down.
            Ok(answer) => answer.unwrap_or(Answer::Closed),
            Err(_) => {
                let Self { shared, room, ticket, .. } = &self;
                shared.withdraw(*ticket, |machine| machine.timed_out(room, *ticket));
                Answer::TimedOut
            }
        }
    }
}

impl<P: Protocol> Drop for Request<'_, P> {
    fn drop(&mut self) {
        let Self { shared, room, ticket, .. } = &*self;
        shared.withdraw(*ticket, |machine| machine.forget(room, *ticket));
    }
}

impl<P> Clone for Client<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<P> fmt::Debug for Client<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("engine", &self.inner.engine).finish_non_exhaustive()
    }
}
