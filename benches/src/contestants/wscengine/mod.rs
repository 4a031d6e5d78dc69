//! wscengine with each adapter, set up in the ways that may make a difference.

mod handler;
mod tracing;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use wscengine::request::Requests;
use wscengine::transport::Transport;
use wscengine::{Engine, Message, NoBackoff, SendErrorKind, Session};
use wscengine_sockudo::{Deflate, SockudoTransport};
use wscengine_tungstenite::TungsteniteTransport;

use self::handler::{Bench, Role};
use self::tracing::Spans;
use super::calls;
use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::Cx;
use crate::handlers::Calls;

pub(super) fn contestants() -> Vec<Box<dyn Contestant>> {
    let mut all = setups("tungstenite", TungsteniteTransport::new);
    all.extend(setups("sockudo", SockudoTransport::new));
    all.extend(deflate());
    all
}

/// One adapter in all ways.
fn setups<T: Transport>(adapter: &str, transport: fn() -> T) -> Vec<Box<dyn Contestant>> {
    const IN: &[Work] = &[Work::Flood, Work::Echo];
    const OUT: &[Work] = &[Work::Blast, Work::Echo];
    const BOTH: &[Work] = &[Work::Flood, Work::Blast, Work::Echo];
    let plain = Ours {
        name: format!("wscengine-{adapter}").leak(),
        about: "1 worker, send, no subscriber",
        transport,
        workers: 1,
        sending: Sending::Waits,
        spans: Spans::None,
        works: Work::WITH_CALLS,
    };
    let named = |ending| -> &'static str { format!("{}-{ending}", plain.name).leak() };
    let all = [
        Ours { name: named("4w"), about: "4 workers", workers: 4, works: IN, ..plain },
        Ours {
            name: named("try"),
            about: "try_send, and send where the queue is full",
            sending: Sending::Tries,
            works: OUT,
            ..plain
        },
        Ours {
            name: named("info"),
            about: "spans of level INFO to OpenTelemetry: none for a message",
            spans: Spans::Info,
            works: BOTH,
            ..plain
        },
        Ours {
            name: named("debug"),
            about: "spans of level DEBUG to OpenTelemetry: one for each message received",
            spans: Spans::Debug,
            works: BOTH,
            ..plain
        },
    ];
    let mut boxed: Vec<Box<dyn Contestant>> = vec![Box::new(plain)];
    boxed.extend(all.map(|ours| Box::new(ours) as Box<dyn Contestant>));
    boxed
}

/// The adapter that compresses, in the ways that matter.
fn deflate() -> Vec<Box<dyn Contestant>> {
    let level_1 = Ours {
        name: "wscengine-sockudo-deflate1",
        about: "permessage-deflate, level 1, context takeover on both sides",
        transport: || SockudoTransport::new().deflate(Deflate::new()),
        workers: 1,
        sending: Sending::Waits,
        spans: Spans::None,
        works: Work::DEFLATE,
    };
    let level_6 = Ours {
        name: "wscengine-sockudo-deflate6",
        about: "permessage-deflate, level 6, context takeover on both sides",
        transport: || SockudoTransport::new().deflate(Deflate::new().level(6)),
        works: &[Work::JsonOut],
        ..level_1
    };
    let fresh = Ours {
        name: "wscengine-sockudo-deflate1-fresh",
        about: "permessage-deflate, level 1, each message by itself",
        transport: || {
            SockudoTransport::new().deflate(Deflate::new().client_context_takeover(false))
        },
        works: &[Work::JsonOut],
        ..level_1
    };
    vec![Box::new(level_1), Box::new(level_6), Box::new(fresh)]
}

/// An engine set up in one way.
#[derive(Debug)]
struct Ours<T> {
    name: &'static str,
    about: &'static str,
    transport: fn() -> T,
    workers: usize,
    sending: Sending,
    spans: Spans,
    works: &'static [Work],
}

impl<T> Clone for Ours<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ours<T> {}

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// By `send`.
    Waits,
    /// By `try_send`; where the queue is full, `send` waits for room.
    Tries,
}

impl Sending {
    pub(super) async fn send(self, session: &Session, payload: &Bytes) -> Result<()> {
        let message = Message::from_binary(payload.clone());
        let message = match self {
            Self::Waits => message,
            Self::Tries => match session.try_send(message) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == SendErrorKind::Full => {
                    error.into_message().context("what did not fit comes back")?
                }
                Err(error) => return Err(error.into()),
            },
        };
        Ok(session.send(message).await?)
    }
}

impl<T: Transport> Ours<T> {
    async fn open(self, cx: &Cx, role: Role) -> Result<(Engine, Session)> {
        let handler = Bench::new(cx, role, self.sending);
        let engine = Engine::builder((self.transport)(), handler)
            .url(cx.url())
            .workers(self.workers)
            .backoff(NoBackoff)
            .build()?
            .start()
            .await?;
        let session = engine.session().context("the session ended")?;
        Ok((engine, session))
    }

    fn calls(self) -> Calls {
        if self.workers == 1 { Calls::OneAtATime } else { Calls::Concurrent }
    }
}

impl<T: Transport> Contestant for Ours<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        self.works.contains(&work)
    }

    fn flood(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            ours.spans.subscribe();
            let (_engine, session) = ours.open(&cx, Role::tally(&cx, ours.calls())).await?;
            cx.meter.start();
            session.send("go").await?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn blast(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            ours.spans.subscribe();
            let (_engine, session) = ours.open(&cx, Role::Last).await?;
            cx.meter.start();
            for payload in cx.outgoing() {
                ours.sending.send(&session, payload).await?;
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn echo(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            ours.spans.subscribe();
            let (role, log) = Role::echo(&cx);
            let (_engine, session) = ours.open(&cx, role).await?;
            let window = handler::lock(&log).begin();
            for _ in 0..window {
                ours.sending.send(&session, &cx.payload()).await?;
            }
            cx.done.notified().await;
            Ok(())
        })
    }

    fn call(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            let requests = Requests::new(|message: &Message<'_>| calls::id_of(message.payload()));
            let engine =
                Engine::builder((ours.transport)(), Bench::new(&cx, Role::Idle, ours.sending))
                    .url(cx.url())
                    .requests(&requests)
                    .build()?
                    .start()
                    .await?;
            let requests = requests.on(&engine.session().context("the session ended")?);
            let call = move |id, request: Bytes| {
                let requests = requests.clone();
                async move {
                    let request = Message::from_binary(request);
                    Ok(requests.call_with_id(id, request, calls::TIMEOUT).await?.into_bytes())
                }
            };
            calls::drive(&cx, call).await
        })
    }

    fn idle(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            let mut engines = vec![ours.open(&cx, Role::Idle).await?];
            cx.mark_resident().await;
            for _ in 0..cx.job.connections {
                engines.push(ours.open(&cx, Role::Idle).await?);
            }
            cx.mark_resident().await;
            Ok(())
        })
    }

    fn reopen(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            let mut engines = Vec::new();
            for _ in 0..cx.job.connections {
                engines.push(ours.open(&cx, Role::Idle).await?);
            }
            cx.drive_reopen().await
        })
    }
}
