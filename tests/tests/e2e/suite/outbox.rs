//! The outbox over real sockets that are cut: what the peer saw, compared with what was told of each message.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::{Proxy, RawConnection, RawServer, within};
use tokio::sync::watch;
use tokio::time::timeout;
use wscengine::{
    Delivery, Engine, Exclusive, Fate, Handler, HandlerError, Message, NoBackoff, Opened, Outbox,
    SendErrorKind, Session,
};

use super::builder;

const CUTS: usize = 30;

/// What a message is filled up with, so that a cut finds some of them half written.
const FILLING: usize = 32 << 10;

/// Tells the server first of all which session it is.
struct Introduces;

impl Handler for Introduces {
    async fn on_open(&self, conn: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
        let id = conn.session().id();
        Ok(conn.send(format!("session {id}")).await?)
    }

    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

/// What the server read of each session.
type Seen = Vec<SessionSeen>;

#[derive(Clone, Debug)]
struct SessionSeen {
    id: String,
    numbers: Vec<u64>,
    /// Whether it ended with the client's close frame: all that went before was read.
    closed: bool,
}

/// Reads every connection to its end, one after the other.
async fn read_all(server: Arc<RawServer>, seen: watch::Sender<Seen>) {
    loop {
        // One that is cut in the middle of its request.
        let Ok(opening) = server.try_opening().await else { continue };
        read(opening.accept().await, &seen).await;
    }
}

async fn read(mut connection: RawConnection, seen: &watch::Sender<Seen>) {
    while let Some(frame) = connection.frame_but_pings().await {
        if let Some(code) = frame.close_code() {
            connection.close(code, "").await;
            seen.send_modify(|seen| seen.last_mut().expect("a session").closed = true);
            return;
        }
        let text = String::from_utf8(frame.payload).unwrap();
        seen.send_modify(|seen| match text.split_once(' ').unwrap() {
            ("session", id) => {
                seen.push(SessionSeen { id: id.to_owned(), numbers: Vec::new(), closed: false });
            }
            (number, _) => {
                seen.last_mut().expect("a session").numbers.push(number.parse().unwrap());
            }
        });
    }
}

/// Sends numbers until it is told that it is enough.
async fn send_all(engine: Engine, enough: Arc<AtomicBool>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while !enough.load(Ordering::Relaxed) {
        let text = format!("{} {}", deliveries.len(), "x".repeat(FILLING));
        match engine.enqueue(text).await {
            Ok(delivery) => deliveries.push(delivery),
            // Full, and disconnected.
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    deliveries
}

#[tokio::test]
async fn under_random_cuts_of_sockets_none_is_seen_twice_order_is_kept_and_every_fate_is_true() {
    let server = Arc::new(RawServer::bind().await);
    let proxy = Proxy::start(([127, 0, 0, 1], server.port()).into()).await;
    let (sender, mut seen) = watch::channel(Seen::new());
    let reader = tokio::spawn(read_all(server, sender));
    let outbox = Outbox::new().capacity(16, 64 << 20);
    let url = format!("ws://{}/", proxy.addr());
    let prepared = builder(&url, Introduces).backoff(NoBackoff).outbox(outbox).build().unwrap();
    let engine = within(prepared.start()).await.unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(send_all(engine.clone(), Arc::clone(&enough)));

    for cut in 0..CUTS {
        let before = count(&seen.borrow());
        within(seen.wait_for(|seen| count(seen) > before + cut % 7)).await.unwrap();
        if cut % 3 == 0 {
            // The socket fills, as far as it does in this time.
            proxy.to_server().stall();
            let _ = timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
        }
        proxy.reset();
        proxy.heal().await;
    }
    enough.store(true, Ordering::Relaxed);
    let deliveries = within(sending).await.unwrap();
    within(engine.stop()).await;
    let mut fates = Vec::new();
    for delivery in deliveries {
        fates.push(within(delivery).await);
    }
    reader.abort();
    let _ = reader.await;
    let seen = seen.borrow().clone();
    judge(&seen, &fates);
}

fn count(seen: &Seen) -> usize {
    seen.iter().map(|session| session.numbers.len()).sum()
}

fn judge(seen: &Seen, fates: &[Fate]) {
    let all: Vec<_> = seen.iter().flat_map(|session| &session.numbers).collect();
    assert!(all.is_sorted_by(|a, b| a < b), "twice, or out of order: {all:?}");
    let in_session = |session: &SessionSeen| {
        let id = session.id.clone();
        session.numbers.clone().into_iter().map(move |number| (number, id.clone()))
    };
    let seen_in: HashMap<_, _> = seen.iter().flat_map(in_session).collect();
    let was_closed = |id: &str| seen.iter().any(|session| session.id == id && session.closed);
    let mut tally: HashMap<&str, usize> = HashMap::new();
    for (number, fate) in (0..).zip(fates) {
        let seen = seen_in.get(&number);
        let (what, session) = match fate {
            Fate::Written { session } if seen.is_some() => ("written, seen", session),
            Fate::Written { session } => ("written, not seen", session),
            Fate::Unknown { session } if seen.is_some() => ("unknown, seen", session),
            Fate::Unknown { session } => ("unknown, not seen", session),
            Fate::NotSent(error) => {
                assert_eq!((error.kind(), seen), (SendErrorKind::Stopped, None), "{number}");
                continue;
            }
            other => panic!("{number}: {other:?}"),
        };
        let id = session.to_string();
        match seen {
            Some(seen) => assert_eq!(*seen, id, "{number}"),
            None => assert!(!was_closed(&id), "{number} was lost in a session that was not cut"),
        }
        *tally.entry(what).or_default() += 1;
    }
    println!("{} sessions, {tally:?}", seen.len());
}
