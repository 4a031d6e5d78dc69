//! The engine's side of the network: a connector over turmoil, watched and at fault where the scenario says so.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;
use wscengine::{ConnectError, ConnectErrorKind};
use wscengine_dial::{BoxedIo, Connector, Target};

use crate::event::What;
use crate::record::{Planned, Record};
use crate::scenario::{DialFault, Network, StreamFault, pick};
use crate::user::slot::Slot;

/// What is known of the engine's connections; shared with those who watch.
#[derive(Clone)]
pub(crate) struct Net {
    inner: Arc<Mutex<Inner>>,
    record: Record,
    slot: Slot,
}

struct Inner {
    rng: Rng,
    network: Network,
    dials: u32,
    live: u32,
    link: Link,
    before: Option<Before>,
}

/// What the engine had counted when its last stream was gone: what the next session begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// The newest stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Link {
    pub(crate) port: u16,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
    pub(crate) last_read: Duration,
    /// Since when the socket has taken nothing of what it was given.
    pub(crate) blocked_since: Option<Duration>,
}

impl Net {
    pub(crate) fn new(network: Network, rng: Rng, record: Record, slot: Slot) -> Self {
        let (link, before) = (Link::default(), Some(Before::default()));
        let inner = Inner { rng, network, dials: 0, live: 0, link, before };
        Self { inner: Arc::new(Mutex::new(inner)), record, slot }
    }

    /// What the engine had counted when the newest session began, if anybody could look.
    pub(crate) fn before(&self) -> Option<Before> {
        self.lock().before
    }

    /// The newest stream.
    pub(crate) fn link(&self) -> Link {
        self.lock().link
    }

    /// How many dials and streams there are.
    pub(crate) fn live(&self) -> u32 {
        self.lock().live
    }

    fn begin(&self) -> (Live, DialFault, StreamFault) {
        let mut inner = self.lock();
        inner.dials += 1;
        inner.live += 1;
        let (dial, live) = (inner.dials, inner.live);
        let Inner { rng, network, .. } = &mut *inner;
        let faults = (pick(rng, &network.dials), pick(rng, &network.streams));
        drop(inner);
        self.record.note(What::Dial { dial });
        if live > 1 {
            self.record.broken(
                "1: at most one live connection",
                format!("dial {dial} begins while another dial or stream is there"),
            );
        }
        (Live { dial, net: self.clone() }, faults.0, faults.1)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts as long as a dial, or the stream it led to, is there.
struct Live {
    dial: u32,
    net: Net,
}

impl Drop for Live {
    fn drop(&mut self) {
        let stats = self.net.slot.stats();
        let mut inner = self.net.lock();
        inner.live -= 1;
        inner.before = stats
            .map(|stats| Before { received: stats.messages_received, sent: stats.messages_sent });
        drop(inner);
        self.net.record.note(What::Gone { dial: self.dial });
    }
}

/// Dials over turmoil.
pub(crate) struct SimConnector(pub(crate) Net);

#[async_trait]
impl Connector for SimConnector {
    async fn connect(&self, target: &Target) -> Result<BoxedIo, ConnectError> {
        let (live, dial_fault, stream_fault) = self.0.begin();
        let dial = live.dial;
        let failed = |kind| {
            let name = if kind == ConnectErrorKind::Resolve { "Resolve" } else { "Connect" };
            self.0.record.note(What::DialFailed { dial, kind: name });
            Err(ConnectError::new(kind))
        };
        match dial_fault {
            DialFault::None => {}
            DialFault::Resolve => return failed(ConnectErrorKind::Resolve),
            DialFault::Refused => return failed(ConnectErrorKind::Connect),
            DialFault::Hangs => std::future::pending().await,
            DialFault::Late(late) => tokio::time::sleep(late).await,
            DialFault::Panics => std::panic::panic_any(Planned),
        }
        let Ok(io) = TcpStream::connect((target.host.as_str(), target.port)).await else {
            return failed(ConnectErrorKind::Connect);
        };
        let port = io.local_addr().map_or(0, |address| address.port());
        let now = self.0.record.now();
        self.0.lock().link = Link { port, last_read: now, ..Link::default() };
        let sound = matches!(stream_fault, StreamFault::None);
        self.0.record.note(What::Connected { dial, port, sound });
        Ok(Box::new(Watched { io, live, fault: stream_fault, read: 0, written: 0 }))
    }
}

/// The stream beneath the engine.
struct Watched {
    io: TcpStream,
    live: Live,
    fault: StreamFault,
    read: u64,
    written: u64,
}

impl Watched {
    fn limit(&self, length: usize) -> usize {
        match self.fault {
            StreamFault::Chops(most) => length.min(most),
            _ => length,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.fault {
            StreamFault::ReadFails(after) if self.read >= after => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            StreamFault::ReadPanics(after) if self.read >= after => std::panic::panic_any(Planned),
            _ => {}
        }
        let most = self.limit(buf.remaining());
        let mut part = ReadBuf::new(&mut buf.initialize_unfilled()[..most]);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        buf.advance(count);
        self.read += count as u64;
        let now = self.live.net.record.now();
        let mut inner = self.live.net.lock();
        if count > 0 {
            inner.link.bytes_read = self.read;
            inner.link.last_read = now;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let StreamFault::WriteFails(after) = self.fault
            && self.written >= after
        {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let most = self.limit(bytes.len());
        let written = Pin::new(&mut self.io).poll_write(cx, &bytes[..most]);
        let now = self.live.net.record.now();
        if let Poll::Ready(Ok(count)) = &written {
            self.written += *count as u64;
        }
        let mut inner = self.live.net.lock();
        inner.link.bytes_written = self.written;
        match &written {
            Poll::Ready(_) => inner.link.blocked_since = None,
            Poll::Pending => _ = inner.link.blocked_since.get_or_insert(now),
        }
        drop(inner);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
