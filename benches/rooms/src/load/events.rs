//! What a socket says: connected, readable, writable, gone.

use std::io::ErrorKind::WouldBlock;

use nix::sys::epoll::EpollFlags;

use super::connection::How;
use super::group::{MARK, STAMP};
use super::{Load, State};
use crate::frame::{self, Parsed};
use crate::protocol::{Ack, find_uuid};
use crate::sys;

/// What is in the ping that stands for an answer.
pub(super) const SYNC: &[u8] = b"bench-sync";

impl Load {
    pub(super) fn on_event(&mut self, index: usize, events: EpollFlags) {
        match self.conns[index].state {
            State::Gone => return,
            State::Connecting => return self.on_connected(index),
            _ => {}
        }
        if events.intersects(sys::WRITABLE) {
            self.flush(index);
        }
        if !self.conns[index].interest.intersects(sys::READABLE) {
            // a member that does not read: only note that it was cut
            if events.intersects(sys::HANG_UP) {
                self.lost(index, "reset while not reading");
            }
        } else if events.intersects(sys::READABLE | sys::HANG_UP) {
            self.read(index);
        }
    }

    fn on_connected(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        if conn.socket.as_ref().is_none_or(sys::connect_failed) {
            self.counters.connect_failures += 1;
            self.gone(index, How::Reset);
            if self.churning {
                self.redial(index);
            }
            return;
        }
        conn.state = State::Upgrading;
        conn.out.extend_from_slice(&self.request);
        self.set_interest(index, sys::READABLE);
        self.flush(index);
    }

    fn read(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read_into(index, &mut buffer);
        self.buffer = buffer;
    }

    fn read_into(&mut self, index: usize, buffer: &mut [u8]) {
        let Some(socket) = &self.conns[index].socket else { return };
        let count = match sys::read(socket, buffer) {
            Ok(0) => return self.lost(index, "end of stream"),
            Ok(count) => count,
            Err(error) if error.kind() == WouldBlock => return,
            Err(_) => return self.lost(index, "reset"),
        };
        self.counters.reads += 1;
        self.counters.bytes_read += count as u64;
        let mut partial = std::mem::take(&mut self.conns[index].partial);
        if partial.is_empty() {
            let used = self.take_in(index, &buffer[..count]);
            partial.extend_from_slice(&buffer[used..count]);
        } else {
            partial.extend_from_slice(&buffer[..count]);
            let used = self.take_in(index, &partial);
            partial.drain(..used);
        }
        if !self.is_another(index) {
            self.conns[index].partial = partial;
        }
    }

    /// Whether what was read belongs to a connection that is over.
    fn is_another(&self, index: usize) -> bool {
        matches!(self.conns[index].state, State::Gone | State::Connecting)
    }

    /// Handles all that is complete in `bytes`; returns how much that was.
    fn take_in(&mut self, index: usize, bytes: &[u8]) -> usize {
        let mut used = 0;
        if self.conns[index].state == State::Upgrading {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                return 0;
            };
            self.on_answer(index, &String::from_utf8_lossy(&bytes[..end]));
            used = end + 4;
        }
        while !self.is_another(index) {
            match frame::parse(&bytes[used..]) {
                Parsed::Incomplete => return used,
                Parsed::Corrupt => {
                    self.counters.corrupt += 1;
                    self.lost(index, "corrupt frame");
                }
                Parsed::Frame(frame) => {
                    let payload = &bytes[used + frame.start..used + frame.end];
                    self.on_frame(index, frame.opcode, payload);
                    used += frame.end;
                }
            }
        }
        bytes.len()
    }

    /// The head of the server's answer to the handshake.
    fn on_answer(&mut self, index: usize, head: &str) {
        if !head.starts_with("HTTP/1.1 101") || !head.contains(frame::ACCEPT) {
            self.last_refusal = head.lines().next().map(str::to_owned);
            self.counters.upgrade_failures += 1;
            self.gone(index, How::Reset);
        } else if self.protocol.greets_with_id() {
            self.conns[index].state = State::Greeting;
        } else {
            self.join(index);
        }
    }

    fn on_frame(&mut self, index: usize, opcode: u8, data: &[u8]) {
        match opcode {
            frame::PING => self.queue(index, frame::PONG, data),
            frame::PONG => {
                let conn = &self.conns[index];
                let awaited = matches!(conn.awaited, Ack::Pong);
                if conn.state == State::Joining && awaited && data == SYNC {
                    self.joined(index);
                }
            }
            frame::CLOSE => {
                let code = data.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                self.conns[index].close_code = Some(code);
                if self.conns[index].state != State::Closing {
                    self.lost(index, "close");
                }
            }
            _ => self.on_message(index, data),
        }
    }

    fn on_message(&mut self, index: usize, data: &[u8]) {
        let conn = &mut self.conns[index];
        match conn.state {
            State::Ready => {
                let stamp = data.len().checked_sub(self.payload + self.protocol.suffix());
                match stamp.map(|at| &data[at..at + STAMP]) {
                    Some(stamp) if stamp[0] == MARK => self.delivered(index, stamp),
                    _ => self.counters.others += 1,
                }
            }
            State::Greeting => {
                if let Some(id) = find_uuid(data) {
                    conn.id = id.to_owned();
                    self.join(index);
                }
            }
            State::Joining | State::Leaving => {
                let answered =
                    matches!(&conn.awaited, Ack::Message(start) if data.starts_with(start));
                match (answered, conn.state) {
                    (true, State::Joining) => self.joined(index),
                    (true, _) => self.close(index),
                    (false, _) => self.counters.others += 1,
                }
            }
            State::Connecting | State::Upgrading | State::Closing | State::Gone => {}
        }
    }

    pub(super) fn flush_queued(&mut self) {
        let mut list = std::mem::take(&mut self.to_flush);
        for &index in &list {
            self.flush(index);
        }
        list.clear();
        self.to_flush = list;
    }

    fn flush(&mut self, index: usize) {
        let conn = &mut self.conns[index];
        if conn.out.is_empty() || conn.state == State::Connecting {
            return;
        }
        let Some(socket) = &conn.socket else { return };
        match sys::write(socket, &conn.out) {
            Ok(count) => drop(conn.out.drain(..count)),
            Err(error) if error.kind() == WouldBlock => {}
            Err(_) => return self.lost(index, "reset"),
        }
        let reads = conn.interest & sys::READABLE;
        let waits = if conn.out.is_empty() { sys::NOTHING } else { sys::WRITABLE };
        self.set_interest(index, reads | waits);
    }
}
