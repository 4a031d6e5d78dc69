//! Random answers: a typed result each, no panic, no hang.

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Builder;
use wscengine::ConnectErrorKind;

use crate::support::{Then, accept_of, answered, request};

/// Parts of answers that get past the first checks.
fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..200),
        prop::sample::select(vec![
            "HTTP/1.1 101 Switching Protocols\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "HTTP/1.0 200 OK\n",
            "Upgrade: websocket\r\n",
            "Connection: upgrade\r\n",
            "Sec-WebSocket-Accept: {accept}\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Content-Length: 12\r\n",
            "\r\n",
            "\n",
            "5\r\nhello\r\n",
            "0\r\n\r\n",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn answer() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let start = prop::sample::select(vec!["", "HTTP/1.1 101 x\r\n", "HTTP/1.1 400 x\r\n"]);
    (start, vec(part(), 0..12)).prop_map(|(start, mut parts)| {
        parts.insert(0, start.as_bytes().to_vec());
        parts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_answers_give_a_typed_result_and_never_hang(parts in answer()) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let fill_in = |seen: &str| -> Vec<u8> {
            let accept = format!("Sec-WebSocket-Accept: {}\r\n", accept_of(seen)).into_bytes();
            parts.iter().flat_map(|part| if part.starts_with(b"Sec-WebSocket-Accept") { &accept } else { part }).copied().collect()
        };
        let request = request("ws://example.com/");
        let outcome = runtime.block_on(answered(&request, fill_in, Then::Close));
        match outcome {
            Ok((response, _)) => prop_assert_eq!(response.status, 101),
            Err(error) => match error.kind() {
                ConnectErrorKind::Status => prop_assert!(error.response().is_some()),
                ConnectErrorKind::Handshake | ConnectErrorKind::Io => {}
                kind => prop_assert!(false, "{kind:?}"),
            },
        }
    }
}
