//! What can be set, with its default and the reason for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::response::Response;
use wscengine_rooms_protocol::iris::GOWSAL;

use super::{Iris, UpgradeError};
use crate::dialect::Pace;

/// The default of [`Iris::max_message`], in bytes.
pub const DEFAULT_MAX_MESSAGE: usize = 1024;

/// The default of [`Iris::ping_period`].
pub const DEFAULT_PING_PERIOD: Duration = Duration::from_secs(54);

/// The default of [`Iris::pong_timeout`].
pub const DEFAULT_PONG_TIMEOUT: Duration = Duration::from_secs(60);

/// The size in the original of what [`Iris::read_buffer_size`] and [`Iris::write_buffer_size`] set.
pub const DEFAULT_BUFFER_SIZE: usize = 4096;

type OfRequest<T> = Arc<dyn Fn(&Parts) -> T + Send + Sync>;
type Answer = Arc<dyn Fn(&Parts, &UpgradeError) -> Option<Response> + Send + Sync>;

/// The options of an endpoint.
pub(super) struct Options {
    pub(super) prefix: String,
    pub(super) id_generator: Option<OfRequest<String>>,
    pub(super) check_origin: Option<OfRequest<bool>>,
    pub(super) error: Option<Answer>,
    pub(super) handshake_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) subprotocols: Vec<Arc<str>>,
    pub(super) binary: bool,
    pub(super) compression: bool,
    max_message: usize,
    ping_period: Duration,
    pong_timeout: Duration,
    read_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: GOWSAL.to_owned(),
            id_generator: None,
            check_origin: None,
            error: None,
            handshake_timeout: None,
            write_timeout: None,
            subprotocols: Vec::new(),
            binary: false,
            compression: false,
            max_message: DEFAULT_MAX_MESSAGE,
            ping_period: DEFAULT_PING_PERIOD,
            pong_timeout: DEFAULT_PONG_TIMEOUT,
            read_timeout: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Options {
    pub(super) fn pace(&self) -> Pace {
        // A pong is a message to the read timeout, and any message a sign of life to the pong timeout.
        let idle = self.read_timeout.map_or(self.pong_timeout, |read| read.min(self.pong_timeout));
        Pace { max_message: self.max_message, ping: Some(self.ping_period), idle: Some(idle) }
    }
}

/// The configuration. Where the original takes zero for the default, so does this.
impl Iris {
    /// What events begin with; the last character should be a colon. Default
    /// [`GOWSAL`](wscengine_rooms_protocol::iris::GOWSAL), `m:`;
    /// [`IRIS`](wscengine_rooms_protocol::iris::IRIS), `iris-websocket-message:`, is what iris itself had.
    ///
    /// With an empty one each message is an event.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Makes the id of a connection from its request. Default: a random UUID (version 4).
    ///
    /// It must not be that of another connection of the same [`Rooms`](crate::Rooms), which would be refused with
    /// status 409; nor be such that clients can guess the ids of others, if these are to be secret.
    #[must_use]
    pub fn id_generator(mut self, make: impl Fn(&Parts) -> String + Send + Sync + 'static) -> Self {
        self.options.id_generator = Some(Arc::new(make));
        self
    }

    /// Is told why a request is refused, and may give the answer. Default: the status of the
    /// [`UpgradeError`], and its text as the body.
    ///
    /// What the [`Config`](crate::Config) refuses for all protocols (503, 429, and 403 by
    /// [`Config::origins`](crate::Config::origins)) is refused before, without a call.
    #[must_use]
    pub fn error(
        mut self,
        answer: impl Fn(&Parts, &UpgradeError) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        self.options.error = Some(Arc::new(answer));
        self
    }

    /// Whether a request may come in, by its `Origin` or by anything else of it. Default: all may. Others are refused
    /// with status 403.
    #[must_use]
    pub fn check_origin(
        mut self,
        is_good: impl Fn(&Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.options.check_origin = Some(Arc::new(is_good));
        self
    }

    /// How long the answer to the upgrade may take to be written. Default, and with zero: no limit of its own. How
    /// long a client may take for its request is [`Config::handshake_timeout`](crate::Config::handshake_timeout).
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.options.handshake_timeout = not_zero(timeout);
        self
    }

    /// How long a socket may take nothing while something waits for it; then the connection is closed with code 1013.
    /// Default, and with zero: [`Config::write_timeout`](crate::Config::write_timeout), 10 s. In the original it is
    /// endless, and whoever sends waits for the slowest client; here nobody waits.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.options.write_timeout = not_zero(timeout);
        self
    }

    /// How long a client may send nothing, neither message nor pong; then the connection is closed with code 1013.
    /// Default, and with zero: [`pong_timeout`](Self::pong_timeout) alone. The shorter of the two counts.
    #[must_use]
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.options.read_timeout = not_zero(timeout);
        self
    }

    /// How long a client may leave pings unanswered, and be silent; then the connection is closed with code 1013.
    /// Default, and with zero: 60 s. It should be longer than [`ping_period`](Self::ping_period), or clients that
    /// have nothing to say are closed.
    #[must_use]
    pub fn pong_timeout(mut self, timeout: Duration) -> Self {
        self.options.pong_timeout = not_zero(timeout).unwrap_or(DEFAULT_PONG_TIMEOUT);
        self
    }

    /// The time between pings. Default, and with zero: 54 s, nine tenths of the pong timeout.
    #[must_use]
    pub fn ping_period(mut self, period: Duration) -> Self {
        self.options.ping_period = not_zero(period).unwrap_or(DEFAULT_PING_PERIOD);
        self
    }

    /// The largest message of a client, in bytes, compressed or not. Default, and with zero: 1024. A larger one ends
    /// its connection with close code 1009.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.options.max_message = if bytes == 0 { DEFAULT_MAX_MESSAGE } else { bytes };
        self
    }

    /// Whether all messages are sent in binary frames, which the original browser client cannot read, and that of
    /// [`client`](Self::client) can. Default: not; only what is not UTF-8 is. Received are both alike.
    #[must_use]
    pub fn binary_messages(mut self, binary: bool) -> Self {
        self.options.binary = binary;
        self
    }

    /// The subprotocols of the server, the best one first: the first that the client offers is agreed to. Without
    /// one in common the connection has none. Default: none.
    #[must_use]
    pub fn subprotocols<T: AsRef<str>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.options.subprotocols = names.into_iter().map(|name| name.as_ref().into()).collect();
        self
    }

    /// Whether messages are compressed, if the client offers permessage-deflate ([RFC
    /// 7692](https://www.rfc-editor.org/rfc/rfc7692)): each by itself (no context takeover, in both directions), and
    /// only where that makes it shorter. Default: not.
    ///
    /// It costs processor time for each message, once for all receivers, and no memory for each connection.
    #[must_use]
    pub fn compression(mut self, compressed: bool) -> Self {
        self.options.compression = compressed;
        self
    }

    /// Taken for the sake of who comes from the original, and without effect: a connection has no buffer of its own.
    /// It borrows one of 16 KiB while it reads, and a message that is larger has one of its size until it is handled.
    #[must_use]
    pub fn read_buffer_size(self, _bytes: usize) -> Self {
        self
    }

    /// Taken for the sake of who comes from the original, and without effect: what is sent is put together in a buffer
    /// of the thread, and how much may wait for a client is [`Config::queue_bytes`](crate::Config::queue_bytes).
    #[must_use]
    pub fn write_buffer_size(self, _bytes: usize) -> Self {
        self
    }
}

fn not_zero(timeout: Duration) -> Option<Duration> {
    (!timeout.is_zero()).then_some(timeout)
}
