//! Each transition: what goes in, what comes out.
#![allow(clippy::redundant_closure_for_method_calls, reason = "the steps of a table look alike")]

use wscengine::{CloseCause, Outcome};

use super::*;

/// What came out, in short: `join x`, `leave x`, `1: joined [a]`, `tell rejoined x`.
fn said(machine: &mut Machine) -> Vec<String> {
    std::iter::from_fn(|| machine.poll_action()).map(|action| short(&action)).collect()
}

fn short(action: &Action) -> String {
    match action {
        Action::SendJoin(room) => format!("join {room}"),
        Action::SendLeave(room) => format!("leave {room}"),
        Action::Answer(ticket, Answer::Joined(members)) => {
            format!("{ticket}: joined [{}]", members.join(" "))
        }
        Action::Answer(ticket, answer) => format!("{ticket}: {answer:?}"),
        Action::Ready => "ready".into(),
        Action::Tell(event) => match event {
            Event::Open { id, again } => {
                format!("tell open {} {again}", id.as_deref().unwrap_or("-"))
            }
            Event::Joined { room, members } => {
                format!("tell joined {room} [{}]", members.join(" "))
            }
            Event::Rejoined { room } => format!("tell rejoined {room}"),
            Event::Left { room, reason } => format!("tell left {room} {reason:?}"),
            Event::NewMember { room, id } => format!("tell {room} +{id}"),
            Event::MemberLeft { room, id } => format!("tell {room} -{id}"),
            Event::Reconnecting { attempt, .. } => format!("tell reconnecting {attempt}"),
            Event::Closed { .. } => "tell closed".into(),
            Event::Message(message) => format!("tell message {}", message.event),
            Event::Refused { text } => format!("tell refused {text}"),
            other => format!("{other:?}"),
        },
    }
}

fn ack(room: &str, id: &str, members: &str) -> Notice {
    let members = members.split_whitespace().map(str::to_owned).collect();
    Notice::Joined { room: room.into(), id: Some(id.into()), members }
}

fn left(room: &str) -> Notice {
    Notice::Left { room: room.into() }
}

fn came(room: &str, id: &str) -> Notice {
    Notice::NewMember { room: room.into(), id: id.into() }
}

fn went(room: &str, id: &str) -> Notice {
    Notice::MemberLeft { room: room.into(), id: id.into() }
}

fn outcome() -> Outcome {
    // None can be made from outside: that of an engine that ends at once.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (transport, mut server) = wscengine::testing::memory::transport();
        let prepared =
            wscengine::Engine::builder(transport, Quiet).url("ws://example.com/").build().unwrap();
        let (engine, _peer) = tokio::join!(prepared.start(), server.accept());
        let engine = engine.unwrap();
        engine.control().exit();
        engine.stopped().await
    })
}

struct Quiet;

impl wscengine::Handler for Quiet {
    async fn on_message(&self, _: &wscengine::Session, _: wscengine::Message<'_>) {}
}

/// Does these one after the other, and gives what came out of each.
macro_rules! play {
    ($machine:ident: $($step:expr => $expected:expr),+ $(,)?) => {
        $({
            let step: Box<dyn FnOnce(&mut Machine)> = Box::new($step);
            step(&mut $machine);
            let expected: &[&str] = &$expected;
            assert_eq!(said(&mut $machine), expected, "after {}", stringify!($step));
        })+
    };
}

fn new() -> Machine {
    Machine::new(Greets::Yes, Acknowledged::Always)
}

/// Open, with the id `me`.
fn open() -> Machine {
    let mut machine = new();
    machine.opening();
    machine.heard(ack("root", "me", "me"));
    said(&mut machine);
    machine
}

/// Open, and in these rooms, with `you` in each.
fn inside(rooms: &[&str]) -> Machine {
    let mut machine = open();
    for room in rooms {
        machine.join(room, 0);
        machine.heard(ack(room, "me", "me you"));
    }
    said(&mut machine);
    machine
}

#[test]
fn the_first_connection_is_open_once_the_id_is_known() {
    let mut m = new();
    play!(m:
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me", "you")) => ["tell joined root [me you]", "tell open me false", "ready"],
    );
    assert_eq!((m.id(), m.phase()), (Some("me"), Phase::Open));
}

#[test]
fn where_no_id_is_told_it_is_open_at_once() {
    let mut m = Machine::new(Greets::No, Acknowledged::Always);
    play!(m: |m| m.opening() => ["tell open - false", "ready"]);
}

#[test]
fn an_id_alone_greets_too() {
    let mut m = new();
    play!(m:
        |m| m.opening() => [],
        |m| m.heard(Notice::Id("me".into())) => ["tell open me false", "ready"],
    );
}

#[test]
fn a_join_is_asked_for_once_and_answers_all_who_wait() {
    let mut m = open();
    play!(m:
        |m| m.join("x", 1) => ["join x"],
        |m| m.join("x", 2) => [],
        |m| m.heard(ack("x", "me", "you")) => ["tell joined x [me you]", "1: joined [me you]", "2: joined [me you]"],
        |m| m.join("x", 3) => ["3: joined [me you]"],
    );
    assert!(m.may_speak("x"));
}

#[test]
fn a_leave_is_asked_for_once_and_answers_all_who_wait() {
    let mut m = inside(&["x"]);
    play!(m:
        |m| m.leave("x", 1) => ["leave x"],
        |m| m.leave("x", 2) => [],
        |m| m.heard(left("x")) => ["tell left x Asked", "1: Left", "2: Left"],
        |m| m.leave("x", 3) => ["3: NotJoined"],
        |m| m.heard(left("x")) => [],
    );
    assert!(!m.may_speak("x"));
}

#[test]
fn a_join_after_a_leave_waits_for_its_end() {
    let mut m = inside(&["x"]);
    play!(m:
        |m| m.leave("x", 1) => ["leave x"],
        |m| m.join("x", 2) => [],
        // The acknowledgement of a join from before.
        |m| m.heard(ack("x", "me", "me")) => [],
        |m| m.heard(left("x")) => ["tell left x Asked", "1: Left", "join x"],
        |m| m.heard(ack("x", "me", "me")) => ["tell joined x [me]", "2: joined [me]"],
    );
}

#[test]
fn a_leave_takes_back_the_joins_before_it() {
    let mut m = open();
    play!(m:
        |m| m.join("x", 1) => ["join x"],
        |m| m.leave("x", 2) => ["leave x", "1: LeftMeanwhile"],
        |m| m.join("x", 3) => [],
        |m| m.leave("x", 4) => ["3: LeftMeanwhile"],
        |m| m.heard(ack("x", "me", "me")) => [],
        |m| m.heard(left("x")) => ["tell left x Asked", "2: Left", "4: Left"],
    );
}

#[test]
fn a_join_without_a_connection_waits_for_one_and_a_leave_does_not() {
    let mut m = inside(&["old"]);
    play!(m:
        |m| m.lost(Loss::Other) => [],
        |m| m.join("new", 1) => [],
        |m| m.join("old", 2) => [],
        |m| m.leave("old", 3) => ["tell left old Asked", "3: Left", "2: LeftMeanwhile"],
        |m| m.join("brief", 4) => [],
        |m| m.leave("brief", 5) => ["5: Left", "4: LeftMeanwhile"],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join new", "tell open me2 true", "ready"],
        |m| m.heard(ack("new", "me2", "me2")) => ["tell joined new [me2]", "1: joined [me2]"],
    );
}

#[test]
fn rooms_are_joined_again_in_order_and_it_is_told_who_came_and_went() {
    let mut m = inside(&["b", "a", "c"]);
    play!(m:
        |m| m.leave("c", 1) => ["leave c"],
        |m| m.lost(Loss::Other) => ["tell left c Asked", "1: Left"],
        |m| m.waiting(1, std::time::Duration::ZERO) => ["tell reconnecting 1"],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2 you")) => ["tell rejoined root", "tell root +you", "join b", "join a"],
        |m| m.heard(ack("b", "me2", "me2 new")) => ["tell rejoined b", "tell b -you", "tell b +new"],
        |m| m.heard(ack("a", "me2", "you me2")) => ["tell rejoined a", "tell open me2 true", "ready"],
    );
    assert!(m.members("b").unwrap().iter().eq(["me2", "new"]));
}

#[test]
fn a_connection_that_is_lost_while_rooms_are_joined_again_changes_nothing_of_what_is_wanted() {
    let mut m = inside(&["a", "b"]);
    play!(m:
        |m| m.lost(Loss::Other) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join a", "join b"],
        |m| m.heard(ack("a", "me2", "me2")) => ["tell rejoined a", "tell a -you"],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me3", "me3")) => ["tell rejoined root", "join a", "join b"],
        |m| m.heard(ack("a", "me3", "me3")) => ["tell rejoined a"],
        |m| m.heard(ack("b", "me3", "me3")) => ["tell rejoined b", "tell b -you", "tell open me3 true", "ready"],
    );
}

#[test]
fn rooms_that_are_not_joined_again_in_time_are_given_up() {
    let mut m = inside(&["a", "b"]);
    play!(m:
        |m| m.lost(Loss::Other) => [],
        |m| m.join("b", 1) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join a", "join b"],
        |m| m.heard(ack("a", "me2", "me2 you")) => ["tell rejoined a"],
        |m| m.overdue() => ["1: TimedOut", "leave b", "tell left b NotRejoined", "tell open me2 true", "ready"],
        |m| m.heard(ack("b", "me2", "me2")) => [],
        |m| m.heard(left("b")) => ["tell left b Asked"],
        |m| m.overdue() => [],
    );
}

#[test]
fn a_room_that_is_left_while_it_is_joined_again_is_waited_for_no_more() {
    let mut m = inside(&["a"]);
    play!(m:
        |m| m.lost(Loss::Other) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join a"],
        |m| m.leave("a", 1) => ["leave a", "tell open me2 true", "ready"],
        |m| m.heard(ack("a", "me2", "me2")) => [],
        |m| m.heard(left("a")) => ["tell left a Asked", "1: Left"],
    );
}

#[test]
fn a_refusal_costs_the_rooms_that_were_asked_for_and_not_joined() {
    let mut m = inside(&["a", "b"]);
    play!(m:
        |m| m.join("c", 1) => ["join c"],
        |m| m.lost(Loss::Refused) => ["1: Refused"],
        |m| m.join("d", 2) => [],
        |m| m.opening() => [],
        // Refused before anything was asked for: that was not about rooms.
        |m| m.lost(Loss::Refused) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join a", "join b", "join d"],
        |m| m.heard(ack("a", "me2", "me2 you")) => ["tell rejoined a"],
        |m| m.lost(Loss::Refused) => ["tell left b Refused", "2: Refused"],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me3", "me3")) => ["tell rejoined root", "join a"],
    );
}

#[test]
fn a_join_that_is_not_answered_in_time_is_given_up_when_nobody_waits() {
    let mut m = open();
    play!(m:
        |m| m.join("x", 1) => ["join x"],
        |m| m.join("x", 2) => [],
        |m| m.timed_out("x", 1) => [],
        |m| m.timed_out("x", 1) => [],
        |m| m.timed_out("x", 2) => ["leave x"],
        |m| m.heard(ack("x", "me", "me")) => [],
        |m| m.heard(left("x")) => ["tell left x Asked"],
        |m| m.lost(Loss::Other) => [],
        |m| m.join("y", 3) => [],
        |m| m.timed_out("y", 3) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "tell open me2 true", "ready"],
    );
}

#[test]
fn a_join_that_nobody_waits_for_goes_on() {
    let mut m = open();
    play!(m:
        |m| m.join("x", 1) => ["join x"],
        |m| m.forget("x", 1) => [],
        |m| m.heard(ack("x", "me", "me")) => ["tell joined x [me]"],
    );
    assert!(m.may_speak("x"));
}

#[test]
fn a_leave_that_is_not_answered_in_time_is_not_joined_again() {
    let mut m = inside(&["x"]);
    play!(m:
        |m| m.leave("x", 1) => ["leave x"],
        |m| m.timed_out("x", 1) => [],
        |m| m.lost(Loss::Other) => ["tell left x Asked"],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "tell open me2 true", "ready"],
    );
}

#[test]
fn members_come_and_go_once() {
    let mut m = inside(&["x"]);
    play!(m:
        |m| m.heard(came("x", "new")) => ["tell x +new"],
        |m| m.heard(came("x", "new")) => [],
        |m| m.heard(came("x", "me")) => [],
        |m| m.heard(came("y", "new")) => [],
        |m| m.heard(went("x", "new")) => ["tell x -new"],
        |m| m.heard(went("x", "new")) => [],
        |m| m.heard(went("x", "me")) => [],
        // Once more joined is what the list says.
        |m| m.heard(ack("x", "me", "me other")) => ["tell x -you", "tell x +other"],
    );
    assert!(m.members("x").unwrap().iter().eq(["me", "other"]));
}

#[test]
fn a_server_may_put_the_client_into_a_room_and_out_of_it() {
    let mut m = inside(&["x"]);
    play!(m:
        |m| m.heard(ack("given", "me", "me")) => ["tell joined given [me]"],
        |m| m.heard(left("x")) => ["tell left x ByServer"],
        |m| m.lost(Loss::Other) => [],
        |m| m.opening() => [],
        // It is the server's business to do so again.
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "tell left given NotRejoined", "tell open me2 true", "ready"],
    );
}

#[test]
fn a_room_that_the_server_gave_and_that_is_asked_for_too_is_joined_again() {
    let mut m = open();
    play!(m:
        |m| m.heard(ack("given", "me", "me")) => ["tell joined given [me]"],
        |m| m.join("given", 1) => ["1: joined [me]"],
        |m| m.lost(Loss::Other) => [],
        |m| m.opening() => [],
        |m| m.heard(ack("root", "me2", "me2")) => ["tell rejoined root", "join given"],
    );
}

#[test]
fn where_nothing_is_acknowledged_a_room_is_joined_once_that_was_asked_for() {
    let mut m = Machine::new(Greets::No, Acknowledged::Never);
    play!(m:
        |m| m.join("x", 1) => [],
        |m| m.opening() => ["join x", "tell joined x []", "1: joined []", "tell open - false", "ready"],
        |m| m.join("y", 2) => ["join y", "tell joined y []", "2: joined []"],
        |m| m.lost(Loss::Other) => [],
        |m| m.opening() => ["join x", "tell rejoined x", "join y", "tell rejoined y", "tell open - true", "ready"],
        |m| m.heard(Notice::Refused("no".into())) => ["tell refused no"],
    );
}

#[test]
fn the_end_answers_everybody_and_nothing_is_told_after_it() {
    let (mut m, end) = (inside(&["x", "y"]), outcome());
    m.join("z", 1);
    m.leave("x", 2);
    m.join("x", 3);
    said(&mut m);
    let again = end.clone();
    play!(m:
        move |m| m.ended(end) => ["3: Closed", "2: Closed", "1: Closed", "tell closed"],
        move |m| m.ended(again) => [],
        |m| m.join("x", 4) => ["4: Closed"],
        |m| m.leave("x", 5) => ["5: Closed"],
        |m| m.lost(Loss::Other) => [],
        |m| m.waiting(1, std::time::Duration::ZERO) => [],
    );
    assert_eq!(m.rooms().count(), 0);
}

#[test]
fn what_is_told_of_the_connection_goes_through_in_order() {
    let mut m = inside(&["x"]);
    m.tell(Event::Lost { cause: CloseCause::HeartbeatLost, reconnecting: true });
    m.lost(Loss::Other);
    assert_eq!(said(&mut m).len(), 1);
    assert!(m.may_speak("x"), "it waits in the outbox");
    assert!(m.members("x").unwrap().iter().eq(["you"]));
}
