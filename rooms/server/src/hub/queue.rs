//! Frames that wait to be written.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};

use crate::ws::Packet;

/// The most that is gathered for one write.
const GATHERED: usize = 64 << 10;

/// Room for so many frames is kept while none waits.
const KEPT: usize = 16;

/// Room for so many comes first.
const FIRST: usize = 4;

/// Frames in the order in which they go out: shares of packets, which cost a receiver little more than a
/// pointer for as long as they wait. They are put together when they are written.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// A part of the first frame is written.
    begun: bool,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, packet: &Packet) {
        self.bytes += packet.len();
        if self.frames.len() == self.frames.capacity() {
            // By itself it grows from 4 by doubling, which is dear where it has filled and emptied again and again.
            self.frames.reserve_exact((3 * self.frames.capacity()).max(FIRST));
        }
        self.frames.push_back(packet.bytes().clone());
    }

    /// The rest of a frame that is written in part; nothing may wait before it.
    pub(crate) fn push_rest(&mut self, rest: Bytes) {
        self.bytes += rest.len();
        self.begun = true;
        self.frames.push_back(rest);
    }

    /// What to write next: several frames are put together in `scratch`. Empty if nothing waits.
    pub(crate) fn next<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let first = self.frames.front().map_or(&[][..], |first| &first[..]);
        if self.frames.len() < 2 || first.len() >= GATHERED {
            return first;
        }
        scratch.clear();
        for frame in &self.frames {
            if !scratch.is_empty() && scratch.len() + frame.len() > GATHERED {
                break;
            }
            scratch.extend_from_slice(frame);
        }
        scratch
    }

    /// So many bytes are written.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while let Some(first) = self.frames.front_mut() {
            if count < first.len() {
                first.advance(count);
                self.begun |= count > 0;
                return;
            }
            count -= first.len();
            self.frames.pop_front();
            self.begun = false;
        }
        if self.frames.capacity() > KEPT {
            self.frames = VecDeque::new();
        }
    }

    /// Drops the oldest frame of which nothing is written. Whether there was one.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let dropped = self.frames.remove(usize::from(self.begun));
        self.bytes -= dropped.as_ref().map_or(0, Bytes::len);
        dropped.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Kind;

    fn queue(lens: &[usize]) -> (Queue, Vec<u8>) {
        let (mut queue, mut whole) = (Queue::default(), Vec::new());
        for (at, &len) in lens.iter().enumerate() {
            let packet = Packet::message(Kind::Binary, &vec![at as u8; len]);
            whole.extend_from_slice(packet.bytes());
            queue.push(&packet);
        }
        (queue, whole)
    }

    #[test]
    fn frames_go_out_in_order_however_much_each_write_takes() {
        for step in [7, 1000, GATHERED, usize::MAX] {
            let (mut queue, whole) = queue(&[3, 4096, 5, 0, GATHERED, 2 * GATHERED, 4097, 7]);
            let (mut scratch, mut seen) = (Vec::new(), Vec::new());
            while !queue.is_empty() {
                let now = queue.next(&mut scratch);
                let count = step.min(now.len());
                seen.extend_from_slice(&now[..count]);
                queue.advance(count);
            }
            assert!(seen == whole, "in steps of {step}");
            assert_eq!((queue.bytes(), queue.next(&mut scratch)), (0, &[][..]));
        }
    }

    #[test]
    fn small_frames_that_wait_go_out_together() {
        let (queue, whole) = queue(&[100; 16]);
        assert_eq!(queue.next(&mut Vec::new()), whole);
    }

    #[test]
    fn the_oldest_frame_is_dropped_whole() {
        let (mut queue, whole) = queue(&[1, 200, 2]);
        assert!(queue.drop_oldest());
        assert_eq!(queue.next(&mut Vec::new()), &whole[3..]);
        assert_eq!(queue.bytes(), whole.len() - 3);
    }

    #[test]
    fn a_frame_that_is_written_in_part_is_not_dropped() {
        let (mut queue, whole) = queue(&[10, 20]);
        queue.advance(1);
        assert!(queue.drop_oldest(), "the second one");
        assert!(!queue.drop_oldest());
        assert_eq!(queue.next(&mut Vec::new()), &whole[1..12]);
        queue.advance(11);
        queue.push_rest(Bytes::from_static(b"rest"));
        assert!(!queue.drop_oldest());
        assert_eq!(queue.next(&mut Vec::new()), b"rest");
    }
}
