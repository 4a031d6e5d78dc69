//! The byte counts that prove life, and back-pressure.

use super::super::client::{open, open_at};
use super::super::frame::{BINARY, FIN, frame};
use super::super::outcome::{Outcome, check, check_eq};
use super::super::peer::Server;
use crate::message::Message;
use crate::transport::{ConnectRequest, Outgoing, Transport};

pub(super) async fn bytes_read_grows_with_every_part_of_a_frame<T: Transport>(
    transport: T,
) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let start = client.bytes_read();
    let whole = frame(FIN | BINARY, &[7; 1_000]);
    let mut sent = 0;
    for part in whole[..whole.len() - 1].chunks(400) {
        peer.send(part).await?;
        sent += part.len() as u64;
        client.read_bytes(start + sent).await?;
    }
    peer.send(&whole[whole.len() - 1..]).await?;
    client.expect_message(vec![7; 1_000]).await?;
    check_eq!(client.bytes_read(), start + whole.len() as u64, "the bytes read");
    Ok(())
}

pub(super) async fn bytes_written_grows_with_what_is_sent<T: Transport>(transport: T) -> Outcome {
    let (mut client, mut peer) = open(&transport).await?;
    let start = client.bytes_written();
    for count in 1..=10 {
        client.send(Outgoing::Message(Message::from(vec![7; 1_000]))).await?;
        peer.frame().await?;
        // Two bytes of header, two of length, four of mask.
        check_eq!(
            client.bytes_written(),
            start + count * 1_008,
            "the bytes written after {count} messages"
        );
    }
    Ok(())
}

/// What the client takes must be bounded by the buffers of the system (a few MiB) and a few MiB of its own.
const MOST: usize = 32 << 20;
/// What the adapter may hold besides.
const MOST_HELD: u64 = 4 << 20;

pub(super) async fn a_peer_that_does_not_read_stops_the_client_and_reading_lets_it_go_on<
    T: Transport,
>(
    transport: T,
) -> Outcome {
    let server = Server::bind_with_small_buffer()?;
    let (mut client, mut peer) =
        open_at(&transport, &server, ConnectRequest::new(server.url()?)).await?;
    let start = client.bytes_written();
    let message = Message::from(vec![7; 16 << 10]);
    let mut taken = 0;
    while client.try_queue(Outgoing::Message(message.clone())).await? {
        taken += 1;
        check!(taken * message.len() < MOST, "the client took {MOST} bytes that nobody reads");
    }
    let held = (taken * message.len()) as u64
        - (client.bytes_written() - start).min((taken * message.len()) as u64);
    check!(held <= MOST_HELD, "the adapter holds {held} bytes");
    let go_on = async { Ok(client.send(Outgoing::Message("the last".into())).await?) };
    let serve = async {
        for number in 0..taken {
            check!(peer.frame().await?.payload == message.payload(), "message {number} is another");
        }
        check_eq!(peer.frame().await?.payload, b"the last", "the last message");
        Ok(())
    };
    tokio::try_join!(go_on, serve).map(|_| ())
}
