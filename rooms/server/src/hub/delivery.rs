//! What is delivered, in the framing of each receiver, made once for each.

use std::fmt;
use std::sync::Arc;

use wscengine_rooms_protocol::room::Message;

use super::Member;
use crate::ws::Packet;

/// How a protocol puts what happens in rooms. Each connection has one; connections that share one are told
/// the same bytes.
pub(crate) trait Voice: fmt::Debug + Send + Sync {
    /// A message of a room or of a client. `None`: the protocol cannot say it.
    fn message(&self, message: &Message<'_>) -> Option<Packet>;

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

/// Who came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News<'a> {
    Came(&'a str),
    Left(&'a str),
}

/// Who in a room is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// All but the sender, who must be a member.
    OthersOfMember,
    /// All but the sender, who need not be a member.
    Others,
    /// All, also the sender if it is a member; it need not be.
    Everyone,
}

/// What can be put into packets.
pub(crate) trait Content {
    /// May run code of the user's.
    fn packet(&self, voice: &dyn Voice) -> Option<Packet>;
}

impl Content for Message<'_> {
    fn packet(&self, voice: &dyn Voice) -> Option<Packet> {
        voice.message(self)
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
}

impl<'a, C: Content> Packets<'a, C> {
    /// For a room where most speak as the sender does.
    pub(super) fn new(content: &'a C, voice: &Arc<dyn Voice>) -> Self {
        let mut packets = Self { content, made: Vec::with_capacity(1) };
        packets.make(voice);
        packets
    }

    pub(super) fn make(&mut self, voice: &Arc<dyn Voice>) {
        if !self.has(voice) {
            self.made.push((Arc::clone(voice), self.content.packet(&**voice)));
        }
    }

    pub(super) fn has(&self, voice: &Arc<dyn Voice>) -> bool {
        self.made.iter().any(|(known, _)| Arc::ptr_eq(known, voice))
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
        let made = self.made.iter().find(|(voice, _)| Arc::ptr_eq(voice, member.voice()));
        made.and_then(|(_, packet)| packet.as_ref())
    }
}
