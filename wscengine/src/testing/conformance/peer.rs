//! The scripted server: a listener on a free port, a handshake written by hand, and raw bytes.

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::Url;

use super::frame::{CLOSE, ClientFrame, read_frame};
use super::outcome::{Failure, Outcome, check};

/// The longest request head that a client of the suite can have a reason for.
const MAX_HEAD: usize = 64 << 10;

/// Listens for one client.
pub(super) struct Server {
    listener: TcpListener,
}

impl Server {
    /// On a free loopback port.
    pub(super) fn bind() -> Outcome<Self> {
        Self::listen(TcpSocket::new_v4()?)
    }

    /// With a small receive buffer, so that a client soon finds the connection full.
    pub(super) fn bind_with_small_buffer() -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(64 << 10)?;
        Self::listen(socket)
    }

    fn listen(socket: TcpSocket) -> Outcome<Self> {
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { listener: socket.listen(8)? })
    }

    /// Where a client finds it.
    pub(super) fn url(&self) -> Outcome<Url> {
        Ok(Url::parse(&format!("ws://{}/conformance?case=1", self.listener.local_addr()?))?)
    }

    /// Takes the client's connection and reads its request, without an answer yet.
    pub(super) async fn accept(&self) -> Outcome<Opening> {
        let (mut stream, _) = self.listener.accept().await?;
        // Each write is a segment of its own, as far as the system allows.
        stream.set_nodelay(true)?;
        let request = Request::read(&mut stream).await?;
        Ok(Opening { stream, request })
    }
}

/// A client's request, as it came.
pub(super) struct Request {
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// Reads byte by byte, so that nothing behind the head is taken.
    async fn read(stream: &mut TcpStream) -> Outcome<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            check!(head.len() < MAX_HEAD, "the client's request has no end");
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head)?;
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default();
        let target = start.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
        let target =
            target.ok_or_else(|| Failure::new(format!("not an upgrade request: {start}")))?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Ok(Self { target: target.to_owned(), headers: headers.collect() })
    }

    /// All values of a header, in order.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The value that RFC 6455 section 4.2.2 asks for as the answer to the client's key.
    fn accept_value(&self) -> Outcome<String> {
        let keys = self.values("sec-websocket-key");
        let &[key] = keys.as_slice() else {
            return Err(Failure::new(format!("the request has {} keys", keys.len())));
        };
        let digest = Sha1::new()
            .chain_update(key)
            .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
            .finalize();
        Ok(STANDARD.encode(digest))
    }
}

/// A connection whose request has been read and not been answered.
pub(super) struct Opening {
    stream: TcpStream,
    pub(super) request: Request,
}

impl Opening {
    /// Accepts, with nothing more than RFC 6455 demands.
    pub(super) async fn upgrade(self) -> Outcome<Peer> {
        self.upgrade_with("", b"").await
    }

    /// Accepts with more header lines (each ended by CR LF), and `behind` in the same segment.
    pub(super) async fn upgrade_with(self, headers: &str, behind: &[u8]) -> Outcome<Peer> {
        let accept = self.request.accept_value()?;
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        self.answer(&[head.as_bytes(), behind].concat()).await
    }

    /// Answers with `response`, whatever it is.
    pub(super) async fn answer(self, response: &[u8]) -> Outcome<Peer> {
        let mut peer = Peer { stream: self.stream };
        peer.send(response).await?;
        Ok(peer)
    }

    /// Waits, without an answer, until the client has closed the connection.
    pub(super) async fn expect_end(self) -> Outcome {
        Peer { stream: self.stream }.expect_end().await
    }
}

/// The server's end of an open connection.
pub(super) struct Peer {
    stream: TcpStream,
}

impl Peer {
    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The client's next frame.
    pub(super) async fn frame(&mut self) -> Outcome<ClientFrame> {
        read_frame(&mut self.stream).await
    }

    /// The client's next frame, which must be a close frame.
    pub(super) async fn close_frame(&mut self) -> Outcome<ClientFrame> {
        let frame = self.frame().await?;
        check!(
            frame.opcode == CLOSE && frame.fin,
            "wanted a close frame, got opcode {}",
            frame.opcode
        );
        let code = frame.close_code();
        check!(!matches!(code, Some(1004..=1006 | 1015)), "the code {code:?} must never be sent");
        Ok(frame)
    }

    /// Waits for the end of the stream; any byte before it is a failure.
    pub(super) async fn expect_end(mut self) -> Outcome {
        match self.stream.read_u8().await {
            // The client drops a socket with unread bytes: the system then sends a reset, which is an end too.
            Err(_) => Ok(()),
            Ok(byte) => Err(Failure::new(format!("the client sent one more frame: {byte:#04x}"))),
        }
    }

    /// Waits for the end of the stream, which must not be a reset, and then ends it too.
    pub(super) async fn expect_eof(mut self) -> Outcome {
        let mut byte = [0];
        match self.stream.read(&mut byte).await? {
            0 => Ok(()),
            _ => Err(Failure::new(format!("the client sent one more frame: {:#04x}", byte[0]))),
        }
    }

    /// Ends its direction of the connection, as a server does that goes away in order.
    pub(super) async fn finish(&mut self) -> Outcome {
        Ok(self.stream.shutdown().await?)
    }

    /// Cuts the connection: the client sees a reset.
    pub(super) fn reset(self) -> Outcome {
        Ok(self.stream.set_zero_linger()?)
    }
}
