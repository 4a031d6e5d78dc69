//! A byte stream that is written down beforehand: what is read from it, in which pieces, and that it then ends.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// A stream that gives `input` in the pieces that `cuts` say, then its end, and takes whatever is written.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) input: Input,
    cuts: std::vec::IntoIter<u8>,
    /// All that was written to it.
    pub(crate) written: Vec<u8>,
}

/// What is still to be read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Made of what was written before the first read.
    make: Option<Make>,
    bytes: Vec<u8>,
    at: usize,
}

/// Makes the input of a plan for it and of what was written.
pub(crate) type Make = fn(&[u8], &[u8]) -> Vec<u8>;

impl Script {
    pub(crate) fn new(input: &[u8], cuts: &[u8]) -> Self {
        let input = Input { make: None, bytes: input.to_vec(), at: 0 };
        Self { input, cuts: Vec::from(cuts).into_iter(), written: Vec::new() }
    }

    /// One whose input is made by `make` of a plan for it and of what was written, when it is first read.
    pub(crate) fn answering(plan: &[u8], cuts: &[u8], make: Make) -> Self {
        let mut script = Self::new(plan, cuts);
        script.input.make = Some(make);
        script
    }
}

impl Input {
    /// What was not read.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// All of it.
    pub(crate) fn whole(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(make) = this.input.make.take() {
            this.input.bytes = make(&this.input.bytes, &this.written);
        }
        // When no piece is left, the rest is one.
        let most = this.cuts.next().map_or(usize::MAX, usize::from);
        if most == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = this.input.rest();
        let count = rest.len().min(most).min(buf.remaining());
        buf.put_slice(&rest[..count]);
        this.input.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Splits an input into a list of pieces and the rest: one byte says how many there are, at most 63.
pub(crate) fn split_cuts(input: &[u8]) -> (&[u8], &[u8]) {
    let Some((count, rest)) = input.split_first() else { return (&[], &[]) };
    rest.split_at(usize::from(count % 64).min(rest.len()))
}

/// More than anything takes that does not wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs what would take real time only if it waited.
pub(crate) fn on_a_paused_clock<F: Future>(future: F) -> F::Output {
    RUNTIME.with_borrow(|runtime| runtime.block_on(future))
}

thread_local! {
    /// One for all inputs.
    static RUNTIME: RefCell<Runtime> = RefCell::new(
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime"),
    );
}
