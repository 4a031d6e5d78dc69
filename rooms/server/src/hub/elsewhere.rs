//! The hub and the other nodes: what goes to them, and what comes from them.

use std::sync::Arc;
use std::time::Duration;

use super::crowd::Everyone;
use super::delivery::{Audience, Content, News};
use super::{Hub, When, lock};
use crate::broker::options::Node;
use crate::broker::{Broker, Place, Said, To, Wide};

/// How the members of a room or of a crowd are known to other nodes.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    nodes: Arc<dyn Broker>,
    name: Arc<str>,
    is_crowd: bool,
}

impl Reach {
    pub(super) fn room(nodes: Arc<dyn Broker>, name: &Arc<str>) -> Self {
        Self { nodes, name: Arc::clone(name), is_crowd: false }
    }

    fn crowd(nodes: Arc<dyn Broker>, name: &str) -> Self {
        Self { nodes, name: name.into(), is_crowd: true }
    }

    fn place(&self) -> Place<'_> {
        if self.is_crowd { Place::Crowd(&self.name) } else { Place::Room(&self.name) }
    }

    /// Somebody has come; so many are there now.
    pub(super) fn came(&self, id: &Arc<str>, members: usize) {
        if members == 1 && !self.is_crowd {
            self.nodes.opened(&self.name);
        }
        self.nodes.came(self.place(), id);
    }

    /// Somebody has left; so many are there now.
    pub(super) fn left(&self, id: &Arc<str>, members: usize) {
        self.nodes.left(self.place(), id);
        if members == 0 && !self.is_crowd {
            self.nodes.closed(&self.name);
        }
    }

    /// Those on other nodes.
    pub(super) fn ids(&self) -> Vec<Arc<str>> {
        self.nodes.ids_in(self.place())
    }
}

/// What was said in a room.
pub(super) fn publish(
    nodes: &dyn Broker,
    room: &str,
    audience: Audience<'_>,
    content: &impl Content,
) {
    if let Audience::OthersOfMember(sender) = audience
        && !sender.is_in(room)
    {
        return;
    }
    say(nodes, To::Room(room), audience.wide(), content);
}

/// What was said to a crowd.
pub(super) fn publish_to_crowd(reach: &Reach, audience: Audience<'_>, content: &impl Content) {
    say(&*reach.nodes, To::Crowd(&reach.name), audience.wide(), content);
}

/// What was said to one who is not here. Whether another node has it.
pub(super) fn tell(nodes: &dyn Broker, id: &str, content: &impl Content) -> bool {
    say(nodes, To::Client(id), Some(Wide::Everyone), content);
    nodes.knows(id)
}

fn say(nodes: &dyn Broker, to: To<'_>, audience: Option<Wide<'_>>, content: &impl Content) {
    let (Some(audience), Some(carried)) = (audience, content.carried()) else {
        tracing::debug!(?to, "this cannot travel to other nodes");
        return;
    };
    nodes.say(&Said { to, audience, content: carried, wire: content.wire() });
}

impl Hub {
    /// Has the dealings with other nodes begin, if they have not.
    pub(crate) fn start(self: &Arc<Self>) {
        if let Some(nodes) = &self.nodes {
            nodes.start(self);
        }
    }

    /// The nodes, this one first.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let (name, others) = match &self.nodes {
            Some(nodes) => (nodes.name(), nodes.others()),
            None => (Arc::from("local"), Vec::new()),
        };
        let (connections, rooms) = (self.connections() as u64, self.rooms() as u64);
        let this = Node { name, is_self: true, connections, rooms, silent: Duration::ZERO };
        std::iter::once(this).chain(others).collect()
    }

    /// Makes a crowd known to other nodes: nodes that are set up alike number the endpoints of a protocol alike.
    pub(crate) fn enlist(&self, protocol: &str, crowd: Everyone) {
        let Some(nodes) = &self.nodes else { return };
        // Several routes may lead to one crowd.
        if crowd.0.reached().is_some() {
            return;
        }
        let mut crowds = lock(&self.crowds);
        let number = crowds.values().filter(|(known, _)| known == protocol).count();
        let name = format!("{protocol}:{number}");
        crowd.0.reach(Reach::crowd(Arc::clone(nodes), &name));
        crowds.insert(name, (protocol.to_owned(), crowd));
    }

    /// What another node said. How many were told.
    pub(crate) fn hear(&self, to: To<'_>, audience: Wide<'_>, content: &impl Content) -> usize {
        let audience = match audience {
            Wide::Everyone => Audience::Everyone,
            Wide::But(id) => Audience::But(id),
            Wide::WithMeta(name, value) => Audience::WithMeta(name, value),
        };
        match to {
            To::Room(room) => self.publish_here(room, audience, content),
            To::Crowd(name) => {
                let crowd = lock(&self.crowds).get(name).cloned();
                crowd.map_or(0, |(_, crowd)| crowd.0.publish(audience, content))
            }
            To::Client(id) => {
                let member = self.get(id);
                usize::from(member.is_some_and(|it| Self::tell_here(&it, When::Joined, content)))
            }
        }
    }

    /// Who came to a room or left it on another node.
    pub(crate) fn hear_news(&self, room: &str, news: News<'_>) {
        if let Some(room) = self.rooms.get(room) {
            room.hear(news);
        }
    }

    /// Shows who is where on this node, one place after the other; while one is shown, nobody comes or goes there.
    pub(crate) fn look(&self, mut see: impl FnMut(Place<'_>, &mut dyn Iterator<Item = &Arc<str>>)) {
        see(Place::Server, &mut self.members.values().iter().map(|member| member.id()));
        let crowds: Vec<_> =
            lock(&self.crowds).iter().map(|(name, (_, it))| (name.clone(), it.clone())).collect();
        for (name, crowd) in crowds {
            crowd.0.look(|ids| see(Place::Crowd(&name), ids));
        }
        for room in self.rooms.values() {
            room.look(|ids| see(Place::Room(room.name()), ids));
        }
    }

    /// The rooms that have members here.
    pub(crate) fn room_names(&self) -> Vec<Arc<str>> {
        self.rooms.values().iter().map(|room| Arc::clone(room.name())).collect()
    }
}

#[cfg(test)]
mod tests;
