//! The history of rooms, as members are told it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use wscengine_rooms_protocol::room::Message;

use super::delivery::{Audience, Content, Kept};
use super::past::{Past, Since};
use super::{Hub, Member, ROOT};
use crate::broker::envelope::{self, Form};
use crate::broker::{Said, To, Wide};
use crate::ws::Packet;

/// What a client knows of a room: a position, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask(pub(crate) String);

/// A message that is kept, for those who are told its position.
pub(super) struct Keeping<'a> {
    room: &'a str,
    message: Message<'a>,
    at: String,
    /// Only one protocol has such clients: one packet for all of them.
    packet: std::cell::OnceCell<Option<Packet>>,
}

/// Keeps what is said to a whole room. `None`: it is not kept.
pub(super) fn keep<'a>(
    past: &Past,
    room: &'a Arc<str>,
    audience: Audience<'_>,
    content: &'a impl Content,
) -> Option<Keeping<'a>> {
    let audience = audience.wide().filter(|it| !matches!(it, Wide::WithMeta(..)))?;
    let content = content.carried()?;
    let said = Said { to: To::Room(room), audience, content, wire: crate::broker::Wire::Own };
    let at = past.add(Instant::now(), room, Bytes::from(envelope::encode(0, &said)));
    Some(Keeping { room, message: content.message(), at, packet: std::cell::OnceCell::new() })
}

impl Keeping<'_> {
    pub(super) fn tell(&self, member: &Member) -> bool {
        let make = || member.voice().kept(Kept::Message(&self.message, &self.at));
        self.packet.get_or_init(make).as_ref().is_some_and(|packet| member.push(packet))
    }

    pub(super) fn tell_sender(&self, sender: &Member) {
        let own = Kept::Own { room: self.room, id: sender.id(), at: &self.at };
        if let Some(packet) = sender.voice().kept(own) {
            sender.push(&packet);
        }
    }
}

/// Tells a member what it missed.
pub(super) fn answer(past: &Past, room: &str, member: &Member, Ask(position): &Ask) {
    let Since { at, messages, has_gap } = past.since(Instant::now(), room, position);
    let (voice, id) = (member.voice(), member.id());
    let answer = Kept::Missed { room, id, at: &at, messages: messages.len(), has_gap };
    let Some(answer) = voice.kept(answer) else { return };
    member.push(&answer);
    for (at, bytes) in &messages {
        let Ok(envelope) = envelope::decode(bytes) else { continue };
        if let Some(packet) = voice.kept(Kept::Message(&envelope.content.into_message(), at)) {
            member.push(&packet);
        }
    }
}

impl Hub {
    /// Whether it is kept what is said in a room.
    pub(crate) fn keeps(&self, room: &str) -> bool {
        self.past.is_some() && room != ROOT
    }

    pub(super) fn past_of(&self, room: &str) -> Option<Arc<Past>> {
        self.past.clone().filter(|_| room != ROOT)
    }

    /// Tells a member what it missed in a room; if it is not in there, once it joins.
    pub(crate) fn ask(&self, member: &Arc<Member>, room: &str, ask: Ask) -> bool {
        let mut joined = member.rooms();
        match joined.get(room) {
            Some(room) => room.ask(member, &ask),
            None => return joined.ask_later(room, ask, self.limits.rooms),
        }
        true
    }

    /// What is said in a room without members, who may come back. Where there are other nodes, this one would not
    /// hear all of it.
    pub(super) fn keep_for_nobody(
        &self,
        room: &str,
        audience: Audience<'_>,
        content: &impl Content,
    ) {
        if let (Some(past), None) = (self.past_of(room), &self.nodes)
            && !matches!(audience, Audience::OthersOfMember(_))
        {
            keep(&past, &room.into(), audience, content);
        }
    }

    /// What was said in a room after a position. `None`: nothing is kept of it.
    pub(crate) fn missed(&self, room: &str, position: &str) -> Option<Result<Missed, Gap>> {
        let past = self.past_of(room)?;
        let Since { at, messages, has_gap } = past.since(Instant::now(), room, position);
        let read = |(at, bytes): (String, Bytes)| {
            let envelope = envelope::decode(&bytes).ok()?;
            let Message { event, sender, data, .. } = envelope.content.into_message();
            let payload = Bytes::copy_from_slice(data.plain());
            Some((at, crate::wsrooms::Message::new(room, event, "", sender, payload)))
        };
        let messages = messages.into_iter().filter_map(read).collect();
        let missed = Missed { position: at, messages };
        Some(if has_gap { Err(Gap(missed)) } else { Ok(missed) })
    }
}

/// What was said in a room after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// The position that it leads to.
    pub position: String,
    /// The messages with the position of each, in order.
    pub messages: Vec<(String, crate::wsrooms::Message)>,
}

/// More was said than is still there: this is the rest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("some of what was missed is there no more")]
pub struct Gap(pub Missed);
