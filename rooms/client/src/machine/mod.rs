//! What the client does: pure. No clock, no socket, no protocol. What happens goes in by a method, what is to be done
//! comes out of [`Machine::poll_action`], in order.
//!
//! A connection goes through [`Phase`]: first the id is learnt, then the rooms are joined again in the order in which they
//! were joined first, then it is open. A room goes through [`RoomState`], whichever connection there is.

mod room;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

use std::collections::{BTreeSet, VecDeque};

use indexmap::IndexMap;

pub(crate) use self::room::{Room, RoomState, Ticket, Wanted};
use crate::event::{Event, LeftReason};
use crate::protocol::{Acknowledged, Notice};

/// Who is in a room.
pub(crate) type Members = BTreeSet<String>;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    Away,
    /// The id is awaited.
    Greeting,
    /// The rooms are joined again.
    Rejoining,
    /// Open.
    Open,
    /// There will be none any more.
    Ended,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Ask to be in this room.
    SendJoin(String),
    /// Ask to be out of it.
    SendLeave(String),
    /// Tell the one who holds this ticket.
    Answer(Ticket, Answer),
    /// Tell the handlers.
    Tell(Event),
    /// The connection may be used for messages.
    Ready,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The room is joined, with these in it.
    Joined(Vec<String>),
    /// The room is left.
    Left,
    /// Left before it was joined.
    LeftMeanwhile,
    /// Not in time.
    TimedOut,
    /// Refused by the server.
    Refused,
    /// There was nothing to leave.
    NotJoined,
    /// There is no client any more.
    Closed,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The server closed it as against its rules (1008).
    Refused,
    /// Any other way.
    Other,
}

/// Whether the server tells an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greets {
    Yes,
    No,
}

#[derive(Debug)]
pub(crate) struct Machine {
    greets: Greets,
    acknowledged: Acknowledged,
    phase: Phase,
    /// On this connection.
    id: Option<String>,
    sessions: u64,
    rooms: IndexMap<String, Room>,
    actions: VecDeque<Action>,
}

impl Machine {
    pub(crate) fn new(greets: Greets, acknowledged: Acknowledged) -> Self {
        Self {
            greets,
            acknowledged,
            phase: Phase::Away,
            id: None,
            sessions: 0,
            rooms: IndexMap::new(),
            actions: VecDeque::new(),
        }
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The rooms that the client is in, or will be again.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().filter(|(_, room)| room.is_joined()).map(|(name, _)| name.as_str())
    }

    /// Who is in a room, as far as is known: since the connection was lost, who was.
    pub(crate) fn members(&self, room: &str) -> Option<&Members> {
        self.rooms.get(room).filter(|room| room.is_joined()).map(|room| &room.members)
    }

    /// Whether something may be said in this room, now or once it is joined again.
    pub(crate) fn may_speak(&self, room: &str) -> bool {
        self.rooms.get(room).is_some_and(Room::is_joined)
    }

    /// A connection is there.
    pub(crate) fn opening(&mut self) {
        // An attempt that a restart cut short is not reported.
        self.lost(Loss::Other);
        self.phase = Phase::Greeting;
        if self.greets == Greets::No {
            self.rejoin();
        }
    }

    /// The server has said something.
    pub(crate) fn heard(&mut self, notice: Notice) {
        match notice {
            Notice::Id(id) => self.greeted(id),
            Notice::Joined { room, id, members } => {
                let mut members: Members = members.into_iter().collect();
                if let Some(id) = id {
                    // The original server leaves the client itself out.
                    members.insert(id.clone());
                    self.id = Some(id.clone());
                    self.joined(&room, members);
                    self.greeted(id);
                } else {
                    self.joined(&room, members);
                }
                self.settle();
            }
            Notice::Left { room } => self.left(&room),
            Notice::NewMember { room, id } => self.came(room, id),
            Notice::MemberLeft { room, id } => self.went(room, id),
            Notice::Message(message) => self.tell(Event::Message(message.into())),
            Notice::Refused(text) => self.tell(Event::Refused { text }),
        }
    }

    /// The rooms were not joined again in time: the others must not wait for them.
    pub(crate) fn overdue(&mut self) {
        if self.phase != Phase::Rejoining {
            return;
        }
        for index in 0..self.rooms.len() {
            let Some((name, room)) = self.rooms.get_index_mut(index) else { break };
            if let RoomState::Stale { joins } = &mut room.state
                && room.wanted == Wanted::ByUs
            {
                let (name, joins) = (name.clone(), std::mem::take(joins));
                room.state = RoomState::leaving();
                self.answer(joins, &Answer::TimedOut);
                self.actions.push_back(Action::SendLeave(name.clone()));
                self.tell(Event::Left { room: name, reason: LeftReason::NotRejoined });
            }
        }
        self.settle();
    }

    /// The connection is gone, or the attempt to open one has failed.
    pub(crate) fn lost(&mut self, loss: Loss) {
        if matches!(self.phase, Phase::Away | Phase::Ended) {
            return;
        }
        let asked = matches!(self.phase, Phase::Rejoining | Phase::Open);
        let refused = asked && loss == Loss::Refused;
        // Nobody has this id any more.
        if let Some(id) = self.id.take() {
            for room in self.rooms.values_mut() {
                room.members.remove(&id);
            }
        }
        self.phase = Phase::Away;
        for (name, room) in std::mem::take(&mut self.rooms) {
            if let Some(room) = self.room_lost(&name, room, refused) {
                self.rooms.insert(name, room);
            }
        }
    }

    /// The next attempt is waited for.
    pub(crate) fn waiting(&mut self, attempt: u32, delay: std::time::Duration) {
        if self.phase == Phase::Away {
            self.tell(Event::Reconnecting { attempt, delay });
        }
    }

    /// There will be no connection any more.
    pub(crate) fn ended(&mut self, outcome: wscengine::Outcome) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        self.id = None;
        for (_, room) in std::mem::take(&mut self.rooms) {
            let (joins, leaves) = room.waiting();
            self.answer(joins, &Answer::Closed);
            self.answer(leaves, &Answer::Closed);
        }
        self.tell(Event::Closed { outcome });
    }

    /// Somebody wants the client to be in a room.
    pub(crate) fn join(&mut self, name: &str, ticket: Ticket) {
        if self.phase == Phase::Ended {
            return self.answer([ticket], &Answer::Closed);
        }
        let can_ask = self.can_ask();
        let room = self.rooms.entry(name.to_owned()).or_insert_with(Room::joining);
        let was = std::mem::replace(&mut room.wanted, Wanted::ByUs);
        let asks = match &mut room.state {
            RoomState::Joined => {
                let members = room.listed();
                return self.answer([ticket], &Answer::Joined(members));
            }
            RoomState::Joining { joins } => {
                joins.push(ticket);
                joins.len() == 1 && was == Wanted::NotYet
            }
            RoomState::Stale { joins } => {
                joins.push(ticket);
                was == Wanted::ByServer
            }
            RoomState::Leaving { joins, .. } => {
                joins.push(ticket);
                false
            }
        };
        if asks && can_ask {
            self.ask(name);
        }
    }

    /// Somebody wants the client to be out of a room.
    pub(crate) fn leave(&mut self, name: &str, ticket: Ticket) {
        if self.phase == Phase::Ended {
            return self.answer([ticket], &Answer::Closed);
        }
        let can_ask = self.can_ask();
        let Some(room) = self.rooms.get_mut(name) else {
            return self.answer([ticket], &Answer::NotJoined);
        };
        let asks = match room.state {
            RoomState::Joined => true,
            RoomState::Joining { .. } | RoomState::Stale { .. } => can_ask,
            RoomState::Leaving { .. } => false,
        };
        let (was_in, joins) = (room.is_joined(), room.take_joins());
        if asks {
            room.state = RoomState::Leaving { leaves: vec![ticket], joins: Vec::new() };
            self.actions.push_back(Action::SendLeave(name.to_owned()));
        } else if let RoomState::Leaving { leaves, .. } = &mut room.state {
            leaves.push(ticket);
        } else {
            // Nobody is asked about a room of a connection that is gone.
            self.rooms.shift_remove(name);
            if was_in {
                self.tell(Event::Left { room: name.to_owned(), reason: LeftReason::Asked });
            }
            self.answer([ticket], &Answer::Left);
        }
        self.answer(joins, &Answer::LeftMeanwhile);
        self.settle();
    }

    /// Nobody waits for the answer to this request any more. A join goes on.
    pub(crate) fn forget(&mut self, name: &str, ticket: Ticket) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.forget(ticket);
        }
    }

    /// The answer to this request did not come in time. A join for which nobody waits then is given up.
    pub(crate) fn timed_out(&mut self, name: &str, ticket: Ticket) {
        let can_ask = self.can_ask();
        let Some(room) = self.rooms.get_mut(name) else { return };
        if !room.forget(ticket) {
            return;
        }
        if let RoomState::Joining { joins } = &room.state
            && joins.is_empty()
        {
            if can_ask {
                room.state = RoomState::leaving();
                self.actions.push_back(Action::SendLeave(name.to_owned()));
            } else {
                self.rooms.shift_remove(name);
            }
        }
    }

    /// The id is known: the rooms can be joined.
    fn greeted(&mut self, id: String) {
        self.id = Some(id);
        if self.phase == Phase::Greeting {
            self.rejoin();
        }
    }

    fn rejoin(&mut self) {
        self.phase = Phase::Rejoining;
        let wanted = |(name, room): (&String, &Room)| {
            let asks = matches!(room.state, RoomState::Joining { .. } | RoomState::Stale { .. });
            (asks && room.wanted == Wanted::ByUs).then(|| name.clone())
        };
        let names: Vec<_> = self.rooms.iter().filter_map(wanted).collect();
        for name in names {
            self.ask(&name);
        }
        self.settle();
    }

    /// Asks to be in a room; where nobody says so, that is all.
    fn ask(&mut self, name: &str) {
        self.actions.push_back(Action::SendJoin(name.to_owned()));
        if self.acknowledged == Acknowledged::Never {
            self.joined(name, Members::new());
        }
    }

    /// The server says that the client is in a room.
    fn joined(&mut self, name: &str, members: Members) {
        let Some(room) = self.rooms.get_mut(name) else {
            let room = Room { wanted: Wanted::ByServer, state: RoomState::Joined, members };
            let event = Event::Joined { room: name.to_owned(), members: room.listed() };
            self.rooms.insert(name.to_owned(), room);
            return self.tell(event);
        };
        let before = std::mem::replace(&mut room.members, members);
        let was = match &mut room.state {
            // It comes late, for a join that was given up.
            RoomState::Leaving { .. } => return,
            state => std::mem::replace(state, RoomState::Joined),
        };
        let (now, listed) = (room.members.clone(), room.listed());
        let name = name.to_owned();
        let joins = match was {
            RoomState::Joining { joins } => {
                self.tell(Event::Joined { room: name, members: listed.clone() });
                joins
            }
            RoomState::Stale { joins } => {
                self.tell(Event::Rejoined { room: name.clone() });
                self.compare(&name, &before, &now);
                joins
            }
            RoomState::Joined | RoomState::Leaving { .. } => {
                self.compare(&name, &before, &now);
                Vec::new()
            }
        };
        self.answer(joins, &Answer::Joined(listed));
    }

    /// Tells who came and went, but for the client itself.
    fn compare(&mut self, room: &str, before: &Members, now: &Members) {
        let own = |id: &&String| self.id.as_ref() == Some(*id);
        let gone: Vec<_> = before.difference(now).cloned().collect();
        let new: Vec<_> = now.difference(before).filter(|id| !own(id)).cloned().collect();
        let room = || room.to_owned();
        gone.into_iter().for_each(|id| self.tell(Event::MemberLeft { room: room(), id }));
        new.into_iter().for_each(|id| self.tell(Event::NewMember { room: room(), id }));
    }

    /// The server says that the client is out of a room.
    fn left(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let reason = match room.state {
            RoomState::Leaving { .. } => LeftReason::Asked,
            RoomState::Joined => LeftReason::ByServer,
            // About a time before the join that is under way.
            RoomState::Joining { .. } | RoomState::Stale { .. } => return,
        };
        let (joins, leaves) = (room.take_joins(), room.take_leaves());
        self.rooms.shift_remove(name);
        self.tell(Event::Left { room: name.to_owned(), reason });
        self.answer(leaves, &Answer::Left);
        if !joins.is_empty() {
            self.rooms.insert(name.to_owned(), Room::wanted(joins));
            self.ask(name);
        }
    }

    fn came(&mut self, name: String, id: String) {
        let own = self.id.as_deref() == Some(id.as_str());
        if let Some(room) = self.rooms.get_mut(&name)
            && room.hears_news()
            && !own
            && room.members.insert(id.clone())
        {
            self.tell(Event::NewMember { room: name, id });
        }
    }

    fn went(&mut self, name: String, id: String) {
        let own = self.id.as_deref() == Some(id.as_str());
        if let Some(room) = self.rooms.get_mut(&name)
            && room.hears_news()
            && !own
            && room.members.remove(&id)
        {
            self.tell(Event::MemberLeft { room: name, id });
        }
    }

    /// Open, once no room is waited for that was joined before.
    fn settle(&mut self) {
        let awaited = |room: &Room| {
            matches!(room.state, RoomState::Stale { .. }) && room.wanted == Wanted::ByUs
        };
        if self.phase != Phase::Rejoining || self.rooms.values().any(awaited) {
            return;
        }
        self.phase = Phase::Open;
        self.sessions += 1;
        // What the server had put the client into, and has not again.
        let stale = |(name, room): (&String, &Room)| {
            matches!(room.state, RoomState::Stale { .. }).then(|| name.clone())
        };
        let gone: Vec<_> = self.rooms.iter().filter_map(stale).collect();
        for room in gone {
            self.rooms.shift_remove(&room);
            self.tell(Event::Left { room, reason: LeftReason::NotRejoined });
        }
        self.tell(Event::Open { id: self.id.clone(), again: self.sessions > 1 });
        self.actions.push_back(Action::Ready);
    }

    /// What remains of a room without the connection.
    fn room_lost(&mut self, name: &str, mut room: Room, refused: bool) -> Option<Room> {
        let refused = refused && room.wanted == Wanted::ByUs;
        let room_named = || name.to_owned();
        match room.state {
            RoomState::Joined => {
                room.state = RoomState::Stale { joins: Vec::new() };
                Some(room)
            }
            RoomState::Joining { joins } if refused => {
                self.answer(joins, &Answer::Refused);
                None
            }
            RoomState::Stale { joins } if refused => {
                self.answer(joins, &Answer::Refused);
                self.tell(Event::Left { room: room_named(), reason: LeftReason::Refused });
                None
            }
            RoomState::Joining { .. } | RoomState::Stale { .. } => Some(room),
            RoomState::Leaving { joins, leaves } => {
                self.tell(Event::Left { room: room_named(), reason: LeftReason::Asked });
                self.answer(leaves, &Answer::Left);
                (!joins.is_empty()).then(|| Room::wanted(joins))
            }
        }
    }

    /// Whether there is a connection on which to ask for rooms.
    fn can_ask(&self) -> bool {
        matches!(self.phase, Phase::Rejoining | Phase::Open)
    }

    fn answer(&mut self, tickets: impl IntoIterator<Item = Ticket>, answer: &Answer) {
        let answers = tickets.into_iter().map(|ticket| Action::Answer(ticket, answer.clone()));
        self.actions.extend(answers);
    }

    /// Handlers are to be told this too.
    pub(crate) fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Tell(event));
    }
}
