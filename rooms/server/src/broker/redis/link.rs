//! The connection to Redis: made again whenever it is lost, and what is sent over it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, Value};
use tokio::sync::{Notify, mpsc};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::heard::Ear;
use super::job::{ALL, Chunks, Job, PRESENCE, Publication, ROOM, publications};
use super::{Rooms, Shared, lock};
use crate::broker::echo::Ticket;
use crate::broker::grows;
use crate::broker::record::{Load, Record};
use crate::hub::Hub;

/// For a connection, and for each answer: what takes longer is taken for lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// Jobs that are sent together.
const BATCH: usize = 512;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Connects, again and again, until the broker is dropped.
pub(super) async fn run(shared: Arc<Shared>, hub: Weak<Hub>, jobs: mpsc::Receiver<Job>) {
    let mut link = Link { shared, hub, jobs, session: 0, is_away_known: false };
    let over = link.shared.over.clone();
    let mut attempt = 0;
    loop {
        let lost = tokio::select! {
            lost = link.connect_and_serve(&mut attempt) => lost,
            () = over.cancelled() => return link.say_goodbye().await,
        };
        link.lost(&lost);
        tokio::select! {
            () = sleep(pause(attempt, share())) => {}
            () = over.cancelled() => return,
        }
        attempt += 1;
    }
}

/// Gives up silent nodes, whether Redis is there or not.
pub(super) async fn expire(shared: Arc<Shared>, hub: Weak<Hub>) {
    let mut tick = interval(shared.options.expiry / 8);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shared.over.cancelled() => return,
        }
        let Some(hub) = hub.upgrade() else { return };
        shared.expire(&hub);
    }
}

/// A random share of the whole, without a generator of its own: an id has 122 random bits.
fn share() -> f64 {
    let random = uuid::Uuid::new_v4().as_u128() >> 96;
    // Exact: 32 bits.
    random as f64 / f64::from(u32::MAX)
}

/// How long to wait before an attempt: at random, up to twice as long each time.
fn pause(attempt: u32, share: f64) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
    most.mul_f64(share.clamp(0.0, 1.0))
}

struct Link {
    shared: Arc<Shared>,
    hub: Weak<Hub>,
    jobs: mpsc::Receiver<Job>,
    session: u64,
    /// It was said already that Redis is away.
    is_away_known: bool,
}

/// One connection.
struct Session {
    shared: Arc<Shared>,
    connection: MultiplexedConnection,
    subscribed: HashSet<Arc<str>>,
}

impl Link {
    /// Ends with what was wrong.
    async fn connect_and_serve(&mut self, attempt: &mut u32) -> RedisError {
        let lost = Arc::new(Notify::new());
        let mut session = match self.connect(&lost).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        *attempt = 0;
        self.is_up();
        tokio::select! {
            error = serve(&mut session, &self.hub, &mut self.jobs) => error,
            () = lost.notified() => std::io::Error::from(std::io::ErrorKind::ConnectionReset).into(),
        }
    }

    async fn connect(&mut self, lost: &Arc<Notify>) -> Result<Session, RedisError> {
        self.session += 1;
        let Self { shared, hub, session, .. } = self;
        let (shared, hub, lost) = (Arc::clone(shared), Weak::clone(hub), Arc::clone(lost));
        lock(&shared.hearing).session = *session;
        {
            let mut rooms = lock(&shared.rooms);
            rooms.changed = rooms.all.clone();
        }
        let client = Client::open(shared.options.info.clone())?;
        let ear = Ear { shared: Arc::clone(&shared), hub, session: *session, lost };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(move |push| {
                ear.hear(&push);
                Ok::<(), ()>(())
            });
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut session = Session { shared, connection, subscribed: HashSet::new() };
        session.subscribe_to_all().await?;
        Ok(session)
    }

    fn is_up(&mut self) {
        let shared = &self.shared;
        shared.tell_all.store(true, Ordering::Release);
        shared.ask_all.store(true, Ordering::Release);
        shared.is_up.store(true, Ordering::Release);
        shared.meters.up.set(1);
        shared.meters.connects.inc();
        self.is_away_known = false;
        let (redis, node) = (shared.options.address(), &shared.name);
        tracing::info!(redis, %node, "Redis is there: this node is one of several");
    }

    /// Once for each time that it is away.
    fn lost(&mut self, error: &RedisError) {
        let shared = &self.shared;
        shared.is_up.store(false, Ordering::Release);
        shared.meters.up.set(0);
        {
            let mut hearing = lock(&shared.hearing);
            hearing.session = 0;
            hearing.echoes.clear();
        }
        while let Ok(job) = self.jobs.try_recv() {
            shared.line.taken(&job);
            if matches!(job, Job::Publish(_)) {
                shared.meters.dropped.inc();
            }
        }
        if !self.is_away_known {
            self.is_away_known = true;
            let redis = shared.options.address();
            tracing::warn!(redis, %error, "Redis is away: clients of this node are served alone");
        }
    }

    /// Tells the others that this node ends, if that can be done at once.
    async fn say_goodbye(mut self) {
        if !self.shared.is_up.load(Ordering::Acquire) {
            return;
        }
        let mut jobs = Vec::new();
        while let Ok(job) = self.jobs.try_recv() {
            jobs.push(job);
        }
        let lost = Arc::new(Notify::new());
        let Ok(mut session) = self.connect(&lost).await else { return };
        let mut last = Chunks::new(self.shared.key, &self.shared.name);
        last.record(Record::Bye);
        let mut out = publications(self.shared.key, &self.shared.name, jobs);
        out.extend(last.finish());
        let _ = session.send(out).await;
    }
}

/// Sends what there is to send, until that fails.
async fn serve(
    session: &mut Session,
    hub: &Weak<Hub>,
    jobs: &mut mpsc::Receiver<Job>,
) -> RedisError {
    let shared = Arc::clone(&session.shared);
    let mut beat = interval(shared.options.expiry / 4);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let is_time = tokio::select! {
            biased;
            _ = beat.tick() => true,
            () = shared.wake.notified() => false,
            _ = jobs.recv_many(&mut batch, BATCH) => false,
        };
        let Some(hub) = hub.upgrade() else {
            // The broker goes with the hub.
            return std::future::pending().await;
        };
        let mut out = session.due(&hub, is_time);
        for job in &batch {
            shared.line.taken(job);
        }
        out.extend(publications(shared.key, &shared.name, batch.drain(..)));
        drop(hub);
        if let Err(error) = session.send(out).await {
            return error;
        }
    }
}

impl Session {
    /// The channels that every node hears, and the rooms that have members.
    async fn subscribe_to_all(&mut self) -> Result<(), RedisError> {
        let mut pipeline = Pipeline::new();
        for channel in grows::CHANNELS.into_iter().chain([ALL, PRESENCE]) {
            pipeline.cmd("SUBSCRIBE").arg(channel);
        }
        self.subscribe_to_rooms(&mut pipeline);
        let answers = self.run(&pipeline).await?;
        // One that may not subscribe hears nothing and is better off alone, saying so.
        match answers.into_iter().find_map(|answer| answer.extract_error().err()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What changed since the last time.
    fn subscribe_to_rooms(&mut self, pipeline: &mut Pipeline) {
        let mut rooms = lock(&self.shared.rooms);
        let Rooms { all, changed } = &mut *rooms;
        for room in changed.drain() {
            let channel = || format!("{ROOM}{room}");
            if !all.contains(&room) {
                if self.subscribed.remove(&room) {
                    pipeline.cmd("UNSUBSCRIBE").arg(channel());
                }
            } else if self.subscribed.insert(Arc::clone(&room)) {
                pipeline.cmd("SUBSCRIBE").arg(channel());
            }
        }
        if changed.capacity() > 1024 {
            changed.shrink_to_fit();
        }
    }

    /// What this node has to tell of itself.
    fn due(&self, hub: &Hub, is_time: bool) -> Vec<Publication> {
        let shared = &self.shared;
        let mut out = Chunks::new(shared.key, &shared.name);
        if shared.tell_all.swap(false, Ordering::AcqRel) {
            out.record(Record::Begin);
            hub.look(|place, ids| ids.for_each(|id| out.record(Record::Came(place, id))));
            out.record(Record::Done);
        }
        if shared.ask_all.swap(false, Ordering::AcqRel) {
            out.record(Record::Ask);
        }
        if is_time {
            let (connections, rooms) = (hub.connections() as u64, hub.rooms() as u64);
            out.record(Record::Beat(Load { connections, rooms }));
        }
        out.finish()
    }

    /// Sends subscriptions and publications in one go, and waits for the answers.
    async fn send(&mut self, out: Vec<Publication>) -> Result<(), RedisError> {
        let mut pipeline = Pipeline::with_capacity(out.len());
        self.subscribe_to_rooms(&mut pipeline);
        let first = pipeline.len();
        let mut tickets = Vec::with_capacity(out.len());
        {
            let mut hearing = lock(&self.shared.hearing);
            for Publication { channel, payload, grows } in out {
                pipeline.cmd("PUBLISH").arg(&*channel).arg(&payload[..]);
                tickets.push(grows.map(|channel| hearing.echoes.expect(channel, payload)));
            }
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        let answers = self.run(&pipeline).await?;
        self.answered(&answers[first.min(answers.len())..], &tickets);
        Ok(())
    }

    async fn run(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, RedisError> {
        self.connection.req_packed_commands(pipeline, 0, pipeline.len()).await
    }

    /// What Redis refused does not come back.
    fn answered(&self, answers: &[Value], tickets: &[Option<Ticket>]) {
        let meters = &self.shared.meters;
        for (answer, ticket) in answers.iter().zip(tickets) {
            if let Value::ServerError(error) = answer {
                meters.dropped.inc();
                tracing::debug!(?error, "Redis refuses a message");
                if let Some(ticket) = ticket {
                    lock(&self.shared.hearing).echoes.forget(*ticket);
                }
            } else {
                meters.published.inc();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_at_random() {
        let longest = |attempt| pause(attempt, 1.0);
        assert_eq!([0, 1, 2].map(longest).map(|it| it.as_millis()), [100, 200, 400]);
        assert_eq!((longest(6), longest(u32::MAX)), (LONGEST_PAUSE, LONGEST_PAUSE));
        assert_eq!(pause(3, 0.5), Duration::from_millis(400));
        assert_eq!(pause(3, f64::from(-1)), Duration::ZERO);
    }
}
