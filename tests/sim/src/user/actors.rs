//! Those who use the engine beside its callbacks, each a task.

use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::calls::{Caller, Held};
use super::slot::Slot;
use crate::event::{Modulo, Op, Way, What};
use crate::record::Record;
use crate::scenario::{Actor, Scenario, ms, pick};

/// Starts all of them. They end soon after the engine has.
pub(crate) fn spawn(scenario: &Scenario, slot: &Slot, record: &Record) -> Vec<JoinHandle<()>> {
    let actors = scenario.user.actors.iter().enumerate();
    actors
        .map(|(number, actor)| {
            let sender = u32::try_from(number).unwrap_or(0) + 1;
            let acting = Acting {
                rng: scenario.rng(100 + u64::from(sender)),
                slot: slot.clone(),
                caller: Caller { record: record.clone(), sender },
                until: scenario.length,
            };
            tokio::spawn(acting.run(*actor))
        })
        .collect()
}

struct Acting {
    rng: Rng,
    slot: Slot,
    caller: Caller,
    until: Duration,
}

impl Acting {
    async fn run(mut self, actor: Actor) {
        let mut k = 0;
        while self.caller.record.now() < self.until && !self.slot.has_ended() {
            match actor {
                Actor::Sender { pace, size, engine } => {
                    self.rest(pace).await;
                    k += 1;
                    self.send(k, size, engine).await;
                }
                Actor::Holder { pace, .. } => {
                    self.rest(pace).await;
                    self.hold(actor, &mut k).await;
                }
                Actor::Restarter { pace } => {
                    self.rest(pace).await;
                    self.restart();
                }
                Actor::Pinger { pace } => {
                    self.rest(pace).await;
                    if let Some(session) = self.slot.session() {
                        self.caller.ping(&session).await;
                    }
                }
            }
        }
    }

    async fn rest(&mut self, pace: Duration) {
        let most = pace.as_millis() as u64;
        sleep(ms(&mut self.rng, 1..=2 * most.max(1))).await;
    }

    async fn send(&mut self, k: u64, size: usize, engine: bool) {
        let way = pick(&mut self.rng, &[Way::Send, Way::Send, Way::TrySend, Way::Flushed]);
        let fill = self.rng.usize(0..=size);
        match (engine, self.slot.get(), self.slot.session()) {
            (true, Some(engine), _) => self.caller.engine_send(way, &engine, k, fill).await,
            (_, _, Some(session)) => {
                let _ = self.caller.send_as(way, &session, k, fill).await;
            }
            (_, _, None) => {}
        }
    }

    fn restart(&self) {
        if let Some(engine) = self.slot.get() {
            self.caller.record.note(What::Request { op: Op::Restart });
            engine.restart();
        } else if let Some(session) = self.slot.session() {
            let op = Op::RestartSession(self.caller.record.session(session.id()));
            self.caller.record.note(What::Request { op });
            session.restart();
        }
    }

    async fn hold(&mut self, actor: Actor, k: &mut u64) {
        let Actor::Holder { hold, patience, takes, matching, engine, .. } = actor else { return };
        // With no patience at all the wait is given up at once: a pause that is dropped while it waits.
        let granted = match (engine, self.slot.get(), self.slot.session()) {
            (true, Some(engine), _) => {
                timeout(patience, self.caller.engine_pause(&engine, hold)).await
            }
            (_, _, Some(session)) => timeout(patience, self.caller.pause(&session, hold)).await,
            (_, _, None) => return,
        };
        let Ok(Ok(mut lease)) = granted else { return };
        for _ in 0..takes {
            *k += 1;
            if !self.take(&mut lease.held(), *k, matching, patience).await {
                break;
            }
        }
    }

    /// Does one thing with the connection; says whether there is any use in going on.
    async fn take(
        &mut self,
        held: &mut Held<'_>,
        k: u64,
        matching: Option<Modulo>,
        patience: Duration,
    ) -> bool {
        match self.rng.u8(..8) {
            0 => self.caller.holder_send(held, k, 10).await.is_ok(),
            1 => {
                self.caller.holder_ping(held).await;
                true
            }
            2 => {
                sleep(patience).await;
                true
            }
            // Without a limit: it must end with the session at the latest.
            3 => self.caller.recv(held, None).await.is_ok(),
            4 | 5 => matches!(timeout(patience, self.caller.recv(held, None)).await, Ok(Ok(()))),
            _ => matches!(timeout(patience, self.caller.recv(held, matching)).await, Ok(Ok(()))),
        }
    }
}
