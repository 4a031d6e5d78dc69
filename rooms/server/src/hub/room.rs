//! One room: a set of connections, and the order of what happens in it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;

use super::delivery::{Audience, Content, News, Packets, Voice};
use super::late::Late;
use super::{Member, lock};

#[derive(Debug)]
pub(super) struct Room {
    name: Arc<str>,
    /// Whether its members are told who comes and goes.
    announces: bool,
    late: Arc<Late>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    members: IndexMap<u64, Arc<Member>>,
    /// The voices of the members, and how many have each.
    voices: Vec<(Arc<dyn Voice>, usize)>,
    /// News wait to be written.
    late: bool,
    /// The last member has left: nobody enters any more.
    closed: bool,
}

impl Room {
    pub(super) fn new(name: Arc<str>, announces: bool, late: Arc<Late>) -> Self {
        Self { name, announces, late, inside: Mutex::default() }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn is_closed(self: &Arc<Self>) -> bool {
        lock(&self.inside).closed
    }

    pub(super) fn ids(&self) -> Vec<Arc<str>> {
        lock(&self.inside).members.values().map(|member| Arc::clone(member.id())).collect()
    }

    /// Adds a member who is not in there; false if the room is closed.
    pub(super) fn enter(self: &Arc<Self>, member: &Arc<Member>) -> bool {
        let mut inside = lock(&self.inside);
        if inside.closed {
            return false;
        }
        inside.insert(member);
        self.greet(&inside, member);
        self.announce(inside, member, News::Came(member.id()));
        true
    }

    /// Tells a member again who is there.
    pub(super) fn welcome(&self, member: &Member) {
        self.greet(&lock(&self.inside), member);
    }

    /// Removes a member who is in there; true if it was the last one.
    pub(super) fn exit(self: &Arc<Self>, member: &Member) -> bool {
        let mut inside = lock(&self.inside);
        inside.remove(member);
        inside.closed = inside.members.is_empty();
        let is_closed = inside.closed;
        self.announce(inside, member, News::Left(member.id()));
        is_closed
    }

    /// Has the news written that wait for members.
    pub(super) fn wake_late(&self) {
        let mut inside = lock(&self.inside);
        inside.late = false;
        for member in inside.members.values() {
            member.wake_late();
        }
    }

    /// Delivers to members. How many were told.
    pub(super) fn publish<C: Content>(
        &self,
        from: &Member,
        audience: Audience,
        mut packets: Packets<'_, C>,
    ) -> usize {
        loop {
            let inside = lock(&self.inside);
            let Some(missing) = inside.unheard(&packets) else {
                return inside.deliver(from, audience, &packets);
            };
            // Made without the lock: it may be code of the user's.
            drop(inside);
            packets.make(&missing);
        }
    }

    fn greet(&self, inside: &Inside, member: &Member) {
        let mut ids = inside.members.values().map(|member| &**member.id());
        if let Some(packet) = member.voice().welcome(&self.name, member.id(), &mut ids) {
            member.push(&packet);
        }
    }

    /// Tells the others who came or went; it is written a little later, with other such news.
    fn announce(
        self: &Arc<Self>,
        mut inside: MutexGuard<'_, Inside>,
        about: &Member,
        news: News<'_>,
    ) {
        let is_alone = inside.members.len() < 2 && inside.members.contains_key(&about.number());
        if !self.announces || is_alone || inside.members.is_empty() {
            return;
        }
        let content = |voice: &dyn Voice| voice.news(&self.name, news);
        let mut packets = Packets::new(&content, about.voice());
        for (voice, _) in &inside.voices {
            packets.make(voice);
        }
        for member in inside.members.values().filter(|member| member.number() != about.number()) {
            packets.deliver_later(member);
        }
        let was_late = mem::replace(&mut inside.late, true);
        drop(inside);
        if !was_late {
            self.late.add(self);
        }
    }
}

impl Inside {
    fn insert(&mut self, member: &Arc<Member>) {
        self.members.insert(member.number(), Arc::clone(member));
        match self.voices.iter_mut().find(|(voice, _)| Arc::ptr_eq(voice, member.voice())) {
            Some((_, count)) => *count += 1,
            None => self.voices.push((Arc::clone(member.voice()), 1)),
        }
    }

    fn remove(&mut self, member: &Member) {
        if self.members.swap_remove(&member.number()).is_none() {
            return;
        }
        if let Some((_, count)) =
            self.voices.iter_mut().find(|(voice, _)| Arc::ptr_eq(voice, member.voice()))
        {
            *count -= 1;
        }
        self.voices.retain(|(_, count)| *count > 0);
        // A room that was once large does not stay so.
        if self.members.capacity() > 64 && self.members.len() < self.members.capacity() / 8 {
            self.members.shrink_to_fit();
        }
    }

    /// A voice in the room for which there is no packet yet.
    fn unheard<C: Content>(&self, packets: &Packets<'_, C>) -> Option<Arc<dyn Voice>> {
        self.voices.iter().map(|(voice, _)| voice).find(|voice| !packets.has(voice)).cloned()
    }

    fn deliver<C: Content>(
        &self,
        from: &Member,
        audience: Audience,
        packets: &Packets<'_, C>,
    ) -> usize {
        if audience == Audience::OthersOfMember && !self.members.contains_key(&from.number()) {
            return 0;
        }
        let skips = |number: u64| audience != Audience::Everyone && number == from.number();
        let told = self.members.iter().filter(|(number, _)| !skips(**number));
        told.filter(|(_, member)| packets.deliver(member)).count()
    }
}
