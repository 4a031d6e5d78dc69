//! Text and binary messages, whole and in pieces
//! ([RFC 6455 sections 5.4 to 5.6](https://www.rfc-editor.org/rfc/rfc6455#section-5.4)).

use bytes::Bytes;

use super::super::client::open;
use super::super::frame::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT, frame, text};
use super::super::outcome::{Outcome, check, check_eq};
use crate::message::Message;
use crate::transport::{Inbound, Outgoing, Transport};

/// Around each boundary of the length's three forms, and larger than any buffer.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];

/// A text of this many bytes, with characters of several lengths.
fn sample_text(len: usize) -> String {
    let mut text = "aé€😀".repeat(len / 10);
    text.extend(std::iter::repeat_n('z', len % 10));
    text
}

/// Bytes of every value, most of them no UTF-8.
fn sample_binary(len: usize) -> Vec<u8> {
    (0..=u8::MAX).rev().cycle().take(len).collect()
}

pub(super) async fn text_and_binary_of_every_size_arrive<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let serve = async {
        for size in SIZES {
            peer.send(&text(&sample_text(size))).await?;
            peer.send(&frame(FIN | BINARY, &sample_binary(size))).await?;
        }
        Ok(())
    };
    let receive = async {
        for size in SIZES {
            client.expect_message(sample_text(size)).await?;
            client.expect_message(sample_binary(size)).await?;
        }
        Ok(())
    };
    tokio::try_join!(serve, receive).map(|_| ())
}

pub(super) async fn text_and_binary_of_every_size_are_sent<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let send = async {
        for size in SIZES {
            client.queue(Outgoing::Message(sample_text(size).into())).await?;
            client.send(Outgoing::Message(sample_binary(size).into())).await?;
        }
        Ok(())
    };
    let serve = async {
        for size in SIZES {
            for (opcode, payload) in
                [(TEXT, sample_text(size).into_bytes()), (BINARY, sample_binary(size))]
            {
                let frame = peer.frame().await?;
                check!(
                    frame.fin && frame.opcode == opcode,
                    "{size} bytes: wanted one frame of opcode {opcode}"
                );
                check!(
                    frame.payload == payload,
                    "{size} bytes of opcode {opcode}: the payload is another"
                );
            }
        }
        Ok(())
    };
    tokio::try_join!(send, serve).map(|_| ())
}

pub(super) async fn fragments_with_control_frames_between_them_are_one_message<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let pieces = [
        frame(TEXT, b"one "),
        frame(FIN | PING, b"p"),
        frame(CONTINUATION, b"two "),
        frame(FIN | PONG, b"q"),
        frame(CONTINUATION, b""),
        frame(FIN | CONTINUATION, b"three"),
        frame(BINARY, b""),
        frame(FIN | CONTINUATION, &[0xff, 0]),
    ];
    peer.send(&pieces.concat()).await?;
    client.expect(Inbound::Ping).await?;
    client.expect(Inbound::Pong(Bytes::from_static(b"q"))).await?;
    client.expect_message("one two three").await?;
    client.expect_message(vec![0xff, 0]).await?;
    check_eq!(peer.frame().await?.opcode, PONG, "the opcode of the answer to the ping");
    Ok(())
}

pub(super) async fn many_messages_in_one_segment_arrive_in_order<T: Transport>(
    transport: T,
) -> Outcome {
    const COUNT: usize = 2_000;
    let (mut client, mut peer) = open(&transport).await?;
    let all: Vec<u8> = (0..COUNT).flat_map(|number| text(&number.to_string())).collect();
    peer.send(&all).await?;
    for number in 0..COUNT {
        client.expect_message(number.to_string()).await?;
    }
    Ok(())
}

pub(super) async fn a_message_split_byte_by_byte_arrives_whole<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let message = sample_text(300);
    let serve = async {
        for byte in text(&message) {
            peer.send(&[byte]).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    tokio::try_join!(serve, client.expect_message(message.clone())).map(|_| ())
}

pub(super) async fn text_whose_characters_are_split_over_fragments_arrives_whole<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let message = sample_text(20);
    let bytes = message.as_bytes();
    for cut in 0..=bytes.len() {
        peer.send(&[frame(TEXT, &bytes[..cut]), frame(FIN | CONTINUATION, &bytes[cut..])].concat())
            .await?;
        client.expect_message(message.clone()).await?;
    }
    Ok(())
}

/// For each byte of a frame: what is before it has arrived, a poll finds that and is given up, the rest
/// arrives later.
pub(super) async fn a_poll_given_up_inside_a_frame_loses_nothing<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let bytes = frame(FIN | BINARY, &sample_binary(130));
    for cut in 0..bytes.len() {
        // The message before it, in the same segment, shows that the part has arrived.
        peer.send(&[&text("before")[..], &bytes[..cut]].concat()).await?;
        client.expect_message("before").await?;
        check!(client.poll_recv_once().await, "{cut} of {} bytes gave a result", bytes.len());
        peer.send(&bytes[cut..]).await?;
        client.expect_message(sample_binary(130)).await?;
    }
    Ok(())
}

pub(super) async fn every_frame_of_the_client_has_a_mask_of_its_own<T: Transport>(
    transport: T,
) -> Outcome {
    const COUNT: usize = 32;
    let (mut client, mut peer) = open(&transport).await?;
    let mut masks = Vec::new();
    for _ in 0..COUNT {
        client.send(Outgoing::Message(Message::from("the same"))).await?;
        masks.push(peer.frame().await?.mask);
    }
    masks.sort_unstable();
    masks.dedup();
    // Two of 32 random masks are equal once in nine million runs; three are not.
    check!(masks.len() + 1 >= COUNT, "only {} of {COUNT} masks differ", masks.len());
    Ok(())
}
