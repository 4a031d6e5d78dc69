//! Groups: connections that publish to each other, and the count of what arrives.

use super::{Load, State};
use crate::{frame, sys};

/// A published payload starts with this mark, the group (4 hex digits) and the sequence number (8).
pub(super) const MARK: u8 = b'!';
pub(super) const STAMP: usize = 13;
const SEQUENCE_AT: usize = 5;
/// The most messages that one group may have in flight.
const RING: usize = 64;

/// Connections that publish to each other, at most `window` messages ahead of the slowest receiver.
pub(crate) struct Group {
    publishers: Vec<Publisher>,
    window: u32,
    /// How many receivers each message has.
    pub(crate) expected: u32,
    sent: u32,
    done: u32,
    ring: [Slot; RING],
}

/// Who publishes: a connection that says to the room, or tells one other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice {
    pub(crate) conn: usize,
    pub(crate) to: Option<usize>,
}

struct Publisher {
    conn: usize,
    frame: Vec<u8>,
    /// Where in `frame` the sequence number is, and where that is in the masked payload.
    seq_at: usize,
    mask_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    received: u32,
    sent_at: u64,
}

impl Load {
    /// A group of which `voices` take turns. Their frames are built here and only stamped later.
    ///
    /// # Panics
    /// If the window or the payload is none that the stamp and the ring have room for.
    pub(crate) fn add_group(&mut self, room: &str, voices: &[Voice], expected: u32, window: u32) {
        let group = self.groups.len();
        assert!(window as usize <= RING, "a window is at most {RING}");
        assert!(self.payload >= STAMP, "a payload is at least {STAMP} bytes");
        assert!(group <= 0xffff, "too many groups");
        let mark = MARK as char;
        let text = format!("{mark}{group:04x}00000000{}", "x".repeat(self.payload - STAMP));
        let publishers = voices.iter().map(|voice| self.publisher(room, *voice, &text)).collect();
        let ring = [Slot::default(); RING];
        self.groups.push(Group { publishers, window, expected, sent: 0, done: 0, ring });
    }

    fn publisher(&self, room: &str, Voice { conn, to }: Voice, text: &str) -> Publisher {
        let own = &self.conns[conn].id;
        let message = match to {
            Some(to) if self.protocol.has_direct() => {
                self.protocol.tell(&self.conns[to].id, own, text)
            }
            _ => self.protocol.say(room, own, text),
        };
        let mut frame = Vec::new();
        let start = frame::client(&mut frame, self.protocol.opcode(), &message);
        let stamp = &text.as_bytes()[..SEQUENCE_AT];
        let stamp = message.windows(SEQUENCE_AT).rposition(|window| window == stamp);
        let mask_at = stamp.expect("the message holds the text") + SEQUENCE_AT;
        Publisher { conn, frame, seq_at: start + mask_at, mask_at }
    }

    /// Publishes what the window allows, at most `most` messages.
    fn publish(&mut self, group: usize, most: usize, sent_at: u64) {
        let Group { publishers, window, sent, done, ring, .. } = &mut self.groups[group];
        for _ in 0..most {
            if *sent - *done >= *window {
                return;
            }
            let turn = *sent as usize % publishers.len();
            let publisher = &mut publishers[turn];
            let conn = &mut self.conns[publisher.conn];
            if conn.state != State::Ready {
                return;
            }
            for i in 0..8 {
                let digit = (*sent >> (28 - 4 * i)) & 0xf;
                let hex = b"0123456789abcdef"[digit as usize];
                publisher.frame[publisher.seq_at + i] =
                    hex ^ frame::MASK[(publisher.mask_at + i) & 3];
            }
            conn.out.extend_from_slice(&publisher.frame);
            self.to_flush.push(publisher.conn);
            ring[*sent as usize % RING] = Slot { received: 0, sent_at };
            *sent += 1;
        }
    }

    /// Fills every group's window.
    pub(crate) fn publish_all(&mut self) {
        self.publishing = true;
        let now = sys::now();
        if self.pace.is_some() {
            self.next_at = self.next_at.max(now);
            return;
        }
        (0..self.groups.len()).for_each(|group| self.publish(group, RING, now));
        self.flush_queued();
    }

    /// Publishes what is due. Latency counts from when it was due, also when the window was full.
    pub(super) fn publish_due(&mut self, interval: u64) {
        let now = sys::now();
        while self.next_at <= now {
            let group = self.next_group;
            let before = self.groups[group].sent;
            self.publish(group, 1, self.next_at);
            if self.groups[group].sent == before {
                return;
            }
            self.next_group = (group + 1) % self.groups.len();
            self.next_at += interval;
        }
    }

    /// Publishes where messages arrived everywhere, unless messages are paced.
    pub(super) fn publish_completed(&mut self) {
        let mut groups = std::mem::take(&mut self.to_publish);
        if self.publishing && self.pace.is_none() {
            let now = sys::now();
            groups.iter().for_each(|&group| self.publish(group, RING, now));
        }
        groups.clear();
        self.to_publish = groups;
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.sent - group.done)).sum()
    }

    /// A published message arrived at a connection.
    pub(super) fn delivered(&mut self, index: usize, stamp: &[u8]) {
        let (group, seq) = (digits(&stamp[1..SEQUENCE_AT]), digits(&stamp[SEQUENCE_AT..STAMP]));
        let (Some(group), Some(seq)) = (group, seq) else {
            self.counters.corrupt += 1;
            return;
        };
        let conn = &mut self.conns[index];
        conn.received += 1;
        if conn.dial.group != group || group as usize >= self.groups.len() {
            self.counters.misrouted += 1;
            return;
        }
        let arrived = &mut self.groups[group as usize];
        if arrived.publishers.len() == 1 {
            self.counters.out_of_order += u64::from(seq != conn.next_seq);
            conn.next_seq = seq.wrapping_add(1);
        }
        if seq < arrived.done || seq >= arrived.sent {
            self.counters.duplicates += 1;
            return;
        }
        self.counters.deliveries += 1;
        let slot = &mut arrived.ring[seq as usize % RING];
        slot.received += 1;
        if slot.received == arrived.expected {
            self.latencies.push(sys::now() - slot.sent_at);
            self.counters.messages += 1;
            arrived.advance();
            self.to_publish.push(group as usize);
        }
    }
}

impl Group {
    /// Past the messages that arrived everywhere.
    fn advance(&mut self) {
        while self.done < self.sent
            && self.ring[self.done as usize % RING].received >= self.expected
        {
            self.done += 1;
        }
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, &byte| Some(number << 4 | (byte as char).to_digit(16)?))
}
