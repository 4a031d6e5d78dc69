//! Servers of no use: an engine dials them no more often than its policy says.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use tokio::time::Instant;
use wscengine::testing::memory::{self, PendingDial};
use wscengine::transport::HandshakeResponse;
use wscengine::{
    CloseCode, CloseFrame, ConnectError, ConnectErrorKind, Engine, Exclusive, ExponentialBackoff,
    Handler, HandlerError, Message, Opened, Session,
};

use crate::allowed::{Delays, GRAIN, dials};

/// What a server does to each dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    AcceptsAndCloses,
    AcceptsAndResets,
    ClosesWhileOnOpenRuns,
    Refuses,
    Answers503,
    /// With `Retry-After: 10`.
    Answers503RetryAfter,
}

const SERVERS: [Server; 6] = [
    Server::AcceptsAndCloses,
    Server::AcceptsAndResets,
    Server::ClosesWhileOnOpenRuns,
    Server::Refuses,
    Server::Answers503,
    Server::Answers503RetryAfter,
];

const TIMES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3_600)];

/// Each with a seed of its own.
const ENGINES: u64 = 10;

impl Server {
    fn answer(self, dial: PendingDial) {
        let close = || CloseFrame::new(CloseCode::GOING_AWAY, "").unwrap();
        match self {
            Self::AcceptsAndCloses | Self::ClosesWhileOnOpenRuns => {
                dial.accept().close(Some(close()));
            }
            Self::AcceptsAndResets => dial.accept().reset(),
            Self::Refuses => dial.refuse(ConnectErrorKind::Connect.into()),
            Self::Answers503 => dial.refuse(unavailable(None)),
            Self::Answers503RetryAfter => dial.refuse(unavailable(Some("10"))),
        }
    }

    fn floor(self) -> Duration {
        match self {
            Self::Answers503RetryAfter => Duration::from_secs(10),
            _ => Duration::ZERO,
        }
    }
}

pub(crate) fn unavailable(retry_after: Option<&'static str>) -> ConnectError {
    let mut response = HandshakeResponse::accepted();
    response.status = StatusCode::SERVICE_UNAVAILABLE;
    if let Some(value) = retry_after {
        response.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
    }
    ConnectError::new(ConnectErrorKind::Status).with_response(response)
}

/// Waits in `on_open` for a message, where it is told to.
struct Client {
    waits: bool,
}

impl Handler for Client {
    async fn on_open(&self, conn: &mut Exclusive, _: Opened) -> Result<(), HandlerError> {
        if self.waits {
            conn.recv().await?;
        }
        Ok(())
    }

    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

/// When an engine dials in the first hour, from its first dial on.
async fn dials_of(kind: Server, backoff: ExponentialBackoff, seed: u64) -> Vec<Duration> {
    let (transport, mut server) = memory::transport();
    let client = Client { waits: kind == Server::ClosesWhileOnOpenRuns };
    let prepared = Engine::builder(transport, client)
        .url("ws://server.test/")
        .seed(seed)
        .backoff(backoff)
        .retry_first(true)
        .build()
        .unwrap();
    let control = prepared.control();
    let begun = Instant::now();
    let running = tokio::spawn(async move {
        // It may never return: a server that refuses has no session.
        if let Ok(engine) = prepared.start().await {
            engine.stopped().await;
        }
    });
    let mut dials = Vec::new();
    while let Ok(dial) = tokio::time::timeout_at(begun + TIMES[2], server.next_dial()).await {
        dials.push(begun.elapsed());
        kind.answer(dial);
    }
    control.exit();
    running.await.unwrap();
    assert!(server.max_live() <= 1);
    dials
}

/// The least, the mean and the most, over the engines.
#[derive(Default)]
struct Counts(Vec<usize>);

impl Counts {
    fn least(&self) -> usize {
        *self.0.iter().min().unwrap()
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<usize>() as f64 / self.0.len() as f64
    }

    fn most(&self) -> usize {
        *self.0.iter().max().unwrap()
    }
}

async fn hammer(name: &str, kind: Server, backoff: ExponentialBackoff) -> [Counts; 3] {
    let mut counts = [const { Counts(Vec::new()) }; 3];
    for seed in 0..ENGINES {
        let dialled = dials_of(kind, backoff, seed).await;
        for (time, counts) in TIMES.into_iter().zip(&mut counts) {
            let count = dialled.iter().filter(|at| **at <= time).count();
            let allowed = |slack| dials(Delays::new(&backoff, seed), kind.floor(), slack, time);
            let (at_least, at_most) = (allowed(GRAIN), allowed(Duration::ZERO));
            assert!(
                (at_least..=at_most).contains(&count),
                "{kind:?}, {name}, seed {seed}: {count} dials in {time:?}, \
                 and the policy says {at_least} to {at_most}"
            );
            counts.0.push(count);
        }
        let mut gaps = dialled.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.all(|gap| gap >= kind.floor()), "sooner than the server said");
    }
    let shown = counts
        .each_ref()
        .map(|it| format!("{:>3} {:>5.1} {:>3}", it.least(), it.mean(), it.most()));
    println!("| {:<22} | {name:<22} | {} |", format!("{kind:?}"), shown.join(" | "));
    counts
}

fn print_head() {
    println!("dials of one engine, the first included: least, mean and most of {ENGINES} seeds");
    println!(
        "| server                 | backoff                | in 1 s        | in 60 s       | in 1 h        |"
    );
}

/// gowse dialled a server that accepts and closes 81,744 times in a second, ezsockets 13,950 times.
#[tokio::test(start_paused = true)]
async fn a_server_of_no_use_is_dialled_no_more_often_than_the_default_policy_says() {
    print_head();
    for kind in SERVERS {
        let [second, minute, hour] = hammer("default", kind, ExponentialBackoff::new()).await;
        // Delays of 0.25 + 0.5 + 1 + 2 + 4 + 8 + 15 + 15 + ... s on average.
        assert!(second.most() <= 15, "{kind:?}: {} in a second", second.most());
        assert!(minute.mean() <= 15.0, "{kind:?}: {} in a minute", minute.mean());
        // 3,600 s / 15 s, and those before the cap is reached.
        assert!(hour.mean() <= 260.0, "{kind:?}: {} in an hour", hour.mean());
    }
    println!(
        "for comparison, a server that accepts and closes, in 1 s: gowse 81,744, ezsockets 13,950"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_of_no_use_is_dialled_no_more_often_than_another_policy_says() {
    let secs = Duration::from_secs;
    let millis = Duration::from_millis;
    let policies = [
        ("base 5 s", ExponentialBackoff::new().base(secs(5))),
        ("base 5 s, cap 5 min", ExponentialBackoff::new().base(secs(5)).cap(secs(300))),
        ("base 100 ms, cap 5 s", ExponentialBackoff::new().base(millis(100)).cap(secs(5))),
        ("base 1 s, factor 3", ExponentialBackoff::new().base(secs(1)).factor(3.0)),
    ];
    print_head();
    for (name, backoff) in policies {
        for kind in [Server::AcceptsAndCloses, Server::Refuses] {
            hammer(name, kind, backoff).await;
        }
    }
}
