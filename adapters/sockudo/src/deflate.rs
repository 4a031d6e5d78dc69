//! permessage-deflate (RFC 7692): what is offered and what was agreed on.

use std::fmt;

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

/// What to offer, and how to compress if the server agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(crate) server_window: WindowBits,
    pub(crate) client_window: WindowBits,
    pub(crate) server_takeover: bool,
    pub(crate) client_takeover: bool,
    level: u32,
    threshold: usize,
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

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
