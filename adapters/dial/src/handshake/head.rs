//! The header block of an answer: read until its end, then parsed once.

use std::io;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{Error as ParseError, Status};
use tokio::io::{AsyncRead, AsyncReadExt};
use wscengine::{ConnectError, ConnectErrorKind};

use super::{invalid, io_error};

/// The longest header block taken.
const MAX_HEAD: usize = 64 * 1024;
/// How every answer begins, so that anything else is refused at its first bytes.
const START: &[u8] = b"HTTP/1.";
/// How much room there is at least for each read.
const READ: usize = 4 * 1024;

/// Status line and headers of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    /// The digit after `HTTP/1.`: 0 or 1.
    pub(super) minor_version: u8,
    pub(super) headers: HeaderMap,
}

/// Reads header blocks, and keeps what was read after them.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    buffer: BytesMut,
    /// No block ends before this offset: an answer that comes byte by byte is looked through only once.
    scanned: usize,
}

impl HeadReader {
    /// The next header block.
    pub(super) async fn next<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> Result<Head, ConnectError> {
        loop {
            if !self.starts_like_http() {
                return Err(invalid("the answer is not HTTP/1.1"));
            }
            let end = self.find_end();
            if end.unwrap_or(self.buffer.len()) > MAX_HEAD {
                return Err(ConnectErrorKind::ResponseTooLarge.into());
            }
            if let Some(end) = end {
                self.scanned = 0;
                return parse(&self.buffer.split_to(end))?
                    .ok_or_else(|| invalid("the header block is incomplete"));
            }
            self.buffer.reserve(READ);
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(self.ended()),
                Ok(_) => {}
                Err(error) => return Err(io_error(error)),
            }
        }
    }

    /// What was read after the last block.
    pub(super) fn into_rest(self) -> BytesMut {
        self.buffer
    }

    /// The offset after the first empty line, if it has arrived. Like the parser, takes a lone LF as a line end.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(found) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') {
            let line_end = self.scanned + found;
            self.scanned = line_end;
            match self.buffer[line_end + 1..] {
                [b'\n', ..] => return Some(line_end + 2),
                [b'\r', b'\n', ..] => return Some(line_end + 3),
                // What follows decides, and is not there yet.
                [] | [b'\r'] => return None,
                _ => self.scanned += 1,
            }
        }
        self.scanned = self.buffer.len();
        None
    }

    fn starts_like_http(&self) -> bool {
        self.buffer.iter().zip(START).all(|(byte, expected)| byte == expected)
    }

    /// The stream ended within a block: cut short, or never meant to be one.
    fn ended(&self) -> ConnectError {
        match parse(&self.buffer) {
            Err(error) => error,
            Ok(_) => io_error(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// `None` for a block that breaks off.
fn parse(block: &[u8]) -> Result<Option<Head>, ConnectError> {
    // Enough for any block of the longest size, whose shortest header is `a:` and a LF.
    const MOST_HEADERS: usize = MAX_HEAD / 2;

    let mut room = 64;
    loop {
        let mut headers = vec![httparse::EMPTY_HEADER; room];
        let mut answer = httparse::Response::new(&mut headers);
        match answer.parse(block) {
            Ok(Status::Complete(_)) => return convert(&answer).map(Some),
            Ok(Status::Partial) => return Ok(None),
            Err(ParseError::TooManyHeaders) if room < MOST_HEADERS => room *= 8,
            Err(error) => {
                return Err(ConnectError::with_source(ConnectErrorKind::Handshake, error));
            }
        }
    }
}

fn convert(answer: &httparse::Response<'_, '_>) -> Result<Head, ConnectError> {
    let (Some(code), Some(minor_version)) = (answer.code, answer.version) else {
        return Err(invalid("the answer has no status line"));
    };
    let status = StatusCode::from_u16(code)
        .map_err(|_| invalid("the status is not a number from 100 to 999"))?;
    let mut headers = HeaderMap::new();
    for header in answer.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| invalid("a header's name is invalid"))?;
        let value = HeaderValue::from_bytes(header.value)
            .map_err(|_| invalid("a header's value is invalid"))?;
        headers.try_append(name, value).map_err(|error| {
            ConnectError::with_source(ConnectErrorKind::ResponseTooLarge, error)
        })?;
    }
    Ok(Head { status, minor_version, headers })
}
