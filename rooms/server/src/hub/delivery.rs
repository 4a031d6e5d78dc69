//! What is delivered, in the framing of each receiver, made once for each.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wscengine_rooms_protocol::iris;
use wscengine_rooms_protocol::room::{Data, Message};

use serde_json::Value;

use super::Member;
use super::numbers::ByNumber;
use crate::broker::{Carried, Wide, Wire};
use crate::ws::Packet;

/// How a protocol puts what happens in rooms. Each connection has one; connections that share one are told
/// the same bytes.
pub(crate) trait Voice: fmt::Debug + Send + Sync {
    /// A message of a room or of a client. `None`: the protocol cannot say it.
    fn message(&self, message: &Message<'_>) -> Option<Packet>;

    /// What has no event: a raw message of groWs, a native one of iris. To the others it is one whose event has
    /// no name.
    fn native(&self, native: &Native<'_>) -> Option<Packet> {
        let Native { room, sender, dst, ref data } = *native;
        self.message(&Message { room, event: "", sender, dst, data: data.clone() })
    }

    /// What an application of go-easy writes to a channel or a client. To the others it is a message.
    fn written(&self, message: &Message<'_>) -> Option<Packet> {
        self.message(message)
    }

    /// What an iris application says under one of its types, which are more than a message has.
    fn emitted(&self, message: &Message<'_>, _value: &iris::Value<'_>) -> Option<Packet> {
        self.message(message)
    }

    /// A message with its position in the room's history, for one who asked for that; and the other things that
    /// such a one is told.
    fn kept(&self, _kept: Kept<'_>) -> Option<Packet> {
        None
    }

    /// To the one who has joined a room, before anything else of that room.
    fn welcome(
        &self,
        _room: &str,
        _id: &str,
        _members: &mut dyn Iterator<Item = &str>,
    ) -> Option<Packet> {
        None
    }

    /// To the others in a room: who came or went.
    fn news(&self, _room: &str, _news: News<'_>) -> Option<Packet> {
        None
    }
}

/// What those are told who asked for the history of a room.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept<'a> {
    /// A message, as it comes or as it was missed.
    Message(&'a Message<'a>, &'a str),
    /// The position of the receiver's own message.
    Own { room: &'a str, id: &'a str, at: &'a str },
    /// How many missed messages follow, and where they lead to.
    Missed { room: &'a str, id: &'a str, at: &'a str, messages: usize, has_gap: bool },
}

/// Who came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News<'a> {
    Came(&'a str),
    Left(&'a str),
}

/// Who in a room is told.
#[derive(Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// All but this one, who must be a member.
    OthersOfMember(&'a Member),
    /// All but this one, who need not be a member.
    Others(&'a Member),
    /// All, the sender too if it is a member.
    Everyone,
    /// All but the one with this id.
    But(&'a str),
    /// Those for whom the application keeps this value under this name; `null` is for those without one, too.
    WithMeta(&'a str, &'a Value),
    /// Those for whom this holds. It is called while the room is locked. On this node only: it cannot travel.
    Those(&'a dyn Fn(&Member) -> bool),
}

impl<'a> Audience<'a> {
    /// The one who is passed over.
    pub(super) fn sender(self) -> Option<&'a Member> {
        match self {
            Self::OthersOfMember(sender) | Self::Others(sender) => Some(sender),
            Self::Everyone | Self::But(_) | Self::WithMeta(..) | Self::Those(_) => None,
        }
    }

    pub(super) fn includes(self, member: &Member) -> bool {
        match self {
            Self::Everyone => true,
            Self::OthersOfMember(sender) | Self::Others(sender) => {
                member.number() != sender.number()
            }
            Self::But(id) => &**member.id() != id,
            Self::WithMeta(name, value) => member.meta().is(name, value),
            Self::Those(holds) => holds(member),
        }
    }

    /// The same for other nodes, if it can travel.
    pub(super) fn wide(self) -> Option<Wide<'a>> {
        match self {
            Self::OthersOfMember(sender) | Self::Others(sender) => Some(Wide::But(sender.id())),
            Self::Everyone => Some(Wide::Everyone),
            Self::But(id) => Some(Wide::But(id)),
            Self::WithMeta(name, value) => Some(Wide::WithMeta(name, value)),
            Self::Those(_) => None,
        }
    }
}

/// What happens in a room and has no event.
#[derive(Clone, Debug)]
pub(crate) struct Native<'a> {
    pub(crate) room: &'a str,
    pub(crate) sender: &'a str,
    /// The id of the one receiver; empty for everybody.
    pub(crate) dst: &'a str,
    pub(crate) data: Data<'a>,
}

impl<'a> Native<'a> {
    /// As an event without a name.
    pub(crate) fn message(&self) -> Message<'a> {
        let Self { room, sender, dst, ref data } = *self;
        Message { room, event: "", sender, dst, data: data.clone() }
    }
}

impl Content for Native<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        voice.native(self)
    }

    fn carried(&self) -> Option<Carried<'_>> {
        Some(Carried::Native(self))
    }
}

/// What an application of go-easy writes: its clients are told content that is no text, too.
#[derive(Clone, Debug)]
pub(crate) struct Written<'a>(pub(crate) Message<'a>);

impl Content for Written<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        voice.written(&self.0)
    }

    fn carried(&self) -> Option<Carried<'_>> {
        Some(Carried::Written(self))
    }
}

/// What an application of groWs says: other nodes are told in the terms of groWs.
#[derive(Clone, Debug)]
pub(crate) struct InGrows<'a, C>(pub(crate) &'a C);

impl<C: Content> Content for InGrows<'_, C> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        self.0.packet(voice)
    }

    fn carried(&self) -> Option<Carried<'_>> {
        self.0.carried()
    }

    fn wire(&self) -> Wire {
        Wire::Grows
    }
}

/// What can be put into packets.
pub(crate) trait Content {
    /// May run code of the user's.
    fn packet(&self, voice: &dyn Voice) -> Option<Packet>;

    /// What other nodes are told. `None`: it stays on this one.
    fn carried(&self) -> Option<Carried<'_>> {
        None
    }

    /// In whose terms they are told.
    fn wire(&self) -> Wire {
        Wire::Own
    }
}

impl Content for Message<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        voice.message(self)
    }

    fn carried(&self) -> Option<Carried<'_>> {
        Some(Carried::Message(self))
    }
}

impl<F: Fn(&dyn Voice) -> Option<Packet>> Content for F {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        self(voice)
    }
}

/// The packets of one content, one for each voice.
pub(super) struct Packets<'a, C> {
    content: &'a C,
    made: Vec<(Arc<dyn Voice>, Option<Packet>)>,
    /// Where in `made` the packet of a voice is, once there are many.
    places: HashMap<usize, usize, ByNumber>,
}

/// From so many voices on they are looked up.
const MANY: usize = 8;

impl<'a, C: Content> Packets<'a, C> {
    pub(super) fn new(content: &'a C) -> Self {
        Self { content, made: Vec::with_capacity(1), places: HashMap::default() }
    }

    /// For a room where most speak as the sender does.
    pub(super) fn with(content: &'a C, voice: &Arc<dyn Voice>) -> Self {
        let mut packets = Self::new(content);
        packets.make(voice);
        packets
    }

    pub(super) fn make(&mut self, voice: &Arc<dyn Voice>) {
        if self.has(voice) {
            return;
        }
        self.made.push((Arc::clone(voice), self.content.packet(&**voice)));
        if self.made.len() >= MANY {
            let known = self.places.len();
            let new = self.made.iter().enumerate().skip(known);
            self.places.extend(new.map(|(place, (voice, _))| (key(voice), place)));
        }
    }

    pub(super) fn has(&self, voice: &Arc<dyn Voice>) -> bool {
        self.find(voice).is_some()
    }

    /// Queues it for a member whose voice it was made for. Whether it was told.
    pub(super) fn deliver(&self, member: &Member) -> bool {
        self.of(member).is_some_and(|packet| member.push(packet))
    }

    /// The same, to be written later.
    pub(super) fn deliver_later(&self, member: &Member) -> bool {
        self.of(member).is_some_and(|packet| member.push_later(packet))
    }

    fn of(&self, member: &Member) -> Option<&Packet> {
        self.find(member.voice()).and_then(Option::as_ref)
    }

    fn find(&self, voice: &Arc<dyn Voice>) -> Option<&Option<Packet>> {
        let made = if self.places.is_empty() {
            self.made.iter().find(|(known, _)| Arc::ptr_eq(known, voice))
        } else {
            self.places.get(&key(voice)).and_then(|place| self.made.get(*place))
        };
        made.map(|(_, packet)| packet)
    }
}

/// What tells voices apart.
pub(super) fn key(voice: &Arc<dyn Voice>) -> usize {
    Arc::as_ptr(voice).cast::<()>().addr()
}
