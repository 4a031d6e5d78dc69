//! The way to an open connection.

use wscengine::ConnectError;
use wscengine::transport::{ConnectRequest, Connected, Transport};
use wscengine_dial::Dialer;
use wscengine_frames::Buffers;

use crate::{Deflate, Sockudo, SockudoConnection};

/// Dials with [`wscengine_dial`] and frames with the core of sockudo-ws.
///
/// # Examples
/// ```
/// use wscengine_dial::Dialer;
/// use wscengine_sockudo::SockudoTransport;
///
/// let transport = SockudoTransport::new().dialer(Dialer::default()).read_buffer_size(32 << 10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SockudoTransport {
    dialer: Dialer,
    deflate: Option<Deflate>,
    buffers: Buffers,
}

impl SockudoTransport {
    /// A transport with the default dialer and buffers, without permessage-deflate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Dials with `dialer`: TLS settings, a connector, time-outs. [`Dialer::default`] if not called.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> Self {
        self.dialer = dialer;
        self
    }

    /// Offers permessage-deflate. Not offered by default.
    ///
    /// Browsers offer it always. Here it is the program's choice, since it is dear: some 2 microseconds for a message of
    /// 500 bytes where there would be 0.1, some 350 KiB for a connection that uses it both ways, and secrets that stand
    /// beside another's text can be guessed from lengths. Where bandwidth counts, JSON becomes 2 to 3 times smaller.
    #[must_use]
    pub fn deflate(mut self, deflate: Deflate) -> Self {
        self.deflate = Some(deflate);
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

impl Transport for SockudoTransport {
    type Connection = SockudoConnection;

    async fn connect(
        &self,
        request: ConnectRequest,
    ) -> Result<Connected<SockudoConnection>, ConnectError> {
        let offers: Vec<_> = self.deflate.iter().map(Deflate::offer).collect();
        let dialed = self.dialer.dial_with(&request, &offers).await?;
        let agreed = match &self.deflate {
            Some(deflate) => deflate.agree(&dialed.extensions)?,
            None => None,
        };
        let connection = SockudoConnection::with_library(
            dialed.stream,
            &dialed.leftover,
            request.limits,
            self.buffers,
            Sockudo::new(agreed),
        );
        Ok(Connected { connection, response: dialed.response })
    }
}
