//! The two ways to an open connection: a dial, or a stream that the user has opened.

use std::fmt;
use std::future::Future;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wscengine::ConnectError;
use wscengine::transport::{ConnectRequest, Connected, Transport};
use wscengine_dial::Dialer;

use crate::connection::{TungsteniteConnection, limited};

/// Dials with [`wscengine_dial`] and frames with tokio-tungstenite.
///
/// # Examples
/// ```
/// use wscengine_dial::Dialer;
/// use wscengine_tungstenite::TungsteniteTransport;
///
/// let transport = TungsteniteTransport::new().dialer(Dialer::default()).read_buffer_size(32 << 10);
/// ```
#[derive(Clone, Debug)]
pub struct TungsteniteTransport {
    dialer: Dialer,
    config: WebSocketConfig,
}

/// Where reading 128-byte messages costs no more than with any larger buffer. tungstenite allocates it for
/// each connection at once, so that its own 128 KiB are most of the memory of an idle one.
const READ_BUFFER: usize = 16 << 10;

/// Written to the socket when it is full; a flush writes it sooner.
const WRITE_BUFFER: usize = 64 << 10;

impl TungsteniteTransport {
    /// A transport with the default dialer and buffers.
    pub fn new() -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER);
        Self { dialer: Dialer::default(), config }
    }

    /// Dials with `dialer`: TLS settings, a connector, time-outs. [`Dialer::default`] if not called.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> Self {
        self.dialer = dialer;
        self
    }

    /// How much is read from the socket at a time: 16 KiB by default.
    ///
    /// The buffer belongs to the connection as long as it lives, idle or not. More pays off where messages
    /// are larger than it.
    #[must_use]
    pub fn read_buffer_size(mut self, bytes: usize) -> Self {
        self.config = self.config.read_buffer_size(bytes);
        self
    }

    /// How much is gathered before it is written to the socket without a flush: 64 KiB by default.
    ///
    /// It is allocated as it fills. A connection whose peer does not read holds this much and one message.
    #[must_use]
    pub fn write_buffer_size(mut self, bytes: usize) -> Self {
        // tungstenite wants its (unlimited) maximum to be larger than the buffer.
        self.config = self.config.write_buffer_size(bytes.min(usize::MAX - 1));
        self
    }
}

impl Default for TungsteniteTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for TungsteniteTransport {
    type Connection = TungsteniteConnection;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<TungsteniteConnection>, ConnectError> {
        let dialed = self.dialer.dial(&request).await?;
        let config = limited(self.config, request.limits);
        let connection =
            TungsteniteConnection::with_config(dialed.stream, dialed.leftover, config).await;
        Ok(Connected { connection, response: dialed.response })
    }
}

/// A transport over [`WebSocketStream`]s that an async closure opens, one for each attempt.
///
/// The closure is given the request and has to honour its headers, subprotocols and limits itself; where
/// it has no server's answer to report, [`HandshakeResponse::accepted`] will do. See
/// [`TungsteniteConnection::from_stream`] on what a stream that was made elsewhere does not give.
///
/// [`HandshakeResponse::accepted`]: wscengine::transport::HandshakeResponse::accepted
///
/// # Examples
/// ```
/// use tokio_tungstenite::WebSocketStream;
/// use tokio_tungstenite::tungstenite::protocol::Role;
/// use wscengine::transport::{ConnectRequest, Connected, HandshakeResponse};
/// use wscengine_tungstenite::{FromStreams, tokio_tungstenite};
///
/// let transport = FromStreams::new(|_request: ConnectRequest| async {
///     // Any stream that has been upgraded already; here one without a network.
///     let (client, _server) = tokio::io::duplex(4096);
///     let connection = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
///     Ok(Connected { connection, response: HandshakeResponse::accepted() })
/// });
/// # fn is_transport(_: impl wscengine::transport::Transport) {}
/// # is_transport(transport);
/// ```
#[derive(Clone)]
pub struct FromStreams<F> {
    open: F,
}

impl<F> FromStreams<F> {
    /// A transport whose connections `open` opens.
    pub fn new(open: F) -> Self {
        Self { open }
    }
}

impl<F> fmt::Debug for FromStreams<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromStreams").finish_non_exhaustive()
    }
}

impl<F, Opening, S> Transport for FromStreams<F>
where
    F: Fn(ConnectRequest) -> Opening + Send + Sync + 'static,
    Opening: Future<Output = Result<Connected<WebSocketStream<S>>, ConnectError>> + Send,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Connection = TungsteniteConnection<S>;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<TungsteniteConnection<S>>, ConnectError> {
        let Connected { connection, response } = (self.open)(request).await?;
        Ok(Connected { connection: TungsteniteConnection::from_stream(connection), response })
    }
}
