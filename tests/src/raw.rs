//! A server that does what a test says, byte by byte.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::within;

/// A listener on a free loopback port.
#[derive(Debug)]
pub struct RawServer {
    listener: TcpListener,
}

impl RawServer {
    /// Listens.
    pub async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// `ws://127.0.0.1:PORT/path`
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/path", self.port())
    }

    /// The next connection, and its request.
    pub async fn opening(&self) -> Opening {
        self.try_opening().await.unwrap()
    }

    /// The next connection, and its request: for servers that outlive clients which go in the middle of it.
    ///
    /// # Errors
    /// If the client goes before its request is whole.
    pub async fn try_opening(&self) -> io::Result<Opening> {
        let mut stream = self.stream().await;
        let mut head = Vec::new();
        // A client says nothing more until it is answered.
        while !head.ends_with(b"\r\n\r\n") {
            if within(stream.read_buf(&mut head)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Opening { stream, head: String::from_utf8(head).unwrap() })
    }

    /// The next connection, before it has said anything.
    pub async fn stream(&self) -> TcpStream {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The next connection, upgraded.
    pub async fn accept(&self) -> RawConnection {
        self.opening().await.accept().await
    }
}

/// A connection whose request was read and not answered yet.
#[derive(Debug)]
pub struct Opening {
    stream: TcpStream,
    head: String,
}

impl Opening {
    /// The value of a header of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.head.lines().filter_map(|line| line.split_once(':'));
        headers
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The right answer to the request's key (RFC 6455 section 4.2.2).
    pub fn accept_value(&self) -> String {
        let key = self.header("sec-websocket-key").unwrap();
        STANDARD.encode(
            Sha1::new()
                .chain_update(key)
                .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                .finalize(),
        )
    }

    /// Upgrades.
    pub async fn accept(self) -> RawConnection {
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            self.accept_value()
        );
        self.answer(answer.as_bytes()).await
    }

    /// Answers with these bytes. A client that had enough of them may hang up before the last.
    pub async fn answer(self, bytes: &[u8]) -> RawConnection {
        let mut stream = self.stream;
        let _ = within(stream.write_all(bytes)).await;
        RawConnection { stream }
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
}

/// A frame of the client, without its mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub head: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The status code, if it is a close frame with one.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk().filter(|_| self.head == 0x88)?;
        Some(u16::from_be_bytes(*code))
    }
}

impl RawConnection {
    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        // The client may hang up in the middle of what it does not like.
        let _ = within(self.stream.write_all(bytes)).await;
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// If the client is gone.
    pub async fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// Sends a whole text message.
    pub async fn send_text(&mut self, text: &str) {
        self.write(&frame(0x81, text.as_bytes())).await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: u16, reason: &str) {
        self.write(&frame(0x88, &[&code.to_be_bytes()[..], reason.as_bytes()].concat())).await;
    }

    /// The client's next frame, or `None` at the end of the stream, however it ends.
    pub async fn frame(&mut self) -> Option<Frame> {
        within(self.read_frame()).await.ok()
    }

    /// The client's next frame that is not a ping: pings are not answered.
    pub async fn frame_but_pings(&mut self) -> Option<Frame> {
        loop {
            match self.frame().await {
                Some(frame) if frame.head == 0x89 => {}
                other => return other,
            }
        }
    }

    /// Ends this direction with FIN: nothing more is written, and the client need not wait for more.
    pub async fn end(&mut self) {
        let _ = within(self.stream.shutdown()).await;
    }

    /// Ends the connection with FIN, and waits until the client has ended it too.
    pub async fn finish(mut self) {
        self.end().await;
        let mut rest = [0; 4096];
        while within(self.stream.read(&mut rest)).await.is_ok_and(|count| count > 0) {}
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    async fn read_frame(&mut self) -> io::Result<Frame> {
        let head = self.stream.read_u8().await?;
        let second = self.stream.read_u8().await?;
        assert!(second & 0x80 != 0, "a client must mask (RFC 6455 section 5.1)");
        let length = match second & 0x7f {
            126 => self.stream.read_u16().await?.into(),
            127 => self.stream.read_u64().await?.try_into().unwrap(),
            length => usize::from(length),
        };
        let mask = self.stream.read_u32().await?.to_be_bytes();
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[at % 4];
        }
        Ok(Frame { head, payload })
    }
}

/// The bytes of a server's frame, its length in the shortest form.
pub fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![head];
    match payload.len() {
        length @ ..126 => bytes.push(length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}
