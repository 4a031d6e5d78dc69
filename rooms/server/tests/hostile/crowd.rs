//! Many members who are each told in words of their own.

use wscengine_rooms_server::Config;

use crate::common::{Talker, assert_nothing_more, start};

const MEMBERS: usize = 500;

/// Send middlewares make what each of them is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_members_with_send_middlewares_hear_all_in_order() {
    let server = start(Config::default()).await;
    let mut members = Vec::new();
    for at in 0..MEMBERS {
        let path = if at % 2 == 0 { "/ws/grows/tagged" } else { "/ws/grows/example" };
        members.push(Talker::connect(server.local_addr(), path, &[]).await.unwrap());
    }
    for member in &mut members {
        member.settle().await;
    }
    for number in 0..5 {
        let data = format!(r#"{{"room":"testRoom","text":{number}}}"#);
        members[number].say(&format!(r#"{{"event":"room","data":{data}}}"#)).await;
        for (at, member) in members.iter_mut().enumerate() {
            let tags = if at % 2 == 0 { "2:1:" } else { "" };
            member.expect(&format!(r#"{tags}{{"event":"chat","data":{number}}}"#)).await;
        }
    }
    let mut all: Vec<_> = members.iter_mut().collect();
    assert_nothing_more(&mut all).await;
}
