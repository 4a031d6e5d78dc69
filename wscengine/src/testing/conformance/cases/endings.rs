//! Connections that end without a closing handshake, and the close frame after an error
//! ([RFC 6455 section 7.1.7](https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7)).

use super::super::client::{open, open_with_limits};
use super::super::frame::{BINARY, FIN, TEXT, frame, header, text};
use super::super::outcome::{Outcome, check_eq};
use crate::error::ReadErrorKind;
use crate::message::{CloseCode, CloseFrame};
use crate::transport::{Limits, Transport};

pub(super) async fn a_reset_is_an_io_error_or_an_unexpected_end<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, peer) = open(&transport).await?;
    peer.reset()?;
    client.expect_error_of(&[ReadErrorKind::Io, ReadErrorKind::UnexpectedEof]).await
}

pub(super) async fn an_end_without_a_close_frame_is_an_unexpected_end<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.finish().await?;
    client.expect_error(ReadErrorKind::UnexpectedEof).await
}

pub(super) async fn an_end_inside_a_frame_is_an_unexpected_end<T: Transport>(
    transport: T,
) -> Outcome {
    let whole = frame(FIN | BINARY, &[7; 200]);
    for cut in [1, 2, 3, 4, 100, whole.len() - 1] {
        let (mut client, mut peer) = open(&transport).await?;
        peer.send(&whole[..cut]).await?;
        peer.finish().await?;
        client.expect_error(ReadErrorKind::UnexpectedEof).await?;
    }
    Ok(())
}

pub(super) async fn messages_before_the_end_still_arrive<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let all: Vec<u8> = (0..100).flat_map(|number| text(&number.to_string())).collect();
    peer.send(&all).await?;
    peer.finish().await?;
    for number in 0..100 {
        client.expect_message(number.to_string()).await?;
    }
    client.expect_error(ReadErrorKind::UnexpectedEof).await
}

pub(super) async fn after_a_protocol_error_the_close_frame_reaches_the_peer<T: Transport>(
    transport: T,
) -> Outcome {
    let cases = [
        header(FIN | 0x3, 0),
        header(FIN | 0x40 | TEXT, 0),
        vec![FIN | BINARY, 126, 0, 1, 7],
        vec![0x88, 1, 3],
    ];
    for illegal in cases {
        fails_with_close(&transport, &illegal, ReadErrorKind::Protocol, CloseCode::PROTOCOL_ERROR)
            .await?;
    }
    Ok(())
}

pub(super) async fn after_invalid_utf8_the_close_frame_reaches_the_peer<T: Transport>(
    transport: T,
) -> Outcome {
    let illegal = frame(FIN | TEXT, &[0xff]);
    fails_with_close(&transport, &illegal, ReadErrorKind::InvalidUtf8, CloseCode::INVALID_PAYLOAD)
        .await
}

pub(super) async fn after_a_message_too_big_the_close_frame_reaches_the_peer<T: Transport>(
    transport: T,
) -> Outcome {
    let illegal = header(FIN | BINARY, 1_001);
    fails_with_close(&transport, &illegal, ReadErrorKind::TooBig, CloseCode::MESSAGE_TOO_BIG).await
}

/// The peer's bytes fail the connection; the code that the engine then sends is the one frame that the
/// peer gets, though it is in the middle of sending and reads only later.
async fn fails_with_close<T: Transport>(
    transport: &T,
    illegal: &[u8],
    kind: ReadErrorKind,
    code: CloseCode,
) -> Outcome {
    let (mut client, mut peer) =
        open_with_limits(transport, Limits { message: 1_000, frame: 1_000 }).await?;
    peer.send(illegal).await?;
    client.expect_error(kind).await?;
    client.send_close(Some(CloseFrame::new(code, "")?)).await?;
    peer.send(&[0; 64 << 10]).await?;
    let closing = async move {
        client.close().await?;
        Ok(())
    };
    let hearing = async move {
        peer.send(&[0; 64 << 10]).await?;
        let got = peer.close_frame().await?.close_code();
        check_eq!(got, Some(code.0), "the code after {illegal:?}");
        peer.expect_eof().await
    };
    tokio::try_join!(closing, hearing)?;
    Ok(())
}
