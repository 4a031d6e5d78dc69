//! The body of a refusal, as far as it is kept: RFC 7230 section 3.3.3.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use super::check::has_token;
use super::head::Head;

/// How much of a body is kept.
const MAX_BODY: usize = 64 * 1024;
/// How much is read for it: chunks of one byte take six, and extensions of chunks are of no use.
const MAX_RAW: usize = 4 * MAX_BODY;
/// The longest line with the size of a chunk.
const MAX_SIZE_LINE: usize = 1024;
/// How much room there is at least for each read.
const READ: usize = 4 * 1024;

/// Reads the body until its end, the limit, or the deadline, whichever comes first.
///
/// It never fails: the refusal counts, and the body is only a help. `rest` is what was read after the header block.
pub(super) async fn read<S>(stream: &mut S, rest: BytesMut, head: &Head, deadline: Instant) -> Bytes
where
    S: AsyncRead + Unpin,
{
    let mut body = Body { state: State::of(head), raw: rest, kept: BytesMut::new() };
    // Whatever came before the deadline is in `kept`.
    let _ = timeout_at(deadline, body.fill(stream)).await;
    body.kept.freeze()
}

struct Body {
    state: State,
    /// Read and not yet decoded.
    raw: BytesMut,
    kept: BytesMut,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of the body, at most; until the end of the stream is the limit.
    Plain { left: usize },
    /// The line with a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk.
    ChunkData { left: u64 },
    /// The line end after a chunk.
    ChunkEnd,
    /// Nothing more: the end, the limit, or no sense in it.
    Done,
}

impl State {
    fn of(head: &Head) -> Self {
        if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            return Self::Done;
        }
        if has_token(&head.headers, &TRANSFER_ENCODING, "chunked") {
            return Self::ChunkSize;
        }
        Self::Plain { left: content_length(&head.headers).unwrap_or(MAX_BODY).min(MAX_BODY) }
    }
}

/// `None` for a length that is missing or no number: the body lasts until the end of the stream.
fn content_length(headers: &HeaderMap) -> Option<usize> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

impl Body {
    async fn fill<S: AsyncRead + Unpin>(&mut self, stream: &mut S) {
        let mut total = self.raw.len();
        self.decode();
        while self.state != State::Done && total < MAX_RAW {
            self.raw.reserve(READ);
            match stream.read_buf(&mut self.raw).await {
                Ok(0) | Err(_) => return,
                Ok(count) => total += count,
            }
            self.decode();
        }
    }

    /// Takes as much out of `raw` as there is sense in.
    fn decode(&mut self) {
        while let Some(next) = self.step() {
            self.state = next;
        }
    }

    /// The next state, or `None` when more bytes are needed or nothing more comes.
    fn step(&mut self) -> Option<State> {
        match self.state {
            State::Plain { left: 0 } => Some(State::Done),
            State::Plain { left } => {
                let taken = self.keep(left)?;
                Some(State::Plain { left: left - taken })
            }
            State::ChunkSize => self.chunk_size(),
            State::ChunkData { left: 0 } => Some(State::ChunkEnd),
            State::ChunkData { .. } if self.kept.len() == MAX_BODY => Some(State::Done),
            State::ChunkData { left } => {
                let taken = self.keep(usize::try_from(left).unwrap_or(usize::MAX))?;
                Some(State::ChunkData { left: left - taken as u64 })
            }
            State::ChunkEnd => match self.raw[..] {
                [b'\r', b'\n', ..] => {
                    self.raw.advance(2);
                    Some(State::ChunkSize)
                }
                [] | [b'\r'] => None,
                _ => Some(State::Done),
            },
            State::Done => None,
        }
    }

    fn chunk_size(&mut self) -> Option<State> {
        match httparse::parse_chunk_size(&self.raw) {
            // Trailers are of no interest.
            Ok(Status::Complete((_, 0))) | Err(_) => Some(State::Done),
            Ok(Status::Complete((line, size))) => {
                self.raw.advance(line);
                Some(State::ChunkData { left: size })
            }
            Ok(Status::Partial) if self.raw.len() > MAX_SIZE_LINE => Some(State::Done),
            Ok(Status::Partial) => None,
        }
    }

    /// Keeps up to `most` bytes within the limit; `None` if there are none.
    fn keep(&mut self, most: usize) -> Option<usize> {
        let count = self.raw.len().min(most).min(MAX_BODY - self.kept.len());
        if count == 0 {
            return None;
        }
        self.kept.extend_from_slice(&self.raw.split_to(count));
        Some(count)
    }
}
