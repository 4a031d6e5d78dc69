//! A client connection from its dial to its end.

use socket2::Socket;

use super::Load;
use crate::frame;
use crate::protocol::Ack;
use crate::sys;

/// Where a connection is on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum State {
    Connecting,
    Upgrading,
    /// Waits for the message that names the id.
    Greeting,
    Joining,
    Ready,
    Leaving,
    Closing,
    Gone,
}

/// The receive buffer of a socket: small for the member that will stop reading.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum ReceiveBuffer {
    #[default]
    Default,
    Small,
}

const SMALL_BUFFER: usize = 4096;

/// How a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    Close,
    Reset,
}

/// A connection to be: the room that it joins, if any, and the group whose messages belong to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dial {
    pub(crate) room: Option<String>,
    pub(crate) group: u32,
    pub(crate) receive_buffer: ReceiveBuffer,
}

impl Dial {
    /// Into room `rN` of group N.
    pub(crate) fn to_room(number: usize) -> Self {
        Self { room: Some(format!("r{number}")), group: number as u32, ..Self::default() }
    }

    /// Like this, with a small receive buffer.
    pub(crate) fn small(self) -> Self {
        Self { receive_buffer: ReceiveBuffer::Small, ..self }
    }
}

pub(crate) struct Conn {
    pub(super) socket: Option<Socket>,
    pub(crate) state: State,
    pub(super) dial: Dial,
    pub(super) id: String,
    pub(super) awaited: Ack,
    pub(super) partial: Vec<u8>,
    pub(super) out: Vec<u8>,
    pub(super) interest: nix::sys::epoll::EpollFlags,
    pub(super) next_seq: u32,
    since: u64,
    pub(crate) received: u64,
    pub(super) close_code: Option<u16>,
}

impl Conn {
    fn new(dial: Dial) -> Self {
        Self {
            socket: None,
            state: State::Gone,
            dial,
            id: String::new(),
            awaited: Ack::Pong,
            partial: Vec::new(),
            out: Vec::new(),
            interest: sys::NOTHING,
            next_seq: 0,
            since: 0,
            received: 0,
            close_code: None,
        }
    }

    fn is_settling(&self) -> bool {
        !matches!(self.state, State::Ready | State::Gone)
    }
}

impl Load {
    /// Starts a connection, which will be `Ready` once it has joined.
    pub(crate) fn dial(&mut self, dial: Dial) {
        self.conns.push(Conn::new(dial));
        self.redial(self.conns.len() - 1);
    }

    pub(crate) fn redial(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        conn.since = sys::now();
        conn.partial.clear();
        conn.out.clear();
        conn.id.clear();
        let small = conn.dial.receive_buffer == ReceiveBuffer::Small;
        let connected = sys::connect(self.addr, small.then_some(SMALL_BUFFER));
        let Ok(socket) = connected.and_then(|socket| {
            self.epoll.add(&socket, sys::WRITABLE, index)?;
            Ok(socket)
        }) else {
            conn.state = State::Gone;
            self.counters.connect_failures += 1;
            return;
        };
        conn.socket = Some(socket);
        conn.state = State::Connecting;
        conn.interest = sys::WRITABLE;
        self.pending += 1;
    }

    pub(super) fn set_interest(&mut self, index: usize, interest: nix::sys::epoll::EpollFlags) {
        let conn = &mut self.conns[index];
        let Some(socket) = &conn.socket else { return };
        if conn.interest != interest {
            conn.interest = interest;
            let _ = self.epoll.modify(socket, interest, index);
        }
    }

    /// Reads no more; what the server sends meanwhile fills the socket buffers.
    pub(crate) fn stop_reading(&mut self, index: usize) {
        self.set_interest(index, sys::NOTHING);
    }

    pub(crate) fn resume_reading(&mut self, index: usize) {
        self.set_interest(index, sys::READABLE);
    }

    pub(super) fn gone(&mut self, index: usize, how: How) {
        let conn = &mut self.conns[index];
        if conn.state == State::Gone {
            return;
        }
        if conn.state != State::Ready {
            self.pending -= 1;
        }
        conn.state = State::Gone;
        match (conn.socket.take(), how) {
            (Some(socket), How::Reset) => sys::abort(socket),
            (socket, _) => drop(socket),
        }
    }

    /// The server ended the connection (or broke it).
    pub(super) fn lost(&mut self, index: usize, how: &str) {
        let state = self.conns[index].state;
        self.gone(index, How::Close);
        if state == State::Closing {
            self.counters.cycles += 1;
        } else {
            self.counters.closed_by_server += 1;
            let code = self.conns[index].close_code;
            let how = code.map_or(how.to_owned(), |code| format!("close {code}"));
            *self.ends.entry(how).or_default() += 1;
        }
        if self.churning {
            self.redial(index);
        }
    }

    /// Gives up on connections that have been in set-up for longer than `limit_ns`.
    pub(crate) fn expire(&mut self, limit_ns: u64) {
        let now = sys::now();
        for index in 0..self.conns.len() {
            let conn = &self.conns[index];
            if !conn.is_settling() || now.saturating_sub(conn.since) <= limit_ns {
                continue;
            }
            *self.ends.entry(format!("timeout in {:?}", conn.state)).or_default() += 1;
            self.counters.timeouts += 1;
            self.gone(index, How::Reset);
            if self.churning {
                self.redial(index);
            }
        }
    }

    pub(super) fn queue(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        frame::client(&mut self.conns[index].out, opcode, payload);
        self.to_flush.push(index);
    }

    pub(super) fn join(&mut self, index: usize) {
        match &self.conns[index].dial.room {
            Some(room) => {
                let request = self.protocol.join(room);
                self.request_and_await(index, request, State::Joining);
            }
            None => self.joined(index),
        }
    }

    pub(super) fn joined(&mut self, index: usize) {
        self.counters.joined += 1;
        if !self.churning {
            self.conns[index].state = State::Ready;
            self.pending -= 1;
            return;
        }
        let conn = &self.conns[index];
        let room = conn.dial.room.as_deref().unwrap_or_default();
        match self.protocol.leave(room, &conn.id) {
            Some(request) => self.request_and_await(index, request, State::Leaving),
            None => self.close(index),
        }
    }

    fn request_and_await(&mut self, index: usize, (message, ack): (Vec<u8>, Ack), state: State) {
        self.queue(index, self.protocol.opcode(), &message);
        if let Ack::Pong = ack {
            self.queue(index, frame::PING, super::events::SYNC);
        }
        let conn = &mut self.conns[index];
        conn.awaited = ack;
        conn.state = state;
    }

    pub(super) fn close(&mut self, index: usize) {
        self.queue(index, frame::CLOSE, &1000u16.to_be_bytes());
        self.conns[index].state = State::Closing;
    }
}
