//! What the engine costs above its adapter: the same connection, which has its messages at hand, under the engine and
//! under a loop by hand. The difference of the two is the engine's layer.

mod connection;
mod speedup;

use std::future::poll_fn;
use std::pin::pin;

use wscengine::transport::{Batch, Connection, Inbound, Outgoing};
use wscengine::{Engine, Handler, Message, NoBackoff, Session};

use self::connection::{Form, ReadyConnection, ReadyTransport};
use crate::contestant::{Contestant, Kind, Running, Work};
use crate::context::Cx;
use crate::handlers::{Calls, SharedTally, Tally};

pub(crate) use self::speedup::speedup;

/// A row of the table: the name of the engine's run, that of the run by hand, and what they are.
pub(crate) const ROWS: &[(&str, &str, &str)] = &[
    ("layer-lent", "layer-lent-hand", "lent from a chunk, 1 worker"),
    ("layer-owned", "layer-owned-hand", "owned, 1 worker"),
    ("layer-lent-one", "layer-lent-one-hand", "lent, one in a batch, 1 worker"),
    ("layer-lent-4w", "layer-lent-hand", "lent from a chunk, 4 workers"),
    ("layer-owned-4w", "layer-owned-hand", "owned, 4 workers"),
    ("layer-lent-4w-keyed", "layer-lent-hand", "lent, 4 workers, `ordered_by` with 64 keys"),
];

/// As many as a read of 16 KiB gives.
const BATCH: usize = 128;

pub(crate) fn contestants() -> Vec<Box<dyn Contestant>> {
    let lent =
        UnderEngine { name: "layer-lent", form: Form::Lent, batch: BATCH, workers: 1, keys: 0 };
    let owned = UnderEngine { name: "layer-owned", form: Form::Owned, ..lent };
    let by_hand = ByHand { name: "layer-lent-hand", form: Form::Lent, batch: BATCH };
    vec![
        Box::new(lent),
        Box::new(owned),
        Box::new(UnderEngine { name: "layer-lent-one", batch: 1, ..lent }),
        Box::new(UnderEngine { name: "layer-lent-4w", workers: 4, ..lent }),
        Box::new(UnderEngine { name: "layer-owned-4w", workers: 4, ..owned }),
        Box::new(UnderEngine { name: "layer-lent-4w-keyed", workers: 4, keys: 64, ..lent }),
        Box::new(by_hand),
        Box::new(ByHand { name: "layer-owned-hand", form: Form::Owned, ..by_hand }),
        Box::new(ByHand { name: "layer-lent-one-hand", batch: 1, ..by_hand }),
    ]
}

/// The engine over such a connection.
#[derive(Clone, Copy, Debug)]
struct UnderEngine {
    name: &'static str,
    form: Form,
    batch: usize,
    workers: usize,
    /// How many there are; 0 is no order.
    keys: usize,
}

/// The connection polled by a loop without an engine.
#[derive(Clone, Copy, Debug)]
struct ByHand {
    name: &'static str,
    form: Form,
    batch: usize,
}

struct Counting {
    cx: Cx,
    tally: SharedTally,
}

impl Handler for Counting {
    async fn on_message(&self, _: &Session, message: Message<'_>) {
        if self.tally.hit(message.payload()) {
            self.cx.meter.stop();
            self.cx.done.notify_one();
        }
    }
}

impl Contestant for UnderEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "the engine over a connection that has its messages at hand"
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        work == Work::Flood
    }

    fn flood(&self, cx: Cx) -> Running {
        let ours = *self;
        Box::pin(async move {
            let calls = if ours.workers == 1 { Calls::OneAtATime } else { Calls::Concurrent };
            let handler = Counting { cx: cx.clone(), tally: SharedTally::new(&cx, calls) };
            let transport = ReadyTransport::new(ours.form, ours.batch, &cx.job);
            let mut builder = Engine::builder(transport, handler)
                .url("ws://localhost/")
                .workers(ours.workers)
                .backoff(NoBackoff);
            if ours.keys > 0 {
                // The messages are all alike: their place in the chunk tells them apart.
                let keys = ours.keys;
                builder = builder.ordered_by(move |message: &Message<'_>| {
                    message.payload().as_ptr() as usize / ours.batch % keys
                });
            }
            let engine = builder.build()?.start().await?;
            cx.meter.start();
            engine.send("go").await?;
            cx.done.notified().await;
            Ok(())
        })
    }

    fn blast(&self, _: Cx) -> Running {
        no_such_case()
    }

    fn echo(&self, _: Cx) -> Running {
        no_such_case()
    }

    fn idle(&self, _: Cx) -> Running {
        no_such_case()
    }
}

impl Contestant for ByHand {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "that connection by hand"
    }

    fn supports(&self, work: Work, _: Kind) -> bool {
        work == Work::Flood
    }

    fn flood(&self, cx: Cx) -> Running {
        let mut connection = ReadyConnection::new(self.form, self.batch, &cx.job);
        Box::pin(async move {
            let mut tally = Tally::new(&cx);
            let mut batch = Batch::new();
            cx.meter.start();
            connection.start_send(Outgoing::Message("go".into()))?;
            loop {
                pin!(poll_fn(|cx| connection.poll_recv(cx, &mut batch))).await?;
                while let Some(next) = batch.next() {
                    if let Inbound::Message(message) = next?
                        && tally.hit(message.payload())
                    {
                        cx.meter.stop();
                        return Ok(());
                    }
                }
            }
        })
    }

    fn blast(&self, _: Cx) -> Running {
        no_such_case()
    }

    fn echo(&self, _: Cx) -> Running {
        no_such_case()
    }

    fn idle(&self, _: Cx) -> Running {
        no_such_case()
    }
}

fn no_such_case() -> Running {
    Box::pin(async { anyhow::bail!("a layer has messages in, and nothing else") })
}
