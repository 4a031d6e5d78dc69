//! permessage-deflate (RFC 7692): what is offered and what was agreed on.

use sockudo_ws::DeflateWindowBits;
use sockudo_ws::deflate::{DeflateConfig, DeflateEncoder};

/// The size of a window of DEFLATE, as a power of two: 9 to 15, that is 512 bytes to 32 KiB.
///
/// RFC 7692 knows 8 as well, which zlib and its descendants cannot do.
///
/// # Examples
/// ```
/// use wscengine_sockudo::WindowBits;
///
/// assert_eq!(WindowBits::try_from(12)?.get(), 12);
/// assert!(WindowBits::try_from(16).is_err());
/// # Ok::<(), wscengine_sockudo::InvalidWindowBits>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The smallest window: 512 bytes.
    pub const MIN: Self = Self(9);
    /// The largest window: 32 KiB.
    pub const MAX: Self = Self(15);

    /// The power of two.
    pub fn get(self) -> u8 {
        self.0
    }

    fn to_core(self) -> DeflateWindowBits {
        DeflateWindowBits::try_from(self.0).unwrap_or(DeflateWindowBits::Bits15)
    }
}

impl TryFrom<u8> for WindowBits {
    type Error = InvalidWindowBits;

    fn try_from(bits: u8) -> Result<Self, InvalidWindowBits> {
        match bits {
            9..=15 => Ok(Self(bits)),
            _ => Err(InvalidWindowBits),
        }
    }
}

/// A window of that size cannot be had: it is 9 to 15 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a window has 9 to 15 bits")]
pub struct InvalidWindowBits;

/// permessage-deflate (RFC 7692): what is offered to the server, and how we compress if it agrees.
///
/// A server that does not know it, or does not want it, says nothing about it: the connection is then one without
/// compression. An answer that breaks RFC 7692 or goes beyond what was offered is a failed handshake.
///
/// | option | default | why |
/// |---|---|---|
/// | [`level`](Self::level) | 1 | with the window kept from message to message, level 6 takes six times the CPU for a fifth less bytes |
/// | [`server_context_takeover`](Self::server_context_takeover), [`client_context_takeover`](Self::client_context_takeover) | kept | a message is mostly made of what the ones before it had: 2 to 3 times smaller |
/// | [`server_window`](Self::server_window), [`client_window`](Self::client_window) | 15 | less makes messages larger and saves little memory |
/// | [`threshold`](Self::threshold) | 64 bytes | what is shorter does not fill a packet anyhow |
///
/// # Memory
///
/// A connection over which nothing compressed has passed holds no more than one without the extension. The first
/// compressed message in makes the reading half (some 20 KiB, and 32 KiB of window as it fills), the first one out the
/// compressing half (some 300 KiB with the largest window).
///
/// # Limits
///
/// The limits of the engine hold for a message before it is inflated and after: a small message that would become a
/// large one is refused with close code 1009 when it has reached the limit, and no more memory than that is given to it.
///
/// # Secrets
///
/// Who can make you send text of their choice and see the length of what passes can find out what else is in the window
/// (the CRIME and BREACH attacks on TLS; RFC 7692 section 8). Keep secrets out of such messages, or the window.
///
/// # Examples
/// ```
/// use wscengine_sockudo::{Deflate, SockudoTransport};
///
/// let transport = SockudoTransport::new().deflate(Deflate::new().level(3).threshold(256));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(crate) server_window: WindowBits,
    pub(crate) client_window: WindowBits,
    pub(crate) server_takeover: bool,
    pub(crate) client_takeover: bool,
    pub(crate) level: u32,
    pub(crate) threshold: usize,
}

impl Deflate {
    /// The largest windows, kept on both sides, level 1, and nothing compressed below 64 bytes.
    pub fn new() -> Self {
        Self {
            server_window: WindowBits::MAX,
            client_window: WindowBits::MAX,
            server_takeover: true,
            client_takeover: true,
            level: 1,
            threshold: 64,
        }
    }

    /// How hard to look for what can be left out: 1 (the fastest, and the default) to 9. What is outside is taken for the
    /// nearer end.
    #[must_use]
    pub fn level(mut self, level: u32) -> Self {
        self.level = level.clamp(1, 9);
        self
    }

    /// Messages shorter than this are sent as they are: 64 bytes by default.
    ///
    /// Without [`client_context_takeover`](Self::client_context_takeover) a few hundred bytes are a better value.
    #[must_use]
    pub fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// Whether the server may refer to earlier messages. True by default; if not, `server_no_context_takeover` is
    /// offered, and a server that does not agree to it fails the handshake.
    #[must_use]
    pub fn server_context_takeover(mut self, takeover: bool) -> Self {
        self.server_takeover = takeover;
        self
    }

    /// Whether we refer to earlier messages. True by default; a server can forbid it.
    #[must_use]
    pub fn client_context_takeover(mut self, takeover: bool) -> Self {
        self.client_takeover = takeover;
        self
    }

    /// How far back the server may refer. 15 bits by default; if less, it is offered as `server_max_window_bits`, and a
    /// server that does not agree to it fails the handshake.
    #[must_use]
    pub fn server_window(mut self, window: WindowBits) -> Self {
        self.server_window = window;
        self
    }

    /// How far back we refer. 15 bits by default; a server can ask for less. If it asks for 8 bits, which zlib cannot do,
    /// we send everything as it is.
    #[must_use]
    pub fn client_window(mut self, window: WindowBits) -> Self {
        self.client_window = window;
        self
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

/// What the server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreement {
    pub(crate) server_window: WindowBits,
    /// `None`: a window that the encoder cannot have. What we send is not compressed then, as RFC 7692 allows.
    pub(crate) client_window: Option<WindowBits>,
    pub(crate) server_takeover: bool,
    pub(crate) client_takeover: bool,
    pub(crate) level: u32,
    pub(crate) threshold: usize,
}

impl Agreement {
    /// How the core is to read.
    pub(crate) fn config(&self) -> DeflateConfig {
        DeflateConfig {
            server_max_window_bits: self.server_window.to_core(),
            client_max_window_bits: self.client_window.unwrap_or(WindowBits::MAX).to_core(),
            server_no_context_takeover: !self.server_takeover,
            client_no_context_takeover: !self.client_takeover,
            compression_level: self.level,
            compression_threshold: self.threshold,
        }
    }

    /// What compresses our messages, if anything can.
    pub(crate) fn encoder(&self) -> Option<DeflateEncoder> {
        let window = self.client_window?.to_core();
        Some(DeflateEncoder::new(window, !self.client_takeover, self.level, self.threshold))
    }
}
