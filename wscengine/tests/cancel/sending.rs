//! `send`: dropped while it waits, it has sent nothing. `send_flushed`: the same while it waits for room; dropped
//! later, the message is still sent.

use futures_util::FutureExt;
use wscengine::{Exclusive, SendError, SendErrorKind};

use crate::cut::{Cut, at_each_await};
use crate::kit::{
    From, Way, assert_gets, assert_gets_all, ends, fill, goes_on, messages_of_the_rest,
};
use crate::support::{Probe, Rig, secs, start_with};

const TEXT: &str = "dropped?";

/// Where a call has to wait for room, and how often.
#[derive(Clone, Copy)]
enum Room {
    AtOnce,
    InMessages,
    InBytes,
    InBoth,
}

impl Room {
    fn limits(self) -> (usize, usize) {
        match self {
            Self::AtOnce => (100, 1 << 20),
            Self::InMessages => (2, 1 << 20),
            Self::InBytes => (100, 10),
            Self::InBoth => (2, 10),
        }
    }

    fn awaits(self) -> usize {
        match self {
            Self::AtOnce => 0,
            // One line for both.
            Self::InMessages | Self::InBytes | Self::InBoth => 1,
        }
    }
}

async fn rig(room: Room) -> Rig {
    let (messages, bytes) = room.limits();
    start_with(Probe::default(), |builder| builder.send_queue(messages, bytes)).await
}

/// Waits for room, while another waits behind. What the call has done by the time it is dropped it does all the same.
async fn waits_for_room(from: From, way: Way, room: Room) {
    let reached = at_each_await(|cut| async move {
        let mut rig = rig(room).await;
        let mut caller = from.of(&rig).await;
        let taken = match room {
            Room::AtOnce => Vec::new(),
            Room::InMessages | Room::InBytes | Room::InBoth => fill(&rig).await,
        };
        let ahead = matches!(room, Room::InBoth);
        let makes_room = async {
            tokio::time::sleep(secs(1)).await;
            rig.peer.stall_writes(false);
        };
        let (first, sent, behind, ()) = tokio::join!(
            // It takes all the bytes, so that the slot that becomes free next is of no use without any.
            async { if ahead { rig.engine.send("0123456789").await } else { Ok(()) } },
            cut.call(caller.send(way, TEXT)),
            rig.engine.send("behind"),
            makes_room,
        );
        first.unwrap();
        behind.unwrap();
        let done = is_sent(&cut, sent, way, room.awaits());
        assert_gets(&mut rig, &taken).await;
        let sent = [(ahead, "0123456789"), (done, TEXT), (true, "behind")];
        let sent = sent.into_iter().filter(|(is_sent, _)| *is_sent);
        assert_gets_all(&mut rig, sent.map(|(_, text)| text.to_owned()).collect()).await;
        // It has given back all the room that it may have had.
        if !taken.is_empty() {
            let again = fill(&rig).await;
            assert_eq!(again.len(), taken.len());
            rig.peer.stall_writes(false);
            assert_gets(&mut rig, &again).await;
        }
        drop(caller);
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, room.awaits() + usize::from(way == Way::SendFlushed));
}

/// Whether the message is sent, by what the note says.
fn is_sent(
    cut: &Cut,
    sent: Option<Result<(), SendError>>,
    way: Way,
    awaits_for_room: usize,
) -> bool {
    match sent {
        Some(result) => {
            result.unwrap();
            true
        }
        None => way == Way::SendFlushed && cut.polls() > awaits_for_room,
    }
}

/// How a session ends under a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lost,
    Closed,
    Stopped,
}

/// The session ends while the call waits: for room, or for the socket. Nobody is told anything, and nothing is sent
/// in the next session.
async fn waits_while_the_session_ends(from: From, way: Way, room: Room, end: End) {
    let reached = at_each_await(|cut| async move {
        let mut rig = rig(room).await;
        let mut caller = from.of(&rig).await;
        match room {
            Room::AtOnce => rig.peer.stall_writes(true),
            Room::InMessages | Room::InBytes | Room::InBoth => drop(fill(&rig).await),
        }
        let ends_session = async {
            tokio::time::sleep(secs(1)).await;
            match end {
                End::Lost => rig.peer.reset(),
                End::Closed => rig.close_by_peer(),
                End::Stopped => rig.engine.control().exit(),
            }
        };
        let (sent, ()) = tokio::join!(cut.call(caller.send(way, TEXT)), ends_session);
        if let Some(result) = sent {
            let error = result.unwrap_err();
            let lost = way == Way::SendFlushed && room.awaits() == 0;
            let kind = if lost { SendErrorKind::Lost } else { SendErrorKind::SessionEnded };
            assert_eq!(error.kind(), kind);
            assert_eq!(error.into_message().is_none(), lost, "the message is given back");
        }
        drop(caller);
        assert!(!messages_of_the_rest(&mut rig).await.contains(&TEXT.to_owned()));
        if end == End::Stopped {
            return ends(rig).await;
        }
        rig.reopened().await;
        goes_on(rig).await;
    })
    .await;
    assert_eq!(reached, 1);
}

async fn send_waits_for_room(from: From) {
    for room in [Room::AtOnce, Room::InMessages, Room::InBytes, Room::InBoth] {
        waits_for_room(from, Way::Send, room).await;
    }
}

async fn send_waits_while_the_session_ends(from: From) {
    for end in [End::Lost, End::Closed, End::Stopped] {
        for room in [Room::InMessages, Room::InBytes] {
            waits_while_the_session_ends(from, Way::Send, room, end).await;
        }
    }
}

async fn send_flushed_waits(from: From) {
    for room in [Room::AtOnce, Room::InMessages, Room::InBytes, Room::InBoth] {
        waits_for_room(from, Way::SendFlushed, room).await;
    }
}

async fn send_flushed_waits_while_the_session_ends(from: From) {
    for end in [End::Lost, End::Closed, End::Stopped] {
        // A stop would wait for the socket that stalls, and then give the message up.
        for room in [Room::AtOnce, Room::InMessages] {
            waits_while_the_session_ends(from, Way::SendFlushed, room, end).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn engine_send_dropped_while_it_waits_for_room_has_sent_nothing() {
    send_waits_for_room(From::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn engine_send_dropped_while_the_session_ends_has_sent_nothing() {
    send_waits_while_the_session_ends(From::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn session_send_dropped_while_it_waits_for_room_has_sent_nothing() {
    send_waits_for_room(From::Session).await;
}

#[tokio::test(start_paused = true)]
async fn session_send_dropped_while_the_session_ends_has_sent_nothing() {
    send_waits_while_the_session_ends(From::Session).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_dropped_while_it_waits_for_room_has_sent_nothing() {
    send_waits_for_room(From::Exclusive).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_dropped_while_the_session_ends_has_sent_nothing() {
    send_waits_while_the_session_ends(From::Exclusive).await;
}

#[tokio::test(start_paused = true)]
async fn engine_send_flushed_sends_nothing_without_room_and_the_message_once_it_had_room() {
    send_flushed_waits(From::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn engine_send_flushed_dropped_while_the_session_ends_sends_nothing_in_the_next() {
    send_flushed_waits_while_the_session_ends(From::Engine).await;
}

#[tokio::test(start_paused = true)]
async fn session_send_flushed_sends_nothing_without_room_and_the_message_once_it_had_room() {
    send_flushed_waits(From::Session).await;
}

#[tokio::test(start_paused = true)]
async fn session_send_flushed_dropped_while_the_session_ends_sends_nothing_in_the_next() {
    send_flushed_waits_while_the_session_ends(From::Session).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_flushed_sends_nothing_without_room_and_the_message_once_it_had_room() {
    send_flushed_waits(From::Exclusive).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_flushed_dropped_while_the_session_ends_sends_nothing_in_the_next() {
    send_flushed_waits_while_the_session_ends(From::Exclusive).await;
}

/// `on_close` has a queue of its own to say good-bye in: it waits there for room as elsewhere.
async fn farewell(way: Way) {
    let reached = at_each_await(|cut| async move {
        let call = cut.clone();
        let probe = Probe::default().on_close(move |conn, _| {
            let cut = call.clone();
            async move {
                say(conn, &cut, way).await;
                None
            }
            .boxed()
        });
        let mut rig = start_with(probe, |builder| builder.send_queue(2, 1 << 20)).await;
        rig.peer.stall_writes(true);
        rig.engine.control().exit();
        rig.journal.until("close stopped").await;
        tokio::time::sleep(secs(1)).await;
        rig.peer.stall_writes(false);
        let said = messages_of_the_rest(&mut rig).await;
        let sent = !cut.was_given_up() || (way == Way::SendFlushed && cut.polls() > 1);
        assert_eq!(said.contains(&TEXT.to_owned()), sent, "{cut:?}: {said:?}");
        assert_eq!(said.last().map(String::as_str), Some("last"));
        ends(rig).await;
    })
    .await;
    assert_eq!(reached, 1 + usize::from(way == Way::SendFlushed));
}

/// Fills the queue, makes the call, and says one thing more.
async fn say(conn: &mut Exclusive, cut: &Cut, way: Way) {
    // One goes to the transport, two into the queue.
    for text in ["1", "2", "3"] {
        conn.send(text).await.unwrap();
        tokio::task::yield_now().await;
    }
    match way {
        Way::Send => drop(cut.call(conn.send(TEXT)).await),
        Way::SendFlushed => drop(cut.call(conn.send_flushed(TEXT)).await),
    }
    conn.send("last").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_dropped_in_on_close_has_sent_nothing() {
    farewell(Way::Send).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_send_flushed_dropped_in_on_close_keeps_its_word_too() {
    farewell(Way::SendFlushed).await;
}
