//! The room that everybody is in: each who comes is told to all who are there.

use wscengine_rooms_protocol::wsrooms::decode_members;
use wscengine_rooms_server::Config;

use crate::common::start;
use crate::raw::Raw;

/// Enough to see that it is quadratic; the load generator does it with 2,000.
const CLIENTS: usize = 200;

#[tokio::test]
async fn each_client_in_root_is_told_once_of_each_that_comes_after_it() {
    let (_server, mut clients) = crowd(Config::default()).await;
    let ids: Vec<_> = clients.iter().map(|client| client.id.clone()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        let told = client.settle().await;
        assert!(told.iter().all(|told| told.room == "root" && told.event == "new_member"));
        let told: Vec<_> = told.iter().map(|told| String::from_utf8_lossy(&told.payload)).collect();
        assert_eq!(told, ids[at + 1..]);
    }
}

#[tokio::test]
async fn with_announcements_off_root_is_silent_and_its_list_is_whole() {
    let (_server, mut clients) = crowd(Config::default().announce_root(false)).await;
    for client in &mut clients {
        assert_eq!(client.settle().await, []);
    }
    // Other rooms are not concerned.
    clients[0].join("lobby").await;
    let list = clients[1].join("lobby").await.payload;
    assert_eq!(decode_members(&list).unwrap().len(), 2);
    let told = clients[0].message().await;
    assert_eq!((&*told.event, &told.payload[..]), ("new_member", clients[1].id.as_bytes()));
    let list = clients[0].join("root").await.payload;
    assert_eq!(decode_members(&list).unwrap().len(), CLIENTS);
    // Who goes is not announced either.
    let gone = clients.pop().unwrap();
    drop(gone);
    while decode_members(&clients[0].join("root").await.payload).unwrap().len() == CLIENTS {}
    assert_eq!(clients[1].settle().await, []);
}

async fn crowd(config: Config) -> (wscengine_rooms_server::RunningServer, Vec<Raw>) {
    let server = start(config).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Raw::connect(server.local_addr()).await);
    }
    (server, clients)
}
