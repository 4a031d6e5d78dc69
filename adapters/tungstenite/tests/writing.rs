//! What happens when the peer takes no bytes, or none any more.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::task::unconstrained;
use wscengine::transport::{Batch, Connection, Inbound, Limits};
use wscengine::{ReadErrorKind, WriteErrorKind};
use wscengine_tungstenite::TungsteniteConnection;

/// Gives what has been read before, then nothing more; takes no byte.
struct Deaf {
    input: &'static [u8],
}

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buf.put_slice(std::mem::take(&mut self.input));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_pong_that_cannot_be_written_loses_nothing_that_came_behind_its_ping() {
    let input = b"\x89\x00\x81\x03one\x89\x00\x81\x03two\x88\x02\x03\xe8";
    let mut connection = TungsteniteConnection::new(Deaf { input }, b"", Limits::default());
    let mut batch = Batch::new();
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Inbound::Close(_))) {
        poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.expect("nothing is lost");
        while let Some(entry) = batch.next() {
            seen.push(match entry.expect("it is UTF-8") {
                Inbound::Message(message) => Inbound::Message(message.into_owned()),
                Inbound::Close(frame) => Inbound::Close(frame),
                _ => Inbound::Ping,
            });
        }
    }
    let frame = wscengine::CloseFrame::received(1000, "");
    let wanted = [
        Inbound::Ping,
        Inbound::Message("one".into()),
        Inbound::Ping,
        Inbound::Message("two".into()),
        Inbound::Close(Some(frame)),
    ];
    assert_eq!(seen, wanted);
    // Who writes is told.
    let error = poll_fn(|cx| connection.poll_flush(cx)).await.expect_err("the pipe is broken");
    assert_eq!(error.kind(), WriteErrorKind::Io);
    assert!(poll_fn(|cx| connection.poll_ready(cx)).await.is_err());
}

/// As many bytes as the pipe holds each way.
const PIPE: usize = 64 << 10;
/// A ping with a full payload.
const PING: usize = 127;

/// Reads whatever is there, as the engine does; the number of pings.
async fn read_all(
    connection: &mut TungsteniteConnection<impl AsyncRead + AsyncWrite + Send + Unpin + 'static>,
) -> usize {
    let mut batch = Batch::new();
    unconstrained(poll_fn(|cx| {
        while let Poll::Ready(result) = connection.poll_recv(cx, &mut batch) {
            result.expect("the connection is open");
            if let Poll::Ready(result) = connection.poll_flush(cx) {
                result.expect("the connection is open");
            }
        }
        Poll::Ready(batch.len())
    }))
    .await
}

/// Sends what is left of the pings, as far as the pipe takes them.
async fn send_some(peer: &mut DuplexStream, pings: &mut &[u8]) {
    unconstrained(poll_fn(|cx| {
        while !pings.is_empty()
            && let Poll::Ready(count) = Pin::new(&mut *peer).poll_write(cx, pings)
        {
            *pings = &pings[count.expect("the pipe is open")..];
        }
        Poll::Ready(())
    }))
    .await;
}

#[tokio::test]
async fn a_peer_that_sends_pings_and_takes_no_pongs_is_held_back() {
    let (client, mut peer) = duplex(PIPE);
    let mut connection = TungsteniteConnection::new(client, b"", Limits::default());
    let all = [&[0x89, 125][..], &[7; 125]].concat().repeat(20 * PIPE / PING);
    let mut left = &all[..];
    let mut taken = 0;
    loop {
        send_some(&mut peer, &mut left).await;
        match read_all(&mut connection).await {
            0 => break,
            count => taken += count,
        }
    }
    assert!(taken * PING < 6 * PIPE, "{taken} pings were taken, {} bytes are left", left.len());
    // Once the peer reads, all goes on.
    let mut pongs = vec![0; taken * (PING + 4)];
    let flush = async { poll_fn(|cx| connection.poll_flush(cx)).await.expect("the pipe is open") };
    let (read, ()) = tokio::join!(peer.read_exact(&mut pongs), flush);
    read.expect("each ping has its pong");
    assert!(read_all(&mut connection).await > 0);
}

#[tokio::test]
async fn what_comes_behind_a_text_that_is_none_is_not_answered() {
    let (client, mut peer) = duplex(PIPE);
    let mut connection = TungsteniteConnection::new(client, b"", Limits::default());
    peer.write_all(b"\x89\x00\x81\x01\xff\x89\x01x\x88\x00").await.expect("the pipe is open");
    let mut batch = Batch::new();
    poll_fn(|cx| connection.poll_recv(cx, &mut batch)).await.expect("a ping");
    assert!(matches!(batch.next(), Some(Ok(Inbound::Ping))));
    let error = batch.next().expect("the text").expect_err("it is not UTF-8");
    assert_eq!(error.kind(), ReadErrorKind::InvalidUtf8);
    poll_fn(|cx| connection.poll_flush(cx)).await.expect("the pipe is open");
    drop(connection);
    let mut written = Vec::new();
    peer.read_to_end(&mut written).await.expect("the end");
    assert_eq!((written.len(), written[0]), (6, 0x8a), "the pong of the first ping alone");
}
