//! What comes from Redis, and to whom it goes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use redis::{PushInfo, PushKind, Value};

use super::job::PRESENCE;
use super::{Shared, lock};
use crate::broker::presence::{Answer, Change};
use crate::broker::record::Told;
use crate::broker::{envelope, grows};
use crate::hub::{Hub, News};

/// Takes in what one connection to Redis hears.
#[derive(Debug)]
pub(super) struct Ear {
    pub(super) shared: Arc<Shared>,
    pub(super) hub: Weak<Hub>,
    pub(super) session: u64,
    pub(super) lost: Arc<tokio::sync::Notify>,
}

impl Ear {
    pub(super) fn hear(&self, push: &PushInfo) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(payload)]) => {
                if let (Ok(channel), Some(hub)) = (std::str::from_utf8(channel), self.hub.upgrade())
                {
                    self.shared.meters.received.inc();
                    self.published(&hub, channel, payload);
                }
            }
            (PushKind::Disconnection, _) => self.lost.notify_one(),
            _ => {}
        }
    }

    fn published(&self, hub: &Hub, channel: &str, payload: &[u8]) {
        let mut hearing = lock(&self.shared.hearing);
        if hearing.session != self.session {
            return;
        }
        if channel == PRESENCE {
            self.told(hub, payload);
        } else if channel.starts_with("grows:") {
            if !hearing.echoes.is_own(channel, payload) {
                grows_said(hub, channel, payload);
            }
        } else {
            self.said(hub, payload);
        }
    }

    fn said(&self, hub: &Hub, payload: &[u8]) {
        match envelope::decode(payload) {
            Ok(envelope) if envelope.origin == self.shared.key => {}
            Ok(envelope) => {
                _ = hub.hear(envelope.to, envelope.audience.wide(), &envelope.content);
            }
            Err(error) => tracing::debug!(%error, "a message of another node is dropped"),
        }
    }

    fn told(&self, hub: &Hub, payload: &[u8]) {
        let Ok(told) = Told::read(payload) else {
            return tracing::debug!("a node of another version tells who is there");
        };
        let node = (told.node, told.name);
        if node.0 == self.shared.key {
            return;
        }
        let (now, mut changes) = (Instant::now(), Vec::new());
        for record in told.map_while(Result::ok) {
            let answer = lock(&self.shared.presence).handle(now, node, record, &mut changes);
            let flag = match answer {
                Answer::Nothing => continue,
                Answer::TellAll => &self.shared.tell_all,
                Answer::AskAll => &self.shared.ask_all,
            };
            flag.store(true, Ordering::Release);
            self.shared.wake.notify_one();
        }
        spread(hub, changes);
    }
}

impl Shared {
    /// Gives up the nodes that have been silent for too long.
    pub(super) fn expire(&self, hub: &Hub) {
        let _one_after_the_other = lock(&self.hearing);
        let mut changes = Vec::new();
        let mut presence = lock(&self.presence);
        let dead = presence.expire(Instant::now(), &mut changes);
        self.meters.nodes.set(i64::try_from(presence.seen().len() + 1).unwrap_or(i64::MAX));
        drop(presence);
        for name in dead {
            tracing::warn!(node = %name, "a node is silent and taken for dead");
        }
        spread(hub, changes);
    }
}

fn grows_said(hub: &Hub, channel: &str, payload: &[u8]) {
    let published = match grows::Published::read(payload) {
        Ok(published) => published,
        Err(error) => return tracing::debug!(channel, %error, "what was published is dropped"),
    };
    match published.meant(channel) {
        Some((to, audience)) => _ = hub.hear(to, audience.wide(), &published.content(to)),
        None => tracing::info!(channel, bytes = payload.len(), "heard, and meant for nobody"),
    }
}

fn spread(hub: &Hub, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Came { room, id } => hub.hear_news(&room, News::Came(&id)),
            Change::Left { room, id } => hub.hear_news(&room, News::Left(&id)),
        }
    }
}
