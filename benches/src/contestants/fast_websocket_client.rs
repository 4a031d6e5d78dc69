//! fast_websocket_client: callbacks, reconnects, on fastwebsockets. It sends text only, and drops binary messages.
//!
//! Some floods fail: it drops the reading future of fastwebsockets in a `select!` and so loses half a frame.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::fast_websocket_client::{ClientConfig, WebSocket, WebSocketBuilder};
use anyhow::Result;
use bytes::Bytes;
use futures_util::FutureExt;

use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::Cx;
use crate::handlers::{EchoLog, Tally};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![Box::new(FastWebsocketClient)]
}

/// Its sends never wait: give the task that writes a turn now and then.
const TURN: u64 = 256;

struct FastWebsocketClient;

async fn open(cx: &Cx, mut handler: impl FnMut(String) + Send + 'static) -> Result<WebSocket> {
    let opened = cx.clone();
    let config = ClientConfig::new().with_reconnect_delay(Duration::from_millis(1));
    let socket = WebSocketBuilder::new()
        .on_open(move |()| {
            opened.opened();
            async {}
        })
        .on_error(|error| {
            eprintln!("fast_websocket_client: {error}");
            async {}
        })
        .on_message(move |message| {
            handler(message);
            async {}
        })
        .connect_with_config(&cx.url(), config)
        .await?;
    Ok(socket)
}

/// From within a callback, where nothing can be awaited; it never waits.
fn send_now(socket: &WebSocket, payload: &str) {
    let _ = socket.send(payload).now_or_never();
}

fn text(payload: &Bytes) -> &str {
    std::str::from_utf8(payload).expect("all that is sent is ASCII")
}

impl Contestant for FastWebsocketClient {
    fn name(&self) -> &'static str {
        "fast_websocket_client"
    }

    fn about(&self) -> &'static str {
        "callbacks, one task, on fastwebsockets and hyper; text only"
    }

    fn supports(&self, work: Work, kind: Kind) -> bool {
        Work::PLAIN.contains(&work) && (work != Work::Flood || kind == Kind::Text)
    }

    fn flood(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut tally = Tally::new(&cx);
            let handler = cx.clone();
            let socket = open(&cx, move |message| {
                if tally.hit(message.as_bytes()) {
                    handler.meter.stop();
                    handler.done.notify_one();
                }
            })
            .await?;
            cx.wait_opens(1).await;
            cx.meter.start();
            socket.send("go").await?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn blast(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let handler = cx.clone();
            let socket = open(&cx, move |_| {
                handler.meter.stop();
                handler.done.notify_one();
            })
            .await?;
            cx.wait_opens(1).await;
            cx.meter.start();
            for (number, payload) in (1..).zip(cx.outgoing()) {
                socket.send(text(payload)).await?;
                if number % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn echo(&self, cx: Cx) -> Running {
        Box::pin(async move {
            // The callback needs the handle, which is there only after it.
            let slot = Arc::new(OnceLock::<WebSocket>::new());
            let log = Arc::new(Mutex::new(EchoLog::new(&cx)));
            let (handle, echoes, handler, payload) =
                (slot.clone(), log.clone(), cx.clone(), cx.payload());
            let socket = open(&cx, move |message| {
                let more =
                    echoes.lock().unwrap_or_else(PoisonError::into_inner).back(message.as_bytes());
                match more.zip(handle.get()) {
                    None => handler.done.notify_one(),
                    Some((more, socket)) => {
                        (0..more).for_each(|_| send_now(socket, text(&payload)));
                    }
                }
            })
            .await?;
            cx.wait_opens(1).await;
            let socket = slot.get_or_init(|| socket);
            let window = log.lock().unwrap_or_else(PoisonError::into_inner).begin();
            for _ in 0..window {
                send_now(socket, text(&cx.payload()));
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn idle(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut sockets = vec![open(&cx, |_| ()).await?];
            cx.wait_opens(1).await;
            cx.mark_resident().await;
            for number in 0..cx.job.connections {
                sockets.push(open(&cx, |_| ()).await?);
                cx.wait_opens(number as u64 + 2).await;
            }
            cx.mark_resident().await;
            Ok(())
        })
    }

    fn reopen(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut sockets = Vec::new();
            for _ in 0..cx.job.connections {
                sockets.push(open(&cx, |_| ()).await?);
            }
            cx.drive_reopen().await
        })
    }
}
