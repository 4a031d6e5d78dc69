//! From bytes to messages: whole frames are lent where they lie, parts are put together.

use super::Violation;
use super::deflate::{inflate, max_compressed};
use super::header::{Header, unmask};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// Text is UTF-8.
    Message(Kind, &'a [u8]),
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// With the code of the frame, if it has one, and its reason.
    Close(Option<u16>, &'a str),
}

/// What outlasts a frame: the parts of a message that has begun.
#[derive(Debug)]
pub(crate) struct Assembly {
    max: usize,
    /// Messages may be compressed.
    inflates: bool,
    begun: Option<Begun>,
    parts: Vec<u8>,
    /// How much of `parts` is known to be UTF-8.
    checked: usize,
    /// `parts` is a message that has been lent.
    lent: bool,
}

/// What the first frame of a message says.
#[derive(Clone, Copy, Debug)]
struct Begun {
    kind: Kind,
    compressed: bool,
}

impl Assembly {
    /// For messages of at most `max` bytes.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, inflates: false, begun: None, parts: Vec::new(), checked: 0, lent: false }
    }

    /// Takes compressed messages from now on (RFC 7692); the limit is for what they become.
    pub(crate) fn set_inflates(&mut self) {
        self.inflates = true;
    }

    /// The next event in `buf` from `*at` on, and moves `*at` behind it. `None`: more bytes are needed.
    ///
    /// # Errors
    /// What the client broke; nothing after that has a meaning.
    pub(crate) fn next<'a>(
        &'a mut self,
        buf: &'a mut [u8],
        at: &mut usize,
    ) -> Result<Option<Event<'a>>, Violation> {
        if self.lent {
            (self.lent, self.checked, self.parts) = (false, 0, Vec::new());
        }
        loop {
            let rest = buf.get(*at..).unwrap_or_default();
            let Some(header) = Header::read(rest)? else { return Ok(None) };
            self.judge(&header)?;
            if rest.len() - header.size < header.len {
                return Ok(None);
            }
            let start = *at + header.size;
            *at = start + header.len;
            unmask(&mut buf[start..*at], header.mask);
            if header.is_control() {
                return control(header.opcode, &buf[start..*at]).map(Some);
            }
            if header.last && header.opcode != CONTINUATION && !header.compressed {
                return message(kind(header.opcode), &buf[start..*at]).map(Some);
            }
            let first = Begun { kind: kind(header.opcode), compressed: header.compressed };
            let begun = *self.begun.get_or_insert(first);
            self.parts.extend_from_slice(&buf[start..*at]);
            if header.last {
                (self.begun, self.lent) = (None, true);
                if begun.compressed {
                    self.parts = inflate(&self.parts, self.max)?;
                }
            }
            if begun.kind == Kind::Text && (header.last || !begun.compressed) {
                self.check_text(header.last)?;
            }
            if header.last {
                return Ok(Some(Event::Message(begun.kind, &self.parts)));
            }
        }
    }

    /// Text is judged part by part: what is wrong in the first part is not read to the last.
    fn check_text(&mut self, last: bool) -> Result<(), Violation> {
        let new = self.parts.get(self.checked..).unwrap_or_default();
        match std::str::from_utf8(new) {
            Ok(text) => self.checked += text.len(),
            // A character may be cut by the end of a part.
            Err(error) if error.error_len().is_none() && !last => {
                self.checked += error.valid_up_to();
            }
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }

    /// Whether a frame may stand here, and its message may be so large.
    fn judge(&self, header: &Header) -> Result<(), Violation> {
        match (header.opcode, self.begun) {
            (CONTINUATION, None) => return Err(Violation::NothingBegun),
            (TEXT | BINARY, Some(_)) => return Err(Violation::NotEnded),
            _ if header.compressed && !self.inflates => return Err(Violation::ReservedBit),
            _ if header.is_control() => return Ok(()),
            _ => {}
        }
        let compressed = header.compressed || self.begun.is_some_and(|begun| begun.compressed);
        let max = if compressed { max_compressed(self.max) } else { self.max };
        match self.parts.len().checked_add(header.len) {
            Some(len) if len <= max => Ok(()),
            _ => Err(Violation::TooBig),
        }
    }
}

fn kind(opcode: u8) -> Kind {
    if opcode == TEXT { Kind::Text } else { Kind::Binary }
}

fn message(kind: Kind, payload: &[u8]) -> Result<Event<'_>, Violation> {
    if kind == Kind::Text && std::str::from_utf8(payload).is_err() {
        return Err(Violation::NotUtf8);
    }
    Ok(Event::Message(kind, payload))
}

fn control(opcode: u8, payload: &[u8]) -> Result<Event<'_>, Violation> {
    match opcode {
        CLOSE => close(payload),
        PING => Ok(Event::Ping(payload)),
        _ => Ok(Event::Pong(payload)),
    }
}

/// A close frame (RFC 6455 sections 5.5.1 and 7.4).
fn close(payload: &[u8]) -> Result<Event<'_>, Violation> {
    let (code, reason) = match *payload {
        [] => return Ok(Event::Close(None, "")),
        [a, b, ref reason @ ..] => (u16::from_be_bytes([a, b]), reason),
        [_] => return Err(Violation::CloseCode),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCode);
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
    Ok(Event::Close(Some(code), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            len @ 0..126 => out.push(0x80 | len as u8),
            len => {
                out.push(0xfe);
                out.extend((len as u16).to_be_bytes());
            }
        }
        out.extend(MASK);
        let start = out.len();
        out.extend(payload);
        unmask(&mut out[start..], MASK);
        out
    }

    /// All events, as text, however the bytes are cut.
    fn events(bytes: &[u8], step: usize) -> Vec<String> {
        events_of(Assembly::new(200), bytes, step)
    }

    fn events_of(mut assembly: Assembly, bytes: &[u8], step: usize) -> Vec<String> {
        let mut out = Vec::new();
        let (mut buf, mut at) = (Vec::new(), 0);
        for piece in bytes.chunks(step) {
            buf.extend_from_slice(piece);
            loop {
                match assembly.next(&mut buf, &mut at) {
                    Ok(Some(event)) => out.push(format!("{event:?}")),
                    Ok(None) => break,
                    Err(violation) => {
                        out.push(format!("{violation:?}"));
                        return out;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn however_the_bytes_are_cut_the_messages_are_the_same() {
        let mut bytes = frame(0x82, b"one");
        bytes.extend(frame(0x01, b"tw"));
        bytes.extend(frame(0x89, b"ping"));
        bytes.extend(frame(0x00, b""));
        bytes.extend(frame(0x80, "oé".as_bytes()));
        bytes.extend(frame(0x81, b""));
        bytes.extend(frame(0x8a, b""));
        bytes.extend(frame(0x88, &[0x03, 0xe8, b'x']));
        let whole = events(&bytes, bytes.len());
        assert_eq!(whole.len(), 6, "{whole:?}");
        assert_eq!(whole[0], format!("{:?}", Event::Message(Kind::Binary, b"one")));
        assert_eq!(whole[2], format!("{:?}", Event::Message(Kind::Text, "twoé".as_bytes())));
        assert_eq!(whole[5], "Close(Some(1000), \"x\")");
        for step in 1..bytes.len() {
            assert_eq!(events(&bytes, step), whole, "in pieces of {step}");
        }
    }

    #[test]
    fn what_breaks_the_rules_ends_everything_with_the_right_code() {
        let too_big = [frame(0x02, &[0; 150]), frame(0x80, &[0; 51])].concat();
        for (bytes, violation, code) in [
            (frame(0x80, b"x"), "NothingBegun", 1002),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), "NotEnded", 1002),
            (frame(0x82, &[0; 201]), "TooBig", 1009),
            (too_big, "TooBig", 1009),
            (frame(0x81, b"\xff"), "NotUtf8", 1007),
            ([frame(0x01, b"\xc3"), frame(0x80, b"x")].concat(), "NotUtf8", 1007),
            ([frame(0x01, b"ok"), frame(0x80, b"\xc3")].concat(), "NotUtf8", 1007),
            // Not waited for to the end.
            (frame(0x01, b"\xff"), "NotUtf8", 1007),
            (frame(0x88, b"x"), "CloseCode", 1002),
            (frame(0x88, &[0x03, 0xed]), "CloseCode", 1002),
            (frame(0x88, &[0x03, 0xe8, 0xff]), "NotUtf8", 1007),
        ] {
            let seen = events(&bytes, 1);
            assert_eq!(seen, [violation], "{bytes:?}");
            let (mut assembly, mut at, mut bytes) = (Assembly::new(200), 0, bytes);
            let seen = assembly.next(&mut bytes, &mut at);
            assert_eq!(seen.unwrap_err().close_code(), code);
        }
    }

    #[test]
    fn a_message_may_have_as_many_bytes_as_the_limit() {
        assert_eq!(events(&frame(0x82, &[0; 200]), 7).len(), 1);
        let parts = [frame(0x02, &[0; 150]), frame(0x80, &[0; 50])].concat();
        assert!(events(&parts, 7)[0].starts_with("Message"));
        // The limit is for each message by itself.
        assert_eq!(events(&parts.repeat(3), 7).len(), 3);
    }

    fn inflating() -> Assembly {
        let mut assembly = Assembly::new(200);
        assembly.set_inflates();
        assembly
    }

    #[test]
    fn compressed_messages_are_inflated_however_they_are_cut() {
        let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let mut bytes = frame(0xc1, &hello);
        bytes.extend(frame(0x81, b"plain"));
        bytes.extend(frame(0x42, &hello[..3]));
        bytes.extend(frame(0x89, b""));
        bytes.extend(frame(0x80, &hello[3..]));
        for step in 1..bytes.len() {
            let seen = events_of(inflating(), &bytes, step);
            let text = |text: &[u8]| format!("{:?}", Event::Message(Kind::Text, text));
            let binary = format!("{:?}", Event::Message(Kind::Binary, b"Hello"));
            let ping = format!("{:?}", Event::Ping(b""));
            assert_eq!(seen, [text(b"Hello"), text(b"plain"), ping, binary], "in pieces of {step}");
        }
    }

    #[test]
    fn compressed_messages_are_held_to_what_was_agreed_and_to_the_limit() {
        let compressed =
            |payload: &[u8]| crate::ws::deflate::deflate(payload, crate::ws::WindowBits::all()[6]);
        assert_eq!(events(&frame(0xc1, &compressed(b"x")), 1), ["ReservedBit"]);
        let seen = |bytes: &[u8]| events_of(inflating(), bytes, 7).join(" ");
        assert!(seen(&frame(0xc2, &compressed(&[0; 200]))).starts_with("Message"));
        assert_eq!(seen(&frame(0xc2, &compressed(&[0; 201]))), "TooBig");
        assert_eq!(seen(&frame(0xc1, &compressed(b"\xff"))), "NotUtf8");
        assert_eq!(seen(&frame(0xc1, &[0xff; 3])), "Deflate");
        // What does not compress grows.
        let noise: Vec<u8> =
            (0..200_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(compressed(&noise).len() > 200);
        assert!(seen(&frame(0xc2, &compressed(&noise))).starts_with("Message"));
        // Not even compressed it may be much larger than the limit.
        assert_eq!(seen(&frame(0xc2, &[0; 300])), "TooBig");
        assert_eq!(seen(&frame(0x82, &[0; 201])), "TooBig");
    }
}
