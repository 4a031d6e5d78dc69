//! A request factory is dropped when it takes too long or the engine stops. What it has done by then stays done, and
//! it can be asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wscengine::{BearerToken, Endpoints, HandlerError, NextAttempt, RequestFactory, request_fn};

use crate::cut::{Cut, at_each_await, at_each_moment};
use crate::kit::{ends, goes_on};
use crate::support::{Probe, Rig, builder, millis, secs, settle, start_with, within};

fn next(refresh: bool) -> NextAttempt {
    let mut next = NextAttempt::first();
    next.url = Some("ws://server.test/".parse().unwrap());
    next.refresh = refresh;
    next
}

/// Fetches a new token each time, in two steps.
fn tokens() -> BearerToken {
    let fetched = Arc::new(AtomicUsize::new(0));
    BearerToken::new(move || {
        let fetched = Arc::clone(&fetched);
        async move {
            tokio::time::sleep(secs(1)).await;
            let number = fetched.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(secs(1)).await;
            Ok(format!("token-{number}"))
        }
    })
}

async fn authorization(factory: &impl RequestFactory, refresh: bool) -> String {
    let request = within(factory.request(&next(refresh))).await.unwrap();
    request.headers["authorization"].to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn request_factory_request_of_a_bearer_token_dropped_at_any_await_fetches_again() {
    let reached = at_each_await(|cut| async move {
        let factory = tokens();
        let request = next(false);
        drop(cut.call(factory.request(&request)).await);
        // The second token was begun only if the first was lost.
        let lost = cut.was_given_up() && cut.polls() >= 2;
        let wanted = format!("Bearer token-{}", usize::from(lost));
        assert_eq!(authorization(&factory, false).await, wanted);
        assert_eq!(authorization(&factory, false).await, wanted);
    })
    .await;
    assert_eq!(reached, 2);
}

/// The token that was refused does not come back because its refresh was given up.
#[tokio::test(start_paused = true)]
async fn request_factory_request_of_a_bearer_token_dropped_in_a_refresh_has_forgotten_the_old_one()
{
    let reached = at_each_await(|cut| async move {
        let factory = tokens();
        assert_eq!(authorization(&factory, false).await, "Bearer token-0");
        let refresh = next(true);
        drop(cut.call(factory.request(&refresh)).await);
        let token = authorization(&factory, false).await;
        assert_eq!(token == "Bearer token-0", cut.polls() == 0, "{cut:?}: {token}");
    })
    .await;
    assert_eq!(reached, 2);
}

#[tokio::test(start_paused = true)]
async fn request_factory_request_over_endpoints_dropped_at_any_await_can_be_asked_again() {
    let reached = at_each_await(|cut| async move {
        let endpoints = Endpoints::new(["ws://a.test/", "ws://b.test/"]).unwrap();
        let factory = tokens().over(endpoints);
        let request = next(false);
        drop(cut.call(factory.request(&request)).await);
        let request = within(factory.request(&next(false))).await.unwrap();
        assert_eq!(request.url.host_str(), Some("a.test"));
    })
    .await;
    assert_eq!(reached, 2);
}

/// Counts the calls that are under way.
#[derive(Clone, Default)]
struct Running(Arc<AtomicUsize>);

impl Running {
    fn enter(&self) -> Left {
        self.0.fetch_add(1, Ordering::SeqCst);
        Left(Arc::clone(&self.0))
    }
}

struct Left(Arc<AtomicUsize>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A factory that takes 4 ms.
fn slow(running: &Running) -> impl RequestFactory + use<> {
    let running = running.clone();
    request_fn(move |next: NextAttempt| {
        let left = running.enter();
        async move {
            tokio::time::sleep(millis(4)).await;
            drop(left);
            Ok::<_, HandlerError>(next.url.unwrap().into())
        }
    })
}

/// The factory is dropped with the start, and nothing is dialled.
#[tokio::test(start_paused = true)]
async fn prepared_start_dropped_at_any_moment_of_a_request_factory_drops_that_too() {
    let moments = at_each_moment(|cut| async move {
        let probe = Probe::default();
        let journal = probe.journal.clone();
        let running = Running::default();
        let (builder, mut server) = builder(probe);
        let prepared = builder.request_factory(slow(&running)).build().unwrap();
        let accept = tokio::time::timeout(secs(600), server.accept());
        let (started, peer) = tokio::join!(cut.call(prepared.start()), accept);
        if let Some(engine) = started {
            let rig = Rig { engine: engine.unwrap(), server, peer: peer.unwrap(), journal };
            return goes_on(rig).await;
        }
        settle().await;
        assert_eq!(running.0.load(Ordering::SeqCst), 0);
        assert_eq!(server.live(), 0);
        assert_eq!(server.dials(), u64::from(peer.is_ok()));
    })
    .await;
    assert!(moments >= 20, "{moments}");
}

async fn stop_at(cut: Cut) {
    let running = Running::default();
    let probe = Probe::default();
    let rig = start_with(probe, |builder| builder.request_factory(slow(&running))).await;
    rig.engine.restart();
    while running.0.load(Ordering::SeqCst) == 0 {
        settle().await;
    }
    drop(cut.call(rig.engine.stop()).await);
    if cut.polls() > 0 {
        within(rig.engine.stopped()).await;
        assert_eq!(rig.server.dials(), 1);
    }
    ends(rig).await;
    assert_eq!(running.0.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn engine_stop_dropped_at_any_moment_of_a_request_factory_drops_that_too() {
    let moments = at_each_moment(stop_at).await;
    assert!(moments >= 1, "{moments}");
}
