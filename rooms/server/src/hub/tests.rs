use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use wscengine_rooms_protocol::room::{Data, Message};

use super::*;
use crate::ws::{Kind, Packet};

/// Says everything as text.
#[derive(Debug)]
struct Plain;

impl Voice for Plain {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        Some(text(&String::from_utf8_lossy(message.data.plain())))
    }

    fn welcome(
        &self,
        room: &str,
        _: &str,
        members: &mut dyn Iterator<Item = &str>,
    ) -> Option<Packet> {
        let mut members: Vec<_> = members.collect();
        members.sort_unstable();
        Some(text(&format!("{room}:{}", members.join("+"))))
    }

    fn news(&self, room: &str, news: News<'_>) -> Option<Packet> {
        Some(text(&match news {
            News::Came(id) => format!("{room}>{id}"),
            News::Left(id) => format!("{room}<{id}"),
        }))
    }
}

/// Says nothing but messages, and those in capitals.
#[derive(Debug)]
struct Loud;

impl Voice for Loud {
    fn message(&self, message: &Message<'_>) -> Option<Packet> {
        Some(text(&String::from_utf8_lossy(message.data.plain()).to_uppercase()))
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn text(text: &str) -> Packet {
    Packet::message(Kind::Text, text.as_bytes())
}

pub(super) const LIMITS: HubLimits = HubLimits {
    queue: QueueLimits { messages: 4, bytes: 100, slow: SlowClients::Close },
    rooms: 3,
    name: 8,
    announce_root: true,
    keep: None,
};

pub(super) struct World {
    pub(super) hub: Hub,
    plain: Arc<dyn Voice>,
    loud: Arc<dyn Voice>,
    meters: Arc<Meters>,
}

impl World {
    fn new(limits: HubLimits) -> Self {
        Self::with_nodes(limits, None)
    }

    pub(super) fn with_nodes(limits: HubLimits, nodes: Option<Arc<dyn Broker>>) -> Self {
        let meters = Arc::new(Meters::unseen());
        let hub = Hub::with_nodes(limits, nodes);
        Self { hub, plain: Arc::new(Plain), loud: Arc::new(Loud), meters }
    }

    pub(super) fn connect(&self, id: &str) -> Arc<Member> {
        self.hub.connect(profile(id, &self.plain), &self.meters).unwrap()
    }

    fn say(&self, room: &str, from: &Member, audience: Audience<'_>, said: &str) -> usize {
        self.hub.publish(room, audience, &message(room, from, said))
    }
}

pub(super) fn message<'a>(room: &'a str, from: &'a Member, said: &'a str) -> Message<'a> {
    let data = Data::Text(said.into());
    Message { room, event: "e", sender: from.id(), dst: "", data }
}

pub(super) fn profile(id: &str, voice: &Arc<dyn Voice>) -> Profile {
    Profile { id: id.into(), voice: Arc::clone(voice), claims: HashMap::new() }
}

/// What has been queued for a member, taken as its task does.
pub(super) fn told(member: &Member) -> Vec<String> {
    let mut writing = Queue::default();
    let mut told = Vec::new();
    while member.end_turn(&mut writing, false, Waker::noop()) != Turn::Sleep {
        if member.ending().is_some() && writing.is_empty() {
            break;
        }
        while !writing.is_empty() {
            let mut scratch = Vec::new();
            let frames = writing.next(&mut scratch);
            let len = usize::from(frames[1]);
            told.push(String::from_utf8_lossy(&frames[2..2 + len]).into_owned());
            writing.advance(2 + len);
        }
    }
    told
}

#[test]
fn the_joiner_is_told_first_and_itself_is_in_the_list() {
    let world = World::new(LIMITS);
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    world.hub.join(&a, "r").unwrap();
    world.hub.join(&b, "r").unwrap();
    world.say("r", &b, Audience::OthersOfMember(&b), "hi");
    assert_eq!(told(&a), ["r:a", "r>b", "hi"]);
    assert_eq!(told(&b), ["r:a+b"]);
    assert_eq!(world.hub.rooms(), 1);
}

#[test]
fn a_second_join_is_acknowledged_and_nobody_else_hears_of_it() {
    let world = World::new(LIMITS);
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    for member in [&a, &b, &b] {
        world.hub.join(member, "r").unwrap();
    }
    assert_eq!(told(&a), ["r:a", "r>b"]);
    assert_eq!(told(&b), ["r:a+b", "r:a+b"]);
    // A room is a set: one leave is enough.
    assert!(world.hub.leave(&b, "r"));
    assert!(!world.hub.leave(&b, "r"));
    assert_eq!(told(&a), ["r<b"]);
}

#[test]
fn an_empty_room_vanishes_and_comes_again() {
    let world = World::new(LIMITS);
    let a = world.connect("a");
    for _ in 0..100 {
        world.hub.join(&a, "r").unwrap();
        assert_eq!(world.hub.rooms(), 1);
        assert!(world.hub.leave(&a, "r"));
        assert_eq!(world.hub.rooms(), 0);
        assert_eq!(told(&a), ["r:a"]);
    }
    assert!(world.hub.ids_in("r").is_empty());
}

#[test]
fn a_disconnect_is_told_in_the_rooms_joined_and_nowhere_else() {
    let world = World::new(LIMITS);
    let [a, b, c] = ["a", "b", "c"].map(|id| world.connect(id));
    for (member, room) in [(&a, "r"), (&a, "s"), (&b, "r"), (&c, "t")] {
        world.hub.join(member, room).unwrap();
    }
    world.hub.disconnect(&a);
    assert_eq!(told(&b), ["r:a+b", "r<a"]);
    assert_eq!(told(&c), ["t:c"]);
    assert_eq!((world.hub.rooms(), world.hub.connections()), (2, 2));
    assert!(!a.push(&text("x")), "nothing reaches it");
    assert_eq!(world.hub.join(&a, "r"), Err(JoinError::Gone));
    assert!(!world.hub.tell("a", When::Now, &|_: &dyn Voice| Some(text("x"))));
}

#[test]
fn who_is_not_in_a_room_is_heard_only_where_that_is_allowed() {
    let world = World::new(LIMITS);
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    world.hub.join(&a, "r").unwrap();
    told(&a);
    assert_eq!(world.say("r", &b, Audience::OthersOfMember(&b), "1"), 0);
    assert_eq!(world.say("r", &b, Audience::Others(&b), "2"), 1);
    assert_eq!(world.say("r", &b, Audience::Everyone, "3"), 1);
    assert_eq!(world.say("r", &a, Audience::Everyone, "4"), 1);
    assert_eq!(world.say("none", &a, Audience::Everyone, "5"), 0);
    assert_eq!(told(&a), ["2", "3", "4"]);
    assert!(told(&b).is_empty());
}

#[test]
fn each_voice_puts_a_message_once_and_only_its_own_way() {
    let world = World::new(LIMITS);
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    let [c, d] =
        ["c", "d"].map(|id| world.hub.connect(profile(id, &world.loud), &world.meters).unwrap());
    for member in [&a, &b, &c, &d] {
        world.hub.join(member, "r").unwrap();
    }
    let made = AtomicUsize::new(0);
    let content = |voice: &dyn Voice| {
        made.fetch_add(1, Ordering::Relaxed);
        let data = Data::Text("hi".into());
        voice.message(&Message { room: "r", event: "e", sender: "a", dst: "", data })
    };
    assert_eq!(world.hub.publish("r", Audience::Others(&a), &content), 3);
    assert_eq!(made.into_inner(), 2);
    assert_eq!(told(&b), ["r:a+b", "r>c", "r>d", "hi"]);
    assert_eq!(told(&c), ["HI"]);
    assert_eq!(told(&d), ["HI"]);
}

#[test]
fn limits_hold() {
    let world = World::new(LIMITS);
    let a = world.connect("a");
    assert_eq!(world.hub.join(&a, "123456789"), Err(JoinError::NameTooLong));
    for room in ["1", "2", "12345678"] {
        world.hub.join(&a, room).unwrap();
    }
    assert_eq!(world.hub.join(&a, "4"), Err(JoinError::TooManyRooms));
    assert_eq!(world.hub.join(&a, "1"), Ok(()), "it is in there already");
    assert_eq!(a.room_names().len(), 3);
    assert_eq!(world.hub.connect(profile("a", &world.plain), &world.meters).unwrap_err(), IdTaken);
    assert_eq!(world.hub.connections(), 1);
}

#[test]
fn in_root_nothing_is_announced_if_so_wished() {
    let world = World::new(HubLimits { announce_root: false, ..LIMITS });
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    for (member, room) in [(&a, ROOT), (&b, ROOT), (&a, "r"), (&b, "r")] {
        world.hub.join(member, room).unwrap();
    }
    world.hub.disconnect(&b);
    assert_eq!(told(&a), ["root:a", "r:a", "r>b", "r<b"]);
}

#[test]
fn a_task_is_woken_once_for_all_that_waits() {
    let world = World::new(LIMITS);
    let a = world.connect("a");
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut writing = Queue::default();
    assert_eq!(a.end_turn(&mut writing, false, &waker), Turn::Sleep);
    for _ in 0..3 {
        a.push(&text("x"));
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    // In its turn it looks by itself.
    a.begin_turn();
    a.push(&text("x"));
    assert_eq!(a.end_turn(&mut writing, false, &waker), Turn::Write(4));
    assert_eq!(writing.bytes(), 12);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}

/// A member whose socket takes nothing.
fn blocked(world: &World) -> Arc<Member> {
    let member = world.connect("slow");
    member.end_turn(&mut Queue::default(), true, Waker::noop());
    member
}

#[test]
fn a_slow_client_is_closed_with_1013_after_what_it_was_sent_before() {
    let world = World::new(LIMITS);
    let slow = blocked(&world);
    for at in 0..4 {
        assert!(slow.push(&text(&at.to_string())));
    }
    assert!(!slow.push(&text("4")), "the fifth of four");
    assert_eq!(slow.ending().map(|end| end.code), Some(1013));
    assert_eq!((world.meters.slow.get(), world.meters.overflowed.get()), (1, 1));
    assert_eq!(told(&slow), ["0", "1", "2", "3"]);
    assert!(!slow.push(&text("5")));
}

#[test]
fn the_bytes_of_a_queue_are_limited_too() {
    let world = World::new(LIMITS);
    let slow = blocked(&world);
    assert!(slow.push(&text(&"x".repeat(120))), "one may be larger than the limit");
    assert!(!slow.push(&text("y")));
}

#[test]
fn where_the_oldest_is_dropped_the_client_stays() {
    let queue = QueueLimits { slow: SlowClients::DropOldest, ..LIMITS.queue };
    let world = World::new(HubLimits { queue, ..LIMITS });
    let slow = blocked(&world);
    for at in 0..10 {
        assert!(slow.push(&text(&at.to_string())));
    }
    assert_eq!(slow.ending(), None);
    assert_eq!(told(&slow), ["6", "7", "8", "9"]);
}

#[test]
fn a_client_whose_task_has_not_had_its_turn_is_not_called_slow() {
    let world = World::new(LIMITS);
    let a = world.connect("a");
    for _ in 0..20 {
        assert!(a.push(&text("x")));
    }
    assert_eq!(a.ending(), None);
    while a.push(&text("x")) {}
    assert_eq!(told(&a).len(), 4 * 16, "its queue is bounded all the same");
}

#[test]
fn threads_that_join_and_leave_the_same_rooms_lose_no_membership() {
    const THREADS: usize = 4;
    let world = World::new(LIMITS);
    std::thread::scope(|scope| {
        for at in 0..THREADS {
            let world = &world;
            scope.spawn(move || {
                let member = world.connect(&at.to_string());
                for round in 0..2000 {
                    let room = ["r", "s"][round % 2];
                    world.hub.join(&member, room).unwrap();
                    assert!(world.hub.ids_in(room).contains(member.id()));
                    world.say(room, &member, Audience::Others(&member), "x");
                    assert!(world.hub.leave(&member, room));
                    member.end_turn(&mut Queue::default(), false, Waker::noop());
                }
                world.hub.disconnect(&member);
            });
        }
    });
    assert_eq!((world.hub.rooms(), world.hub.connections()), (0, 0));
}

/// Takes so many bytes.
#[derive(Debug)]
struct Socket(Mutex<(usize, Vec<u8>)>);

impl Direct for Socket {
    fn try_write(&self, bytes: &[u8]) -> usize {
        let (room, written) = &mut *self.0.lock().unwrap();
        let count = bytes.len().min(*room);
        *room -= count;
        written.extend_from_slice(&bytes[..count]);
        count
    }
}

#[test]
fn a_packet_is_written_at_once_only_where_it_overtakes_nothing() {
    let world = World::new(LIMITS);
    let a = world.connect("a");
    let socket = Arc::new(Socket((10, Vec::new()).into()));
    a.set_direct(Arc::clone(&socket) as Arc<dyn Direct>);
    let written = || socket.0.lock().unwrap().1.len();
    let mut writing = Queue::default();
    a.push_now(&text("x"));
    assert_eq!(written(), 0, "its task is in a turn");
    assert_eq!(told(&a), ["x"]);
    // Asleep since.
    a.push_now(&text("y"));
    assert_eq!(written(), 3);
    a.push(&text("z"));
    a.push_now(&text("0"));
    assert_eq!(written(), 3, "another one waits");
    assert_eq!(told(&a), ["z", "0"]);
    a.push_now(&text("123456789"));
    assert_eq!(written(), 10, "as much as there is room for");
    assert_eq!(a.end_turn(&mut writing, false, Waker::noop()), Turn::Write(1));
    assert_eq!(writing.next(&mut Vec::new()), b"6789");
    writing.advance(4);
    a.end_turn(&mut writing, true, Waker::noop());
    socket.0.lock().unwrap().0 = 100;
    a.push_now(&text("!"));
    assert_eq!(written(), 10, "its socket is blocked");
    world.hub.disconnect(&a);
    assert_eq!(Arc::strong_count(&socket), 1, "its socket is not kept");
}

/// Has nothing more to do, as its task does before it sleeps. How often it is woken from then on.
fn asleep(member: &Member) -> Arc<Woken> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut writing = Queue::default();
    while member.end_turn(&mut writing, false, &waker) != Turn::Sleep {
        writing = Queue::default();
    }
    woken
}

#[tokio::test(start_paused = true)]
async fn news_of_many_wake_a_member_once_and_not_much_later() {
    let world =
        World::new(HubLimits { queue: QueueLimits { bytes: 10_000, ..LIMITS.queue }, ..LIMITS });
    let a = world.connect("a");
    world.hub.join(&a, "r").unwrap();
    let woken = asleep(&a);
    let others: Vec<_> = (0..10).map(|number| world.connect(&number.to_string())).collect();
    for other in &others {
        world.hub.join(other, "r").unwrap();
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    tokio::time::sleep(late::PAUSE * 2).await;
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(told(&a).len(), others.len());
    // And so it is with the next.
    let woken = asleep(&a);
    assert!(world.hub.leave(&others[0], "r"));
    tokio::time::sleep(late::PAUSE * 2).await;
    assert_eq!((woken.0.load(Ordering::Relaxed), told(&a)), (1, vec!["r<0".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_wait_for_the_news_and_goes_out_behind_them() {
    let world = World::new(LIMITS);
    let [a, b] = ["a", "b"].map(|id| world.connect(id));
    world.hub.join(&a, "r").unwrap();
    let woken = asleep(&a);
    world.hub.join(&b, "r").unwrap();
    world.say("r", &b, Audience::OthersOfMember(&b), "hi");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(told(&a), ["r>b", "hi"]);
}
