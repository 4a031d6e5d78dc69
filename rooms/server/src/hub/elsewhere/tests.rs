use std::sync::Mutex;

use wscengine_rooms_protocol::room::Message;

use super::*;
use crate::broker::{Carried, Wire};
use crate::hub::tests::{self, LIMITS, World, told};
use crate::hub::{Crowd, Member};

/// Notes what it is told; elsewhere `far` is in every place.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Broker for Notes {
    fn start(&self, _: &Arc<Hub>) {}

    fn say(&self, said: &Said<'_>) {
        let Carried::Message(message) = said.content else { panic!() };
        assert_eq!(said.wire, Wire::Own);
        let text = String::from_utf8_lossy(message.data.plain()).into_owned();
        self.note(format!("{:?} {:?} {text}", said.to, said.audience));
    }

    fn came(&self, place: Place<'_>, id: &Arc<str>) {
        self.note(format!("{place:?} +{id}"));
    }

    fn left(&self, place: Place<'_>, id: &Arc<str>) {
        self.note(format!("{place:?} -{id}"));
    }

    fn opened(&self, room: &str) {
        self.note(format!("open {room}"));
    }

    fn closed(&self, room: &str) {
        self.note(format!("close {room}"));
    }

    fn ids_in(&self, _: Place<'_>) -> Vec<Arc<str>> {
        vec!["far".into()]
    }

    fn knows(&self, id: &str) -> bool {
        id == "far"
    }

    fn name(&self) -> Arc<str> {
        "here".into()
    }

    fn others(&self) -> Vec<Node> {
        Vec::new()
    }
}

fn world() -> (World, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let nodes = Arc::clone(&notes) as Arc<dyn Broker>;
    (World::with_nodes(LIMITS, Some(nodes)), notes)
}

fn message<'a>(room: &'a str, sender: &'a Member) -> Message<'a> {
    tests::message(room, sender, "hi")
}

#[test]
fn other_nodes_hear_who_comes_and_goes_and_which_rooms_have_members_here() {
    let (world, notes) = world();
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    assert_eq!(notes.take(), ["Server +a", "Server +b"]);
    for member in [&a, &b, &b] {
        world.hub.join(member, "r").unwrap();
    }
    assert_eq!(notes.take(), ["open r", "Room(\"r\") +a", "Room(\"r\") +b"]);
    world.hub.leave(&a, "r");
    world.hub.disconnect(&b);
    assert_eq!(notes.take(), ["Room(\"r\") -a", "Room(\"r\") -b", "close r", "Server -b"]);
}

#[test]
fn members_elsewhere_are_listed_and_their_news_told() {
    let (world, _) = world();
    let a = world.connect("a");
    world.hub.join(&a, "r").unwrap();
    world.hub.hear_news("r", News::Came("new"));
    world.hub.hear_news("r", News::Left("new"));
    world.hub.hear_news("none", News::Left("new"));
    assert_eq!(told(&a), ["r:a+far", "r>new", "r<new"]);
    let ids = world.hub.ids_in("r");
    assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), ["a", "far"]);
}

#[test]
fn what_is_said_goes_to_other_nodes_if_it_may_be_said_and_can_travel() {
    let (world, notes) = world();
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    world.hub.join(&a, "r").unwrap();
    notes.take();
    world.hub.publish("r", Audience::OthersOfMember(&a), &message("r", &a));
    world.hub.publish("r", Audience::OthersOfMember(&b), &message("r", &b));
    world.hub.publish("elsewhere", Audience::Others(&b), &message("elsewhere", &b));
    world.hub.publish("r", Audience::Those(&|_| true), &message("r", &b));
    world.hub.publish("r", Audience::Everyone, &|_: &dyn crate::hub::Voice| None);
    world.hub.publish("r", Audience::WithMeta("k", &1.into()), &message("r", &b));
    let expected = [
        "Room(\"r\") But(\"a\") hi",
        "Room(\"elsewhere\") But(\"b\") hi",
        "Room(\"r\") WithMeta(\"k\", Number(1)) hi",
    ];
    assert_eq!(notes.take(), expected);
    assert!(world.hub.tell("far", When::Now, &message("root", &a)));
    assert!(!world.hub.tell("nobody", When::Now, &message("root", &a)));
    assert!(world.hub.tell("b", When::Now, &message("root", &a)), "here, and told to no node");
    assert_eq!(notes.take(), ["Client(\"far\") Everyone hi", "Client(\"nobody\") Everyone hi"]);
}

#[test]
fn what_other_nodes_say_reaches_those_it_is_meant_for_and_goes_no_further() {
    let (world, notes) = world();
    let [a, b, c] = ["a", "b", "c"].map(|id| world.connect(id));
    for member in [&a, &b] {
        world.hub.join(member, "r").unwrap();
    }
    let crowd = Arc::new(Crowd::new());
    world.hub.enlist("test", crowd.everyone());
    for member in [&b, &c] {
        crowd.enter(member, &());
    }
    assert!(a.meta().set("k", 1.into()).is_none());
    for member in [&a, &b] {
        told(member);
    }
    notes.take();
    let far = message("r", &c);
    assert_eq!(world.hub.hear(To::Room("r"), Wide::Everyone, &far), 2);
    assert_eq!(world.hub.hear(To::Room("r"), Wide::But("a"), &far), 1);
    assert_eq!(world.hub.hear(To::Room("r"), Wide::WithMeta("k", &1.into()), &far), 1);
    assert_eq!(world.hub.hear(To::Crowd("test:0"), Wide::But("b"), &far), 1);
    assert_eq!(world.hub.hear(To::Crowd("test:1"), Wide::Everyone, &far), 0);
    assert_eq!(world.hub.hear(To::Client("c"), Wide::Everyone, &far), 1);
    assert_eq!(world.hub.hear(To::Client("x"), Wide::Everyone, &far), 0);
    let counts = [&a, &b, &c].map(|member| told(member).len());
    assert_eq!((counts, notes.take()), ([2, 2, 2], vec![]));
    assert_eq!(crowd.ids().len(), 3, "with the one elsewhere");
}

#[test]
fn a_look_shows_every_place() {
    let (world, _) = world();
    let a = world.connect("a");
    world.hub.join(&a, "r").unwrap();
    let crowd = Arc::new(Crowd::new());
    world.hub.enlist("test", crowd.everyone());
    crowd.enter(&a, &());
    let mut seen = Vec::new();
    world.hub.look(|place, ids| {
        seen.push(format!("{place:?} {:?}", ids.map(|id| &**id).collect::<Vec<_>>()));
    });
    assert_eq!(seen, ["Server [\"a\"]", "Crowd(\"test:0\") [\"a\"]", "Room(\"r\") [\"a\"]"]);
    assert_eq!(world.hub.room_names(), [Arc::from("r")]);
}
