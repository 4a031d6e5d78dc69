//! Nodes with a Redis between them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use wscengine_rooms_server::{Config, Redis, RunningServer, Server};

use crate::client::Peer;
use crate::redis_server::RedisServer;

/// Short, so that tests are; long enough for a loaded machine to say four times that a node lives.
pub(crate) const EXPIRY: Duration = Duration::from_secs(3);

pub(crate) struct World {
    pub(crate) redis: RedisServer,
    pub(crate) nodes: Vec<RunningServer>,
}

impl World {
    /// So many nodes that know each other.
    pub(crate) async fn of(count: usize) -> Self {
        let redis = RedisServer::start();
        let mut nodes = Vec::new();
        for number in 0..count {
            nodes.push(node(&redis.url(), number).await);
        }
        Self { redis, nodes }
    }

    /// One client at each node, all of which are in this room and know each other.
    pub(crate) async fn meet(&self, room: &str) -> Vec<Peer> {
        let mut peers = Vec::new();
        for node in &self.nodes {
            peers.push(Peer::connect(node.local_addr()).await);
        }
        meet(&mut peers, room).await;
        peers
    }
}

/// A node in this process.
pub(crate) async fn node(redis: &str, number: usize) -> RunningServer {
    let redis = Redis::new(redis).unwrap().node(format!("node-{number}")).expiry(EXPIRY);
    Server::bind("127.0.0.1:0", Config::default().redis(redis)).await.unwrap().spawn()
}

/// Has all join a room, and each see all others in it.
pub(crate) async fn meet(peers: &mut [Peer], room: &str) {
    let mut known: Vec<Vec<String>> = Vec::new();
    for peer in &mut *peers {
        known.push(peer.join(room).await);
    }
    let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
    for (peer, known) in peers.iter_mut().zip(known) {
        for id in &ids {
            if !known.contains(id) {
                peer.sees(room, id).await;
            }
        }
    }
}

/// A node in a process of its own: this test program, told to be one.
pub(crate) struct Program {
    child: Child,
    pub(crate) addr: SocketAddr,
}

const REDIS: &str = "NODES_TEST_REDIS";
const NAME: &str = "NODES_TEST_NAME";

impl Program {
    pub(crate) fn start(redis: &str, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "world::a_node_of_its_own", "--nocapture"])
            .envs([(REDIS, redis), (NAME, name)])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addr = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("listening on ")?.1.parse().ok())
            .expect("it listens");
        Self { child, addr }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a [`Program`] runs; for everybody else it is done at once.
#[tokio::test]
async fn a_node_of_its_own() {
    let Ok(redis) = std::env::var(REDIS) else { return };
    let redis = Redis::new(&redis).unwrap().node(std::env::var(NAME).unwrap()).expiry(EXPIRY);
    let server = Server::bind("127.0.0.1:0", Config::default().redis(redis)).await.unwrap();
    println!("listening on {}", server.local_addr());
    server.run(std::future::pending()).await;
}
