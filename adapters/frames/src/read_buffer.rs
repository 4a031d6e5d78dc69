//! Received bytes that have not been taken yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// What the first read of a connection has room for, and what it has when nothing much comes.
const MIN_SPACE: usize = 4 << 10;
/// The least room that a read is made with.
const MIN_SPARE: usize = 1 << 10;

/// A buffer for reading: it takes more memory as more comes at a time, and holds none while nothing comes.
///
/// # Examples
/// ```
/// use std::future::poll_fn;
/// use wscengine_frames::ReadBuffer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut stream: &[u8] = b"\x81\x05hello";
/// let mut received = ReadBuffer::new(32 << 10);
/// let count = poll_fn(|cx| received.poll_read(&mut stream, cx, 0)).await?;
/// assert_eq!((count, &received.bytes()[2..]), (7, &b"hello"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: BytesMut,
    /// How much room a read is given: as much as lately was of use.
    space: usize,
    max_space: usize,
    /// The most that one read has brought since the connection last had to wait.
    most: usize,
}

impl ReadBuffer {
    /// An empty buffer that reads at most `max` bytes, 1 KiB at least, before they are looked at.
    pub fn new(max: usize) -> Self {
        let max_space = max.max(MIN_SPARE);
        Self { bytes: BytesMut::new(), space: MIN_SPACE.min(max_space), max_space, most: 0 }
    }

    /// Appends bytes that were read elsewhere.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was received and not taken yet, to be taken from the front. Nothing is to be appended or reserved.
    pub fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Whether another read may be made before what is there has been taken. `wanted`: as many bytes are needed to go on,
    /// 0 if that is not known.
    pub fn has_room(&self, wanted: usize) -> bool {
        self.bytes.len() < self.max_space.max(wanted)
    }

    /// Reads once and appends it. `wanted` is that of [`has_room`](Self::has_room): room for it is made as it comes, since
    /// what a header announces may never come. `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    /// That of the stream.
    pub fn poll_read(
        &mut self,
        stream: impl AsyncRead + Unpin,
        cx: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        self.make_room(wanted);
        let polled = poll_read_buf(Pin::new(&mut { stream }), cx, &mut self.bytes);
        if let Poll::Ready(Ok(count)) = polled {
            self.most = self.most.max(count);
            // Where a read filled all of the room, the next one has more.
            if self.bytes.len() == self.bytes.capacity() {
                self.space = (self.space * 2).min(self.max_space);
            }
        }
        polled
    }

    fn make_room(&mut self, wanted: usize) {
        let len = self.bytes.len();
        if self.bytes.capacity() - len < MIN_SPARE {
            // No more than has come already is given in advance.
            let missing = wanted.saturating_sub(len);
            self.bytes.reserve(missing.min(len).max(self.space));
        }
    }

    /// Nothing more has come for now, and what is there has been looked at: memory is not kept for what may come later.
    pub fn rest(&mut self) {
        if self.bytes.len() < MIN_SPARE {
            // The beginning of a frame, if anything: its rest may be long in coming.
            self.bytes = BytesMut::from(&self.bytes[..]);
        }
        if self.most < self.space / 2 {
            self.space = (self.space / 2).max(MIN_SPACE.min(self.max_space));
        }
        self.most = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::Buf;

    use super::*;

    /// Reads once and takes all of it: the room that the read had.
    async fn read_and_take(received: &mut ReadBuffer, stream: &[u8]) -> usize {
        poll_fn(|cx| received.poll_read(stream, cx, 0)).await.expect("a slice can be read");
        let capacity = received.bytes().capacity();
        let len = received.bytes().len();
        received.bytes().advance(len);
        capacity
    }

    #[tokio::test]
    async fn room_grows_while_it_is_filled_and_shrinks_while_it_is_not() {
        let mut received = ReadBuffer::new(16 << 10);
        let plenty = vec![7; 1 << 20];
        let mut rooms = Vec::new();
        for _ in 0..4 {
            rooms.push(read_and_take(&mut received, &plenty).await);
            received.rest();
        }
        assert_eq!(rooms, [4 << 10, 8 << 10, 16 << 10, 16 << 10]);
        for _ in 0..4 {
            read_and_take(&mut received, b"little").await;
            received.rest();
        }
        assert_eq!(read_and_take(&mut received, b"little").await, 4 << 10);
    }

    #[tokio::test]
    async fn while_nothing_comes_no_more_is_held_than_the_beginning_of_a_frame() {
        let mut received = ReadBuffer::new(16 << 10);
        let stream: &[u8] = b"\x81\x05hel";
        let read = poll_fn(|cx| received.poll_read(stream, cx, 0)).await;
        assert_eq!(read.expect("a slice can be read"), 5);
        received.rest();
        assert_eq!(received.bytes(), &b"\x81\x05hel"[..]);
        assert_eq!(received.bytes().capacity(), 5);
        received.bytes().advance(5);
        received.rest();
        read_and_take(&mut received, b"").await;
        received.rest();
        assert_eq!(received.bytes().capacity(), 0);
    }

    #[tokio::test]
    async fn a_frame_larger_than_the_buffer_is_given_room_as_it_comes() {
        let mut received = ReadBuffer::new(4 << 10);
        let bytes = vec![7; 100 << 10];
        while received.has_room(bytes.len()) {
            let rest = &bytes[received.bytes().len()..];
            let read = poll_fn(|cx| received.poll_read(rest, cx, bytes.len()));
            read.await.expect("a slice can be read");
            let (len, capacity) = (received.bytes().len(), received.bytes().capacity());
            assert!(capacity <= 3 * len, "{capacity} for {len}");
        }
        assert_eq!(received.bytes().len(), bytes.len());
        assert!(!received.has_room(0));
    }
}
