//! Channels of go-easy-websocket.

use wscengine_rooms_client::{Client, Easy, Event, LeaveError, SendError};
use wscengine_rooms_server::Config;

use super::host::Host;
use super::{builder, until, until_open_again, within};

async fn listener(host: &Host) -> Client<Easy> {
    within(builder(host, "/ws/easy", Easy::new()).connect()).await.unwrap()
}

#[tokio::test]
async fn listeners_are_told_what_is_written_and_again_after_the_server_was_away() {
    let mut host = Host::start(Config::default()).await;
    let (ann, bob) = (listener(&host).await, listener(&host).await);
    let mut news = bob.on("news");
    assert!(within(bob.join("news")).await.unwrap().is_empty());
    within(ann.join("news")).await.unwrap();
    for round in ["first", "second"] {
        within(bob.send_to_server("publish", round)).await.unwrap();
        let message = within(news.next()).await.unwrap().unwrap();
        assert_eq!(message.text(), Some(round));
        let mut events = bob.events();
        host.kill();
        host.restart(Config::default()).await;
        until_open_again(&mut events).await;
    }
    assert_eq!((bob.rooms(), bob.id()), (vec!["news".to_owned()], None));
}

#[tokio::test]
async fn what_the_protocol_cannot_do_is_an_error() {
    let host = Host::start(Config::default()).await;
    let ann = listener(&host).await;
    let mut events = ann.events();
    within(ann.join("news")).await.unwrap();
    assert!(matches!(within(ann.leave("news")).await, Err(LeaveError::Protocol(_))));
    assert!(matches!(within(ann.send("news", "x", "")).await, Err(SendError::Protocol(_))));
    assert!(matches!(within(ann.send_to("id", "x", "")).await, Err(SendError::Protocol(_))));
    assert!(matches!(within(ann.send_to_server("listen", "")).await, Err(SendError::Protocol(_))));
    within(ann.join("nothing")).await.unwrap();
    let refused = |event: &Event| match event {
        Event::Refused { text } => Some(text.clone()),
        _ => None,
    };
    assert_eq!(until(&mut events, refused).await, "channel does not exist");
}
