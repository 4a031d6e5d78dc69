//! Limits on frames and messages: what is over them is refused before memory is spent on it.

use super::super::client::open_with_limits;
use super::super::frame::{BINARY, CONTINUATION, FIN, frame, header};
use super::super::outcome::Outcome;
use crate::error::ReadErrorKind;
use crate::transport::{Limits, Transport};

/// Only the header is sent: the payload has not arrived when the frame is refused.
pub(super) async fn a_frame_over_the_limit_is_refused_by_its_header<T: Transport>(
    transport: T,
) -> Outcome {
    for announced in [1_001, 1 << 20, 1 << 40, i64::MAX as u64] {
        let (mut client, mut peer) =
            open_with_limits(&transport, Limits { message: 4_000, frame: 1_000 }).await?;
        peer.send(&header(FIN | BINARY, announced)).await?;
        client.expect_error(ReadErrorKind::TooBig).await?;
    }
    Ok(())
}

pub(super) async fn a_fragmented_message_over_the_limit_is_refused<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) =
        open_with_limits(&transport, Limits { message: 2_500, frame: 1_000 }).await?;
    let pieces = [
        frame(BINARY, &[1; 1_000]),
        frame(CONTINUATION, &[2; 1_000]),
        frame(CONTINUATION, &[3; 501]),
    ];
    // The message has no end: it is refused without one.
    peer.send(&pieces.concat()).await?;
    client.expect_error(ReadErrorKind::TooBig).await
}

pub(super) async fn a_message_over_the_limit_in_one_frame_is_refused_by_its_header<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) =
        open_with_limits(&transport, Limits { message: 1_000, frame: 4_000 }).await?;
    peer.send(&header(FIN | BINARY, 1_001)).await?;
    client.expect_error(ReadErrorKind::TooBig).await
}

pub(super) async fn messages_of_just_the_limit_arrive<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) =
        open_with_limits(&transport, Limits { message: 2_000, frame: 1_000 }).await?;
    peer.send(&frame(FIN | BINARY, &[1; 1_000])).await?;
    peer.send(&[frame(BINARY, &[1; 1_000]), frame(FIN | CONTINUATION, &[1; 1_000])].concat())
        .await?;
    client.expect_message(vec![1; 1_000]).await?;
    client.expect_message(vec![1; 2_000]).await
}
