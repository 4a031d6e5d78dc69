//! The opening handshake with a server that answers whatever it likes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::SEC_WEBSOCKET_ACCEPT;
use sha1::{Digest, Sha1};
use wscengine::transport::{ConnectRequest, HandshakeResponse};
use wscengine::{ConnectError, ConnectErrorKind};

use crate::script::{Script, on_a_paused_clock, split_cuts};

/// A list of pieces and an answer, in which `{accept}` stands for the right `Sec-WebSocket-Accept`.
///
/// An answer that is plainly right or plainly a refusal is taken for it. Read in any pieces any answer comes to the same result as read at once; what was read behind an answer that is accepted is
/// given back to the byte.
pub fn handshake(input: &[u8]) {
    let (cuts, answer) = split_cuts(input);
    let by_pieces = Outcome::of(answer, cuts);
    let at_once = Outcome::of(answer, &[]);
    assert_eq!(by_pieces.result, at_once.result);
    by_pieces.check();
    at_once.check();
}

/// How a handshake went.
struct Outcome {
    result: Result<HandshakeResponse, (ConnectErrorKind, Option<HandshakeResponse>)>,
    leftover: Bytes,
    script: Script,
}

impl Outcome {
    fn of(answer: &[u8], cuts: &[u8]) -> Self {
        let mut script = Script::answering(answer, cuts, fill_in);
        let mut request = ConnectRequest::new(URL.parse().expect("a URL"));
        request.subprotocols = vec!["chat".into(), "superchat".into()];
        let result = on_a_paused_clock(wscengine_dial::handshake(&mut script, &request));
        let (result, leftover) = match result {
            Ok((response, leftover)) => (Ok(same(response)), leftover),
            Err(error) => (Err(refusal(&error)), Bytes::new()),
        };
        Self { result, leftover, script }
    }

    fn check(&self) {
        let all = self.script.input.whole();
        let plain = plain_status(all, &accept_for(&self.script.written));
        match &self.result {
            Ok(response) => {
                assert_eq!((response.status.as_u16(), response.body.len()), (101, 0));
                let chosen = response.subprotocol.as_deref();
                assert!(matches!(chosen, None | Some("chat" | "superchat")));
                let behind = [&self.leftover[..], self.script.input.rest()].concat();
                assert_eq!(behind, behind_heads(all));
            }
            Err((ConnectErrorKind::Status, refusal)) => {
                let refusal = refusal.as_ref().expect("the refusal is kept");
                assert!(refusal.status.as_u16() != 101 && refusal.body.len() <= 64 << 10);
            }
            Err((
                ConnectErrorKind::Handshake
                | ConnectErrorKind::ResponseTooLarge
                | ConnectErrorKind::Io,
                _,
            )) => {}
            Err((kind, _)) => panic!("{kind:?}"),
        }
        match (plain, &self.result) {
            (Some(101), result) => assert!(result.is_ok(), "{result:?}"),
            (Some(status), Err((ConnectErrorKind::Status, Some(refusal)))) => {
                assert_eq!(status, refusal.status.as_u16());
            }
            (Some(_), result) => panic!("a refusal that is not seen: {result:?}"),
            (None, _) => {}
        }
    }
}

/// The status of an answer about which there can be no doubt: a refusal with headers of words, or an acceptance with
/// those that it must have and no others.
pub(crate) fn plain_status(answer: &[u8], accept: &str) -> Option<u16> {
    let mut lines = answer.split(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        str::from_utf8(line).unwrap_or("\0")
    });
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.strip_suffix(" x")?;
    let status = (status.len() == 3).then(|| status.parse().ok()).flatten()?;
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let mut needed = vec![("upgrade", "websocket"), ("connection", "upgrade"), (NAME, accept)];
    loop {
        let line = lines.next()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ")?;
        match needed.iter().position(|line| line.0.eq_ignore_ascii_case(name) && line.1 == value) {
            Some(at) => drop(needed.swap_remove(at)),
            None if status == 101 || !is_word(name) || !is_word(value) => return None,
            None => {}
        }
    }
    // The last line has its end, or there would be none after it.
    lines.next()?;
    let is_plain = if status == 101 { needed.is_empty() } else { (200..600).contains(&status) };
    is_plain.then_some(status)
}

/// What comes behind the interim answers and the final one: each ends with its first empty line.
fn behind_heads(mut bytes: &[u8]) -> &[u8] {
    loop {
        let is_final = bytes.get(9..12) == Some(b"101");
        let mut line = 1;
        while line > 0 {
            let end = bytes.iter().position(|byte| *byte == b'\n').expect("a line end");
            line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]).len();
            bytes = &bytes[end + 1..];
        }
        if is_final {
            return bytes;
        }
    }
}

fn fill_in(plan: &[u8], request: &[u8]) -> Vec<u8> {
    let accept = accept_for(request);
    let lines = plan.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let name = line.get(..ACCEPT.len()).unwrap_or_default();
        match str::from_utf8(line) {
            Ok(line) if name.eq_ignore_ascii_case(ACCEPT.as_bytes()) => {
                line.replace("{accept}", &accept).into_bytes()
            }
            _ => line.to_vec(),
        }
    });
    lines.collect::<Vec<_>>().concat()
}

/// The right `Sec-WebSocket-Accept` for what the client wrote.
fn accept_for(request: &[u8]) -> String {
    let request = str::from_utf8(request).expect("the request is text");
    let (head, behind) = request.split_once("\r\n\r\n").expect("a whole request");
    assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n") && behind.is_empty());
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let hashed = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.expect("a key"));
    STANDARD.encode(Sha1::digest(hashed))
}

/// Without what is another text each time. A body is of no such lines but by design of the input: its length is enough.
fn same(mut response: HandshakeResponse) -> HandshakeResponse {
    response.headers.remove(SEC_WEBSOCKET_ACCEPT);
    if response
        .body
        .to_ascii_lowercase()
        .windows(ACCEPT.len())
        .any(|part| part == ACCEPT.as_bytes())
    {
        response.body = vec![0; response.body.len()].into();
    }
    response
}

fn refusal(error: &ConnectError) -> (ConnectErrorKind, Option<HandshakeResponse>) {
    (error.kind(), error.response().cloned().map(same))
}

/// Of lines that begin so, the value is made; so it is in no other header and, but for such lines, in no body.
const ACCEPT: &str = "sec-websocket-accept:";
const NAME: &str = "sec-websocket-accept";
const URL: &str = "ws://example.com/chat?room=1";
