//! The floor: the least a room server can do. Raw protocol, epoll, one thread, each message framed once
//! and the same bytes written to every member. No limits, no timeouts; only for the key this tool sends.

use std::collections::HashMap;
use std::io::ErrorKind::WouldBlock;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;

use socket2::Socket;

use crate::frame::{self, Parsed};
use crate::sys;

const LISTENER: usize = usize::MAX;
/// A member for which more than that waits is cut.
const MOST_UNSENT: usize = 1 << 20;
const READ_BUFFER: usize = 64 << 10;

/// What one read brought goes out in one write for each receiver, or in one for each message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Writes {
    EachMessage,
    Joined,
}

/// Serves until the process ends.
pub(crate) fn run(addr: SocketAddrV4, writes: Writes) -> anyhow::Result<()> {
    Floor::new(addr, writes)?.serve()
}

pub(crate) struct Floor {
    listener: Socket,
    epoll: sys::Epoll,
    /// By file descriptor.
    clients: Vec<Client>,
    names: HashMap<Vec<u8>, usize>,
    /// The file descriptors of each room's members.
    rooms: Vec<Vec<usize>>,
    writes: Writes,
}

#[derive(Default)]
struct Client {
    socket: Option<Socket>,
    upgraded: bool,
    room: Option<usize>,
    partial: Vec<u8>,
    unsent: Vec<u8>,
}

impl Floor {
    pub(crate) fn new(addr: SocketAddrV4, writes: Writes) -> anyhow::Result<Self> {
        let listener = sys::listen(addr)?;
        let epoll = sys::Epoll::new()?;
        epoll.add(&listener, sys::READABLE, LISTENER)?;
        let (clients, names, rooms) = (Vec::new(), HashMap::new(), Vec::new());
        Ok(Self { listener, epoll, clients, names, rooms, writes })
    }

    #[cfg(test)]
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        self.listener.local_addr().unwrap().as_socket_ipv4().unwrap()
    }

    pub(crate) fn serve(mut self) -> anyhow::Result<()> {
        let (mut ready, mut buffer) = (Vec::new(), vec![0; READ_BUFFER]);
        loop {
            ready.clear();
            self.epoll.wait(None, &mut ready);
            for &(token, events) in &ready {
                if token == LISTENER {
                    self.accept();
                    continue;
                }
                if events.intersects(sys::WRITABLE) {
                    self.send(token, &[]);
                }
                if events.intersects(!sys::WRITABLE) {
                    self.read(token, &mut buffer);
                }
            }
        }
    }

    fn accept(&mut self) {
        while let Ok(socket) = sys::accept(&self.listener) {
            let fd = socket.as_raw_fd() as usize;
            if self.clients.len() <= fd {
                self.clients.resize_with(fd + 1, Client::default);
            }
            let _ = self.epoll.add(&socket, sys::READABLE, fd);
            self.clients[fd] = Client { socket: Some(socket), ..Client::default() };
        }
    }

    fn close(&mut self, fd: usize) {
        let client = std::mem::take(&mut self.clients[fd]);
        if let Some(room) = client.room {
            self.rooms[room].retain(|&other| other != fd);
        }
    }

    fn read(&mut self, fd: usize, buffer: &mut [u8]) {
        let Some(socket) = &self.clients[fd].socket else { return };
        let count = match sys::read(socket, buffer) {
            Ok(0) => return self.close(fd),
            Ok(count) => count,
            Err(error) if error.kind() == WouldBlock => return,
            Err(_) => return self.close(fd),
        };
        let mut partial = std::mem::take(&mut self.clients[fd].partial);
        if partial.is_empty() {
            let used = self.take_in(fd, &mut buffer[..count]);
            partial.extend_from_slice(&buffer[used..count]);
        } else {
            partial.extend_from_slice(&buffer[..count]);
            let used = self.take_in(fd, &mut partial);
            partial.drain(..used);
        }
        self.clients[fd].partial = partial;
    }

    /// Handles all that is complete in `bytes`; returns how much that was.
    fn take_in(&mut self, fd: usize, bytes: &mut [u8]) -> usize {
        let Some(mut used) = self.upgraded(fd, bytes) else { return 0 };
        let mut batch = Vec::new();
        loop {
            let frame = match frame::parse(&bytes[used..]) {
                Parsed::Frame(frame) => frame,
                Parsed::Incomplete => break,
                Parsed::Corrupt => {
                    self.close(fd);
                    return bytes.len();
                }
            };
            let payload = &mut bytes[used + frame.start..used + frame.end];
            used += frame.end;
            let mask = frame.mask.unwrap_or_default();
            payload.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= mask[i & 3]);
            match (frame.opcode, self.clients[fd].room) {
                (frame::CLOSE, _) => {
                    self.answer(fd, frame::CLOSE, payload);
                    self.close(fd);
                    return bytes.len();
                }
                (frame::PING, _) => self.answer(fd, frame::PONG, payload),
                (frame::PONG, _) => {}
                (_, None) => self.join(fd, payload),
                (opcode, Some(room)) => {
                    frame::server(&mut batch, opcode, payload);
                    if self.writes == Writes::EachMessage {
                        self.broadcast(room, fd, &batch);
                        batch.clear();
                    }
                }
            }
        }
        if let (false, Some(room)) = (batch.is_empty(), self.clients[fd].room) {
            self.broadcast(room, fd, &batch);
        }
        used
    }

    /// Answers the handshake when it is whole. Says where the frames begin.
    fn upgraded(&mut self, fd: usize, bytes: &[u8]) -> Option<usize> {
        if self.clients[fd].upgraded {
            return Some(0);
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        self.clients[fd].upgraded = true;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            frame::ACCEPT
        );
        self.send(fd, answer.as_bytes());
        Some(end + 4)
    }

    fn join(&mut self, fd: usize, payload: &[u8]) {
        let name = payload.strip_prefix(b"join ").unwrap_or(payload).to_vec();
        let fresh = self.rooms.len();
        let room = *self.names.entry(name).or_insert(fresh);
        if room == fresh {
            self.rooms.push(Vec::new());
        }
        self.rooms[room].push(fd);
        self.clients[fd].room = Some(room);
    }

    fn answer(&mut self, fd: usize, opcode: u8, payload: &[u8]) {
        let mut answer = Vec::new();
        frame::server(&mut answer, opcode, payload);
        self.send(fd, &answer);
    }

    fn broadcast(&mut self, room: usize, from: usize, bytes: &[u8]) {
        let members = std::mem::take(&mut self.rooms[room]);
        let mut overflowed = Vec::new();
        for &fd in &members {
            if fd != from && !self.send(fd, bytes) {
                overflowed.push(fd);
            }
        }
        self.rooms[room] = members;
        overflowed.into_iter().for_each(|fd| self.close(fd));
    }

    /// Writes, keeping what does not fit; false when that is too much.
    fn send(&mut self, fd: usize, bytes: &[u8]) -> bool {
        let client = &mut self.clients[fd];
        let Some(socket) = &client.socket else { return true };
        let had_unsent = !client.unsent.is_empty();
        if had_unsent {
            client.unsent.extend_from_slice(bytes);
            let count =
                if bytes.is_empty() { sys::write(socket, &client.unsent).unwrap_or(0) } else { 0 };
            client.unsent.drain(..count);
        } else if !bytes.is_empty() {
            let count = sys::write(socket, bytes).unwrap_or(0);
            client.unsent.extend_from_slice(&bytes[count..]);
        }
        if had_unsent == client.unsent.is_empty() {
            let waits = if had_unsent { sys::NOTHING } else { sys::WRITABLE };
            let _ = self.epoll.modify(socket, sys::READABLE | waits, fd);
        }
        client.unsent.len() <= MOST_UNSENT
    }
}
