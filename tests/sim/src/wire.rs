//! The server's frames, by hand, so that they can be wrong (RFC 6455 section 5.2).

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A frame of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// A whole frame of a server: not masked.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(0x80 | opcode, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// The header of a frame with so long a payload.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(length as u8),
        126..=65_535 => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes
}

/// A close frame; without a payload if there is no code.
pub(crate) fn close(code: Option<u16>) -> Vec<u8> {
    frame(CLOSE, &code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default())
}

/// Takes a whole frame of the client off the front.
pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (mut at, length) = match second & 0x7F {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, short.into()),
    };
    let mask: Option<[u8; 4]> = if second & 0x80 == 0 {
        None
    } else {
        at += 4;
        Some(bytes.get(at - 4..at)?.try_into().ok()?)
    };
    let end = at + usize::try_from(length).ok()?;
    let mut payload = bytes.get(at..end)?.to_vec();
    if let Some(mask) = mask {
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
    bytes.drain(..end);
    Some(Frame { fin: first & 0x80 != 0, opcode: first & 0x0F, payload })
}

/// The text of the server's message number `k` on this connection.
pub(crate) fn server_text(port: u16, k: u64, fill: usize) -> String {
    format!("s{port} {k} {}", "x".repeat(fill))
}

/// Whose message this is, and its number.
pub(crate) fn read_server_text(text: &str) -> Option<(u16, u64)> {
    let mut words = text.strip_prefix('s')?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// The text of message number `k` of this sender, in this session.
pub(crate) fn client_text(session: u32, sender: u32, k: u64, fill: usize) -> String {
    format!("c{session} {sender} {k} {}", "x".repeat(fill))
}

/// Session, sender and number of a message of the client.
pub(crate) fn read_client_text(text: &str) -> Option<(u32, u32, u64)> {
    let mut words = text.strip_prefix('c')?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_is_taken_whole_or_not_at_all() {
        let mut masked = vec![0x81, 0x80 | 3, 1, 2, 3, 4];
        masked.extend([b'a' ^ 1, b'b' ^ 2, b'c' ^ 3]);
        for cut in 0..masked.len() {
            let mut part = masked[..cut].to_vec();
            assert_eq!(take(&mut part), None);
            assert_eq!(part.len(), cut);
        }
        masked.push(7);
        let frame = take(&mut masked).unwrap();
        assert_eq!((frame.fin, frame.opcode, frame.payload), (true, TEXT, b"abc".to_vec()));
        assert_eq!(masked, [7]);
    }

    #[test]
    fn texts_say_whose_they_are() {
        assert_eq!(read_server_text(&server_text(50_000, 7, 3)), Some((50_000, 7)));
        assert_eq!(read_client_text(&client_text(2, 3, 9, 0)), Some((2, 3, 9)));
        assert_eq!(read_client_text("s1 2"), None);
    }
}
