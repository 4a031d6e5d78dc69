//! What the nodes of a server tell each other.
//!
//! A node delivers to its own clients by itself. A [`Broker`] takes what is said to the other nodes, and knows who
//! is connected there. A hub without one is a node alone, and pays nothing for it; [`RedisBroker`](redis::RedisBroker) reaches
//! others through a Redis server.

pub(crate) mod echo;
pub(crate) mod envelope;
pub(crate) mod grows;
pub(crate) mod options;
pub(crate) mod presence;
pub(crate) mod record;
pub(crate) mod redis;
mod wire;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use wscengine_rooms_protocol::room::Message;

use crate::hub::{Hub, Native, Written};
use options::Node;

/// The other nodes, as one node sees them. Nothing here waits, and nothing calls back: most of it is called under
/// the lock of a room, so that others hear of it in the order of that room.
pub(crate) trait Broker: fmt::Debug + Send + Sync {
    /// Begins, where a runtime is there to begin in; again: nothing.
    fn start(&self, hub: &Arc<Hub>);

    /// Has it delivered by the other nodes.
    fn say(&self, said: &Said<'_>);

    /// Somebody came to a place of this node.
    fn came(&self, place: Place<'_>, id: &Arc<str>);

    /// Somebody left a place of this node.
    fn left(&self, place: Place<'_>, id: &Arc<str>);

    /// A room has its first member here.
    fn opened(&self, room: &str);

    /// A room has no member here any more.
    fn closed(&self, room: &str);

    /// The ids of those who are in a place on other nodes, in no order.
    fn ids_in(&self, place: Place<'_>) -> Vec<Arc<str>>;

    /// Whether another node has this connection.
    fn knows(&self, id: &str) -> bool;

    /// The name of this node.
    fn name(&self) -> Arc<str>;

    /// The other nodes, in no order.
    fn others(&self) -> Vec<Node>;
}

/// Where somebody can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place<'a> {
    /// Connected.
    Server,
    /// With those of one protocol endpoint.
    Crowd(&'a str),
    /// In a room.
    Room(&'a str),
}

/// What is said to other nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) to: To<'a>,
    pub(crate) audience: Wide<'a>,
    pub(crate) content: Carried<'a>,
    pub(crate) wire: Wire,
}

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To<'a> {
    Room(&'a str),
    Crowd(&'a str),
    Client(&'a str),
}

/// Who of them: the part of an audience that can travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wide<'a> {
    Everyone,
    /// All but the one with this id.
    But(&'a str),
    /// Those for whom the application keeps this value under this name.
    WithMeta(&'a str, &'a Value),
}

/// What it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carried<'a> {
    Message(&'a Message<'a>),
    Native(&'a Native<'a>),
    Written(&'a Written<'a>),
}

impl<'a> Carried<'a> {
    /// For clients that are told all three alike.
    pub(crate) fn message(self) -> Message<'a> {
        match self {
            Self::Message(message) | Self::Written(Written(message)) => message.clone(),
            Self::Native(native) => native.message(),
        }
    }
}

/// In whose terms it travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wire {
    /// In our own.
    #[default]
    Own,
    /// In those of groWs where it has some, so that nodes of the original understand it.
    Grows,
}
