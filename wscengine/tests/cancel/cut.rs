//! Gives a call up at each point where it can be given up.
//!
//! A scenario is run once to see how often its call has to wait, and then once for each way to drop it there. It runs
//! on a paused clock and on one thread, so that each run goes as the one before, up to the drop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// Where a call is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Nowhere: it runs to its end, and the points are counted.
    Nowhere,
    /// Before it is polled for the time of this number, from 0: never polled at all, or woken and not told why.
    Before(usize),
    /// As soon as it had to wait for the time of this number.
    AtOnce(usize),
    /// The same, but after everything else has run that can.
    Settled(usize),
    /// At this moment, woken or not. A moment is a turn of the scheduler; when nothing happens any more, a
    /// millisecond.
    Moment(usize),
}

impl Point {
    /// How often a call is polled that is dropped here.
    fn polls(self) -> usize {
        match self {
            Self::Before(at) => at,
            Self::AtOnce(at) | Self::Settled(at) => at + 1,
            Self::Nowhere | Self::Moment(_) => usize::MAX,
        }
    }
}

/// The call of a scenario, and where it is given up.
#[derive(Clone)]
pub(crate) struct Cut {
    point: Point,
    polls: Arc<AtomicUsize>,
    moments: Arc<AtomicUsize>,
}

impl Cut {
    fn new(point: Point) -> Self {
        Self { point, polls: Arc::default(), moments: Arc::default() }
    }

    /// Makes the call. `None` if it was given up.
    pub(crate) async fn call<F: Future>(&self, future: F) -> Option<F::Output> {
        match self.point {
            Point::Moment(last) => self.until(last, future).await,
            Point::Nowhere | Point::Before(_) | Point::AtOnce(_) | Point::Settled(_) => {
                self.await_by_await(future).await
            }
        }
    }

    /// Whether the call is given up in this run.
    pub(crate) fn was_given_up(&self) -> bool {
        self.point != Point::Nowhere
    }

    /// How often the call was polled.
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    async fn await_by_await<F: Future>(&self, future: F) -> Option<F::Output> {
        let (mut future, woken) = (pin!(future), Woken::new());
        for poll in 0.. {
            if self.point == Point::Before(poll) {
                break;
            }
            self.polls.store(poll + 1, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut woken.context()) {
                return Some(output);
            }
            match self.point {
                Point::AtOnce(at) if at == poll => break,
                Point::Settled(at) if at == poll => {
                    sleep(Duration::from_millis(1)).await;
                    break;
                }
                _ => woken.wait().await,
            }
        }
        None
    }

    async fn until<F: Future>(&self, last: usize, future: F) -> Option<F::Output> {
        let (mut future, woken) = (pin!(future), Woken::new());
        for moment in 0..last {
            self.moments.store(moment, Ordering::SeqCst);
            self.polls.fetch_add(1, Ordering::SeqCst);
            if let Poll::Ready(output) = future.as_mut().poll(&mut woken.context()) {
                return Some(output);
            }
            if moment % TURNS == TURNS - 1 {
                sleep(Duration::from_millis(1)).await;
            } else {
                turn().await;
            }
        }
        None
    }
}

/// Goes to the end of the scheduler's queue. `yield_now` would let all others run until nothing is left to do.
async fn turn() {
    let mut went = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut went, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Limits that only turn a hang into a failure: on the paused clock, and on a real one.
const A_DAY: Duration = Duration::from_secs(24 * 3_600);
const A_MINUTE: Duration = Duration::from_secs(60);

/// So many turns of the scheduler are looked at one by one between two milliseconds.
const TURNS: usize = 6;

/// Runs the scenario with its call dropped at each await that it reaches: at once, after all else has settled, and
/// when it was woken. Gives the number of awaits.
///
/// The call must come to its end by itself if it is not dropped.
pub(crate) async fn at_each_await<S, F>(scenario: S) -> usize
where
    S: Fn(Cut) -> F,
    F: Future<Output = ()>,
{
    let awaits = run(&scenario, Point::Nowhere, A_DAY).await.polls() - 1;
    for point in points(awaits) {
        let cut = run(&scenario, point, A_DAY).await;
        assert_eq!(cut.polls(), point.polls(), "this run went otherwise than the first");
    }
    awaits
}

/// The same over sockets and on a real clock, where a call may come to its end sooner than the first time.
pub(crate) async fn at_each_await_over_sockets<S, F>(scenario: S) -> usize
where
    S: Fn(Cut) -> F,
    F: Future<Output = ()>,
{
    at_awaits_over_sockets(1, scenario).await
}

/// The same at every so manieth place only, for a call that goes through one loop many times.
pub(crate) async fn at_awaits_over_sockets<S, F>(step: usize, scenario: S) -> usize
where
    S: Fn(Cut) -> F,
    F: Future<Output = ()>,
{
    let awaits = run(&scenario, Point::Nowhere, A_MINUTE).await.polls() - 1;
    for point in points(awaits).step_by(step) {
        run(&scenario, point, A_MINUTE).await;
    }
    awaits
}

/// Where a call can be dropped that waits so often.
fn points(awaits: usize) -> impl Iterator<Item = Point> {
    let waiting = (0..awaits).flat_map(|at| [Point::AtOnce(at), Point::Settled(at)]);
    (0..=awaits).map(Point::Before).chain(waiting)
}

/// Runs the scenario with its call dropped at each moment of it, whether that is one for the call or only for what it
/// has set going. Gives the number of moments.
pub(crate) async fn at_each_moment<S, F>(scenario: S) -> usize
where
    S: Fn(Cut) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    // As a task it stands in one queue with the engine's.
    let scenario = |cut| {
        let task = tokio::spawn(scenario(cut));
        async move { task.await.unwrap() }
    };
    let whole = run(&scenario, Point::Moment(usize::MAX), A_DAY).await;
    let moments = whole.moments.load(Ordering::SeqCst);
    for moment in 0..=moments {
        run(&scenario, Point::Moment(moment), A_DAY).await;
    }
    moments
}

async fn run<S, F>(scenario: &S, point: Point, limit: Duration) -> Cut
where
    S: Fn(Cut) -> F,
    F: Future<Output = ()>,
{
    let cut = Cut::new(point);
    let said = SaidOnPanic(point);
    tokio::time::timeout(limit, scenario(cut.clone())).await.expect("it hangs");
    drop(said);
    cut
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after {} polls", self.point, self.polls())
    }
}

/// Says which run it was that failed.
struct SaidOnPanic(Point);

impl Drop for SaidOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the call was given up here: {:?}", self.0);
        }
    }
}

/// A waker that can be waited for.
struct Woken(Arc<Flag>, Waker);

#[derive(Default)]
struct Flag(Notify);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Woken {
    fn new() -> Self {
        let flag = Arc::<Flag>::default();
        Self(Arc::clone(&flag), Waker::from(flag))
    }

    fn context(&self) -> Context<'_> {
        Context::from_waker(&self.1)
    }

    async fn wait(&self) {
        self.0.0.notified().await;
    }
}
