//! What opens a connection, dropped at each await that it reaches: the byte stream beneath is closed.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "../../../wscengine/tests/cancel/cut.rs"]
#[allow(dead_code, reason = "the tests of the engine need more of it")]
mod cut;

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use wscengine::transport::{ConnectRequest, Connected, HandshakeResponse, Transport};
use wscengine_tungstenite::{FromStreams, TungsteniteTransport, tokio_tungstenite};

use cut::{at_each_await, at_each_await_over_sockets};

/// Accepts a handshake piece by piece, and reads on to the end.
async fn serve(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
    );
    for piece in answer.as_bytes().chunks(16) {
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
            let transport = TungsteniteTransport::new();
            let connected = cut.call(transport.connect(request)).await;
            assert!(connected.is_none_or(|connected| connected.is_ok()));
            // Whoever comes behind it shows that all before has come to its end.
            drop(tokio::net::TcpStream::connect(address).await.unwrap());
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

/// A transport over streams of the user's own hands the drop on to the closure's future.
#[tokio::test(start_paused = true)]
async fn transport_connect_dropped_at_any_await_of_a_stream_of_ones_own_drops_it() {
    let awaits = at_each_await(|cut| async move {
        let (client, mut server) = duplex(64);
        let client = Mutex::new(Some(client));
        let transport = FromStreams::new(move |_: ConnectRequest| {
            let client: DuplexStream = client.lock().unwrap().take().unwrap();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let connection = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
                Ok(Connected { connection, response: HandshakeResponse::accepted() })
            }
        });
        let request = ConnectRequest::new("ws://h/".parse().unwrap());
        drop(cut.call(transport.connect(request)).await);
        if cut.polls() == 0 {
            drop(transport);
        }
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(awaits, 1);
}
