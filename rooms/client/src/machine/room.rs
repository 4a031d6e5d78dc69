//! One room, and who waits for it.

use super::Members;

/// A request that waits for its answer.
pub(crate) type Ticket = u64;

/// Who wants the client to be in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Just made, for the first join.
    NotYet,
    /// It was joined: it is joined again after a reconnect.
    ByUs,
    /// The server put the client there, and will again.
    ByServer,
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) wanted: Wanted,
    pub(crate) state: RoomState,
    /// Who is in, as far as is known.
    pub(crate) members: Members,
}

#[derive(Debug)]
pub(crate) enum RoomState {
    /// To be joined for the first time: asked for, if there is a connection.
    Joining {
        /// Who waits for it.
        joins: Vec<Ticket>,
    },
    /// Joined on this connection.
    Joined,
    /// Joined on a connection that is gone: asked for, if there is another.
    Stale {
        /// Who waits for it to be joined again.
        joins: Vec<Ticket>,
    },
    /// Asked to leave.
    Leaving {
        /// Who waits for it.
        leaves: Vec<Ticket>,
        /// Who wants to join afterwards.
        joins: Vec<Ticket>,
    },
}

impl RoomState {
    /// Asked to leave, and nobody waits for it.
    pub(crate) fn leaving() -> Self {
        Self::Leaving { leaves: Vec::new(), joins: Vec::new() }
    }
}

impl Room {
    pub(crate) fn joining() -> Self {
        let state = RoomState::Joining { joins: Vec::new() };
        Self { wanted: Wanted::NotYet, state, members: Members::new() }
    }

    /// To be joined for these.
    pub(crate) fn wanted(joins: Vec<Ticket>) -> Self {
        let state = RoomState::Joining { joins };
        Self { wanted: Wanted::ByUs, state, members: Members::new() }
    }

    /// Whether the client is in, or was and will be again.
    pub(crate) fn is_joined(&self) -> bool {
        match self.state {
            RoomState::Joined | RoomState::Stale { .. } => true,
            RoomState::Joining { .. } | RoomState::Leaving { .. } => false,
        }
    }

    /// Whether what is said of its members is about the list that is known.
    pub(crate) fn hears_news(&self) -> bool {
        match self.state {
            RoomState::Joined => true,
            RoomState::Joining { .. } | RoomState::Stale { .. } | RoomState::Leaving { .. } => {
                false
            }
        }
    }

    pub(crate) fn listed(&self) -> Vec<String> {
        self.members.iter().cloned().collect()
    }

    pub(crate) fn take_joins(&mut self) -> Vec<Ticket> {
        match &mut self.state {
            RoomState::Joining { joins }
            | RoomState::Stale { joins }
            | RoomState::Leaving { joins, .. } => std::mem::take(joins),
            RoomState::Joined => Vec::new(),
        }
    }

    pub(crate) fn take_leaves(&mut self) -> Vec<Ticket> {
        match &mut self.state {
            RoomState::Leaving { leaves, .. } => std::mem::take(leaves),
            RoomState::Joining { .. } | RoomState::Stale { .. } | RoomState::Joined => Vec::new(),
        }
    }

    /// All who wait: to join, and to leave.
    pub(crate) fn waiting(mut self) -> (Vec<Ticket>, Vec<Ticket>) {
        (self.take_joins(), self.take_leaves())
    }

    /// Whether this one waited. It does so no more.
    pub(crate) fn forget(&mut self, ticket: Ticket) -> bool {
        let (mut joins, mut leaves) = (self.take_joins(), self.take_leaves());
        let before = joins.len() + leaves.len();
        joins.retain(|it| *it != ticket);
        leaves.retain(|it| *it != ticket);
        let waited = joins.len() + leaves.len() < before;
        match &mut self.state {
            RoomState::Joining { joins: kept } | RoomState::Stale { joins: kept } => *kept = joins,
            RoomState::Leaving { joins: kept, leaves: left } => (*kept, *left) = (joins, leaves),
            RoomState::Joined => {}
        }
        waited
    }
}
