//! A client by hand, which sends what it likes: in pieces, too much, or not to the end.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use wscengine_rooms_server::wsrooms::Message;

use crate::common::HANG;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The bit of the last frame of a message (RFC 6455 section 5.2).
pub(crate) const FIN: u8 = 0x80;

/// The handshake of RFC 6455 section 1.2.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
    pub(crate) id: String,
}

impl Raw {
    /// Connects to `/ws/wsrooms` and learns its id.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap(), addr).await
    }

    /// Takes in little, so that the server soon finds it slow.
    pub(crate) async fn narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(addr).await.unwrap(), addr).await
    }

    async fn over(stream: TcpStream, addr: SocketAddr) -> Self {
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream, buffer: Vec::new(), id: String::new() };
        let request = format!(
            "GET /ws/wsrooms HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.send(request.as_bytes()).await;
        let end = loop {
            if let Some(at) = client.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(client.read().await, "the server answers");
        };
        let head: Vec<u8> = client.buffer.drain(..end).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        client.id = client.message().await.src;
        client
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        timeout(HANG, self.stream.write_all(bytes)).await.expect("no hang").unwrap();
    }

    pub(crate) async fn say(&mut self, message: &Message) {
        self.send(&frame(FIN | BINARY, &message.to_bytes().unwrap())).await;
    }

    /// The next frame: its opcode and payload; `None` at the end of the stream, however it ends.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, start, end)) = whole(&self.buffer) {
                let payload = self.buffer[start..end].to_vec();
                self.buffer.drain(..end);
                return Some((opcode, payload));
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// The next frame, which is a message.
    pub(crate) async fn message(&mut self) -> Message {
        match self.frame().await.expect("a message") {
            (BINARY, payload) => Message::from_bytes(&payload).unwrap(),
            (opcode, payload) => panic!("{opcode}: {payload:?}"),
        }
    }

    /// Reads past what others do until there is this event.
    pub(crate) async fn until(&mut self, event: &str) -> Message {
        loop {
            let message = self.message().await;
            if message.event == event {
                return message;
            }
        }
    }

    pub(crate) async fn join(&mut self, room: &str) -> Message {
        self.say(&Message::new(room, "join", "", "", "")).await;
        self.until("join_ack").await
    }

    /// All messages up to the pong that answers a ping of now.
    pub(crate) async fn settle(&mut self) -> Vec<Message> {
        self.send(&frame(FIN | PING, b"settle")).await;
        let mut seen = Vec::new();
        loop {
            match self.frame().await.expect("a pong") {
                (PONG, _) => return seen,
                (_, payload) => seen.push(Message::from_bytes(&payload).unwrap()),
            }
        }
    }

    /// Ends its own direction only.
    pub(crate) async fn shut(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The stream, for one task to read and another to write.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    async fn read(&mut self) -> bool {
        let reading = self.stream.read_buf(&mut self.buffer);
        matches!(timeout(HANG, reading).await.expect("no hang"), Ok(1..))
    }
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// Opcode, start and end of the payload of the frame at the front, once it is there in full. The server sends none in
/// parts, and masks none.
fn whole(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    assert!(first & 0xf0 == FIN && second & 0x80 == 0, "no frame of a server: {first} {second}");
    let (size, len) = match second {
        126 => (2, u16::from_be_bytes(*rest.first_chunk()?) as usize),
        127 => (8, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        len => (0, len as usize),
    };
    let start = 2 + size;
    (bytes.len() >= start + len).then_some((first & 0x0f, start, start + len))
}
