//! Towards the client.

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, FlushCompress};

use super::{TAIL, lengths, put_header};

pub(super) struct Inward {
    state: State,
    /// What has come and cannot be passed on yet.
    held: BytesMut,
    /// What the client may read.
    pub(super) ready: BytesMut,
    compress: Compress,
}

enum State {
    /// In the server's answer.
    Head,
    Frames,
    /// A frame has come in pieces, or is none: from here on all passes as it is.
    AsItIs,
}

impl Inward {
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            held: BytesMut::new(),
            ready: BytesMut::new(),
            compress: Compress::new(Compression::fast(), false),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        if matches!(self.state, State::Head) {
            self.head();
        }
        while matches!(self.state, State::Frames) && !self.held.is_empty() {
            self.frame();
        }
        if matches!(self.state, State::AsItIs) {
            self.ready.unsplit(self.held.split());
        }
    }

    /// Says in the answer that permessage-deflate is accepted.
    fn head(&mut self) {
        let Some(end) = self.held.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return };
        if !self.held.starts_with(b"HTTP/1.1 101 ") {
            self.state = State::AsItIs;
            return;
        }
        self.ready.extend_from_slice(&self.held.split_to(end + 2));
        self.ready.extend_from_slice(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        self.held.advance(2);
        self.state = State::Frames;
    }

    fn frame(&mut self) {
        let whole = lengths(&self.held).filter(|(header, len)| self.held.len() - header >= *len);
        let Some((header, len)) = whole else {
            self.state = State::AsItIs;
            return;
        };
        let frame = self.held.split_to(header + len);
        let shortest = match header {
            2 => 0,
            4 => 126,
            _ => 65_536,
        };
        match frame[0] {
            first @ (0x81 | 0x82) if frame[1] & 0x80 == 0 && len >= shortest => {
                let payload = self.compressed(&frame[header..]);
                put_header(&mut self.ready, first | 0x40, 0, payload.len());
                self.ready.extend_from_slice(&payload);
            }
            _ => self.ready.extend_from_slice(&frame),
        }
    }

    fn compressed(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            return vec![0];
        }
        let mut out = Vec::with_capacity(payload.len() + payload.len() / 100 + 64);
        self.compress.compress_vec(payload, &mut out, FlushCompress::Sync).unwrap();
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
        out
    }
}
