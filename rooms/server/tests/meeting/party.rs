//! Members of all kinds in one room.

use std::net::SocketAddr;

use wscengine_rooms_server::{Config, RunningServer};

use crate::common::{assert_nothing_more, start};
use crate::member::{KINDS, Kind, Member, ROOM};

/// Two wsrooms clients and one of each other kind. All that they heard of each other is behind them.
pub(crate) struct Party {
    pub(crate) members: Vec<Member>,
    pub(crate) addr: SocketAddr,
    _server: RunningServer,
}

impl Party {
    pub(crate) async fn meet() -> Self {
        let server = start(Config::default()).await;
        let mut party = Self { members: Vec::new(), addr: server.local_addr(), _server: server };
        for kind in [Kind::Wsrooms].into_iter().chain(KINDS) {
            party.enter(kind).await;
        }
        party
    }

    /// Another member; those who are there are told as their kind is.
    pub(crate) async fn enter(&mut self, kind: Kind) {
        let mut member = Member::connect(self.addr, kind).await;
        if kind == Kind::Wsrooms {
            self.are_told("root", "new_member", &member.id).await;
        }
        let list = member.join(ROOM).await;
        if member.id.is_empty() {
            // What the others hear of it.
            member.id = self.of_wsrooms().next().unwrap().wsrooms().await.payload_text();
            for other in self.of_wsrooms().skip(1) {
                assert_eq!(other.wsrooms().await.payload_text(), member.id);
            }
        } else {
            self.are_told(ROOM, "new_member", &member.id).await;
        }
        self.members.push(member);
        if let Some(list) = list {
            assert_eq!(list, self.ids());
        }
    }

    /// All wsrooms members hear this next.
    pub(crate) async fn are_told(&mut self, room: &str, event: &str, id: &str) {
        for member in self.of_wsrooms() {
            let news = member.wsrooms().await;
            assert_eq!((&*news.room, &*news.event), (room, event));
            assert_eq!((&*news.dst, &*news.src, &*news.payload), ("", "", id.as_bytes()));
        }
    }

    pub(crate) fn of_wsrooms(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().filter(|member| member.kind == Kind::Wsrooms)
    }

    /// Of all members, sorted.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.members.iter().map(|member| member.id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) async fn assert_nothing_more(&mut self) {
        let mut talkers: Vec<_> =
            self.members.iter_mut().map(|member| &mut member.talker).collect();
        assert_nothing_more(&mut talkers).await;
    }
}

trait PayloadText {
    fn payload_text(&self) -> String;
}

impl PayloadText for wscengine_rooms_server::wsrooms::Message {
    fn payload_text(&self) -> String {
        String::from_utf8(self.payload.to_vec()).unwrap()
    }
}
