//! Every case of the conformance suite with permessage-deflate agreed on: the link to the suite's peer, which knows
//! nothing of it, compresses and inflates in between.

mod link;

use wscengine::testing::conformance::{CASES, run_case};
use wscengine_dial::Dialer;
use wscengine_sockudo::{Deflate, SockudoTransport};

/// Count bytes that compressing makes fewer: they are run with an adapter that compresses nothing.
const COUNT_BYTES: [&str; 2] = [
    "a_peer_that_does_not_read_stops_the_client_and_reading_lets_it_go_on",
    "bytes_written_grows_with_what_is_sent",
];

/// Breaks the protocol by the bit that now says that a message is compressed.
const USES_THE_BIT: &str = "after_a_protocol_error_the_close_frame_reaches_the_peer";

fn transport(threshold: usize) -> SockudoTransport {
    SockudoTransport::new()
        .dialer(Dialer::default().connector(link::Compressing))
        .deflate(Deflate::new().threshold(threshold))
}

#[tokio::test]
async fn every_case_passes_with_compression_agreed_on() {
    for name in CASES.iter().copied().filter(|name| *name != USES_THE_BIT) {
        let threshold = if COUNT_BYTES.contains(&name) { usize::MAX } else { 0 };
        if let Err(problem) = run_case(name, transport(threshold)).await {
            panic!("{name}: {problem}");
        }
    }
}
