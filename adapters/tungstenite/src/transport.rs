//! The way to an open connection.

use wscengine::ConnectError;
use wscengine::transport::{ConnectRequest, Connected, Transport};
use wscengine_dial::Dialer;
use wscengine_frames::Buffers;

use crate::{Tungstenite, TungsteniteConnection};

/// Dials with [`wscengine_dial`] and puts fragmented messages together with tungstenite.
///
/// # Examples
/// ```
/// use wscengine_dial::Dialer;
/// use wscengine_tungstenite::TungsteniteTransport;
///
/// let transport = TungsteniteTransport::new().dialer(Dialer::default()).read_buffer_size(32 << 10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TungsteniteTransport {
    dialer: Dialer,
    buffers: Buffers,
}

impl TungsteniteTransport {
    /// A transport with the default dialer and buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Dials with `dialer`: TLS settings, a connector, time-outs. [`Dialer::default`] if not called.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> Self {
        self.dialer = dialer;
        self
    }

    /// How much is read before it is looked at: 32 KiB by default, and 1 KiB at least.
    ///
    /// A connection begins with 4 KiB and takes more as more comes at a time. While it waits it holds nothing.
    #[must_use]
    pub fn read_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.read = bytes;
        self
    }

    /// How much is gathered before it is written to the socket without a flush: 160 KiB by default.
    ///
    /// It is allocated as it fills, and given back once it is written. A connection whose peer does not read holds this
    /// much and one message.
    #[must_use]
    pub fn write_buffer_size(mut self, bytes: usize) -> Self {
        self.buffers.write = bytes;
        self
    }
}

impl Transport for TungsteniteTransport {
    type Connection = TungsteniteConnection;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<TungsteniteConnection>, ConnectError> {
        let dialed = self.dialer.dial(&request).await?;
        let connection = TungsteniteConnection::with_library(
            dialed.stream,
            &dialed.leftover,
            request.limits,
            self.buffers,
            Tungstenite::default(),
        );
        Ok(Connected { connection, response: dialed.response })
    }
}
