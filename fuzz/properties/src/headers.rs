//! The headers of a server's frames, as the adapters judge them before anything else.

use wscengine::MessageKind;
use wscengine::transport::Limits;
use wscengine_frames::{Begun, Frame, Header, Rules, Violation};

/// Two bytes of limits, one with what was negotiated and what has begun, and the bytes of a server.
///
/// A header is refused for what a plain reading of RFC 6455 section 5 finds wrong, and taken if that is nothing, whether
/// its bytes come at once or one by one; what it begins or ends counts for the next.
pub fn headers(input: &[u8]) {
    let Some((&[message, frame, state], mut bytes)) = input.split_first_chunk() else { return };
    let mut rules = Rules::new(Limits { message: limit(message), frame: limit(frame) });
    rules.deflate = state & 1 != 0;
    rules.begun = (state & 2 != 0)
        .then(|| Begun { compressed: state & 4 != 0, len: usize::from(state >> 3) });
    // Frames whose payload is not there: what comes behind a header is the next one.
    for _ in 0..8 {
        let judged = rules.header(bytes);
        match (&judged, plainly(&rules, bytes)) {
            (Ok(judged), Ok(plain)) => assert_eq!(*judged, plain),
            // Which of several it is depends on what else is there.
            (Err(violation), Err(plain)) => assert!(plain.contains(violation), "{plain:?}"),
            // The order of frames and their limits are judged once the header is there in full.
            (Ok(None), Err(_)) if is_cut(bytes) => {}
            (judged, plain) => panic!("{judged:?}, {plain:?}"),
        }
        for cut in 0..bytes.len().min(14) {
            match rules.header(&bytes[..cut]) {
                // What is known of a part does not change.
                Ok(None) => {}
                early => assert_eq!(early, judged),
            }
        }
        let Ok(Some(header)) = judged else { return };
        let before = rules.begun.map_or(0, |begun| begun.len);
        rules.enter(header);
        check_account(&rules, header, before);
        bytes = &bytes[header.size..];
    }
}

fn limit(byte: u8) -> usize {
    match byte {
        0..200 => usize::from(byte),
        200..254 => usize::from(byte - 199) * 4_000,
        254.. => usize::MAX,
    }
}

fn check_account(rules: &Rules, header: Header, before: usize) {
    let begun = rules.begun.map(|begun| (begun.compressed, begun.len));
    match header.frame {
        Frame::Part { last: true, .. } | Frame::Whole(_) | Frame::Compressed => {
            assert_eq!(begun, None);
        }
        Frame::Part { compressed, last: false } => {
            assert_eq!(begun, Some((compressed, before + header.len)));
        }
        Frame::Ping | Frame::Pong | Frame::Close => {
            assert_eq!(begun.map_or(0, |begun| begun.1), before);
        }
    }
}

fn is_cut(bytes: &[u8]) -> bool {
    let size = match bytes.get(1).map(|second| second & 0x7f) {
        None | Some(..126) => 2,
        Some(126) => 4,
        Some(127..) => 10,
    };
    bytes.len() < size
}

/// All that a plain reading finds wrong, or else the header; neither where more bytes are needed.
fn plainly(rules: &Rules, bytes: &[u8]) -> Result<Option<Header>, Vec<Violation>> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let (last, opcode, compressed) = (first & 0x80 != 0, first & 0x0f, first & 0x40 != 0);
    let (is_data, is_control) = (matches!(opcode, 1 | 2), matches!(opcode, 8..=10));
    let may_be_compressed = rules.deflate && is_data;
    let mut found = Vec::new();
    let mut wrong = |is_wrong: bool, violation| found.extend(is_wrong.then_some(violation));
    wrong(first & 0x30 != 0 || compressed && !may_be_compressed, Violation::ReservedBit);
    wrong(matches!(opcode, 3..=7 | 11..), Violation::Opcode(opcode));
    wrong(is_control && !last, Violation::FragmentedControl);
    wrong(second & 0x80 != 0, Violation::Masked);
    wrong(is_control && second > 125, Violation::LongControl);
    wrong(opcode == 0 && rules.begun.is_none(), Violation::NothingBegun);
    wrong(is_data && rules.begun.is_some(), Violation::NotEnded);

    let (size, least) = match second & 0x7f {
        126 => (4, 126),
        127 => (10, 1 << 16),
        _ => (2, 0),
    };
    let Some(length) = bytes.get(2..size) else {
        return if found.is_empty() { Ok(None) } else { Err(found) };
    };
    let len = length.iter().fold(0_u64, |len, byte| len << 8 | u64::from(*byte));
    let len = if size == 2 { u64::from(second & 0x7f) } else { len };
    wrong(len < least || len >> 63 != 0, Violation::Length);
    let before = rules.begun.map_or(0, |begun| begun.len) as u64;
    let Limits { frame, message } = rules.limits;
    wrong(!is_control && len > frame as u64, Violation::FrameTooBig);
    let whole = len.checked_add(before);
    // A compressed message is judged when it is inflated, and before that only as to what it may be at worst.
    let is_compressed =
        if is_data { compressed } else { rules.begun.is_some_and(|begun| begun.compressed) };
    let message = message as u128;
    let most = if is_compressed { message + message / 8 + 1_024 } else { message };
    wrong(
        !is_control && whole.is_none_or(|len| u128::from(len) > most.min(usize::MAX as u128)),
        Violation::MessageTooBig,
    );
    if !found.is_empty() {
        return Err(found);
    }
    let text = if opcode == 1 { MessageKind::Text } else { MessageKind::Binary };
    let frame = match opcode {
        8 => Frame::Close,
        9 => Frame::Ping,
        10 => Frame::Pong,
        0 => Frame::Part { compressed: rules.begun.is_some_and(|begun| begun.compressed), last },
        _ if !last => Frame::Part { compressed, last },
        _ if compressed => Frame::Compressed,
        _ => Frame::Whole(text),
    };
    Ok(Some(Header { frame, size, len: usize::try_from(len).expect("it is within the limits") }))
}
