//! Ten thousand clients that come and go.

use std::fs;
use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use wscengine_rooms_server::wsrooms::Message;

use crate::raw::{CLOSE, FIN, Raw, frame};

const AT_ONCE: usize = 50;
/// For the threads and the allocator to have what they will keep.
const WARM_UP: usize = 2_000;
const CYCLES: usize = 10_000;
/// The originals leak 14 to 23 KB with each cycle; this is a fifth of one.
const MOST_PER_CYCLE: usize = 250;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_cycles_at_fifty_at_once_leave_no_room_no_connection_and_no_memory() {
    let (server, addr) = start().await;
    cycles(addr, WARM_UP).await;
    let (before, files) = (resident(&server), files(&server));
    cycles(addr, CYCLES).await;
    let after = resident(&server);
    let grown = after.saturating_sub(before);
    assert!(grown < CYCLES * MOST_PER_CYCLE, "{before} bytes before, {after} after");
    // Whoever was in a room would be in its list. The last ones' ends may not be through yet.
    let mut last = Raw::connect(addr).await;
    while last.join("root").await.payload[..] != *only(&last) {}
    for room in 0..AT_ONCE {
        assert_eq!(last.join(&room_of(room)).await.payload[..], *only(&last));
    }
    drop(last);
    while self::files(&server) > files {
        tokio::task::yield_now().await;
    }
}

/// The list of members with nobody else in it.
fn only(client: &Raw) -> Vec<u8> {
    format!("[\"{}\"]", client.id).into_bytes()
}

/// In groups of five.
fn room_of(slot: usize) -> String {
    format!("room {}", slot / 5)
}

async fn cycles(addr: SocketAddr, count: usize) {
    let mut slots = JoinSet::new();
    for slot in 0..AT_ONCE {
        slots.spawn(async move {
            for number in 0..count / AT_ONCE {
                cycle(addr, slot, number).await;
            }
        });
    }
    while let Some(ended) = slots.join_next().await {
        ended.unwrap();
    }
}

/// In, joined, heard, out again: with a close frame, without one, and now and then with a reset in the middle of a frame.
async fn cycle(addr: SocketAddr, slot: usize, number: usize) {
    let mut client = Raw::connect(addr).await;
    let (room, id) = (room_of(slot), client.id.clone());
    client.join(&room).await;
    client.say(&Message::new(&*room, "chat", "", "", "hi")).await;
    if number % 3 == 2 {
        return client.send(&frame(FIN | CLOSE, &[])[..4]).await;
    }
    client.say(&Message::new(&*room, "leave", &*id, &*id, id.clone())).await;
    client.until("leave_ack").await;
    if number % 3 == 1 {
        client.send(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        while client.frame().await.is_some_and(|(opcode, _)| opcode != CLOSE) {}
    }
}

/// The program, so that its memory is not ours.
async fn start() -> (Child, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rooms-server"));
    command.args(["--listen", "127.0.0.1:0"]).kill_on_drop(true).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    (child, line.strip_prefix("listening on http://").expect(&line).parse().unwrap())
}

/// Bytes of the resident set.
fn resident(server: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

fn files(server: &Child) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id().unwrap())).unwrap().count()
}
