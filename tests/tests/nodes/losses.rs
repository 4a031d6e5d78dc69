//! Redis is gone, or a node is.

use crate::client::Peer;
use crate::namespace::in_namespace;
use crate::redis_server::{RedisServer, free_port};
use crate::world::{Program, World, meet, node};

#[tokio::test]
async fn a_node_without_its_redis_serves_its_own_clients_and_finds_the_others_later() {
    let port = free_port();
    let url = format!("redis://127.0.0.1:{port}");
    let nodes = [node(&url, 0).await, node(&url, 1).await];
    let mut peers = Vec::new();
    for at in [0, 0, 1] {
        peers.push(Peer::connect(nodes[at].local_addr()).await);
    }
    meet(&mut peers[..2], "r").await;
    peers[2].join("r").await;
    peers[0].say("r", "say", "alone").await;
    peers[1].hears("r", "say", "alone").await;
    assert!(nodes[0].rooms().metrics().contains("rooms_redis_up 0"));
    let _redis = RedisServer::start_on(port).expect("the port is still free");
    let ids = [0, 1, 2].map(|at: usize| peers[at].id.clone());
    peers[2].sees("r", &ids[0]).await;
    peers[2].sees("r", &ids[1]).await;
    for peer in &mut peers[..2] {
        peer.sees("r", &ids[2]).await;
    }
    peers[0].say("r", "say", "together").await;
    peers[1].hears("r", "say", "together").await;
    peers[2].hears("r", "say", "together").await;
    assert!(peers[2].left_over("r").is_empty(), "what was said alone stays there");
}

#[tokio::test]
async fn clients_hear_each_other_again_when_redis_was_started_again() {
    let mut world = World::of(2).await;
    let mut peers = world.meet("r").await;
    world.redis = world.redis.restart();
    // Everything that is said is heard at most once, in order; and from some time on again.
    let mut said = 0;
    loop {
        said += 1;
        peers[0].say("r", "say", &said.to_string()).await;
        let id = peers[0].id.clone();
        peers[0].tell("root", "say", &id, "echo").await;
        peers[0].hears("root", "say", "echo").await;
        if world.nodes.iter().all(|node| node.rooms().metrics().contains("rooms_redis_up 1")) {
            break;
        }
        tokio::task::yield_now().await;
    }
    peers.push(Peer::connect(world.nodes[1].local_addr()).await);
    peers[2].join("s").await;
    peers.push(Peer::connect(world.nodes[0].local_addr()).await);
    meet(&mut peers[2..], "s").await;
    peers[0].say("r", "say", "last").await;
    let heard = peers[1].heard_until("r", "last").await;
    let numbers: Vec<u32> = heard.iter().map(|it| it.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    // A short absence of Redis is none of its clients.
    assert!(peers[1].left_over("r").is_empty());
}

/// A node that is cut off from Redis without a word is taken for dead by the others, which it takes for dead too; its
/// own clients go on. Healed, all is as it was, and nothing has come twice.
#[test]
fn a_node_that_is_cut_off_serves_its_own_clients_and_comes_back() {
    in_namespace("nodes: cut off", async |link| {
        let redis = RedisServer::start();
        let nodes = [node(&redis.url(), 0).await, node(&redis.other_url(), 1).await];
        let mut peers = Vec::new();
        for at in [0, 1, 1] {
            peers.push(Peer::connect(nodes[at].local_addr()).await);
        }
        meet(&mut peers, "r").await;
        let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
        link.drop_packets_of("127.0.0.2");
        peers[0].misses("r", &ids[1]).await;
        peers[0].misses("r", &ids[2]).await;
        peers[2].misses("r", &ids[0]).await;
        peers[1].misses("r", &ids[0]).await;
        peers[1].say("r", "say", "among us").await;
        peers[2].hears("r", "say", "among us").await;
        peers[0].say("r", "say", "alone").await;
        link.heal();
        peers[0].sees("r", &ids[1]).await;
        peers[0].sees("r", &ids[2]).await;
        peers[1].sees("r", &ids[0]).await;
        peers[2].sees("r", &ids[0]).await;
        peers[0].say("r", "say", "last").await;
        for peer in &mut peers[1..] {
            assert_eq!(peer.heard_until("r", "last").await, [""; 0]);
        }
        peers[1].say("r", "say", "and back").await;
        peers[0].hears("r", "say", "and back").await;
        assert!(peers[0].left_over("r").is_empty());
    });
}

/// The program, ended without a chance to say anything.
#[tokio::test]
async fn the_clients_of_a_node_that_is_killed_are_gone_within_its_expiry() {
    let redis = RedisServer::start();
    let node = node(&redis.url(), 0).await;
    let mut program = Program::start(&redis.url(), "b");
    let mut peers = vec![Peer::connect(node.local_addr()).await, Peer::connect(program.addr).await];
    meet(&mut peers, "r").await;
    let lost = peers.pop().unwrap();
    let mut here = peers.pop().unwrap();
    program.kill();
    here.misses("r", &lost.id).await;
    assert_eq!(here.join("r").await, [here.id.clone()]);
    assert_eq!(node.rooms().nodes().len(), 1);
}

/// A node of the same name takes the place of the one that was, at once.
#[tokio::test]
async fn a_node_that_is_started_again_leaves_nobody_of_before_behind() {
    let redis = RedisServer::start();
    let node = node(&redis.url(), 0).await;
    let mut program = Program::start(&redis.url(), "b");
    let mut peers = vec![Peer::connect(node.local_addr()).await, Peer::connect(program.addr).await];
    meet(&mut peers, "r").await;
    program.kill();
    let again = Program::start(&redis.url(), "b");
    let (mut here, before) = (peers.remove(0), peers.remove(0));
    here.misses("r", &before.id).await;
    let mut peers = [here, Peer::connect(again.addr).await];
    let ids = peers[1].join("r").await;
    assert!(ids.contains(&peers[0].id) && !ids.contains(&before.id));
    let id = peers[1].id.clone();
    peers[0].sees("r", &id).await;
}
