//! What opens a connection, dropped at each await that it reaches: the byte stream beneath is closed.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../../wscengine/tests/cancel/cut.rs"]
#[allow(dead_code, reason = "the tests of the engine need more of it")]
mod cut;
mod peer;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wscengine::transport::{ConnectRequest, Transport};
use wscengine_sockudo::{Deflate, SockudoTransport};

use cut::at_each_await_over_sockets;

/// Accepts a handshake piece by piece, and reads on to the end.
async fn serve(mut stream: TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    for piece in peer::answer(&request, "permessage-deflate").as_bytes().chunks(16) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if stream.write_all(piece).await.is_err() {
            return;
        }
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn transport_connect_dropped_at_any_await_closes_the_socket() {
    let awaits = at_each_await_over_sockets(|cut| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connect = async {
            let request = ConnectRequest::new(format!("ws://{address}/").parse().unwrap());
            let transport = SockudoTransport::new().deflate(Deflate::new());
            let connected = cut.call(transport.connect(request)).await;
            assert!(connected.is_none_or(|connected| connected.is_ok()));
            // Whoever comes behind it shows that all before has come to its end.
            drop(TcpStream::connect(address).await.unwrap());
        };
        let serve = async {
            let connections = if cut.polls() == 0 && cut.was_given_up() { 1 } else { 2 };
            for _ in 0..connections {
                let Ok(accepted) =
                    tokio::time::timeout(Duration::from_secs(1), listener.accept()).await
                else {
                    return;
                };
                serve(accepted.unwrap().0).await;
            }
        };
        tokio::join!(connect, serve);
    })
    .await;
    // The connection, the pieces of the answer.
    assert!(awaits >= 2, "{awaits}");
}
