//! One room: a set of connections, and the order of what happens in it.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use indexmap::IndexMap;

use super::delivery::{Audience, Content, News, Packets, Voice, key};
use super::elsewhere::Reach;
use super::history::{self, Ask};
use super::late::Late;
use super::numbers::ByNumber;
use super::past::Past;
use super::{Member, lock};
use crate::broker::Broker;

#[derive(Debug)]
pub(super) struct Room {
    name: Arc<str>,
    kind: Kind,
    late: Arc<Late>,
    /// The other nodes, where there can be any.
    reach: OnceLock<Reach>,
    /// Where what is said here is kept for those who missed it.
    past: Option<Arc<Past>>,
    inside: Mutex<Inside>,
}

/// What a room does of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its members are told who comes and goes, and it ends with the last one.
    Announced,
    /// It ends with the last member.
    Quiet,
    /// It stays without members.
    Lasting,
}

#[derive(Debug, Default)]
struct Inside {
    members: IndexMap<u64, Arc<Member>, ByNumber>,
    /// The voices of the members, and how many have each.
    voices: IndexMap<usize, (Arc<dyn Voice>, usize), ByNumber>,
    /// Those who are told the position of what is said.
    asking: HashSet<u64>,
    /// News wait to be written.
    late: bool,
    /// The last member has left: nobody enters any more.
    closed: bool,
}

impl Room {
    pub(super) fn new(name: Arc<str>, kind: Kind, late: Arc<Late>) -> Self {
        Self { name, kind, late, reach: OnceLock::new(), past: None, inside: Mutex::default() }
    }

    /// The same, and its members may be on other nodes too.
    pub(super) fn reaching(self, nodes: Option<Arc<dyn Broker>>) -> Self {
        if let Some(nodes) = nodes {
            self.reach(Reach::room(nodes, &self.name));
        }
        self
    }

    pub(super) fn keeping(mut self, past: Option<Arc<Past>>) -> Self {
        self.past = past;
        self
    }

    pub(super) fn reach(&self, reach: Reach) {
        // Once for each room.
        let _ = self.reach.set(reach);
    }

    pub(super) fn reached(&self) -> Option<&Reach> {
        self.reach.get()
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn is_closed(self: &Arc<Self>) -> bool {
        lock(&self.inside).closed
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.inside).members.len()
    }

    pub(super) fn ids(&self) -> Vec<Arc<str>> {
        lock(&self.inside).members.values().map(|member| Arc::clone(member.id())).collect()
    }

    /// Adds a member who is not in there; false if the room is closed.
    pub(super) fn enter(self: &Arc<Self>, member: &Arc<Member>, ask: Option<&Ask>) -> bool {
        let mut inside = lock(&self.inside);
        if inside.closed {
            return false;
        }
        inside.insert(member);
        if let Some(reach) = self.reach.get() {
            reach.came(member.id(), inside.members.len());
        }
        self.greet(&inside, member);
        if let Some(ask) = ask {
            self.answer(&mut inside, member, ask);
        }
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
        if let Some(reach) = self.reach.get() {
            reach.left(member.id(), inside.members.len());
        }
        inside.closed = inside.members.is_empty() && self.kind != Kind::Lasting;
        let is_closed = inside.closed;
        if is_closed && let (Some(past), Some(_)) = (&self.past, self.reach.get()) {
            // From now on this node does not hear what others say here.
            past.forget(&self.name);
        }
        self.announce(inside, member, News::Left(member.id()));
        is_closed
    }

    /// Removes a member of whom nobody is told; whether it was in there.
    pub(super) fn exit_quietly(&self, member: &Member) -> bool {
        let mut inside = lock(&self.inside);
        let was_in = inside.remove(member);
        if let Some(reach) = self.reach.get()
            && was_in
        {
            reach.left(member.id(), inside.members.len());
        }
        was_in
    }

    /// Has the ids looked at while nobody comes or goes.
    pub(super) fn look(&self, see: impl FnOnce(&mut dyn Iterator<Item = &Arc<str>>)) {
        see(&mut lock(&self.inside).members.values().map(|member| member.id()));
    }

    /// Tells the members who came or went on another node.
    pub(super) fn hear(self: &Arc<Self>, news: News<'_>) {
        if self.kind == Kind::Announced {
            self.spread(lock(&self.inside), None, news);
        }
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
    pub(super) fn publish<C: Content>(&self, audience: Audience<'_>, content: &C) -> usize {
        let mut packets = match audience.sender() {
            Some(sender) => Packets::with(content, sender.voice()),
            None => Packets::new(content),
        };
        loop {
            let inside = lock(&self.inside);
            let missing = inside.unheard(audience, &packets);
            if missing.is_empty() {
                return self.deliver(&inside, audience, content, &packets);
            }
            // Made without the lock: it may be code of the user's.
            drop(inside);
            for voice in &missing {
                packets.make(voice);
            }
        }
    }

    /// Tells a member what it missed, and from now on positions.
    pub(super) fn ask(&self, member: &Member, ask: &Ask) {
        let mut inside = lock(&self.inside);
        if inside.members.contains_key(&member.number()) {
            self.answer(&mut inside, member, ask);
        }
    }

    fn answer(&self, inside: &mut Inside, member: &Member, ask: &Ask) {
        if let Some(past) = &self.past {
            inside.asking.insert(member.number());
            history::answer(past, &self.name, member, ask);
        }
    }

    fn deliver<C: Content>(
        &self,
        inside: &Inside,
        audience: Audience<'_>,
        content: &C,
        packets: &Packets<'_, C>,
    ) -> usize {
        if let Audience::OthersOfMember(sender) = audience
            && !inside.members.contains_key(&sender.number())
        {
            return 0;
        }
        let kept =
            self.past.as_ref().and_then(|past| history::keep(past, &self.name, audience, content));
        let told = inside.members.values().filter(|member| audience.includes(member));
        let Some(kept) = kept.filter(|_| !inside.asking.is_empty()) else {
            return told.filter(|member| packets.deliver(member)).count();
        };
        if let Some(sender) = audience.sender()
            && inside.asking.contains(&sender.number())
        {
            kept.tell_sender(sender);
        }
        let is_told = |member: &Member| {
            let is_asking = inside.asking.contains(&member.number());
            if is_asking { kept.tell(member) } else { packets.deliver(member) }
        };
        told.filter(|member| is_told(member)).count()
    }

    fn greet(&self, inside: &Inside, member: &Member) {
        // Whom a protocol addresses all together is no room to it.
        if self.kind == Kind::Lasting {
            return;
        }
        let elsewhere = self.reach.get().map_or_else(Vec::new, Reach::ids);
        let here = inside.members.values().map(|member| &**member.id());
        let mut ids = here.chain(elsewhere.iter().map(|id| &**id));
        if let Some(packet) = member.voice().welcome(&self.name, member.id(), &mut ids) {
            member.push(&packet);
        }
    }

    /// Tells the others who came or went; it is written a little later, with other such news.
    fn announce(self: &Arc<Self>, inside: MutexGuard<'_, Inside>, about: &Member, news: News<'_>) {
        let is_alone = inside.members.len() < 2 && inside.members.contains_key(&about.number());
        if self.kind != Kind::Announced || is_alone || inside.members.is_empty() {
            return;
        }
        self.spread(inside, Some(about), news);
    }

    /// Queues news for all but the one whom they are about.
    fn spread(
        self: &Arc<Self>,
        mut inside: MutexGuard<'_, Inside>,
        about: Option<&Member>,
        news: News<'_>,
    ) {
        let content = |voice: &dyn Voice| voice.news(&self.name, news);
        let mut packets = Packets::new(&content);
        for (voice, _) in inside.voices.values() {
            packets.make(voice);
        }
        let about = about.map(Member::number);
        for member in inside.members.values().filter(|member| Some(member.number()) != about) {
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
        let voice = member.voice();
        self.voices.entry(key(voice)).or_insert_with(|| (Arc::clone(voice), 0)).1 += 1;
    }

    /// Whether it was in there.
    fn remove(&mut self, member: &Member) -> bool {
        if self.members.swap_remove(&member.number()).is_none() {
            return false;
        }
        self.asking.remove(&member.number());
        let voice = key(member.voice());
        if let Some((_, count)) = self.voices.get_mut(&voice) {
            *count -= 1;
            if *count == 0 {
                self.voices.swap_remove(&voice);
            }
        }
        // A room that was once large does not stay so.
        if self.members.capacity() > 64 && self.members.len() < self.members.capacity() / 8 {
            self.members.shrink_to_fit();
        }
        true
    }

    /// The voices of those who are told for which there is no packet yet.
    fn unheard<C: Content>(
        &self,
        audience: Audience<'_>,
        packets: &Packets<'_, C>,
    ) -> Vec<Arc<dyn Voice>> {
        if let Audience::But(_) | Audience::WithMeta(..) | Audience::Those(_) = audience {
            // A voice may be one member's own, and does not speak for nothing.
            let told = self.members.values().filter(|member| audience.includes(member));
            let missing = told.map(|member| member.voice()).filter(|voice| !packets.has(voice));
            let distinct: IndexMap<_, _> = missing.map(|voice| (key(voice), voice)).collect();
            return distinct.into_values().cloned().collect();
        }
        let voices = self.voices.values().map(|(voice, _)| voice);
        voices.filter(|voice| !packets.has(voice)).cloned().collect()
    }
}
