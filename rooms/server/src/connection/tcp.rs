//! A TCP connection whose socket others may write to while its own task sleeps.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::hub::Direct;

/// Two of the largest writes of small frames, in bytes.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT: u32 = 128 << 10;

/// The task's side.
pub(crate) struct Tcp {
    read: OwnedReadHalf,
    write: Arc<Writer>,
}

/// The side that is shared with those who write.
pub(crate) struct Writer(Option<OwnedWriteHalf>);

impl Writer {
    /// There until it is dropped.
    fn half(&self) -> io::Result<&OwnedWriteHalf> {
        self.0.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // By itself it would shut down what is closed in this moment: a system call for nothing.
        if let Some(half) = self.0.take() {
            half.forget();
        }
    }
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        bound_unsent(&stream);
        let (read, write) = stream.into_split();
        Self { read, write: Arc::new(Writer(Some(write))) }
    }

    pub(crate) fn writer(&self) -> Arc<dyn Direct> {
        Arc::clone(&self.write) as Arc<dyn Direct>
    }
}

/// Has the system take only so much that the client has no room for. By itself it takes megabytes: a client that
/// reads nothing would be found slow only seconds later, and cost as much memory of the system's.
fn bound_unsent(stream: &TcpStream) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    // Without it the queue is longer, and no more.
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT);
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = stream;
}

impl Direct for Writer {
    fn try_write(&self, bytes: &[u8]) -> usize {
        // The connection's own task will meet the error, too.
        self.half().and_then(|half| half.try_write(bytes)).unwrap_or(0)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = self.write.half()?;
        loop {
            match write.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(write.as_ref().poll_write_ready(cx))?;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream: &TcpStream = self.write.half()?.as_ref();
        Poll::Ready(SockRef::from(stream).shutdown(std::net::Shutdown::Write))
    }
}
