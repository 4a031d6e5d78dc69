//! Ready `WebSocketStream`s pass the conformance suite but for what cannot be seen from above tungstenite.

use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use wscengine::ConnectError;
use wscengine::testing::conformance::{CASES, run_case};
use wscengine::transport::{ConnectRequest, Connected};
use wscengine_dial::{Dialer, Stream};
use wscengine_tungstenite::{FromStreams, tokio_tungstenite};

/// What `TungsteniteConnection::from_stream` says it does not do.
const BEYOND_A_READY_STREAM: [&str; 5] = [
    "a_length_longer_than_it_needs_is_a_protocol_error",
    "after_a_protocol_error_the_close_frame_reaches_the_peer",
    "close_codes_that_must_not_be_sent_are_a_protocol_error",
    "messages_before_a_violation_still_arrive",
    "the_peers_code_and_reason_are_kept_and_echoed_once",
];

/// Another one, which would wait until its time is over.
const WAITS_FOR_BYTES: &str = "bytes_read_grows_with_every_part_of_a_frame";

async fn open(request: ConnectRequest) -> Result<Connected<WebSocketStream<Stream>>, ConnectError> {
    let dialed = Dialer::default().dial(&request).await?;
    let limits = request.limits;
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.frame.min(limits.message)));
    let leftover = dialed.leftover.to_vec();
    let stream =
        WebSocketStream::from_partially_read(dialed.stream, leftover, Role::Client, Some(config))
            .await;
    Ok(Connected { connection: stream, response: dialed.response })
}

#[tokio::test]
async fn a_ready_stream_passes_every_case_but_those_it_is_documented_to_fail() {
    let mut failed = Vec::new();
    for name in CASES.iter().copied().filter(|name| *name != WAITS_FOR_BYTES) {
        if let Err(problem) = run_case(name, FromStreams::new(open)).await {
            failed.push((name, problem));
        }
    }
    failed.sort();
    let names: Vec<&str> = failed.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, BEYOND_A_READY_STREAM, "{failed:#?}");
}
