//! Why a TLS configuration is wrong.

use std::error::Error as StdError;
use std::fmt;

/// A [`TlsConfig`](crate::TlsConfig) could not be built. The caller's fault: change what was given.
#[derive(Debug)]
pub struct TlsConfigError {
    kind: TlsConfigErrorKind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Why a TLS configuration is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigErrorKind {
    /// A CA certificate is not PEM, the PEM has no certificate in it, or it is no certificate at all.
    #[error("a CA certificate is invalid")]
    Ca,
    /// The client's certificate chain is not PEM, or has no certificate in it.
    #[error("the client certificate is invalid")]
    ClientCertificate,
    /// The client's private key is not PEM, of a kind that is not supported, or belongs to another certificate.
    #[error("the client's private key is invalid")]
    ClientKey,
    /// A pin is not the base64 of 32 bytes.
    #[error("a pin is invalid")]
    Pin,
    /// The name to ask for is neither a host name nor an IP address.
    #[error("the server name is invalid")]
    ServerName,
    /// An ALPN protocol is empty, longer than 255 bytes, or a later version of HTTP than 1.1.
    #[error("an ALPN protocol is invalid")]
    Alpn,
    /// Nobody would be trusted: no roots and no CA certificate.
    #[error("there is no certificate to trust")]
    NoRoots,
    /// The TLS library refused the configuration as a whole.
    #[error("the TLS configuration is invalid")]
    Other,
}

impl TlsConfigError {
    pub(crate) fn new(kind: TlsConfigErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn with_source(
        kind: TlsConfigErrorKind,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self { kind, source: Some(Box::new(source)) }
    }

    /// What is wrong.
    pub fn kind(&self) -> TlsConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for TlsConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}
