//! A transport of your own: `cargo run --example custom_transport`. Messages are lines of text over TCP; the end of the
//! stream is what a close frame is elsewhere. All else is the engine's, as with WebSocket.

use std::task::{Context, Poll, ready};

use examples::lines::{Printer, serve};
use futures_util::{SinkExt, StreamExt as _};
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};
use wscengine::{transport::*, *};

#[tokio::main]
async fn main() -> Result<(), HandlerError> {
    let url = format!("ws://{}", serve().await?); // To the engine an address is a URL.
    let engine = Engine::builder(LinesTransport, Printer).url(url).ping_interval(None).build()?;
    println!("stopped: {:?}", engine.start().await?.stopped().await.kind());
    Ok(())
}

struct LinesTransport;
impl Transport for LinesTransport {
    type Connection = Lines;
    async fn connect(&self, request: ConnectRequest) -> Result<Connected<Lines>, ConnectError> {
        let failed = |error| ConnectError::with_source(ConnectErrorKind::Connect, error);
        let socket = TcpStream::connect(request.url.authority()).await.map_err(failed)?;
        let lines = Framed::new(socket, LinesCodec::new_with_max_length(request.limits.message));
        let connection = Lines { lines, read: 0, taken: 0, closing: false, ended: false };
        Ok(Connected { connection, response: HandshakeResponse::accepted() })
    }
}

struct Lines {
    lines: Framed<TcpStream, LinesCodec>,
    read: usize,
    taken: usize,
    closing: bool,
    ended: bool,
}
impl Connection for Lines {
    fn poll_recv(&mut self, cx: &mut Context<'_>, to: &mut Batch) -> Poll<Result<(), ReadError>> {
        let failed = |error| ReadError::with_source(ReadErrorKind::Io, error);
        match ready!(self.lines.poll_next_unpin(cx)).transpose().map_err(failed)? {
            Some(line) => {
                self.read += line.len() + 1;
                to.push(line.into());
            }
            None if std::mem::replace(&mut self.ended, true) => Err(ReadErrorKind::Closed)?,
            None => to.push_close(None),
        }
        Poll::Ready(Ok(()))
    }
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        SinkExt::<&str>::poll_ready_unpin(&mut self.lines, cx).map_err(failed)
    }
    fn start_send(&mut self, frame: Outgoing) -> Result<(), WriteError> {
        self.closing = matches!(frame, Outgoing::Close(_));
        let Outgoing::Message(message) = frame else { return Ok(()) };
        let line = message.text().ok_or(WriteErrorKind::Invalid)?;
        self.taken += line.len() + 1;
        self.lines.start_send_unpin(line).map_err(failed)
    }
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let flushed = SinkExt::<&str>::poll_flush_unpin(&mut self.lines, cx).map_err(failed);
        if self.closing { self.poll_close(cx) } else { flushed }
    }
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        SinkExt::<&str>::poll_close_unpin(&mut self.lines, cx).map_err(failed)
    }
    fn bytes_read(&self) -> u64 {
        (self.read + self.lines.read_buffer().len()) as u64
    }
    fn bytes_written(&self) -> u64 {
        (self.taken - self.lines.write_buffer().len()) as u64
    }
}

fn failed(error: LinesCodecError) -> WriteError {
    WriteError::with_source(WriteErrorKind::Io, error)
}
