//! Random walks: the machine and a server, with everything between them delayed, cut and refused at random. At rest the
//! two agree, and everybody who asked has been told once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fastrand::Rng;

use super::*;

const ROOMS: [&str; 4] = ["a", "b", "c", "d"];
const WALKS: u64 = 500;
const STEPS: usize = 300;

/// One connection, as the server sees it, and what is on its way.
#[derive(Default)]
struct Server {
    connections: u32,
    rooms: BTreeSet<String>,
    to_server: VecDeque<Action>,
    to_client: VecDeque<Notice>,
}

struct World {
    rng: Rng,
    machine: Machine,
    server: Server,
    /// Who waits for an answer, and for which room.
    waiting: BTreeMap<Ticket, &'static str>,
    next: Ticket,
    joined_at_least_once: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            machine: Machine::new(Greets::Yes, Acknowledged::Always),
            server: Server::default(),
            waiting: BTreeMap::new(),
            next: 0,
            joined_at_least_once: 0,
        }
    }

    fn step(&mut self) {
        let room = ROOMS[self.rng.usize(..ROOMS.len())];
        match self.rng.u8(..20) {
            0..=3 => self.ask(room, Machine::join),
            4..=5 => self.ask(room, Machine::leave),
            6..=10 => self.serve(),
            11..=15 => self.deliver(),
            16 => self.give_up(Machine::timed_out),
            17 => self.give_up(Machine::forget),
            18 => self.machine.overdue(),
            _ if self.rng.u8(..4) == 0 => self.lose(),
            _ => self.connect(),
        }
        self.act();
    }

    fn ask(&mut self, room: &'static str, ask: fn(&mut Machine, &str, Ticket)) {
        self.next += 1;
        self.waiting.insert(self.next, room);
        ask(&mut self.machine, room, self.next);
    }

    /// The server takes the next request.
    fn serve(&mut self) {
        match self.server.to_server.pop_front() {
            Some(Action::SendJoin(room)) => {
                self.server.rooms.insert(room.clone());
                self.acknowledge(&room);
            }
            Some(Action::SendLeave(room)) => {
                self.server.rooms.remove(&room);
                self.server.to_client.push_back(Notice::Left { room });
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, room: &str) {
        let id = Some(format!("me{}", self.server.connections));
        let notice = Notice::Joined { room: room.to_owned(), id, members: Vec::new() };
        self.server.to_client.push_back(notice);
    }

    fn deliver(&mut self) {
        if let Some(notice) = self.server.to_client.pop_front() {
            self.machine.heard(notice);
        }
    }

    fn give_up(&mut self, how: fn(&mut Machine, &str, Ticket)) {
        if let Some((ticket, room)) = self.waiting.pop_last() {
            how(&mut self.machine, room, ticket);
        }
    }

    fn lose(&mut self) {
        let loss = if self.rng.bool() { Loss::Refused } else { Loss::Other };
        self.machine.lost(loss);
        // What was on its way is gone with the connection.
        let connections = self.server.connections;
        self.server = Server { connections, ..Server::default() };
    }

    fn connect(&mut self) {
        if self.machine.phase() == Phase::Away {
            let connections = self.server.connections + 1;
            self.server = Server { connections, ..Server::default() };
            self.machine.opening();
            self.server.rooms.insert("root".into());
            self.acknowledge("root");
        }
    }

    /// Does what the machine wants, and looks at it.
    fn act(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::SendJoin(_) | Action::SendLeave(_) => {
                    let phase = self.machine.phase();
                    assert!(matches!(phase, Phase::Rejoining | Phase::Open), "{phase:?}");
                    self.server.to_server.push_back(action);
                }
                Action::Answer(ticket, answer) => {
                    assert!(self.waiting.remove(&ticket).is_some(), "{ticket}: {answer:?} again");
                    self.joined_at_least_once += usize::from(matches!(answer, Answer::Joined(_)));
                }
                Action::Tell(_) | Action::Ready => {}
            }
        }
    }

    /// All that is on its way arrives.
    fn rest(&mut self) {
        self.connect();
        self.act();
        while !(self.server.to_server.is_empty() && self.server.to_client.is_empty()) {
            self.serve();
            self.deliver();
            self.act();
        }
    }

    fn agrees(&self) {
        assert_eq!(self.machine.phase(), Phase::Open);
        assert!(self.waiting.is_empty(), "nobody told {:?}", self.waiting);
        let rooms: BTreeSet<_> = self.machine.rooms().map(str::to_owned).collect();
        assert_eq!(rooms, self.server.rooms);
        assert_eq!(self.machine.rooms.len(), rooms.len(), "nothing is left half done");
        for room in rooms {
            let own = format!("me{}", self.server.connections);
            assert!(self.machine.members(&room).unwrap().iter().eq([&own]), "{room}");
        }
    }
}

#[test]
fn wherever_it_is_cut_client_and_server_agree_at_rest_and_everybody_is_told_once() {
    let mut joined = 0;
    for seed in 0..WALKS {
        let mut world = World::new(seed);
        let walk = std::panic::AssertUnwindSafe(|| {
            for _ in 0..STEPS {
                world.step();
                if world.rng.u8(..30) == 0 {
                    world.rest();
                    world.agrees();
                }
            }
            world.rest();
            world.agrees();
        });
        if let Err(failure) = std::panic::catch_unwind(walk) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(failure);
        }
        joined += world.joined_at_least_once;
    }
    assert!(joined > 1_000, "the walks lead nowhere: {joined}");
}
