//! What can be set, with its default and the reason for it.

use std::time::Duration;

use wscengine_rooms_protocol::Limits;

use crate::broker::options::Redis;
use crate::dialect::Pace;
use crate::guard::Origins;
use crate::hub::{HubLimits, Keep, QueueLimits, SlowClients};

const MAX_MESSAGE: usize = 16 << 20;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const QUEUE: QueueLimits = QueueLimits { messages: 256, bytes: 1 << 20, slow: SlowClients::Close };
const MAX_ROOMS: usize = 1024;
const MAX_NAME: usize = 256;
const MAX_ROOM_MESSAGE: usize = 64 << 10;
const PING_INTERVAL: Duration = Duration::from_secs(54);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

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
    pub(crate) max_name: usize,
    pub(crate) max_room_message: usize,
    pub(crate) ping_interval: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) announce_root: bool,
    pub(crate) bench: bool,
    pub(crate) pages: bool,
    pub(crate) drain: Duration,
    pub(crate) origins: Origins,
    pub(crate) max_per_address: usize,
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) redis: Option<Redis>,
    pub(crate) keep: Option<Keep>,
}

/// Which connections are cut, and after how many echoes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DropRule {
    Never,
    First(u64),
    Each(u64),
}

impl Config {
    /// The largest message to `/echo` in bytes, whole or assembled from fragments. Default 16 MiB.
    ///
    /// A larger one ends its connection with close code 1009 (RFC 6455 section 7.4.1). A connection holds at most
    /// one message on its way in and, while its client does not read, 16 KiB and one message on their way out:
    /// this is what bounds its memory.
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

    /// How many messages may wait for one connection that does not read. Default 256, as in the original wsrooms.
    ///
    /// While the server merely has not got round to writing, 16 times as much may wait: a client is not
    /// called slow for what the server is busy with.
    #[must_use]
    pub fn queue_messages(mut self, messages: usize) -> Self {
        self.queue.messages = messages.max(1);
        self
    }

    /// How many bytes may wait for one connection that does not read. Default 1 MiB; one message may exceed it.
    /// Otherwise as [`queue_messages`](Self::queue_messages), and whichever is reached first counts.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue.bytes = bytes.max(1);
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

    /// How many rooms one connection may be in. Default 1024. A wsrooms or go-easy client that wants to be in
    /// one more is closed with code 1008; with groWs and iris, the application gets an error.
    #[must_use]
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.max_rooms = rooms;
        self
    }

    /// How many connections one address may have, in the rooms and to `/echo`. Default: no limit. One more is refused with
    /// status 429.
    ///
    /// The address is that of the TCP connection: behind a proxy it is the proxy's. An application that mounts
    /// the routes itself tells it with
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info); where it
    /// does not, there is no limit.
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.max_per_address = connections;
        self
    }

    /// How many messages one connection may send each second, and as many at once after a pause. Default: no
    /// limit. One that sends more is closed with code 1008.
    #[must_use]
    pub fn max_messages_per_second(mut self, messages: u32) -> Self {
        self.messages_per_second = Some(messages);
        self
    }

    /// Which web pages may connect, to the rooms and to `/echo`. Default: all. Others are refused with status 403.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// How long a client may take for TLS, and then for the head of its request. Default 10 s. After that its
    /// TCP connection is closed.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The largest message of a client of the rooms, in bytes. Default 65,536, as in the original wsrooms. A larger
    /// one ends its connection with close code 1009.
    #[must_use]
    pub fn max_room_message(mut self, bytes: usize) -> Self {
        self.max_room_message = bytes;
        self
    }

    /// The longest name of a room, an event or a client, in bytes. Default 256. A message of wsrooms or groWs with a
    /// longer one is malformed, and dropped; a go-easy command that is longer is unknown.
    #[must_use]
    pub fn max_name(mut self, bytes: usize) -> Self {
        self.max_name = bytes;
        self
    }

    /// The time between pings to clients of the rooms. Default 54 s, as in the original wsrooms.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// How long a client of the rooms may be silent, its pongs included, before it is given up with close code
    /// 1013. Default 60 s, as in the original wsrooms.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Whether the members of room `root` are told who comes and goes. Default: they are, as the wsrooms
    /// protocol wants it. Since every wsrooms client is in there, each one that comes is told to all others.
    #[must_use]
    pub fn announce_root(mut self, announced: bool) -> Self {
        self.announce_root = announced;
        self
    }

    /// Keeps the last messages of each room but `root`, for clients that come back: so many of them, and none for
    /// longer than this. Default: nothing is kept.
    ///
    /// They are kept in this server's memory, 64 MiB for all rooms; where there are other nodes, as long as a room has
    /// members on this one.
    #[must_use]
    pub fn history(mut self, messages: usize, time: Duration) -> Self {
        self.keep = Some(Keep { messages: messages.max(1), time });
        self
    }

    /// Makes this server one node of several, all of which have this Redis. Default: it is alone.
    ///
    /// Rooms, direct messages and lists are then those of all nodes. A message reaches clients of other nodes at
    /// most once, and those of one publisher in one room in their order. While Redis is away each node serves its
    /// own clients.
    #[must_use]
    pub fn redis(mut self, redis: Redis) -> Self {
        self.redis = Some(redis);
        self
    }

    /// Offers `/bench/wsrooms`, `/bench/easy`, `/bench/iris` and `/bench/raw`, for a load generator. Default: not.
    #[must_use]
    pub fn bench(mut self, offered: bool) -> Self {
        self.bench = offered;
        self
    }

    /// Offers `/` (a chat), `/status` with `/status.json`, which names the largest rooms, and `/rooms.js`, the client
    /// for browsers. Default: not, since an application has pages of its own; `rooms-server` does.
    #[must_use]
    pub fn pages(mut self, offered: bool) -> Self {
        self.pages = offered;
        self
    }

    /// What each connection of the rooms is held to.
    pub(crate) fn pace(&self) -> Pace {
        Pace {
            max_message: self.max_room_message,
            ping: Some(self.ping_interval),
            idle: Some(self.idle_timeout),
        }
    }

    pub(crate) fn names(&self) -> Limits {
        Limits::default().max_name(self.max_name)
    }

    pub(crate) fn hub(&self) -> HubLimits {
        HubLimits {
            queue: self.queue,
            rooms: self.max_rooms,
            name: self.max_name,
            announce_root: self.announce_root,
            keep: self.keep,
        }
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
            max_name: MAX_NAME,
            max_room_message: MAX_ROOM_MESSAGE,
            ping_interval: PING_INTERVAL,
            idle_timeout: IDLE_TIMEOUT,
            announce_root: true,
            bench: false,
            pages: false,
            drain: Duration::ZERO,
            origins: Origins::Any,
            max_per_address: usize::MAX,
            messages_per_second: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            redis: None,
            keep: None,
        }
    }
}
