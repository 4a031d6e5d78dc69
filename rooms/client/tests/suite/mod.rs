//! Each file is a module of `sockudo` and of `tungstenite`: each test in it is two.

pub(crate) mod host;

mod easy;
mod events;
mod limits;
mod restarts;
mod wsrooms;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use wscengine::ExponentialBackoff;
use wscengine_rooms_client::{Builder, Client, Event, Protocol, State, Subscription, Wsrooms};

use crate::Transport;
use host::Host;

/// Nothing here waits for a time: this only turns a hang into a failure.
const HANG: Duration = Duration::from_secs(60);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.expect("it hangs")
}

/// One that reconnects quickly.
pub(crate) fn builder<P: Protocol>(host: &Host, path: &str, protocol: P) -> Builder<Transport, P> {
    builder_to(host.address(), path, protocol)
}

pub(crate) fn builder_to<P: Protocol>(
    address: SocketAddr,
    path: &str,
    protocol: P,
) -> Builder<Transport, P> {
    let quick =
        ExponentialBackoff::new().base(Duration::from_millis(20)).cap(Duration::from_millis(100));
    Client::builder(Transport::new(), protocol)
        .url(format!("ws://{address}{path}"))
        .timeout(HANG)
        .engine(move |engine| engine.backoff(quick))
}

pub(crate) async fn connect(host: &Host) -> Client<Wsrooms> {
    within(builder(host, "/ws/wsrooms", Wsrooms::new()).connect()).await.unwrap()
}

/// The first event for which `wanted` gives something, past all others.
pub(crate) async fn until<T>(
    events: &mut Subscription<Event>,
    wanted: impl Fn(&Event) -> Option<T>,
) -> T {
    loop {
        let event = within(events.next()).await.expect("it goes on").unwrap();
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}

pub(crate) async fn until_open_again(events: &mut Subscription<Event>) {
    until(events, |event| matches!(event, Event::Open { again: true, .. }).then_some(())).await;
}

/// Waits until this is true, which some event of the client makes so.
pub(crate) async fn until_true<P: Protocol>(client: &Client<P>, wanted: impl Fn() -> bool) {
    let mut events = client.events();
    while !wanted() {
        within(events.next()).await.expect("it goes on").unwrap();
    }
}

pub(crate) async fn until_closed<P: Protocol>(client: &Client<P>) {
    let mut state = client.state();
    within(state.wait_for(|state| matches!(state, State::Closed { .. }))).await.unwrap();
}

pub(crate) fn id_of<P: Protocol>(client: &Client<P>) -> String {
    client.id().expect("it is connected")
}
