//! What passes, as WebSocket sees it: a handshake, then frames (RFC 6455 section 5.2).

use std::mem;

/// What to damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// The third reserved bit of the next frame's header: the receiver must fail the connection with 1002.
    Header,
    /// The highest bit of the next message's first byte: what was ASCII is not UTF-8 any more, and its receiver must
    /// fail the connection with 1007. A mask does not change that.
    Payload,
    /// The lowest bit of the first character of `Sec-WebSocket-Key`, or of `Sec-WebSocket-Accept`, in the next
    /// handshake: key and answer do not belong together any more.
    Handshake,
}

/// What is to be done to frames.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) corrupt: Option<Corrupt>,
    pub(super) duplicate_close: bool,
}

/// What has passed in one direction of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Messages that have passed to their last byte.
    pub messages: u64,
    /// How many of them came before the frame that was damaged, if one was.
    pub sound: Option<u64>,
    /// Pings.
    pub pings: u64,
    /// The status codes of the close frames that have passed; 1005 for none.
    pub closes: Vec<u16>,
}

/// Follows the bytes of one direction.
#[derive(Debug)]
pub(super) struct Scanner {
    stage: Stage,
    passed: Passed,
}

#[derive(Debug)]
enum Stage {
    Handshake { head: Vec<u8>, given_out: usize },
    Header(Vec<u8>),
    Payload(Payload),
}

/// A frame whose payload passes.
#[derive(Debug)]
struct Payload {
    header: Vec<u8>,
    left: u64,
    /// Of control frames only.
    bytes: Vec<u8>,
}

const FIN: u8 = 0x80;
const RSV3: u8 = 0x10;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const CLOSE: u8 = 8;
const PING: u8 = 9;

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Handshake { head: Vec::new(), given_out: 0 },
            passed: Passed::default(),
        }
    }

    /// What has passed, that which was given to [`pass`](Self::pass) last included.
    pub(super) fn passed(&self) -> &Passed {
        &self.passed
    }

    /// What is to be passed on instead of `bytes`.
    pub(super) fn pass(&mut self, mut bytes: &[u8], orders: &mut Orders) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        while !bytes.is_empty() {
            bytes = match &mut self.stage {
                Stage::Handshake { .. } => self.handshake(bytes, orders, &mut out),
                Stage::Header(_) => self.header(bytes, orders, &mut out),
                Stage::Payload(_) => self.payload(bytes, orders, &mut out),
            };
        }
        out
    }

    fn handshake<'a>(
        &mut self,
        mut bytes: &'a [u8],
        orders: &mut Orders,
        out: &mut Vec<u8>,
    ) -> &'a [u8] {
        let Stage::Handshake { head, given_out } = &mut self.stage else { return bytes };
        let mut complete = false;
        while let (Some((byte, rest)), false) = (bytes.split_first(), complete) {
            head.push(*byte);
            complete = head.ends_with(b"\r\n\r\n");
            bytes = rest;
        }
        let damage = orders.corrupt == Some(Corrupt::Handshake);
        // What is to be damaged is found once all of it is here.
        if complete || !damage {
            if damage && corrupt_key(head) {
                orders.corrupt = None;
                self.passed.sound.get_or_insert(0);
            }
            out.extend_from_slice(&head[*given_out..]);
            *given_out = head.len();
        }
        if complete {
            self.stage = Stage::Header(Vec::new());
        }
        bytes
    }

    fn header<'a>(&mut self, bytes: &'a [u8], orders: &mut Orders, out: &mut Vec<u8>) -> &'a [u8] {
        let (Stage::Header(header), [byte, rest @ ..]) = (&mut self.stage, bytes) else {
            return bytes;
        };
        let first = header.is_empty();
        header.push(*byte);
        if first && orders.corrupt == Some(Corrupt::Header) {
            orders.corrupt = None;
            self.passed.sound.get_or_insert(self.passed.messages);
            out.push(byte ^ RSV3);
        } else {
            out.push(*byte);
        }
        if let Some(left) = payload_len(header) {
            let header = mem::take(header);
            self.stage = Stage::Payload(Payload { header, left, bytes: Vec::new() });
            if left == 0 {
                self.end_frame(orders, out);
            }
        }
        rest
    }

    fn payload<'a>(&mut self, bytes: &'a [u8], orders: &mut Orders, out: &mut Vec<u8>) -> &'a [u8] {
        let Stage::Payload(frame) = &mut self.stage else { return bytes };
        let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
        let (part, rest) = bytes.split_at(count);
        let start = out.len();
        out.extend_from_slice(part);
        if frame.is_control() {
            frame.bytes.extend_from_slice(part);
        } else if orders.corrupt == Some(Corrupt::Payload) && frame.is_at_its_start() {
            orders.corrupt = None;
            self.passed.sound.get_or_insert(self.passed.messages);
            out[start] ^= 0x80;
        }
        frame.left -= count as u64;
        if frame.left == 0 {
            self.end_frame(orders, out);
        }
        rest
    }

    fn end_frame(&mut self, orders: &Orders, out: &mut Vec<u8>) {
        let Stage::Payload(frame) = mem::replace(&mut self.stage, Stage::Header(Vec::new())) else {
            return;
        };
        match frame.header[0] & OPCODE {
            CLOSE => {
                let times = 1 + usize::from(orders.duplicate_close);
                self.passed.closes.extend(vec![frame.close_code(); times]);
                if orders.duplicate_close {
                    out.extend_from_slice(&frame.header);
                    out.extend_from_slice(&frame.bytes);
                }
            }
            PING => self.passed.pings += 1,
            _ if !frame.is_control() && frame.header[0] & FIN != 0 => self.passed.messages += 1,
            _ => {}
        }
    }
}

impl Payload {
    fn is_control(&self) -> bool {
        self.header[0] & 8 != 0
    }

    fn is_at_its_start(&self) -> bool {
        self.header[0] & OPCODE != 0 && payload_len(&self.header) == Some(self.left)
    }

    fn close_code(&self) -> u16 {
        let mask = match self.header[1] & MASKED {
            0 => [0; 2],
            _ => [self.header[2], self.header[3]],
        };
        match self.bytes[..] {
            [first, second, ..] => u16::from_be_bytes([first ^ mask[0], second ^ mask[1]]),
            _ => 1005,
        }
    }
}

/// The length of the payload, once the header is complete.
fn payload_len(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let extended = match second & !MASKED {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & MASKED == 0 { 0 } else { 4 };
    if header.len() < 2 + extended + mask {
        return None;
    }
    let long =
        header[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    Some(if extended == 0 { u64::from(second & !MASKED) } else { long })
}

/// Damages the key or the answer to it, if there is one.
fn corrupt_key(head: &mut [u8]) -> bool {
    let lower = head.to_ascii_lowercase();
    for name in [&b"sec-websocket-key:"[..], b"sec-websocket-accept:"] {
        if let Some(at) = lower.windows(name.len()).position(|window| window == name) {
            let value = at + name.len();
            let blanks = head[value..].iter().take_while(|byte| **byte == b' ').count();
            head[value + blanks] ^= 1;
            return true;
        }
    }
    false
}
