//! Requests by id: 64 callers, each with a call in flight, against the echo of the server. The id is the first eight
//! bytes; each call has a time-out.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::context::Cx;

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Makes all calls of the job by `call`, which is given the id and the request, and measures them.
pub(super) async fn drive<C, F>(cx: &Cx, call: C) -> Result<()>
where
    C: Fn(u64, Bytes) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Bytes>> + Send,
{
    let (next, count) = (Arc::new(AtomicU64::new(0)), cx.job.count);
    cx.meter.start();
    let callers: Vec<_> = (0..cx.job.window)
        .map(|_| {
            let (call, next, payload) = (call.clone(), next.clone(), cx.payload());
            tokio::spawn(async move {
                loop {
                    let id = next.fetch_add(1, Ordering::Relaxed);
                    if id >= count {
                        return anyhow::Ok(());
                    }
                    let reply = call(id, request(id, &payload)).await?;
                    ensure!(id_of(&reply) == Some(id), "the reply to another call");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    cx.meter.stop();
    Ok(())
}

fn request(id: u64, payload: &Bytes) -> Bytes {
    let mut request = payload.to_vec();
    request[..8].copy_from_slice(&id.to_be_bytes());
    request.into()
}

pub(super) fn id_of(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|id| u64::from_be_bytes(*id))
}

/// What one writes by hand: a map under a lock, a task that reads, and one that writes what has come together.
pub(super) async fn by_hand(cx: Cx, socket: WebSocketStream<TcpStream>) -> Result<()> {
    let (mut sink, mut stream) = socket.split();
    let (requests, mut queue) = mpsc::channel::<Bytes>(1_024);
    let pending = Arc::new(Mutex::new(HashMap::<u64, oneshot::Sender<Bytes>>::new()));
    tokio::spawn(async move {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, 64).await > 0 {
            for request in batch.drain(..) {
                sink.feed(Message::Binary(request)).await?;
            }
            sink.flush().await?;
        }
        anyhow::Ok(())
    });
    let waiting = pending.clone();
    tokio::spawn(async move {
        while let Some(message) = stream.next().await {
            let Message::Binary(reply) = message? else { continue };
            let id = id_of(&reply).context("no id")?;
            let call = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            if let Some(call) = call {
                // It may have been given up.
                let _ = call.send(reply);
            }
        }
        anyhow::Ok(())
    });
    let call = move |id, request| {
        let (pending, requests) = (pending.clone(), requests.clone());
        async move {
            let (reply, answer) = oneshot::channel();
            pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reply);
            requests.send(request).await?;
            Ok(tokio::time::timeout(TIMEOUT, answer).await??)
        }
    };
    drive(&cx, call).await
}
