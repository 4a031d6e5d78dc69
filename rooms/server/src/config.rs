//! What can be set, with its default and the reason for it.

use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::hub::{HubLimits, QueueLimits, SlowClients};

const MAX_MESSAGE: usize = 16 << 20;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const QUEUE: QueueLimits = QueueLimits { messages: 256, bytes: 1 << 20, slow: SlowClients::Close };
const MAX_ROOMS: usize = 1024;
const MAX_ROOM_NAME: usize = 256;

/// One read from the socket. The library's default of 128 KiB is held by every idle connection;
/// this much already takes dozens of small messages per system call.
const READ_BUFFER: usize = 8 << 10;

/// Echoes are collected up to this size while more input is at hand, then written together.
const WRITE_BUFFER: usize = 16 << 10;

/// The longest frame header (RFC 6455 section 5.2): 2 bytes, 8 of extended length, 4 of mask.
const FRAME_HEADER: usize = 14;

/// The options of the server.
///
/// # Examples
///
/// ```
/// use wscengine_rooms_server::Config;
///
/// // The first connection to `/echo` breaks after three echoes, every later one stays.
/// let config = Config::default().max_message(1 << 20).drop_first_after(3);
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) max_message: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) drop_rule: DropRule,
    pub(crate) write_timeout: Duration,
    pub(crate) queue: QueueLimits,
    pub(crate) max_rooms: usize,
    pub(crate) max_room_name: usize,
    pub(crate) announce_root: bool,
    pub(crate) bench: bool,
    pub(crate) drain: Duration,
}

/// Which connections are cut, and after how many echoes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropRule {
    Never,
    First(u64),
    Each(u64),
}

impl Config {
    /// The largest message in bytes, whole or assembled from fragments. Default 16 MiB.
    ///
    /// A larger one ends its connection with close code 1009 (RFC 6455 section 7.4.1). A
    /// connection may hold one message on its way in and one on its way out, so this is what
    /// bounds its memory.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long a closing handshake may take before the TCP connection is simply closed.
    /// Default 5 s: a round trip to anywhere, and no more than a supervisor grants after SIGTERM.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Over how much time a server that ends closes its connections, so that they do not all come back at once.
    /// Default 0 s, for tests: all at once, with code 1001. `rooms-server` has 5 s.
    #[must_use]
    pub fn drain(mut self, time: Duration) -> Self {
        self.drain = time;
        self
    }

    /// Fault for tests and demonstrations: the first connection to `/echo` is cut after
    /// `messages` echoes. Default: none is.
    ///
    /// Cut means that the TCP connection ends without a close frame; a client sees code 1006
    /// (RFC 6455 section 7.1.5). The echoes before it have been written. With 0 the connection
    /// is cut right after the handshake. Replaces [`drop_each_after`](Self::drop_each_after).
    #[must_use]
    pub fn drop_first_after(mut self, messages: u64) -> Self {
        self.drop_rule = DropRule::First(messages);
        self
    }

    /// Like [`drop_first_after`](Self::drop_first_after), which it replaces, for every connection
    /// to `/echo`.
    #[must_use]
    pub fn drop_each_after(mut self, messages: u64) -> Self {
        self.drop_rule = DropRule::Each(messages);
        self
    }

    /// How much may wait for one connection that does not read: `messages`, and `bytes`, whichever is reached
    /// first; one message may exceed the bytes. Default 256 messages, as in the original wsrooms, and 1 MiB.
    ///
    /// While the server merely has not got round to writing, 16 times as much may wait: a client is not
    /// called slow for what the server is busy with.
    #[must_use]
    pub fn queue(mut self, messages: usize, bytes: usize) -> Self {
        (self.queue.messages, self.queue.bytes) = (messages.max(1), bytes.max(1));
        self
    }

    /// What happens to a client that does not read, once its queue is full. Default: it is closed.
    #[must_use]
    pub fn slow_clients(mut self, slow: SlowClients) -> Self {
        self.queue.slow = slow;
        self
    }

    /// How long a socket may take nothing while something waits for it. Default 10 s. Then its connection is
    /// closed with code 1013, whatever the length of its queue.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How many rooms one connection may be in. Default 1024. A wsrooms client that wants to be in one more is
    /// closed with code 1008.
    #[must_use]
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.max_rooms = rooms;
        self
    }

    /// Whether the members of room `root` are told who comes and goes. Default: they are, as the wsrooms
    /// protocol wants it. Since every wsrooms client is in there, each one that comes is told to all others.
    #[must_use]
    pub fn announce_root(mut self, announced: bool) -> Self {
        self.announce_root = announced;
        self
    }

    /// Offers `/bench/wsrooms` and `/bench/raw`, for a load generator. Default: not.
    #[must_use]
    pub fn bench(mut self, offered: bool) -> Self {
        self.bench = offered;
        self
    }

    pub(crate) fn hub(&self) -> HubLimits {
        HubLimits {
            queue: self.queue,
            rooms: self.max_rooms,
            name: self.max_room_name,
            announce_root: self.announce_root,
        }
    }

    pub(crate) fn websocket(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            // Room for one message beyond what waits to be written. The loop takes no further
            // message in until this one is out: a client that does not read is not read from.
            .max_write_buffer_size(self.max_message.saturating_add(WRITE_BUFFER + 2 * FRAME_HEADER))
            .max_message_size(Some(self.max_message))
            // One frame may be the whole message; a larger one is refused by its header already.
            .max_frame_size(Some(self.max_message))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_message: MAX_MESSAGE,
            close_timeout: CLOSE_TIMEOUT,
            drop_rule: DropRule::Never,
            write_timeout: WRITE_TIMEOUT,
            queue: QUEUE,
            max_rooms: MAX_ROOMS,
            max_room_name: MAX_ROOM_NAME,
            announce_root: true,
            bench: false,
            drain: Duration::ZERO,
        }
    }
}
