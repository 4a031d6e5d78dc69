//! The closing handshake ([RFC 6455 section 7](https://www.rfc-editor.org/rfc/rfc6455#section-7)).

use super::super::client::{Client, open};
use super::super::frame::{CLOSE, FIN, close, frame, text};
use super::super::outcome::{Outcome, check, check_eq};
use super::super::peer::Peer;
use crate::error::ReadErrorKind;
use crate::message::CloseFrame;
use crate::transport::{Connection, Inbound, Outgoing, Transport};

pub(super) async fn the_peers_code_and_reason_are_kept_and_echoed_once<T: Transport>(
    transport: T,
) -> Outcome {
    let longest = "r".repeat(CloseFrame::MAX_REASON);
    let cases = [
        (1000, "good bye"),
        (1001, ""),
        (1012, "restart"),
        (1014, "gateway"),
        (4001, "moved"),
        (4999, &longest),
    ];
    for (code, reason) in cases {
        let (mut client, mut peer) = open(&transport).await?;
        peer.send(&close(code, reason.as_bytes())).await?;
        client.expect(Inbound::Close(Some(CloseFrame::received(code, reason)))).await?;
        let echo = peer.close_frame().await?;
        check_eq!(echo.close_code(), Some(code), "the code of the echo");
        end_of(client, peer).await?;
    }
    Ok(())
}

pub(super) async fn a_close_without_a_code_is_echoed_without_one<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&frame(FIN | CLOSE, b"")).await?;
    client.expect(Inbound::Close(None)).await?;
    check_eq!(peer.close_frame().await?.payload, b"", "the payload of the echo");
    end_of(client, peer).await
}

pub(super) async fn our_code_and_reason_reach_the_peer_and_its_echo_is_reported<T: Transport>(
    transport: T,
) -> Outcome {
    for (code, reason) in [(1000, ""), (1001, "Going away"), (1002, ""), (4001, "moved")] {
        let (mut client, mut peer) = open(&transport).await?;
        let frame = CloseFrame::new(code, reason)?;
        client.send_close(Some(frame.clone())).await?;
        let sent = peer.close_frame().await?;
        check_eq!(
            sent.payload,
            [&code.to_be_bytes()[..], reason.as_bytes()].concat(),
            "the payload"
        );
        peer.send(&close(code, reason.as_bytes())).await?;
        client.expect(Inbound::Close(Some(frame))).await?;
        end_of(client, peer).await?;
    }
    Ok(())
}

pub(super) async fn our_close_without_a_code_has_no_payload<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    client.send_close(None).await?;
    check_eq!(peer.close_frame().await?.payload, b"", "the payload");
    peer.send(&frame(FIN | CLOSE, b"")).await?;
    client.expect(Inbound::Close(None)).await?;
    end_of(client, peer).await
}

pub(super) async fn after_the_peers_close_reading_is_an_error_of_kind_closed<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&close(1000, b"")).await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(1000, "")))).await?;
    client.expect_error(ReadErrorKind::Closed).await
}

pub(super) async fn nothing_behind_a_close_frame_is_reported<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&[close(1000, b""), text("too late"), close(1001, b"")].concat()).await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(1000, "")))).await?;
    client.expect_error(ReadErrorKind::Closed).await
}

pub(super) async fn messages_before_the_peers_close_still_arrive<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&[text("one"), text("two"), close(1000, b"")].concat()).await?;
    client.expect_message("one").await?;
    client.expect_message("two").await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(1000, "")))).await
}

pub(super) async fn messages_sent_before_our_close_arrive_before_it<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    for number in 0..100 {
        client.queue(Outgoing::Message(number.to_string().into())).await?;
    }
    client.send_close(Some(CloseFrame::going_away())).await?;
    for number in 0..100 {
        check_eq!(
            peer.frame().await?.payload,
            number.to_string().into_bytes(),
            "a message before the close"
        );
    }
    check_eq!(peer.close_frame().await?.close_code(), Some(1001), "the code");
    Ok(())
}

pub(super) async fn messages_that_cross_our_close_still_arrive<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    client.send_close(Some(CloseFrame::going_away())).await?;
    peer.close_frame().await?;
    peer.send(&[text("crossed"), close(1001, b"")].concat()).await?;
    client.expect_message("crossed").await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(1001, "")))).await?;
    end_of(client, peer).await
}

pub(super) async fn close_frames_that_cross_are_not_echoed_again<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&close(4001, b"mine")).await?;
    client.send_close(Some(CloseFrame::going_away())).await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(4001, "mine")))).await?;
    check_eq!(peer.close_frame().await?.close_code(), Some(1001), "the code");
    end_of(client, peer).await
}

pub(super) async fn a_close_of_ours_behind_the_echo_is_not_sent<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    peer.send(&close(4001, b"mine")).await?;
    client.expect(Inbound::Close(Some(CloseFrame::received(4001, "mine")))).await?;
    client.send_close(Some(CloseFrame::going_away())).await?;
    check_eq!(peer.close_frame().await?.close_code(), Some(4001), "the code of the echo");
    end_of(client, peer).await
}

/// The engine has a time-out for it; the connection waits, and can be dropped.
pub(super) async fn a_peer_that_never_answers_our_close_leaves_the_read_pending<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    client.send_close(Some(CloseFrame::going_away())).await?;
    peer.close_frame().await?;
    check!(client.poll_recv_once().await, "the read ended, and the peer had sent nothing");
    drop(client);
    peer.expect_end().await
}

/// Both close frames have passed: the client ends the stream, and has sent nothing more.
async fn end_of<C: Connection>(mut client: Client<C>, peer: Peer) -> Outcome {
    client.close().await?;
    // The client's end is still there: it is `poll_close` that ends the stream, not the drop.
    peer.expect_end().await?;
    drop(client);
    Ok(())
}
