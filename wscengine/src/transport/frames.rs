//! Whole messages at the front of received bytes, for adapters that read into a buffer of their own.

use bytes::BytesMut;

use super::Limits;
use super::batch::{Batch, Slot};
use crate::message::MessageKind;

/// The most messages that one call takes, so that what follows a read gets its turn.
const MAX_MESSAGES: usize = 256;

const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;

impl Batch {
    /// Takes the whole messages at the front of `received` and appends them as ranges: what is most of the traffic of
    /// most connections, for a few instructions each and without a copy. How many bytes were taken.
    ///
    /// A message is taken if it lies there in full in one frame that is unmasked, has no reserved bit and its length in
    /// the shortest form (RFC 6455 section 5.2), and is within both limits. The first frame that is anything else, be it
    /// legal, illegal or incomplete, stays at the front of `received` and is the WebSocket library's to judge. Text is
    /// validated when it is lent, as with [`push_range`](Self::push_range).
    ///
    /// To be called between messages only: after a frame that begins a fragmented message (FIN not set), not before
    /// the message's last one, since no other message may come between them. Control frames that come in between
    /// change nothing.
    ///
    /// At most 256 messages are taken at a time, and none while entries refer to the chunk of an earlier call
    /// ([`is_lent`](Self::is_lent)).
    ///
    /// # Examples
    /// ```
    /// use bytes::BytesMut;
    /// use wscengine::transport::{Batch, Limits};
    ///
    /// // Two messages, a ping, and one more message.
    /// let mut received = BytesMut::from(&b"\x81\x02hi\x82\x01\x07\x89\x00\x81\x00"[..]);
    /// let mut batch = Batch::new();
    /// assert_eq!(batch.take_frames(&mut received, Limits::default()), 7);
    /// assert_eq!(batch.len(), 2);
    /// assert_eq!(received[0], 0x89);
    /// ```
    pub fn take_frames(&mut self, received: &mut BytesMut, limits: Limits) -> usize {
        if self.is_lent() {
            return 0;
        }
        self.forget_taken();
        let max = limits.frame.min(limits.message);
        let (mut end, mut taken, mut payload_bytes) = (0, 0, 0);
        while taken < MAX_MESSAGES
            && let Some(Whole { kind, header, len }) = whole(&received[end..], max)
        {
            let start = end + header;
            end = start + len;
            taken += 1;
            payload_bytes += len;
            self.add(Slot::Range(kind, start, end));
        }
        if taken > 0 {
            self.ranges = taken;
            self.payload_bytes += payload_bytes;
            self.chunk = received.split_to(end).freeze();
        }
        end
    }
}

/// A message in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Whole {
    kind: MessageKind,
    /// The length of the header.
    header: usize,
    /// The length of the payload.
    len: usize,
}

/// The frame at the front of `bytes`, if it is a whole message of at most `max` payload bytes.
#[inline(always)]
fn whole(bytes: &[u8], max: usize) -> Option<Whole> {
    let (header, len) = match *bytes {
        [_, len @ 0..=125, ..] => (2, usize::from(len)),
        [_, 126, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
        _ => return long(bytes, max),
    };
    // The shortest form, here and below: each has a least length.
    if header == 4 && len <= 125 {
        return None;
    }
    of(bytes, header, len, max)
}

/// One of at least 64 KiB.
#[cold]
fn long(bytes: &[u8], max: usize) -> Option<Whole> {
    let &[_, 127, a, b, c, d, e, f, g, h, ..] = bytes else { return None };
    let len = usize::try_from(u64::from_be_bytes([a, b, c, d, e, f, g, h])).ok()?;
    if len <= usize::from(u16::MAX) { None } else { of(bytes, 10, len, max) }
}

#[inline(always)]
fn of(bytes: &[u8], header: usize, len: usize, max: usize) -> Option<Whole> {
    let kind = match bytes[0] {
        FINAL_BINARY => MessageKind::Binary,
        FINAL_TEXT => MessageKind::Text,
        _ => return None,
    };
    (len <= max && bytes.len() - header >= len).then_some(Whole { kind, header, len })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Message;
    use crate::transport::Inbound;

    /// A frame as a server sends it, its length in the shortest form.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let len = payload.len();
        let mut bytes = vec![first];
        match len {
            0..126 => bytes.push(len as u8),
            126..65_536 => bytes.extend([&[126][..], &(len as u16).to_be_bytes()].concat()),
            _ => bytes.extend([&[127][..], &(len as u64).to_be_bytes()].concat()),
        }
        bytes.extend(payload);
        bytes
    }

    /// What is taken, and what is left.
    fn taken(bytes: &[u8], limits: Limits) -> (Vec<Message<'static>>, Vec<u8>) {
        let mut received = BytesMut::from(bytes);
        let (mut batch, mut messages) = (Batch::new(), Vec::new());
        let count = batch.take_frames(&mut received, limits);
        assert_eq!(count + received.len(), bytes.len());
        let payload_bytes = batch.payload_bytes();
        while let Some(next) = batch.next() {
            match next {
                Ok(Inbound::Message(message)) => messages.push(message.into_owned()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(payload_bytes, messages.iter().map(Message::len).sum::<usize>());
        assert_eq!((batch.payload_bytes(), batch.is_lent()), (0, false));
        (messages, received.to_vec())
    }

    #[test]
    fn whole_messages_of_all_lengths_are_taken() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; len];
            let bytes = [frame(0x81, &payload), frame(0x82, &payload)].concat();
            let wanted = vec![
                Message::from(String::from_utf8_lossy(&payload).into_owned()),
                Message::from(payload),
            ];
            assert_eq!(taken(&bytes, Limits::default()), (wanted, vec![]), "{len} bytes");
        }
    }

    #[test]
    fn what_is_not_whole_or_not_plain_stays_at_the_front() {
        let behind = frame(0x82, b"behind");
        let first = frame(0x81, b"first");
        let others: &[&[u8]] = &[
            // Parts of a message, reserved bits, control frames, reserved opcodes.
            &[0x01, 1, b'x'],
            &[0x02, 0],
            &[0x80, 0],
            &[0xc1, 0],
            &[0xa2, 0],
            &[0x92, 0],
            &[0x88, 0],
            &[0x89, 0],
            &[0x8a, 0],
            &[0x83, 0],
            // Masked, and in a longer form than needed.
            &[0x81, 0x80, 1, 2, 3, 4],
            &[0x82, 0xfe, 0, 126, 1, 2, 3, 4],
            &[0x82, 126, 0, 125],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            &[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ];
        for other in others {
            let bytes = [&first[..], other, &behind].concat();
            let left = [other, &behind[..]].concat();
            let got = taken(&bytes, Limits::default());
            assert_eq!(got, (vec![Message::from("first")], left), "{other:?}");
        }
    }

    #[test]
    fn a_frame_that_is_not_there_in_full_stays() {
        for len in [0, 3, 125, 126, 1000, 70_000] {
            let whole = frame(0x82, &vec![7; len]);
            for cut in (0..whole.len().min(16)).chain([whole.len() - 1]) {
                let (messages, left) = taken(&whole[..cut], Limits::default());
                assert_eq!((messages.len(), &left[..]), (0, &whole[..cut]), "{cut} of {len}");
            }
        }
    }

    #[test]
    fn both_limits_hold_to_the_byte() {
        let bytes = frame(0x82, &[7; 300]);
        for (message, frame, count) in [(300, 300, 1), (299, 300, 0), (300, 299, 0)] {
            assert_eq!(taken(&bytes, Limits { message, frame }).0.len(), count);
        }
    }

    #[test]
    fn a_call_takes_a_bounded_number_and_the_next_one_goes_on() {
        let mut received = BytesMut::from(&[0x82, 0].repeat(MAX_MESSAGES + 1)[..]);
        let mut batch = Batch::new();
        assert_eq!(batch.take_frames(&mut received, Limits::default()), 2 * MAX_MESSAGES);
        assert_eq!(batch.take_frames(&mut received, Limits::default()), 0, "the chunk is lent");
        while batch.next().is_some() {}
        assert_eq!(batch.take_frames(&mut received, Limits::default()), 2);
    }

    proptest! {
        #[test]
        fn a_run_is_taken_up_to_the_first_frame_that_is_something_else(
            lens in proptest::collection::vec(prop_oneof![0..130_usize, 60_000..70_000_usize], 0..8),
            first in prop_oneof![0..0x81_u8, 0x83..=0xff_u8],
            other in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let good: Vec<_> = lens.iter().map(|len| frame(0x82, &vec![*len as u8; *len])).collect();
            let other = [&[first][..], &other].concat();
            let (messages, left) = taken(&[&good.concat()[..], &other].concat(), Limits::default());
            let wanted = lens.iter().map(|len| Message::from(vec![*len as u8; *len]));
            prop_assert!(messages.into_iter().eq(wanted));
            prop_assert_eq!(left, other);
        }
    }
}
