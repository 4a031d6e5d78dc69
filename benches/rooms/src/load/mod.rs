//! The event loop: many client connections, one thread, level-triggered epoll.

mod connection;
mod events;
mod group;

use std::collections::HashMap;
use std::net::SocketAddrV4;

pub(crate) use self::connection::{Conn, Dial, State};
use self::group::Group;
pub(crate) use self::group::Voice;
use crate::frame;
use crate::protocol::Protocol;
use crate::sys;

/// What one read takes at most.
const READ_BUFFER: usize = 256 << 10;

/// What was seen so far, of all connections together.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counters {
    pub(crate) deliveries: u64,
    pub(crate) messages: u64,
    /// Messages of the server's own (acks, new_member, ...).
    pub(crate) others: u64,
    pub(crate) out_of_order: u64,
    pub(crate) duplicates: u64,
    pub(crate) misrouted: u64,
    pub(crate) corrupt: u64,
    pub(crate) upgrade_failures: u64,
    pub(crate) connect_failures: u64,
    pub(crate) closed_by_server: u64,
    pub(crate) timeouts: u64,
    pub(crate) cycles: u64,
    pub(crate) joined: u64,
    pub(crate) busy_ns: u64,
    pub(crate) bytes_read: u64,
    pub(crate) reads: u64,
}

/// All the clients of a run.
pub(crate) struct Load {
    addr: SocketAddrV4,
    request: Vec<u8>,
    pub(crate) protocol: Protocol,
    payload: usize,
    epoll: sys::Epoll,
    pub(crate) conns: Vec<Conn>,
    pub(crate) groups: Vec<Group>,
    pub(crate) counters: Counters,
    pub(crate) latencies: Vec<u64>,
    /// Sockets that are being set up or torn down.
    pub(crate) pending: usize,
    pub(crate) publishing: bool,
    /// Connections go from joining to leaving to closing, and begin again.
    pub(crate) churning: bool,
    /// Polls while it publishes, so that the server does not pay for waking this process.
    pub(crate) spin: bool,
    /// Publish at this interval (ns), one group after the other, instead of as fast as the windows allow.
    pub(crate) pace: Option<u64>,
    next_at: u64,
    next_group: usize,
    /// How connections ended that the server ended, and how often.
    pub(crate) ends: HashMap<String, u64>,
    pub(crate) last_refusal: Option<String>,
    buffer: Vec<u8>,
    ready: sys::Ready,
    to_flush: Vec<usize>,
    to_publish: Vec<usize>,
}

/// Where the clients connect to and what they say.
pub(crate) struct Target<'a> {
    pub(crate) addr: SocketAddrV4,
    pub(crate) path: &'a str,
    /// More lines of the handshake.
    pub(crate) headers: &'a [String],
    pub(crate) protocol: Protocol,
    /// Bytes of a message.
    pub(crate) payload: usize,
}

impl Load {
    pub(crate) fn new(target: Target<'_>) -> std::io::Result<Self> {
        Ok(Self {
            addr: target.addr,
            request: request(&target),
            protocol: target.protocol,
            payload: target.payload,
            epoll: sys::Epoll::new()?,
            conns: Vec::new(),
            groups: Vec::new(),
            counters: Counters::default(),
            latencies: Vec::new(),
            pending: 0,
            publishing: false,
            churning: false,
            spin: true,
            pace: None,
            next_at: 0,
            next_group: 0,
            ends: HashMap::new(),
            last_refusal: None,
            buffer: vec![0; READ_BUFFER],
            ready: Vec::new(),
            to_flush: Vec::new(),
            to_publish: Vec::new(),
        })
    }

    /// One round: waits up to `timeout_ms`, reads what came, publishes what the windows allow, writes.
    pub(crate) fn turn(&mut self, timeout_ms: u16) {
        if let (true, Some(interval)) = (self.publishing, self.pace) {
            self.publish_due(interval);
        }
        self.flush_queued();
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        let timeout_ms = if self.spin && self.publishing { 0 } else { timeout_ms };
        self.epoll.wait(Some(timeout_ms), &mut ready);
        if !ready.is_empty() {
            let start = sys::now();
            for &(index, events) in &ready {
                self.on_event(index, events);
            }
            self.publish_completed();
            self.flush_queued();
            self.counters.busy_ns += sys::now() - start;
        }
        self.ready = ready;
    }

    /// Ends all connections with a reset.
    pub(crate) fn drop_all(&mut self) {
        self.churning = false;
        for index in 0..self.conns.len() {
            self.gone(index, connection::How::Reset);
        }
    }

    /// The connections that stand.
    pub(crate) fn open(&self) -> usize {
        self.conns.iter().filter(|conn| conn.state == State::Ready).count()
    }
}

fn request(target: &Target<'_>) -> Vec<u8> {
    let Target { addr, path, .. } = target;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n{}",
        frame::KEY,
        target.protocol.handshake_headers()
    );
    for header in target.headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}
