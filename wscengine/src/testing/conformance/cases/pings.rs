//! Pings and pongs ([RFC 6455 section 5.5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2)).

use bytes::Bytes;

use super::super::client::open;
use super::super::frame::{FIN, PING, PONG, frame};
use super::super::outcome::{Outcome, check_eq};
use crate::transport::{Inbound, Outgoing, Transport};

pub(super) async fn a_ping_is_answered_with_its_payload_after_a_flush<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    for payload in [&b""[..], b"payload", &[0xff; 125]] {
        peer.send(&frame(FIN | PING, payload)).await?;
        client.expect(Inbound::Ping).await?;
        let answer = peer.frame().await?;
        check_eq!((answer.fin, answer.opcode), (true, PONG), "FIN and opcode of the answer");
        check_eq!(answer.payload, payload, "the payload of the answer");
    }
    Ok(())
}

pub(super) async fn each_of_several_pings_in_one_segment_is_answered<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let all: Vec<u8> = (0..5u8).flat_map(|number| frame(FIN | PING, &[number])).collect();
    peer.send(&all).await?;
    for _ in 0..5 {
        client.expect(Inbound::Ping).await?;
    }
    for number in 0..5u8 {
        check_eq!(peer.frame().await?.payload, [number], "the payload of an answer");
    }
    Ok(())
}

pub(super) async fn a_pong_is_surfaced_with_its_payload<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    for payload in [&b""[..], b"payload", &[0; 125]] {
        peer.send(&frame(FIN | PONG, payload)).await?;
        client.expect(Inbound::Pong(Bytes::copy_from_slice(payload))).await?;
    }
    Ok(())
}

pub(super) async fn a_ping_of_ours_reaches_the_peer_with_its_payload<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    for payload in [&b""[..], b"payload", &[0xfe; 125]] {
        client.send(Outgoing::Ping(Bytes::copy_from_slice(payload))).await?;
        let ping = peer.frame().await?;
        check_eq!((ping.fin, ping.opcode), (true, PING), "FIN and opcode");
        check_eq!(ping.payload, payload, "the payload");
    }
    Ok(())
}
