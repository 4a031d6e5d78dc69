//! What breaks RFC 6455 fails the connection, with the right kind of error.

use super::super::client::open;
use super::super::frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, close, frame, text};
use super::super::outcome::{Failure, Outcome};
use crate::error::ReadErrorKind;
use crate::transport::Transport;

/// Text that is not UTF-8: a byte that never occurs, a surrogate, a longer form than needed, a lone tail.
const NOT_UTF8: [&[u8]; 4] = [b"a\xffb", b"\xed\xa0\x80", b"\xc0\xaf", b"\x80"];

pub(super) async fn invalid_utf8_in_one_frame_is_refused<T: Transport>(transport: T) -> Outcome {
    for payload in NOT_UTF8 {
        fails(&transport, &frame(FIN | TEXT, payload), ReadErrorKind::InvalidUtf8).await?;
    }
    Ok(())
}

pub(super) async fn invalid_utf8_split_over_fragments_is_refused<T: Transport>(
    transport: T,
) -> Outcome {
    // A three-byte character whose last byte is wrong, cut at each place.
    let payload = b"ok \xe2\x82\x28";
    for cut in 0..=payload.len() {
        let pieces = [frame(TEXT, &payload[..cut]), frame(FIN | CONTINUATION, &payload[cut..])];
        fails(&transport, &pieces.concat(), ReadErrorKind::InvalidUtf8).await?;
    }
    Ok(())
}

pub(super) async fn text_that_ends_inside_a_character_is_refused<T: Transport>(
    transport: T,
) -> Outcome {
    fails(&transport, &frame(FIN | TEXT, b"half \xe2\x82"), ReadErrorKind::InvalidUtf8).await?;
    let pieces = [frame(TEXT, b"half \xe2"), frame(FIN | CONTINUATION, b"\x82")];
    fails(&transport, &pieces.concat(), ReadErrorKind::InvalidUtf8).await
}

pub(super) async fn messages_before_a_violation_still_arrive<T: Transport>(
    transport: T,
) -> Outcome {
    let illegal = [frame(FIN | 0x3, b""), vec![FIN | TEXT, 126, 0, 1, b'x'], close(1005, b"")];
    for illegal in illegal {
        let (mut client, mut peer) = open(&transport).await?;
        peer.send(&[text("one"), text("two"), illegal].concat()).await?;
        client.expect_message("one").await?;
        client.expect_message("two").await?;
        client.expect_error(ReadErrorKind::Protocol).await?;
    }
    Ok(())
}

pub(super) async fn a_masked_frame_is_a_protocol_error<T: Transport>(transport: T) -> Outcome {
    breaks_protocol(&transport, &[FIN | TEXT, 0x80 | 2, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]).await
}

pub(super) async fn reserved_bits_are_a_protocol_error<T: Transport>(transport: T) -> Outcome {
    for bit in [0x40, 0x20, 0x10] {
        breaks_protocol(&transport, &frame(FIN | bit | TEXT, b"hi")).await?;
        breaks_protocol(&transport, &frame(FIN | bit | PING, b"hi")).await?;
        breaks_protocol(&transport, &frame(FIN | bit | CLOSE, b"\x03\xe8")).await?;
    }
    Ok(())
}

pub(super) async fn reserved_opcodes_are_a_protocol_error<T: Transport>(transport: T) -> Outcome {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        breaks_protocol(&transport, &frame(FIN | opcode, b"hi")).await?;
    }
    Ok(())
}

pub(super) async fn a_fragmented_control_frame_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    for opcode in [PING, PONG, CLOSE] {
        breaks_protocol(&transport, &frame(opcode, b"\x03\xe8")).await?;
    }
    Ok(())
}

pub(super) async fn a_control_frame_over_125_bytes_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    for opcode in [PING, PONG] {
        breaks_protocol(&transport, &frame(FIN | opcode, &[b'x'; 126])).await?;
    }
    breaks_protocol(&transport, &close(1000, &[b'x'; 124])).await
}

pub(super) async fn a_continuation_without_a_start_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    breaks_protocol(&transport, &frame(FIN | CONTINUATION, b"hi")).await?;
    breaks_protocol(&transport, &frame(CONTINUATION, b"hi")).await
}

pub(super) async fn a_new_message_inside_a_fragmented_one_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    for opcode in [TEXT, BINARY] {
        breaks_protocol(&transport, &[frame(TEXT, b"one"), frame(FIN | opcode, b"two")].concat())
            .await?;
    }
    Ok(())
}

pub(super) async fn a_length_longer_than_it_needs_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    let medium = [&[FIN | BINARY, 126, 0, 125][..], &[0; 125]].concat();
    let long = [&[FIN | BINARY, 127, 0, 0, 0, 0, 0, 0, 0, 125][..], &[0; 125]].concat();
    let longer = [&[FIN | BINARY, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff][..], &[0; 65_535]].concat();
    // The highest bit of a 64-bit length must not be set.
    let negative = [FIN | BINARY, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    for illegal in [&medium[..], &long, &longer, &negative] {
        breaks_protocol(&transport, illegal).await?;
    }
    Ok(())
}

pub(super) async fn a_close_payload_of_one_byte_is_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    breaks_protocol(&transport, &frame(FIN | CLOSE, b"\x03")).await
}

pub(super) async fn close_codes_that_must_not_be_sent_are_a_protocol_error<T: Transport>(
    transport: T,
) -> Outcome {
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535] {
        breaks_protocol(&transport, &close(code, b""))
            .await
            .map_err(|failure| Failure::new(format!("code {code}: {failure}")))?;
    }
    Ok(())
}

pub(super) async fn a_close_reason_that_is_not_utf8_is_refused<T: Transport>(
    transport: T,
) -> Outcome {
    fails(&transport, &close(1000, b"\xff"), ReadErrorKind::InvalidUtf8).await
}

async fn breaks_protocol<T: Transport>(transport: &T, illegal: &[u8]) -> Outcome {
    fails(transport, illegal, ReadErrorKind::Protocol).await
}

/// The peer's bytes, on a connection of their own, give a fatal error of this kind and nothing before it.
async fn fails<T: Transport>(transport: &T, illegal: &[u8], kind: ReadErrorKind) -> Outcome {
    let (mut client, mut peer) = open(transport).await?;
    peer.send(illegal).await?;
    client.expect_error(kind).await
}
