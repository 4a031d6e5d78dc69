//! The byte stream beneath tungstenite: counted, and checked.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::scan::{Scanner, Stop};

/// An upgraded byte stream that counts what passes, and checks what tungstenite does not: that lengths are
/// in their shortest form, and close codes are ones that may be sent.
///
/// [`TungsteniteConnection::new`](crate::TungsteniteConnection::new) puts it beneath tungstenite.
#[derive(Debug)]
pub struct Checked<S> {
    inner: S,
    /// Bytes that were read with the handshake's answer: the first input.
    leftover: Bytes,
    /// None once our side is shut down: what still comes is thrown away.
    scanner: Option<Scanner>,
    stop: Option<Stop>,
    traffic: Arc<Traffic>,
}

/// What has passed since the connection opened, shared with the connection above tungstenite.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    read: AtomicU64,
    written: AtomicU64,
    failure: OnceLock<Arc<io::Error>>,
}

impl Traffic {
    pub(crate) fn add_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Why nothing can be written any more, if so.
    pub(crate) fn failure(&self) -> Option<Arc<io::Error>> {
        self.failure.get().cloned()
    }
}

impl<S> Checked<S> {
    pub(crate) fn new(inner: S, leftover: Bytes, traffic: Arc<Traffic>) -> Self {
        Self { inner, leftover, scanner: Some(Scanner::new()), stop: None, traffic }
    }

    /// The stream underneath.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The stream underneath, to set options. Bytes are not to be read or written.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S> Checked<S> {
    /// Keeps the first failure to write.
    fn fail(&self, error: io::Error) {
        let _ = self.traffic.failure.set(Arc::new(error));
    }
}

impl<S: AsyncRead + Unpin> Checked<S> {
    /// Appends what has come, unchecked.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.leftover.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let count = self.leftover.len().min(buf.remaining());
        buf.put_slice(&self.leftover[..count]);
        self.leftover.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let start = buf.filled().len();
        loop {
            // Only once all before it has been passed on; what comes after it is not looked at.
            if let Some(stop) = this.stop.take() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, stop)));
            }
            ready!(this.poll_fill(cx, buf))?;
            let count = buf.filled().len() - start;
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            this.traffic.add_read(count);
            let Some(scanner) = &mut this.scanner else { return Poll::Ready(Ok(())) };
            let (passed, stop) = scanner.scan(&buf.filled()[start..]);
            this.stop = stop;
            buf.set_filled(start + passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// tungstenite writes pongs while it reads, and fails the read when that fails: what had come behind the
/// ping would be lost, the peer's last words among it. So it is told that all is well; the connection asks
/// for the failure when it writes.
impl<S: AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.traffic.failure.get().is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(Pin::new(&mut self.inner).poll_write(cx, bytes)) {
            Ok(0) if !bytes.is_empty() => self.fail(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                self.traffic.add_written(count);
                return Poll::Ready(Ok(count));
            }
            Err(error) => self.fail(error),
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.traffic.failure.get().is_none()
            && let Err(error) = ready!(Pin::new(&mut self.inner).poll_flush(cx))
        {
            self.fail(error);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.scanner = None;
        self.stop = None;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
