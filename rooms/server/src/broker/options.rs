//! How a node finds the others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion};

const EXPIRY: Duration = Duration::from_secs(10);
const MIN_EXPIRY: Duration = Duration::from_millis(200);

/// A Redis server through which several nodes are one: version 6 or later, or Valkey; one server, not a cluster.
///
/// # Examples
/// ```
/// use wscengine_rooms_server::{Config, Redis, RedisUrlError};
///
/// let redis = Redis::new("redis://:secret@127.0.0.1:6379/0")?.node("a");
/// assert_eq!(format!("{redis:?}"), r#"Redis { address: "127.0.0.1:6379/0", node: "a", expiry: 10s }"#);
/// let config = Config::default().redis(redis);
/// assert_eq!(Redis::new("http://127.0.0.1").unwrap_err(), RedisUrlError::Invalid);
/// # let _ = config;
/// # Ok::<(), RedisUrlError>(())
/// ```
#[derive(Clone)]
pub struct Redis {
    pub(super) info: ConnectionInfo,
    pub(super) node: Option<Arc<str>>,
    pub(super) expiry: Duration,
}

/// Why a URL cannot be used. It says nothing of the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisUrlError {
    /// It is no URL like `redis://[[user]:password@]host[:port][/database]`.
    #[error("no Redis URL: it is to look like redis://[[user]:password@]host[:port][/database]")]
    Invalid,
    /// It wants TLS, which is not built in: put a tunnel in front of it, or a Redis on a private network.
    #[error("Redis over TLS (rediss://) is not supported")]
    Tls,
}

impl Redis {
    /// The server at a URL: `redis://[[user]:password@]host[:port][/database]`. Nothing is connected yet, and a
    /// server that is away when a node starts is tried again until it is there.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn new(url: &str) -> Result<Self, RedisUrlError> {
        if url.starts_with("rediss:") || url.starts_with("valkeys:") {
            return Err(RedisUrlError::Tls);
        }
        let info = url.into_connection_info().map_err(|_| RedisUrlError::Invalid)?;
        // One connection for both directions: the order between them is then Redis' own.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self { info: info.set_redis_settings(settings), node: None, expiry: EXPIRY })
    }

    /// The name of this node, by which people know it. Default: a random one. A node that is started with the name
    /// of one that died takes its place at once.
    #[must_use]
    pub fn node(mut self, name: impl Into<Arc<str>>) -> Self {
        self.node = Some(name.into());
        self
    }

    /// After how much silence a node is taken for dead, and its connections for gone. Default 10 s; at least
    /// 200 ms. A node says that it lives four times in that. To be the same on all nodes.
    #[must_use]
    pub fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry.max(MIN_EXPIRY);
        self
    }

    /// Where it is, without user and password.
    pub(super) fn address(&self) -> String {
        let database = self.info.redis_settings().db();
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("{host}:{port}/{database}"),
            other => format!("{other}/{database}"),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.as_deref().unwrap_or("random");
        f.debug_struct("Redis")
            .field("address", &self.address())
            .field("node", &node)
            .field("expiry", &self.expiry)
            .finish()
    }
}

/// A node of a server, as another one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is this one.
    pub is_self: bool,
    /// Its connections, as it last told.
    pub connections: u64,
    /// The rooms in which it has members, as it last told.
    pub rooms: u64,
    /// How long ago it was heard of last.
    pub silent: Duration,
}
