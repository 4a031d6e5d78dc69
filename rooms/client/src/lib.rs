//! A client for room servers on [`wscengine`]: it joins rooms, knows who is in them, and is in them again after each
//! reconnect.
//!
//! [`Client::builder`] takes a transport (any adapter of the engine) and a [`Protocol`]: [`Wsrooms`], [`Grows`],
//! [`Easy`], [`Iris`], or one of your own. The [`Client`] is a handle with which rooms are joined, left and spoken in;
//! what happens is read from a [`Subscription`], as a stream.
//!
//! # Examples
//! ```no_run
//! use wscengine_rooms_client::{Client, Event, Wsrooms};
//! use wscengine_tungstenite::TungsteniteTransport;
//!
//! # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder(TungsteniteTransport::new(), Wsrooms::new())
//!     .url("ws://127.0.0.1:8080/ws/wsrooms")
//!     .connect()
//!     .await?;
//! let mut events = client.events();
//! let members = client.join("lobby").await?;
//! println!("{} are here", members.len());
//! client.send("lobby", "chat", "hello").await?;
//! while let Some(event) = events.next().await {
//!     match event? {
//!         Event::Message(message) => println!("{}: {:?}", message.src, message.text()),
//!         Event::NewMember { id, .. } => println!("{id} came"),
//!         Event::Reconnecting { attempt, delay } => println!("attempt {attempt} in {delay:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # After a reconnect
//! The client learns its new id, joins its rooms again in the order in which it joined them first, compares their members
//! with those it knew, and tells [`Event::Rejoined`], [`Event::MemberLeft`] and [`Event::NewMember`] of each, then
//! [`Event::Open`]. Only then the outbox goes on: what was sent while there was no connection comes to rooms in which the
//! client is a member.
//!
//! What others said while the connection was away is not fetched.
//!
//! # What is promised of what is sent
//! Each message goes to one connection at most, in the order of the calls, and what becomes of it is told: by the result
//! of [`Client::send`], or by the [`Delivery`](wscengine::Delivery) of [`Client::enqueue`]. What was handed to a socket
//! that was lost soon after may not have arrived: no protocol here has receipts. What waits is bounded, in number, bytes
//! and age: see [`Outbox`](wscengine::Outbox).
//!
//! # Slow handlers
//! Nothing waits for a handler: neither the connection nor other handlers. Each [`Subscription`] has a queue with bounds,
//! which loses its oldest when it is full, and says so with [`Missed`].
//!
//! # Runtime
//! [tokio](https://docs.rs/tokio), with its time driver enabled.

mod builder;
mod callbacks;
mod client;
mod error;
mod event;
mod machine;
mod message;
mod protocol;
mod shared;
mod subscription;
mod tasks;

pub use builder::Builder;
pub use callbacks::Callbacks;
pub use client::Client;
pub use error::{ConnectError, JoinError, LeaveError, Missed, ProtocolError, SendError};
pub use event::{Event, LeftReason, State};
pub use message::{Data, Message};
pub use protocol::{
    Acknowledged, Easy, Greeting, Grows, Iris, Names, Notice, Protocol, Saying, To, Wsrooms,
};
pub use subscription::Subscription;
