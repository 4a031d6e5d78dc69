//! Each fault does what it says, seen from plain sockets.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Corrupt, End, Proxy};
use crate::{frame, within};

/// What a stalled direction is given the time to do wrong. Too short a time hides a fault, and fails no test.
const A_WHILE: Duration = Duration::from_millis(100);

struct Pair {
    proxy: Proxy,
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

async fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await;
    let client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (server, _) = within(listener.accept()).await.unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    // Only then is it sure that the link's own task runs.
    proxy.link(0).await;
    Pair { proxy, listener, client, server }
}

async fn says(stream: &mut TcpStream, bytes: &[u8]) {
    within(stream.write_all(bytes)).await.unwrap();
}

async fn hears(stream: &mut TcpStream, bytes: &[u8]) {
    let mut heard = vec![0; bytes.len()];
    within(stream.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, bytes);
}

async fn hears_nothing(stream: &mut TcpStream) {
    assert!(timeout(A_WHILE, stream.read_u8()).await.is_err(), "something came");
}

/// How a stream ends: the bytes before, and the kind of error if it is not FIN.
async fn ends(stream: &mut TcpStream) -> (usize, Option<ErrorKind>) {
    let mut count = 0;
    let mut buffer = [0; 1024];
    loop {
        match within(stream.read(&mut buffer)).await {
            Ok(0) => return (count, None),
            Ok(more) => count += more,
            Err(error) => return (count, Some(error.kind())),
        }
    }
}

#[tokio::test]
async fn without_a_fault_bytes_and_ends_pass_both_ways() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    says(&mut client, b"question").await;
    hears(&mut server, b"question").await;
    says(&mut server, b"answer").await;
    hears(&mut client, b"answer").await;
    client.shutdown().await.unwrap();
    assert_eq!(ends(&mut server).await, (0, None));
    says(&mut server, b"last words").await;
    hears(&mut client, b"last words").await;
    drop(server);
    assert_eq!(ends(&mut client).await, (0, None));
    assert_eq!(proxy.link(0).await.ended().await, End::Finished);
}

#[tokio::test]
async fn a_reset_of_one_side_is_a_reset_of_the_other() {
    let Pair { proxy, client, mut server, .. } = pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(ends(&mut server).await, (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(proxy.link(0).await.ended().await, End::Reset);
}

#[tokio::test]
async fn reset_cuts_both_sides_with_rst_and_leaves_new_connections_alone() {
    let Pair { proxy, listener, mut client, mut server } = pair().await;
    proxy.reset();
    assert_eq!(ends(&mut client).await, (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(ends(&mut server).await, (0, Some(ErrorKind::ConnectionReset)));
    assert_eq!(proxy.link(0).await.ended().await, End::Reset);

    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut server, _) = within(listener.accept()).await.unwrap();
    says(&mut client, b"again").await;
    hears(&mut server, b"again").await;
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn finish_ends_both_sides_with_fin_though_they_still_write() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    says(&mut server, b"before").await;
    hears(&mut client, b"before").await;
    proxy.finish();
    assert_eq!(ends(&mut client).await, (0, None));
    assert_eq!(ends(&mut server).await, (0, None));
    for _ in 0..100 {
        says(&mut client, &[1; 1000]).await;
        says(&mut server, &[2; 1000]).await;
    }
    drop((client, server));
    assert_eq!(proxy.link(0).await.ended().await, End::Finished);
}

#[tokio::test]
async fn half_close_ends_one_direction_and_the_other_goes_on() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_client().half_close();
    assert_eq!(ends(&mut client).await, (0, None));
    says(&mut server, b"nobody hears this").await;
    says(&mut client, b"still here").await;
    hears(&mut server, b"still here").await;

    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_server().half_close();
    assert_eq!(ends(&mut server).await, (0, None));
    says(&mut client, b"nobody hears this").await;
    says(&mut server, b"still here").await;
    hears(&mut client, b"still here").await;
}

#[tokio::test]
async fn a_stall_holds_back_one_direction_until_it_is_healed() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_client().stall();
    says(&mut server, b"held back").await;
    says(&mut client, b"passes").await;
    hears(&mut server, b"passes").await;
    hears_nothing(&mut client).await;
    proxy.heal().await;
    hears(&mut client, b"held back").await;

    proxy.to_server().stall();
    says(&mut client, b"held back").await;
    says(&mut server, b"passes").await;
    hears(&mut client, b"passes").await;
    hears_nothing(&mut server).await;
    proxy.to_server().heal();
    hears(&mut server, b"held back").await;
}

#[tokio::test]
async fn a_stall_holds_back_the_end_too_and_the_writer_once_all_buffers_are_full() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_server().stall();
    while timeout(A_WHILE, client.write_all(&[7; 64 << 10])).await.is_ok() {}
    drop(client);
    hears_nothing(&mut server).await;
    assert!(!proxy.link(0).await.has_ended());
    proxy.heal().await;
    assert!(ends(&mut server).await.0 > 64 << 10);
}

#[tokio::test]
async fn a_delay_passes_everything_later() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    let by = Duration::from_millis(50);
    proxy.to_server().delay(by);
    let began = Instant::now();
    says(&mut client, b"question").await;
    hears(&mut server, b"question").await;
    assert!(began.elapsed() >= by);
    proxy.to_client().delay(by);
    says(&mut server, b"answer").await;
    hears(&mut client, b"answer").await;
    assert!(began.elapsed() >= 2 * by);
}

#[tokio::test]
async fn a_drip_passes_one_byte_a_millisecond() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_client().drip();
    let began = Instant::now();
    says(&mut server, &[5; 100]).await;
    let mut heard = [0; 1];
    within(client.read_exact(&mut heard)).await.unwrap();
    hears(&mut client, &[5; 99]).await;
    assert!(began.elapsed() >= Duration::from_millis(99));
}

#[tokio::test]
async fn a_throttle_passes_so_many_bytes_a_second() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_server().throttle(100_000);
    let began = Instant::now();
    says(&mut client, &[5; 20_000]).await;
    hears(&mut server, &[5; 20_000]).await;
    assert!(began.elapsed() >= Duration::from_millis(190));
}

/// Both have shaken hands: from here on frames pass.
async fn upgraded() -> Pair {
    let mut pair = pair().await;
    says(&mut pair.client, b"GET / HTTP/1.1\r\n\r\n").await;
    hears(&mut pair.server, b"GET / HTTP/1.1\r\n\r\n").await;
    says(&mut pair.server, b"HTTP/1.1 101 Yes\r\n\r\n").await;
    hears(&mut pair.client, b"HTTP/1.1 101 Yes\r\n\r\n").await;
    pair
}

#[tokio::test]
async fn corrupt_flips_one_bit_of_the_next_header_or_of_the_next_message() {
    let Pair { proxy, mut client, mut server, .. } = upgraded().await;
    let (ping, text) = (frame(0x89, b"ping"), frame(0x81, b"text"));
    proxy.to_client().corrupt(Corrupt::Header);
    says(&mut server, &[&ping[..], &text].concat()).await;
    hears(&mut client, &[&frame(0x99, b"ping")[..], &text].concat()).await;

    proxy.to_client().corrupt(Corrupt::Payload);
    says(&mut server, &[&ping[..], &text, &text].concat()).await;
    hears(&mut client, &[&ping[..], &frame(0x81, b"\xF4ext"), &text].concat()).await;

    // Masked, and torn into single bytes.
    proxy.to_server().corrupt(Corrupt::Payload);
    proxy.to_server().drip();
    says(&mut client, &[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]).await;
    hears(&mut server, &[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 0x81, b'i' ^ 2]).await;
}

#[tokio::test]
async fn corrupt_flips_a_bit_of_the_key_or_of_the_answer_to_it() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    proxy.to_server().corrupt(Corrupt::Handshake);
    says(&mut client, b"GET / HTTP/1.1\r\nSec-WebSocket-").await;
    hears_nothing(&mut server).await;
    says(&mut client, b"Key: dGhl\r\n\r\n").await;
    hears(&mut server, b"GET / HTTP/1.1\r\nSec-WebSocket-Key: eGhl\r\n\r\n").await;
    proxy.to_client().corrupt(Corrupt::Handshake);
    says(&mut server, b"HTTP/1.1 101 Yes\r\nsec-websocket-accept:s3pP\r\n\r\n").await;
    hears(&mut client, b"HTTP/1.1 101 Yes\r\nsec-websocket-accept:r3pP\r\n\r\n").await;
}

#[tokio::test]
async fn duplicate_close_delivers_close_frames_twice_and_nothing_else() {
    let Pair { proxy, mut client, mut server, .. } = upgraded().await;
    proxy.to_client().duplicate_close();
    let (text, close) = (frame(0x81, b"text"), frame(0x88, &[0x03, 0xE8, b'!']));
    says(&mut server, &[&text[..], &close].concat()).await;
    hears(&mut client, &[&text[..], &close, &close].concat()).await;
    hears_nothing(&mut client).await;
    assert_eq!(proxy.link(0).await.to_client().closes, [1000, 1000]);
}

#[tokio::test]
async fn a_link_tells_messages_pings_and_close_codes_of_each_direction() {
    let Pair { proxy, mut client, mut server, .. } = upgraded().await;
    let long = frame(0x82, &[0; 70_000]);
    let parts = [frame(0x01, b"one"), frame(0x89, b"between"), frame(0x80, b"message")].concat();
    let all = [&parts[..], &long, &frame(0x82, b""), &frame(0x88, b"")].concat();
    let (_, ()) = tokio::join!(says(&mut server, &all), hears(&mut client, &all));
    let close = [0x88, 0x82, 9, 8, 7, 6, 0x0F ^ 9, 0xA1 ^ 8];
    says(&mut client, &close).await;
    hears(&mut server, &close).await;
    let link = proxy.link(0).await;
    drop((client, server));
    link.ended().await;
    let (down, up) = (link.to_client(), link.to_server());
    assert_eq!((down.messages, down.pings, &down.closes[..]), (3, 1, &[1005][..]));
    assert_eq!((up.messages, up.pings, &up.closes[..]), (0, 0, &[4001][..]));
    assert_eq!((down.sound, up.sound), (None, None));
}

#[tokio::test]
async fn refuse_refuses_new_connections_until_healed_and_spares_the_open_ones() {
    let Pair { proxy, listener, mut client, mut server } = pair().await;
    proxy.refuse().await;
    let error = TcpStream::connect(proxy.addr()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    says(&mut client, b"still here").await;
    hears(&mut server, b"still here").await;

    proxy.heal().await;
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let (mut server, _) = within(listener.accept()).await.unwrap();
    says(&mut client, b"back").await;
    hears(&mut server, b"back").await;
}

#[tokio::test]
async fn say_nothing_accepts_new_connections_and_the_server_never_hears_of_them() {
    let Pair { proxy, listener, mut client, mut server } = pair().await;
    proxy.say_nothing().await;
    let mut lonely = TcpStream::connect(proxy.addr()).await.unwrap();
    says(&mut lonely, b"anybody there?").await;
    hears_nothing(&mut lonely).await;
    assert!(timeout(A_WHILE, listener.accept()).await.is_err());
    says(&mut client, b"still here").await;
    hears(&mut server, b"still here").await;
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn dropping_the_proxy_ends_its_connections() {
    let Pair { proxy, mut client, mut server, .. } = pair().await;
    drop(proxy);
    ends(&mut client).await;
    ends(&mut server).await;
}
