//! The client's async functions, dropped at each await that they reach.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../../wscengine/tests/cancel/cut.rs"]
#[allow(dead_code, reason = "the tests of the engine need more of it")]
mod cut;
#[path = "suite/host.rs"]
#[allow(dead_code, reason = "the tests of restarts need more of it")]
mod host;

use std::time::Duration;

use futures_util::FutureExt as _;
use wscengine::OutcomeKind;
use wscengine_rooms_client::{Builder, Client, Easy, Wsrooms};
use wscengine_rooms_server::Config;
use wscengine_tungstenite::TungsteniteTransport;

use cut::{Cut, at_each_await_over_sockets};
use host::Host;

const HANG: Duration = Duration::from_secs(30);

fn builder(host: &Host) -> Builder<TungsteniteTransport, Wsrooms> {
    Client::builder(TungsteniteTransport::new(), Wsrooms::new())
        .url(format!("ws://{}/ws/wsrooms", host.address()))
        .timeout(HANG)
}

async fn host_and_client() -> (Host, Client<Wsrooms>) {
    let host = Host::start(Config::default()).await;
    let client = builder(&host).connect().await.unwrap();
    (host, client)
}

/// All that was sent before has come to the server.
async fn settled(client: &Client<Wsrooms>) {
    client.join("mark").await.unwrap();
    client.leave("mark").await.unwrap();
}

/// What a call that was dropped has sent comes once or not at all, and the next call works.
async fn sends_at_most_once(host: &Host, client: &Client<Wsrooms>, cut: &Cut, sent: bool) {
    settled(client).await;
    let times = host.log().len();
    assert!(times <= 1 && (!sent || times == 1), "{times}");
    if cut.polls() == 0 {
        assert_eq!(times, 0, "not called, it has sent nothing");
    }
    client.send("lobby", "log", "next").await.unwrap();
    settled(client).await;
    assert_eq!(host.log().last().map(String::as_str), Some("next"));
}

#[tokio::test]
async fn builder_connect_dropped_at_any_await_leaves_no_client() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let host = Host::start(Config::default()).await;
        match cut.call(builder(&host).connect()).await {
            Some(client) => assert!(client.unwrap().id().is_some()),
            None => {
                // Its connection goes, if it had one, and another client connects.
                let other = builder(&host).connect().await.unwrap();
                let mut events = other.events();
                while other.members("root").unwrap().len() > 1 {
                    events.next().await.unwrap().unwrap();
                }
            }
        }
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn client_join_dropped_at_any_await_goes_on_once_it_was_polled() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (host, client) = host_and_client().await;
        let joined = cut.call(client.join("lobby")).await;
        settled(&client).await;
        assert_eq!(host.rooms().members("lobby").len(), usize::from(cut.polls() > 0));
        assert!(joined.is_none_or(|joined| joined.unwrap().len() == 1));
        assert_eq!(client.join("lobby").await.unwrap().len(), 1);
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn client_leave_dropped_at_any_await_goes_on_once_it_was_polled() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (host, client) = host_and_client().await;
        client.join("lobby").await.unwrap();
        let _ = cut.call(client.leave("lobby")).await;
        settled(&client).await;
        assert_eq!(host.rooms().members("lobby").len(), usize::from(cut.polls() == 0));
        client.join("lobby").await.unwrap();
        client.leave("lobby").await.unwrap();
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn client_send_dropped_at_any_await_has_sent_once_or_not_at_all() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (host, client) = host_and_client().await;
        client.join("lobby").await.unwrap();
        let sent = cut.call(client.send("lobby", "log", "x")).await;
        sends_at_most_once(&host, &client, &cut, sent.is_some()).await;
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn client_enqueue_dropped_has_sent_nothing() {
    // While there is room, it does not wait: it is dropped before it was polled, or done.
    at_each_await_over_sockets(|cut| async move {
        let (host, client) = host_and_client().await;
        client.join("lobby").await.unwrap();
        let accepted = cut.call(client.enqueue("lobby", "log", "x")).await;
        let sent = accepted.is_some();
        drop(accepted);
        sends_at_most_once(&host, &client, &cut, sent).await;
    })
    .await;
}

#[tokio::test]
async fn client_send_to_dropped_at_any_await_has_sent_once_or_not_at_all() {
    at_each_await_over_sockets(|cut| async move {
        let (_host, client) = host_and_client().await;
        let id = client.id().unwrap();
        let mut told = client.on("told");
        let sent = cut.call(client.send_to(&id, "told", "x")).await;
        client.send_to(&id, "told", "next").await.unwrap();
        is_told_once_then_next(&mut told, sent.is_some()).await;
    })
    .await;
}

#[tokio::test]
async fn client_enqueue_to_dropped_has_sent_nothing() {
    at_each_await_over_sockets(|cut| async move {
        let (_host, client) = host_and_client().await;
        let id = client.id().unwrap();
        let mut told = client.on("told");
        let sent = cut.call(client.enqueue_to(&id, "told", "x")).await.is_some();
        client.send_to(&id, "told", "next").await.unwrap();
        is_told_once_then_next(&mut told, sent).await;
    })
    .await;
}

#[tokio::test]
async fn client_send_to_server_dropped_at_any_await_has_sent_once_or_not_at_all() {
    at_each_await_over_sockets(|cut| async move {
        let host = Host::start(Config::default()).await;
        let client = Client::builder(TungsteniteTransport::new(), Easy::new())
            .url(format!("ws://{}/ws/easy", host.address()))
            .connect()
            .await
            .unwrap();
        client.join("news").await.unwrap();
        let mut told = client.on("news");
        let sent = cut.call(client.send_to_server("publish", "x")).await;
        client.send_to_server("publish", "next").await.unwrap();
        is_told_once_then_next(&mut told, sent.is_some()).await;
    })
    .await;
}

type Told = wscengine_rooms_client::Subscription<std::sync::Arc<wscengine_rooms_client::Message>>;

async fn is_told_once_then_next(told: &mut Told, sent: bool) {
    let mut texts = Vec::new();
    while texts.last().map(String::as_str) != Some("next") {
        texts.push(told.next().await.unwrap().unwrap().text().unwrap().to_owned());
    }
    assert!(texts.len() <= 2 && (!sent || texts.len() == 2), "{texts:?}");
}

#[tokio::test]
async fn client_close_dropped_at_any_await_goes_on() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (_host, client) = host_and_client().await;
        if cut.call(client.close()).await.is_none() && cut.polls() == 0 {
            assert!(client.closed().now_or_never().is_none(), "not called, it goes on");
            client.close().now_or_never();
        }
        assert_eq!(client.closed().await.kind(), OutcomeKind::Requested);
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn client_closed_dropped_at_any_await_changes_nothing() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (_host, client) = host_and_client().await;
        let control = client.engine().control();
        let (_, ()) = tokio::join!(cut.call(client.closed()), async {
            tokio::task::yield_now().await;
            client.join("lobby").await.unwrap();
            control.exit();
        });
        assert_eq!(client.closed().await.kind(), OutcomeKind::Requested);
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}

#[tokio::test]
async fn subscription_next_dropped_at_any_await_loses_nothing() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let (_host, client) = host_and_client().await;
        let id = client.id().unwrap();
        let mut told = client.on("told");
        let (taken, ()) = tokio::join!(cut.call(told.next()), async {
            tokio::task::yield_now().await;
            for text in ["1", "2"] {
                client.send_to(&id, "told", text).await.unwrap();
            }
        });
        let mut texts: Vec<_> = taken.flatten().into_iter().collect();
        while texts.len() < 2 {
            texts.push(told.next().await.unwrap());
        }
        let texts: Vec<_> =
            texts.into_iter().map(|it| it.unwrap().text().unwrap().to_owned()).collect();
        assert_eq!(texts, ["1", "2"]);
    })
    .await;
    assert!(awaits >= 1, "{awaits}");
}
