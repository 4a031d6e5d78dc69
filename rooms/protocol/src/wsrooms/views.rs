//! What a frame means to the one that receives it, and the frames that have a meaning.

use super::{Frame, NoticeError, decode_members, event};

/// What a client wants from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// To be in `room`, which comes into being if need be. The frame's other fields do not matter.
    Join {
        /// The room.
        room: &'a str,
    },
    /// To be out of `room`. The frame's other fields do not matter.
    Leave {
        /// The room.
        room: &'a str,
    },
    /// That the one whose id is `dst` gets this.
    Direct(Frame<'a>),
    /// That a handler of the event gets this or, if there is none, all other members of the room.
    Broadcast(Frame<'a>),
    /// An event that only the server may send: forged, to be dropped.
    Reserved(Frame<'a>),
}

/// What the server tells a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// The client is in `room`. The first one, for [`ROOT`](super::ROOT), is how it learns its id.
    Joined {
        /// The room.
        room: &'a str,
        /// The client's own id.
        id: &'a str,
        /// Who is in the room; the original server leaves the client itself out, mostly.
        members: Vec<String>,
    },
    /// The client is out of `room`.
    Left {
        /// The room.
        room: &'a str,
        /// The client's own id.
        id: &'a str,
    },
    /// Somebody came.
    NewMember {
        /// The room.
        room: &'a str,
        /// Who.
        id: &'a str,
    },
    /// Somebody went. The original server tells this also of those who never were there.
    MemberLeft {
        /// The room.
        room: &'a str,
        /// Who.
        id: &'a str,
    },
    /// A message of `src`, for the room or, where `dst` is not empty, for this client alone.
    Message(Frame<'a>),
}

impl<'a> Frame<'a> {
    /// What the client that sent this frame wants.
    ///
    /// # Examples
    /// ```
    /// use wscengine_rooms_protocol::wsrooms::{Frame, Request};
    ///
    /// assert_eq!(Frame::join("lobby").request(), Request::Join { room: "lobby" });
    /// let forged = Frame { room: "lobby", event: "member_left", ..Frame::default() };
    /// assert_eq!(forged.request(), Request::Reserved(forged));
    /// ```
    #[must_use]
    pub fn request(self) -> Request<'a> {
        match self.event {
            event::JOIN => Request::Join { room: self.room },
            event::LEAVE => Request::Leave { room: self.room },
            name if event::is_reserved(name) => Request::Reserved(self),
            _ if self.dst.is_empty() => Request::Broadcast(self),
            _ => Request::Direct(self),
        }
    }

    /// What the server that sent this frame tells.
    ///
    /// # Errors
    /// The payload is not what the event brings along.
    ///
    /// # Examples
    /// ```
    /// use wscengine_rooms_protocol::wsrooms::{Frame, Notice};
    ///
    /// let news = Frame::new_member("lobby", "b");
    /// assert_eq!(news.notice(), Ok(Notice::NewMember { room: "lobby", id: "b" }));
    /// ```
    pub fn notice(self) -> Result<Notice<'a>, NoticeError> {
        let Self { room, src, .. } = self;
        Ok(match self.event {
            event::JOIN_ACK => {
                Notice::Joined { room, id: src, members: decode_members(self.payload)? }
            }
            event::LEAVE_ACK => Notice::Left { room, id: src },
            event::NEW_MEMBER => Notice::NewMember { room, id: self.id_in_payload()? },
            event::MEMBER_LEFT => Notice::MemberLeft { room, id: self.id_in_payload()? },
            _ => Notice::Message(self),
        })
    }

    fn id_in_payload(&self) -> Result<&'a str, NoticeError> {
        std::str::from_utf8(self.payload)
            .map_err(|wrong| NoticeError::IdNotUtf8 { at: wrong.valid_up_to() })
    }

    /// From a client: to be in `room`.
    #[must_use]
    pub fn join(room: &'a str) -> Self {
        Self { room, event: event::JOIN, ..Self::default() }
    }

    /// From a client whose id is `id`: to be out of `room`.
    #[must_use]
    pub fn leave(room: &'a str, id: &'a str) -> Self {
        Self { room, event: event::LEAVE, dst: id, src: id, payload: id.as_bytes() }
    }

    /// From the server: `id` is in `room`, with those that [`encode_members`](super::encode_members)
    /// wrote.
    #[must_use]
    pub fn join_ack(room: &'a str, id: &'a str, members: &'a [u8]) -> Self {
        Self { room, event: event::JOIN_ACK, src: id, payload: members, ..Self::default() }
    }

    /// From the server: `id` is out of `room`.
    #[must_use]
    pub fn leave_ack(room: &'a str, id: &'a str) -> Self {
        Self { room, event: event::LEAVE_ACK, src: id, payload: id.as_bytes(), ..Self::default() }
    }

    /// From the server, to the others: `id` came.
    #[must_use]
    pub fn new_member(room: &'a str, id: &'a str) -> Self {
        Self { room, event: event::NEW_MEMBER, payload: id.as_bytes(), ..Self::default() }
    }

    /// From the server, to the others: `id` went.
    #[must_use]
    pub fn member_left(room: &'a str, id: &'a str) -> Self {
        Self { room, event: event::MEMBER_LEFT, payload: id.as_bytes(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_join_leave_and_speak_but_not_in_the_servers_name() {
        let own = Frame { room: "r", event: "chat", payload: b"x", ..Frame::default() };
        let direct = Frame { dst: "b", ..own };
        assert_eq!(own.request(), Request::Broadcast(own));
        assert_eq!(direct.request(), Request::Direct(direct));
        assert_eq!(Frame::leave("r", "a").request(), Request::Leave { room: "r" });
        for name in ["join_ack", "leave_ack", "new_member", "member_left", "open", "close"] {
            for dst in ["", "b"] {
                let forged = Frame { event: name, dst, ..own };
                assert_eq!(forged.request(), Request::Reserved(forged));
            }
        }
    }

    #[test]
    fn what_the_server_tells_is_understood() {
        let members = super::super::encode_members(["a", "b"]);
        let joined = Frame::join_ack("r", "b", &members).notice();
        let expected = Notice::Joined { room: "r", id: "b", members: vec!["a".into(), "b".into()] };
        assert_eq!(joined, Ok(expected));
        assert_eq!(Frame::leave_ack("r", "b").notice(), Ok(Notice::Left { room: "r", id: "b" }));
        let left = Frame::member_left("r", "b");
        assert_eq!(left.notice(), Ok(Notice::MemberLeft { room: "r", id: "b" }));
        let wrong = Frame { payload: b"ab\xff", ..left };
        assert_eq!(wrong.notice(), Err(NoticeError::IdNotUtf8 { at: 2 }));
        assert!(Frame::join_ack("r", "b", b"").notice().is_err());
        let chat = Frame { event: "chat", ..left };
        assert_eq!(chat.notice(), Ok(Notice::Message(chat)));
    }
}
