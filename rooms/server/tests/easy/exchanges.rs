//! The exchanges that were recorded with the original server, E032 to E035, what it makes of messages, and the
//! demo.

use tokio_tungstenite::tungstenite::Message as Ws;
use wscengine_rooms_server::Config;

use crate::common::{assert_nothing_more, start};
use crate::peer::{NOT_SUPPORTED, come, demo, listen};

#[tokio::test]
async fn e032_the_integration_test_of_the_original() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.say("listen: test").await;
    assert_nothing_more(&mut [&mut a]).await;
    for (command, answer) in [
        ("testChannel: ", "channel: test"),
        ("invalid: command", NOT_SUPPORTED),
        ("testResponse: ", "response: sent"),
        ("listen: invalid", "websocket: channel does not exist"),
        ("listen: validate", "websocket: not authorized"),
    ] {
        a.say(command).await;
        a.expect(answer).await;
    }
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn e033_a_client_listens_once() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.say("listen: test").await;
    assert_nothing_more(&mut [&mut a]).await;
    a.say("listen: test").await;
    a.expect("websocket: already listening").await;
    a.say("publish: x").await;
    a.expect("news: x").await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn e034_a_message_without_a_command_is_an_unknown_command() {
    let (_server, [mut a]) = demo(Config::default()).await;
    for message in
        ["garbage", "", ": x", "listen", "echo:", "echo", ":", ": ", "echo : x", "Echo: x"]
    {
        a.say(message).await;
        a.expect(NOT_SUPPORTED).await;
    }
    a.send(Ws::binary(&b"\xff: x"[..])).await;
    a.expect(NOT_SUPPORTED).await;
    assert_nothing_more(&mut [&mut a]).await;
}

#[tokio::test]
async fn e035_a_binary_message_is_read_like_text() {
    let (_server, [mut a]) = demo(Config::default()).await;
    a.send(Ws::binary(&b"echo: binary frame"[..])).await;
    a.expect("echo: binary frame").await;
}

/// E001 to E021 are in the tests of the codec; here, that the endpoint goes by it.
#[tokio::test]
async fn the_first_colon_and_space_ends_the_command_and_the_content_is_not_trimmed() {
    let (_server, [mut a]) = demo(Config::default()).await;
    for message in
        ["echo: a: b: c", "echo:  two spaces", "echo: ", "echo: x\n", "echo: ü", "echo: :"]
    {
        a.say(message).await;
        a.expect(message).await;
    }
    a.say("a:b: c").await;
    a.expect(NOT_SUPPORTED).await;
}

#[tokio::test]
async fn e017_commands_have_up_to_255_bytes() {
    let (_server, [mut a]) = demo(Config::default()).await;
    for (length, answer) in [(254, "long: 254"), (255, "long: 255"), (256, NOT_SUPPORTED)] {
        a.say(&format!("{}: x", "a".repeat(length))).await;
        a.expect(answer).await;
    }
}

#[tokio::test]
async fn the_demo_publishes_to_listeners_and_answers_nobody() {
    let (server, [mut a, mut b, mut c]) = demo(Config::default()).await;
    listen(&mut a, "test").await;
    listen(&mut b, "test").await;
    c.say("publish: hello").await;
    for listener in [&mut a, &mut b] {
        listener.expect("news: hello").await;
    }
    c.say("publish: ").await;
    c.say("testChannel: ignored").await;
    for listener in [&mut a, &mut b] {
        listener.expect("news: ").await;
        listener.expect("channel: test").await;
    }
    assert_nothing_more(&mut [&mut a, &mut b, &mut c]).await;
    let mut d = come(server.local_addr(), "/ws/easy", "channel_valid").await;
    d.expect("hello: Connected").await;
    listen(&mut d, "validate").await;
    assert_nothing_more(&mut [&mut d]).await;
    assert_eq!(server.rooms().members("validate").len(), 1);
}

#[tokio::test]
async fn a_load_generator_finds_rooms_and_addresses() {
    let server = start(Config::default().bench(true)).await;
    let mut ids = Vec::new();
    let [mut a, mut b] = [
        come(server.local_addr(), "/bench/easy", "valid").await,
        come(server.local_addr(), "/bench/easy", "valid").await,
    ];
    for talker in [&mut a, &mut b] {
        let id = talker.receive().await.into_text().unwrap();
        ids.push(id.strip_prefix("id: ").unwrap().to_owned());
        listen(talker, "r199").await;
    }
    a.say("say: r199 some text").await;
    for talker in [&mut a, &mut b] {
        talker.expect("say: some text").await;
    }
    a.say(&format!("tell: {} for you", ids[1])).await;
    b.expect("say: for you").await;
    assert_nothing_more(&mut [&mut a, &mut b]).await;
}
