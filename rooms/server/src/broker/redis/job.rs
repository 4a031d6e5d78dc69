//! What waits to go to Redis: messages and records, in one line, and only so many of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::broker::Place;
use crate::broker::record::{Record, Records};

/// How many may wait; a pipeline of Redis takes some hundred thousand each second.
const JOBS: usize = 16 << 10;

/// How many bytes may wait.
const BYTES: usize = 32 << 20;

/// Records travel together up to this size.
pub(super) const CHUNK: usize = 16 << 10;

pub(super) const PRESENCE: &str = "rooms:presence";
pub(super) const ALL: &str = "rooms:all";
pub(super) const ROOM: &str = "rooms:room:";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Publish(Publication),
    Came(Spot, Arc<str>),
    Left(Spot, Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) channel: Cow<'static, str>,
    pub(super) payload: Bytes,
    /// It comes back, and does not say whose it is.
    pub(super) grows: Option<&'static str>,
}

/// [`Place`], kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    Server,
    Crowd(Arc<str>),
    Room(Arc<str>),
}

impl Spot {
    pub(super) fn of(place: Place<'_>) -> Self {
        match place {
            Place::Server => Self::Server,
            Place::Crowd(name) => Self::Crowd(name.into()),
            Place::Room(name) => Self::Room(name.into()),
        }
    }

    fn place(&self) -> Place<'_> {
        match self {
            Self::Server => Place::Server,
            Self::Crowd(name) => Place::Crowd(name),
            Self::Room(name) => Place::Room(name),
        }
    }
}

/// The line, where jobs are put.
#[derive(Debug)]
pub(super) struct Line {
    jobs: mpsc::Sender<Job>,
    bytes: AtomicUsize,
}

impl Line {
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, taken) = mpsc::channel(JOBS);
        (Self { jobs, bytes: AtomicUsize::new(0) }, taken)
    }

    /// Whether there was room for it.
    pub(super) fn put(&self, job: Job) -> bool {
        let bytes = job.bytes();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= BYTES
            && self.jobs.try_send(job).is_ok()
        {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        false
    }

    /// To be told of each that is taken out.
    pub(super) fn taken(&self, job: &Job) {
        self.bytes.fetch_sub(job.bytes(), Ordering::Relaxed);
    }
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish(it) => it.channel.len() + it.payload.len(),
            Self::Came(_, id) | Self::Left(_, id) => id.len(),
        }
    }
}

/// Makes publications of jobs: records that stand next to each other travel together.
pub(super) fn publications(
    node: u64,
    name: &str,
    jobs: impl IntoIterator<Item = Job>,
) -> Vec<Publication> {
    let mut out = Chunks::new(node, name);
    for job in jobs {
        match job {
            Job::Came(spot, id) => out.record(Record::Came(spot.place(), &id)),
            Job::Left(spot, id) => out.record(Record::Left(spot.place(), &id)),
            Job::Publish(publication) => out.publish(publication),
        }
    }
    out.finish()
}

/// Publications, and records on their way to be one.
#[derive(Debug)]
pub(super) struct Chunks<'a> {
    node: u64,
    name: &'a str,
    records: Records,
    done: Vec<Publication>,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(node: u64, name: &'a str) -> Self {
        Self { node, name, records: Records::of(node, name), done: Vec::new() }
    }

    pub(super) fn record(&mut self, record: Record<'_>) {
        self.records.push(record);
        if self.records.len() >= CHUNK {
            self.cut();
        }
    }

    fn publish(&mut self, publication: Publication) {
        self.cut();
        self.done.push(publication);
    }

    pub(super) fn finish(mut self) -> Vec<Publication> {
        self.cut();
        self.done
    }

    fn cut(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let next = Records::of(self.node, self.name);
        let payload = std::mem::replace(&mut self.records, next).into_bytes().into();
        self.done.push(Publication { channel: PRESENCE.into(), payload, grows: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::record::Told;

    fn message(payload: &'static str) -> Job {
        let channel = Cow::Borrowed(ALL);
        Job::Publish(Publication { channel, payload: payload.into(), grows: None })
    }

    #[test]
    fn neighbouring_records_travel_together_and_nothing_changes_its_place() {
        let spot = || Spot::Room("r".into());
        let (came, left) = (Job::Came(spot(), "a".into()), Job::Left(spot(), "a".into()));
        let jobs = vec![came.clone(), left, message("m"), message("n"), came];
        let out = publications(1, "n", jobs);
        let channels: Vec<_> = out.iter().map(|it| &*it.channel).collect();
        assert_eq!(channels, [PRESENCE, ALL, ALL, PRESENCE]);
        let told = Told::read(&out[0].payload).unwrap();
        let place = Place::Room("r");
        let records: Vec<_> = told.map(Result::unwrap).collect();
        assert_eq!(records, [Record::Came(place, "a"), Record::Left(place, "a")]);
    }

    #[test]
    fn many_records_are_several_publications() {
        let jobs: Vec<_> =
            (0..2000).map(|n| Job::Came(Spot::Server, format!("{n:036}").into())).collect();
        let out = publications(1, "n", jobs);
        assert!(out.len() > 2 && out.iter().all(|it| it.payload.len() < CHUNK + 100));
        let told: usize = out.iter().map(|it| Told::read(&it.payload).unwrap().count()).sum();
        assert_eq!(told, 2000);
    }

    #[test]
    fn the_line_takes_only_so_much() {
        let (line, mut taken) = Line::new();
        for _ in 0..JOBS {
            assert!(line.put(message("m")));
        }
        assert!(!line.put(message("m")));
        line.taken(&taken.try_recv().unwrap());
        assert!(line.put(message("m")));
        let (line, mut taken) = Line::new();
        let large = || {
            let payload = vec![0; BYTES / 2 - 100].into();
            Job::Publish(Publication { channel: ALL.into(), payload, grows: None })
        };
        assert!(line.put(large()) && line.put(large()) && !line.put(large()));
        line.taken(&taken.try_recv().unwrap());
        assert!(line.put(large()));
    }
}
