//! The workloads for contestants that are a plain read and write loop over one socket.

use std::future::Future;
use std::marker::PhantomData;
use std::time::Instant;

use anyhow::{Result, bail};
use bytes::Bytes;

use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::{Context, Cx};
use crate::handlers::Tally;

/// A WebSocket library's connection.
pub(crate) trait Raw: Send + Sized + 'static {
    const NAME: &'static str;
    /// How it is set up, in a line.
    const ABOUT: &'static str;
    const DRAIN: Drain;
    const RUNTIME: bool = true;
    const WORKS: &'static [Work] = Work::PLAIN;

    fn open(cx: &Cx) -> impl Future<Output = Result<Self>> + Send;

    /// Makes the calls of the job. Called only if `WORKS` has them.
    fn call(self, _cx: Cx) -> impl Future<Output = Result<()>> + Send {
        async { bail!("no calls") }
    }

    /// Waits for a message and hands its payload to `handler`.
    fn recv(
        &mut self,
        handler: impl FnMut(&[u8]) + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The same if a message is there: `false` if none is. Called only with `Drain::Ready`.
    fn recv_now(&mut self, _handler: impl FnMut(&[u8])) -> Result<bool> {
        Ok(false)
    }

    /// Takes one binary message to be sent. It may write.
    fn feed(&mut self, payload: &Bytes) -> impl Future<Output = Result<()>> + Send;

    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Whether what is ready can be taken without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    Ready,
    /// Its receiving future loses bytes when it is dropped.
    Never,
}

pub(crate) fn raw<R: Raw>() -> Box<dyn Contestant> {
    Box::new(Loop::<R>(PhantomData))
}

struct Loop<R>(PhantomData<fn() -> R>);

impl<R: Raw> Contestant for Loop<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn about(&self) -> &'static str {
        R::ABOUT
    }

    fn uses_runtime(&self) -> bool {
        R::RUNTIME
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        R::WORKS.contains(&work)
    }

    fn flood(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut socket = R::open(&cx).await?;
            let mut tally = Tally::new(&cx);
            cx.meter.start();
            socket.feed(&Bytes::from_static(b"go")).await?;
            socket.flush().await?;
            while tally.left() > 0 {
                socket
                    .recv(|payload| {
                        tally.hit(payload);
                    })
                    .await?;
            }
            cx.meter.stop();
            Ok(())
        })
    }

    fn blast(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut socket = R::open(&cx).await?;
            cx.meter.start();
            for payload in cx.outgoing() {
                socket.feed(payload).await?;
            }
            socket.flush().await?;
            socket.recv(|payload| assert_eq!(payload, b"done")).await?;
            cx.meter.stop();
            Ok(())
        })
    }

    fn echo(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let socket = R::open(&cx).await?;
            match cx.job.window {
                1 => one_in_flight(&cx, socket).await,
                _ => many_in_flight(&cx, socket).await,
            }
        })
    }

    fn call(&self, cx: Cx) -> Running {
        Box::pin(async move { R::open(&cx).await?.call(cx).await })
    }

    fn idle(&self, cx: Cx) -> Running {
        Box::pin(async move {
            hold(R::open(&cx).await?);
            cx.mark_resident().await;
            for _ in 0..cx.job.connections {
                hold(R::open(&cx).await?);
            }
            cx.mark_resident().await;
            Ok(())
        })
    }

    /// The obvious loop by hand, without delay: a reference for the clients that reconnect.
    fn reopen(&self, cx: Cx) -> Running {
        Box::pin(async move {
            for _ in 0..cx.job.connections {
                tokio::spawn(reconnect::<R>(cx.clone()));
            }
            cx.drive_reopen().await
        })
    }
}

async fn one_in_flight<R: Raw>(cx: &Context, mut socket: R) -> Result<()> {
    let (payload, size) = (cx.payload(), cx.job.size);
    let mut latencies = Vec::with_capacity(cx.job.count as usize);
    cx.meter.start();
    for _ in 0..cx.job.count {
        let begun = Instant::now();
        socket.feed(&payload).await?;
        socket.flush().await?;
        socket.recv(|payload| assert_eq!(payload.len(), size)).await?;
        latencies.push(begun.elapsed().as_nanos() as u32);
    }
    cx.meter.stop();
    cx.meter.latencies(latencies);
    Ok(())
}

async fn many_in_flight<R: Raw>(cx: &Context, mut socket: R) -> Result<()> {
    let (payload, size, count) = (cx.payload(), cx.job.size, cx.job.count);
    let check = |payload: &[u8]| assert_eq!(payload.len(), size);
    // Where nothing can be drained: half a window at a time.
    let batch = if R::DRAIN == Drain::Ready { 1 } else { cx.job.window as u64 / 2 };
    let (mut sent, mut back, mut unflushed) = (0, 0, 0);
    cx.meter.start();
    while sent < cx.job.window as u64 {
        socket.feed(&payload).await?;
        sent += 1;
    }
    socket.flush().await?;
    while back < count {
        socket.recv(check).await?;
        let mut received = 1;
        while R::DRAIN == Drain::Ready && socket.recv_now(check)? {
            received += 1;
        }
        back += received;
        for _ in 0..received.min(count - sent) {
            socket.feed(&payload).await?;
            sent += 1;
            unflushed += 1;
        }
        if unflushed >= batch || sent == count && unflushed > 0 {
            socket.flush().await?;
            unflushed = 0;
        }
    }
    cx.meter.stop();
    Ok(())
}

fn hold<R: Raw>(mut socket: R) {
    tokio::spawn(async move { socket.recv(|_| ()).await });
}

async fn reconnect<R: Raw>(cx: Cx) {
    loop {
        if let Ok(mut socket) = R::open(&cx).await {
            cx.opened();
            while socket.recv(|_| ()).await.is_ok() {}
        }
    }
}
