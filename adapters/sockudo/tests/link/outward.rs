//! Towards the server.

use bytes::BytesMut;
use flate2::{Decompress, FlushDecompress};

use super::{TAIL, lengths, put_header};

pub(super) struct Outward {
    /// Whether the client's request has passed.
    open: bool,
    held: BytesMut,
    /// What the server may read.
    pub(super) ready: BytesMut,
    inflate: Decompress,
}

impl Outward {
    pub(super) fn new() -> Self {
        Self {
            open: false,
            held: BytesMut::new(),
            ready: BytesMut::new(),
            inflate: Decompress::new(false),
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        if !self.open {
            let Some(end) = self.held.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                return;
            };
            self.ready.unsplit(self.held.split_to(end + 4));
            self.open = true;
        }
        while let Some((header, len)) = lengths(&self.held)
            && self.held.len() - header >= len
        {
            let frame = self.held.split_to(header + len);
            match frame[0] {
                first @ (0xc1 | 0xc2) => self.inflated(first & !0x40, &frame, header),
                _ => self.ready.unsplit(frame),
            }
        }
    }

    /// Appends the same message as it was, with the same mask.
    fn inflated(&mut self, first: u8, frame: &[u8], header: usize) {
        let mask = &frame[header - 4..header];
        let masked = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
        };
        let mut input = masked(&frame[header..]);
        input.extend(TAIL);
        let mut payload = Vec::with_capacity(4096);
        let start = self.inflate.total_in();
        loop {
            let taken = usize::try_from(self.inflate.total_in() - start).unwrap();
            self.inflate
                .decompress_vec(&input[taken..], &mut payload, FlushDecompress::Sync)
                .unwrap();
            if payload.len() < payload.capacity() {
                break;
            }
            payload.reserve(payload.len());
        }
        put_header(&mut self.ready, first, 0x80, payload.len());
        self.ready.extend_from_slice(mask);
        self.ready.extend_from_slice(&masked(&payload));
    }
}
