//! What a callback engine costs at least: one task for each connection owns the socket and calls a boxed callback; any
//! thread sends through a queue. On tungstenite driven directly, and on tokio-tungstenite's stream and sink. No library,
//! and no reconnecting, no bounds, no time-outs: a target.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::tungstenite::{Socket, is_blocked, small_buffers};
use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::Cx;
use crate::handlers::{EchoLog, Tally};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![Box::new(MiniEngine::<true>), Box::new(MiniEngine::<false>)]
}

/// What is handled before the other direction has its turn.
const BATCH: usize = 256;

struct MiniEngine<const DIRECT: bool>;

type Sender = UnboundedSender<Bytes>;
type OnMessage = Box<dyn FnMut(&Sender, &[u8]) + Send>;

struct Connection {
    me: Sender,
    queue: UnboundedReceiver<Bytes>,
    on_message: OnMessage,
}

impl Connection {
    fn deliver(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Binary(payload) => (self.on_message)(&self.me, &payload),
            Message::Text(text) => (self.on_message)(&self.me, text.as_str().as_bytes()),
            Message::Close(_) => bail!("closed"),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    /// Reads until nothing is there, writes what is queued, flushes once; then waits.
    async fn run_direct(mut self, stream: TcpStream) -> Result<()> {
        let socket = Socket(stream);
        let mut socket = WebSocket::from_raw_socket(socket, Role::Client, Some(small_buffers()));
        let mut out = Vec::with_capacity(BATCH);
        loop {
            let more = self.read(&mut socket)? | self.take_queued(&mut out);
            let stuck = write(&mut socket, &mut out)?;
            if more && !stuck {
                tokio::task::yield_now().await;
                continue;
            }
            let stream = &socket.get_ref().0;
            if stuck {
                stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
                continue;
            }
            tokio::select! {
                readable = stream.readable() => readable?,
                // Never `None`: this task holds a sender.
                payload = self.queue.recv() => out.extend(payload),
            }
        }
    }

    /// Whether there may be more.
    fn read(&mut self, socket: &mut WebSocket<Socket>) -> Result<bool> {
        for _ in 0..BATCH {
            match socket.read() {
                Ok(message) => self.deliver(message)?,
                Err(error) if is_blocked(&error) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Whether there may be more.
    fn take_queued(&mut self, out: &mut Vec<Bytes>) -> bool {
        while out.len() < BATCH {
            let Ok(payload) = self.queue.try_recv() else { return false };
            out.push(payload);
        }
        true
    }

    /// The same through tokio-tungstenite.
    async fn run_framed(mut self, mut socket: WebSocketStream<TcpStream>) -> Result<()> {
        let mut out = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                message = socket.next() => {
                    let Some(message) = message else { bail!("the server closed") };
                    self.deliver(message?)?;
                    for _ in 1..BATCH {
                        let Some(message) = socket.next().now_or_never() else { break };
                        let Some(message) = message else { bail!("the server closed") };
                        self.deliver(message?)?;
                    }
                }
                payload = self.queue.recv() => out.extend(payload),
            }
            self.take_queued(&mut out);
            for payload in out.drain(..) {
                socket.feed(Message::Binary(payload)).await?;
            }
            socket.flush().await?;
        }
    }
}

/// Whether the socket takes no more.
fn write(socket: &mut WebSocket<Socket>, out: &mut Vec<Bytes>) -> Result<bool, Error> {
    for payload in out.drain(..) {
        match socket.write(Message::Binary(payload)) {
            // It is queued.
            Err(error) if is_blocked(&error) => {}
            result => result?,
        }
    }
    match socket.flush() {
        Err(error) if is_blocked(&error) => Ok(true),
        result => result.map(|()| false),
    }
}

impl<const DIRECT: bool> MiniEngine<DIRECT> {
    async fn open(cx: &Cx, on_message: OnMessage) -> Result<Sender> {
        let (sender, queue) = unbounded_channel();
        let connection = Connection { me: sender.clone(), queue, on_message };
        if DIRECT {
            tokio::spawn(connection.run_direct(cx.dial_upgraded().await?));
        } else {
            let stream = cx.dial().await?;
            let config = Some(small_buffers());
            let (socket, _) = client_async_with_config(cx.url(), stream, config).await?;
            tokio::spawn(connection.run_framed(socket));
        }
        Ok(sender)
    }
}

impl<const DIRECT: bool> Contestant for MiniEngine<DIRECT> {
    fn name(&self) -> &'static str {
        if DIRECT { "mini-engine-direct" } else { "mini-engine-tt" }
    }

    fn about(&self) -> &'static str {
        if DIRECT {
            "sketch of a callback engine: one task, queue, boxed callback, synchronous tungstenite"
        } else {
            "the same on tokio-tungstenite"
        }
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        Work::PLAIN.contains(&work) && work != Work::Reopen
    }

    fn flood(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut tally = Tally::new(&cx);
            let handler = cx.clone();
            let on_message = Box::new(move |_: &Sender, payload: &[u8]| {
                if tally.hit(payload) {
                    handler.meter.stop();
                    handler.done.notify_one();
                }
            });
            let sender = Self::open(&cx, on_message).await?;
            cx.meter.start();
            sender.send(Bytes::from_static(b"go"))?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn blast(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let handler = cx.clone();
            let on_message = Box::new(move |_: &Sender, _: &[u8]| {
                handler.meter.stop();
                handler.done.notify_one();
            });
            let sender = Self::open(&cx, on_message).await?;
            cx.meter.start();
            for (number, payload) in (1..).zip(cx.outgoing()) {
                sender.send(payload.clone())?;
                if number % BATCH == 0 {
                    tokio::task::yield_now().await;
                }
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn echo(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let log = Arc::new(Mutex::new(EchoLog::new(&cx)));
            let (echoes, handler, payload) = (log.clone(), cx.clone(), cx.payload());
            let on_message = Box::new(move |sender: &Sender, message: &[u8]| {
                match echoes.lock().unwrap_or_else(PoisonError::into_inner).back(message) {
                    None => handler.done.notify_one(),
                    Some(more) => (0..more).for_each(|_| drop(sender.send(payload.clone()))),
                }
            });
            let sender = Self::open(&cx, on_message).await?;
            let window = log.lock().unwrap_or_else(PoisonError::into_inner).begin();
            for _ in 0..window {
                sender.send(cx.payload())?;
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn idle(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut senders = vec![Self::open(&cx, Box::new(|_, _| ())).await?];
            cx.mark_resident().await;
            for _ in 0..cx.job.connections {
                senders.push(Self::open(&cx, Box::new(|_, _| ())).await?);
            }
            cx.mark_resident().await;
            Ok(())
        })
    }
}
