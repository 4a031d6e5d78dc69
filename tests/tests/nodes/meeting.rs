//! Clients of several nodes, all of which are there.

use crate::client::Peer;
use crate::world::World;

#[tokio::test]
async fn clients_of_several_nodes_are_members_of_one_room() {
    let world = World::of(3).await;
    let mut peers = world.meet("r").await;
    for from in 0..3 {
        peers[from].say("r", "say", &format!("{from}")).await;
        for to in (0..3).filter(|to| *to != from) {
            let message = peers[to].hears("r", "say", &format!("{from}")).await;
            assert_eq!((message.src, &*message.dst), (peers[from].id.clone(), ""));
        }
    }
    let mut late = Peer::connect(world.nodes[2].local_addr()).await;
    let mut ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
    ids.push(late.id.clone());
    ids.sort();
    assert_eq!(late.join("r").await, ids, "the list has those of all nodes");
    let mut listed = world.nodes[2].rooms().members("r");
    listed.sort();
    assert_eq!(listed.iter().map(|id| (**id).to_owned()).collect::<Vec<_>>(), ids);
    let gone = peers.pop().unwrap();
    let id = gone.id.clone();
    drop(gone);
    for peer in peers.iter_mut().chain([&mut late]) {
        peer.misses("r", &id).await;
    }
    late.say("r", "leave", "").await;
    for peer in &mut peers {
        peer.misses("r", &late.id).await;
        assert!(peer.left_over("r").is_empty());
    }
}

#[tokio::test]
async fn messages_of_one_publisher_in_a_room_keep_their_order_and_come_once() {
    let world = World::of(3).await;
    let mut peers = world.meet("r").await;
    let said: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    for number in &said {
        peers[0].say("r", "say", number).await;
    }
    peers[0].say("r", "say", "last").await;
    for peer in &mut peers[1..] {
        assert_eq!(peer.heard_until("r", "last").await, said);
    }
    // Only to those who are in the room.
    let mut outside = Peer::connect(world.nodes[1].local_addr()).await;
    peers[0].say("r", "say", "in r").await;
    peers[0].tell("root", "say", &outside.id, "to one").await;
    outside.hears("root", "say", "to one").await;
    assert!(outside.left_over("r").is_empty());
}

#[tokio::test]
async fn a_direct_message_reaches_one_client_on_whatever_node() {
    let world = World::of(2).await;
    let mut peers = world.meet("r").await;
    let [a, b] = &mut peers[..] else { panic!() };
    a.tell("r", "whisper", &b.id, "psst").await;
    let message = b.hears("r", "whisper", "psst").await;
    assert_eq!((&message.src, &message.dst), (&a.id, &b.id));
    a.tell("r", "whisper", "nobody", "lost").await;
    b.tell("r", "whisper", &a.id, "back").await;
    a.hears("r", "whisper", "back").await;
    assert!(a.left_over("r").is_empty() && b.left_over("r").is_empty());
}

#[tokio::test]
async fn a_node_lists_the_others() {
    let world = World::of(2).await;
    let _peers = world.meet("r").await;
    let nodes = world.nodes[0].rooms().nodes();
    let names: Vec<_> = nodes.iter().map(|node| (&*node.name, node.is_self)).collect();
    assert_eq!(names, [("node-0", true), ("node-1", false)]);
    let metrics = world.nodes[0].rooms().metrics();
    assert!(metrics.contains("rooms_redis_up 1"), "{metrics}");
}
