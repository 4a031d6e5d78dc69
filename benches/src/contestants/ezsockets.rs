//! ezsockets: callbacks, reconnects; four tasks and three unbounded queues for each connection.

use std::time::Duration;

use ::ezsockets::{Client, ClientConfig, ClientExt, Error, Utf8Bytes};
use anyhow::Result;
use bytes::Bytes;

use crate::contestant::{Contestant, Running};
use crate::context::Cx;
use crate::handlers::{EchoLog, Tally};

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    vec![Box::new(Ezsockets)]
}

/// Its sends never wait: give the tasks that write a turn now and then.
const TURN: u64 = 256;

struct Ezsockets;

struct Handler {
    cx: Cx,
    client: Client<Self>,
    role: Role,
    payload: Bytes,
}

enum Role {
    Flood(Tally),
    Blast,
    Echo(EchoLog),
    Idle,
}

impl Handler {
    fn on(&mut self, payload: &[u8]) {
        match &mut self.role {
            Role::Flood(tally) => {
                if tally.hit(payload) {
                    self.cx.meter.stop();
                    self.cx.done.notify_one();
                }
            }
            Role::Blast => {
                self.cx.meter.stop();
                self.cx.done.notify_one();
            }
            Role::Echo(log) => match log.back(payload) {
                None => self.cx.done.notify_one(),
                Some(more) => self.send(more),
            },
            Role::Idle => {}
        }
    }

    fn send(&self, messages: u64) {
        for _ in 0..messages {
            // It fails only once the client is closed.
            let _ = self.client.binary(self.payload.clone());
        }
    }
}

#[async_trait::async_trait]
impl ClientExt for Handler {
    /// "Begin."
    type Call = ();

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.on(text.as_bytes());
        Ok(())
    }

    async fn on_binary(&mut self, payload: Bytes) -> Result<(), Error> {
        self.on(&payload);
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        if let Role::Echo(log) = &mut self.role {
            let window = log.begin();
            self.send(window);
        }
        Ok(())
    }

    async fn on_connect(&mut self) -> Result<(), Error> {
        self.cx.opened();
        Ok(())
    }
}

async fn open(cx: &Cx, role: Role) -> Client<Handler> {
    let payload = cx.payload();
    let config = ClientConfig::new(cx.url().as_str()).reconnect_interval(Duration::from_millis(1));
    let cx = cx.clone();
    let (client, ended) =
        ::ezsockets::connect(move |client| Handler { cx, client, role, payload }, config).await;
    tokio::spawn(ended);
    client
}

impl Contestant for Ezsockets {
    fn name(&self) -> &'static str {
        "ezsockets"
    }

    fn about(&self) -> &'static str {
        "callbacks, tasks with queues, on tokio-tungstenite"
    }

    fn flood(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let client = open(&cx, Role::Flood(Tally::new(&cx))).await;
            cx.wait_opens(1).await;
            cx.meter.start();
            client.text("go")?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn blast(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let client = open(&cx, Role::Blast).await;
            cx.wait_opens(1).await;
            cx.meter.start();
            for (number, payload) in (1..).zip(cx.outgoing()) {
                client.binary(payload.clone())?;
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
            let client = open(&cx, Role::Echo(EchoLog::new(&cx))).await;
            cx.wait_opens(1).await;
            client.call(())?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn idle(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut clients = vec![open(&cx, Role::Idle).await];
            cx.wait_opens(1).await;
            cx.mark_resident().await;
            for number in 0..cx.job.connections {
                clients.push(open(&cx, Role::Idle).await);
                cx.wait_opens(number as u64 + 2).await;
            }
            cx.mark_resident().await;
            Ok(())
        })
    }

    fn reopen(&self, cx: Cx) -> Running {
        Box::pin(async move {
            let mut clients = Vec::new();
            for _ in 0..cx.job.connections {
                clients.push(open(&cx, Role::Idle).await);
            }
            cx.drive_reopen().await
        })
    }
}
