//! The answer of an HTTP proxy to `CONNECT`, whatever it is.

use wscengine::transport::HandshakeResponse;
use wscengine::{ConnectErrorKind, Phase};
use wscengine_dial::{Proxy, Target};

use crate::handshake::plain_status;
use crate::script::{Script, on_a_paused_clock, split_cuts};

/// A list of pieces and an answer.
///
/// A tunnel is opened by a success alone, and then nothing is read of what comes behind the answer; a refusal keeps
/// status and the beginning of its body. Read in any pieces an answer comes to the same result as read at once, but for
/// what came too early behind a success: that is seen only if it is there in time.
pub fn proxy_answer(input: &[u8]) {
    let (cuts, answer) = split_cuts(input);
    let (by_pieces, at_once) = (Outcome::of(answer, cuts), Outcome::of(answer, &[]));
    by_pieces.check();
    at_once.check();
    match (&by_pieces.result, &at_once.result) {
        (Ok(()), Err((ConnectErrorKind::Proxy, None))) => assert!(!by_pieces.rest().is_empty()),
        (by_pieces, at_once) => assert_eq!(by_pieces, at_once),
    }
    match (plain_status(answer, ""), &by_pieces.result) {
        (None, _) => {}
        (Some(200..300), Ok(())) => {}
        (Some(200..300), result) => assert_eq!(*result, Err((ConnectErrorKind::Proxy, None))),
        (Some(status), Err((kind, Some(response)))) => {
            let is_auth = matches!(status, 401 | 407);
            assert_eq!(*kind == ConnectErrorKind::ProxyAuth, is_auth);
            assert_eq!(response.status.as_u16(), status);
        }
        (Some(_), result) => panic!("a refusal that is not seen: {result:?}"),
    }
}

struct Outcome {
    result: Result<(), (ConnectErrorKind, Option<HandshakeResponse>)>,
    script: Script,
}

impl Outcome {
    fn of(answer: &[u8], cuts: &[u8]) -> Self {
        let proxy: Proxy = "http://user:sesame@proxy.example".parse().expect("a proxy");
        let mut script = Script::new(answer, cuts);
        let target = Target::new("example.com", 443);
        let tunnel = proxy.tunnel(&mut script, &target, crate::script::LIMIT);
        let result = on_a_paused_clock(tunnel);
        let result = result.map_err(|error| (error.kind(), error.response().cloned()));
        Self { result, script }
    }

    fn rest(&self) -> &[u8] {
        self.script.input.rest()
    }

    fn check(&self) {
        assert_eq!(self.script.written, REQUEST);
        match &self.result {
            Ok(()) => {
                let whole = self.script.input.whole();
                let read = &whole[..whole.len() - self.rest().len()];
                assert!(read.ends_with(b"\n\n") || read.ends_with(b"\n\r\n"), "more was read");
            }
            Err((ConnectErrorKind::Proxy | ConnectErrorKind::ProxyAuth, response)) => {
                let refusal = response.as_ref();
                assert!(refusal.is_none_or(|refusal| {
                    !refusal.status.is_success() && refusal.body.len() <= 64 << 10
                }));
            }
            Err((ConnectErrorKind::Timeout(Phase::Proxy), _)) => panic!("nothing waits"),
            Err((kind, _)) => panic!("{kind:?}"),
        }
    }
}

const REQUEST: &[u8] = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\
    Proxy-Authorization: Basic dXNlcjpzZXNhbWU=\r\n\r\n";
