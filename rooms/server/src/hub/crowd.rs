//! Those who came by one door: found by their ids, and told things all together, in one order.

use std::sync::Arc;

use super::delivery::{Audience, Content};
use super::elsewhere::{self, Reach};
use super::late::Late;
use super::room::{Kind, Room};
use super::shards::Shards;
use super::{Hub, Member};

/// The connections of a protocol, or of one of its endpoints, as that protocol's handlers see them.
pub(crate) struct Crowd<C> {
    everyone: Arc<Room>,
    conns: Shards<C>,
}

impl<C> std::fmt::Debug for Crowd<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crowd").finish_non_exhaustive()
    }
}

/// Something that a connection leaves at its end.
pub(super) trait Left: Send + Sync {
    fn leave(&self, member: &Member);
}

impl<C: Clone + Send + Sync> Left for Crowd<C> {
    fn leave(&self, member: &Member) {
        self.exit(member);
    }
}

impl<C: Clone + Send + Sync + 'static> Crowd<C> {
    pub(crate) fn new() -> Self {
        let everyone = Arc::new(Room::new("".into(), Kind::Lasting, Arc::<Late>::default()));
        Self { everyone, conns: Shards::new() }
    }

    /// Adds one who is in no crowd; it is taken off when the hub forgets it.
    pub(crate) fn enter(self: &Arc<Self>, member: &Arc<Member>, conn: &C) {
        self.conns.insert_new(member.id(), conn);
        self.everyone.enter(member, None);
        member.rooms().set_crowd(Arc::clone(self) as Arc<dyn Left>);
    }

    pub(crate) fn get(&self, id: &str) -> Option<C> {
        self.conns.get(id)
    }

    /// In no order.
    pub(crate) fn conns(&self) -> Vec<C> {
        self.conns.values()
    }

    /// On whatever node, in no order.
    pub(crate) fn ids(&self) -> Vec<Arc<str>> {
        let mut ids = self.everyone.ids();
        if let Some(reach) = self.everyone.reached() {
            ids.extend(reach.ids());
        }
        ids
    }

    pub(crate) fn len(&self) -> usize {
        self.everyone.len()
    }

    /// Delivers to those in there. How many were told on this node.
    pub(crate) fn publish(&self, audience: Audience<'_>, content: &impl Content) -> usize {
        let told = self.everyone.publish(audience, content);
        if let Some(reach) = self.everyone.reached() {
            elsewhere::publish_to_crowd(reach, audience, content);
        }
        told
    }
}

/// Those in a crowd, whatever their protocol.
#[derive(Clone, Debug)]
pub(crate) struct Everyone(pub(super) Arc<Room>);

impl<C> Crowd<C> {
    pub(crate) fn everyone(&self) -> Everyone {
        Everyone(Arc::clone(&self.everyone))
    }
}

impl<C: Clone + Send + Sync> Crowd<C> {
    /// Takes one off before the hub does; again: nothing.
    pub(crate) fn exit(&self, member: &Member) {
        if self.everyone.exit_quietly(member) {
            self.conns.remove_if(member.id(), |_| true);
        }
    }
}
