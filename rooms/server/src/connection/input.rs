//! What has been read and not been handled.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio_util::io::poll_read_buf;

use super::{Io, pool};
use crate::hub::When;
use crate::ws::{Assembly, Event, Violation};

/// As little is copied out of a buffer, so that the buffer can be given back.
const SMALL: usize = 1 << 10;

/// The least room that a read is made with.
const MIN_SPARE: usize = 4 << 10;

/// The read buffer of a connection: borrowed for the turn, kept only while a larger message is under way.
pub(super) struct Input {
    buf: Vec<u8>,
    /// How much of `buf` is handled.
    at: usize,
    assembly: Assembly,
}

impl Input {
    pub(super) fn new(max_message: usize, leftover: &[u8]) -> Self {
        Self { buf: leftover.to_vec(), at: 0, assembly: Assembly::new(max_message) }
    }

    /// Takes compressed messages.
    pub(super) fn set_inflates(&mut self) {
        self.assembly.set_inflates();
    }

    /// The next of what has been read, and whether anything comes behind it.
    pub(super) fn next(&mut self) -> Result<Option<(Event<'_>, When)>, Violation> {
        let len = self.buf.len();
        let event = self.assembly.next(&mut self.buf, &mut self.at)?;
        let when = if self.at < len { When::Joined } else { When::Now };
        Ok(event.map(|event| (event, when)))
    }

    /// How much has been read and not been handled.
    pub(super) fn waiting(&self) -> usize {
        self.buf.len() - self.at
    }

    /// Reads once. The number of bytes; 0 at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        io: &mut impl Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let read = poll_read_buf(Pin::new(io), cx, &mut self.buf);
        if read.is_pending() {
            self.rest();
        }
        Poll::Ready(ready!(read))
    }

    fn make_room(&mut self) {
        if self.buf.capacity() < pool::READ {
            let mut buf = pool::take();
            buf.extend_from_slice(&self.buf[self.at..]);
            (self.buf, self.at) = (buf, 0);
        } else if self.at > 0 {
            self.buf.drain(..mem::take(&mut self.at));
        }
        if self.buf.capacity() - self.buf.len() < MIN_SPARE {
            // Doubles: what a header announces may never come.
            self.buf.reserve(pool::READ);
        }
    }

    /// Nothing more can be handled for now: the buffer goes back, if little is in it.
    pub(super) fn rest(&mut self) {
        let left = self.buf.len() - self.at;
        if left < SMALL && self.buf.capacity() > SMALL {
            let rest = self.buf[self.at..].to_vec();
            pool::give(mem::replace(&mut self.buf, rest));
            self.at = 0;
        }
    }
}
