//! Frames that wait to be written, in as few pieces as may be.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf as _, Bytes};

use crate::ws::{Packet, frame_len};

/// A frame of at least this size is kept as a share of its packet; a smaller one is copied behind the one
/// before it, which costs less than to count the share and to name it to the system when writing.
const SHARED: usize = 4 << 10;

/// What the first small frame makes room for.
const FIRST: usize = 512;

/// Frames in the order in which they go out.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Before `tail`.
    chunks: VecDeque<Bytes>,
    tail: Vec<u8>,
    /// How much of `tail` is written, once `chunks` is empty.
    written: usize,
    bytes: usize,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, packet: &Packet) {
        self.bytes += packet.len();
        if packet.len() >= SHARED {
            self.seal();
            self.chunks.push_back(packet.bytes().clone());
            return;
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(FIRST.max(packet.len()));
        }
        self.tail.extend_from_slice(packet.bytes());
    }

    /// What follows goes into a piece of its own.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let mut sealed = Bytes::from(mem::take(&mut self.tail));
            sealed.advance(mem::take(&mut self.written));
            self.chunks.push_back(sealed);
        }
    }

    /// The bytes, as the system's call for several pieces takes them. How many pieces there are.
    pub(crate) fn slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.chunks.iter().map(|chunk| &chunk[..]);
        let pieces = pieces.chain([&self.tail[self.written..]]).filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in out.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// The bytes, if they are in one piece.
    pub(crate) fn single(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.written..])
    }

    /// So many bytes are written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.chunks.front_mut() {
            if count < first.len() {
                first.advance(count);
                return;
            }
            count -= first.len();
            self.chunks.pop_front();
        }
        self.written += count;
        if self.written == self.tail.len() {
            (self.written, self.tail) = (0, Vec::new());
        }
    }

    /// Drops the oldest frame, of which nothing may be written.
    pub(crate) fn drop_oldest(&mut self) {
        let first = self.chunks.front().map_or(&self.tail[self.written..], |chunk| &chunk[..]);
        if let Some(len) = frame_len(first) {
            self.advance(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Kind;

    fn contents(queue: &Queue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = queue.slices(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn frames_go_out_in_order_however_much_each_write_takes() {
        let packets: Vec<_> = [3, SHARED, 5, 0, 2 * SHARED, SHARED + 1, 7]
            .into_iter()
            .enumerate()
            .map(|(at, len)| Packet::message(Kind::Binary, &vec![at as u8; len]))
            .collect();
        let whole: Vec<u8> = packets.iter().flat_map(|packet| packet.bytes().to_vec()).collect();
        for step in [7, 1000, SHARED, whole.len()] {
            let mut queue = Queue::default();
            packets.iter().for_each(|packet| queue.push(packet));
            let mut seen = Vec::new();
            while !queue.is_empty() {
                let now = contents(&queue);
                let count = step.min(now.len());
                seen.extend_from_slice(&now[..count]);
                queue.advance(count);
            }
            assert!(seen == whole, "in steps of {step}");
            assert_eq!(queue.single(), Some(&[][..]));
        }
    }

    #[test]
    fn the_oldest_frame_is_dropped_whole() {
        let mut queue = Queue::default();
        let packets = [1, SHARED, 2, 3].map(|len| Packet::message(Kind::Text, &vec![b'x'; len]));
        packets.iter().for_each(|packet| queue.push(packet));
        for left in 1..packets.len() {
            queue.drop_oldest();
            let expected: Vec<u8> =
                packets[left..].iter().flat_map(|p| p.bytes().to_vec()).collect();
            assert!(contents(&queue) == expected);
            assert_eq!(queue.bytes(), expected.len());
        }
    }
}
