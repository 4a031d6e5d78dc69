//! A server that completes the handshake and leaves the rest to the test.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listener, and where a client finds it.
pub(crate) async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("ws://{}/", listener.local_addr().unwrap()), listener)
}

/// Takes a client and accepts it, with these extensions if there are any.
pub(crate) async fn accept(listener: &TcpListener, extensions: &str) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer(&request, extensions).as_bytes()).await.unwrap();
    stream
}

/// The acceptance of a request.
pub(crate) fn answer(request: &[u8], extensions: &str) -> String {
    let request = std::str::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept =
        STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
    let extensions = match extensions {
        "" => String::new(),
        extensions => format!("Sec-WebSocket-Extensions: {extensions}\r\n"),
    };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extensions}\r\n"
    )
}

/// The code of the client's next frame, a close frame; after it the stream ends.
pub(crate) async fn read_close(stream: &mut TcpStream) -> u16 {
    let mut header = [0; 6];
    stream.read_exact(&mut header).await.unwrap();
    let [first, len, mask @ ..] = header;
    assert_eq!(first, 0x88, "it is a close frame");
    let mut payload = vec![0; usize::from(len & 0x7f)];
    stream.read_exact(&mut payload).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "nothing follows");
    u16::from_be_bytes([payload[0] ^ mask[0], payload[1] ^ mask[1]])
}
