//! Why a proxy cannot be used as it was given.

use std::fmt;

/// A proxy cannot be used as it was given. The caller's fault, or that of the environment. Shows nothing of a URL:
/// it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyError {
    kind: ProxyErrorKind,
    /// The environment variable it stood in.
    variable: Option<&'static str>,
}

/// Why a proxy cannot be used as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyErrorKind {
    /// It is no URL, or one with a path, a query or a fragment.
    #[error("the URL of the proxy is invalid")]
    Url,
    /// Another scheme than `http`, `https`, `socks5` or `socks5h`.
    #[error("the scheme of the proxy's URL is unknown")]
    Scheme,
    /// The URL has no host.
    #[error("the URL of the proxy has no host")]
    Host,
    /// A colon in the user name of an HTTP proxy; for SOCKS5, a user name or a password that is empty or longer than 255
    /// bytes.
    #[error("the credentials of the proxy cannot be sent")]
    Credentials,
    /// A header that is not the user's to set: `Host`, or one that announces a body.
    #[error("a header for the proxy is not the user's to set")]
    Header,
    /// An environment variable is no Unicode text.
    #[error("the proxy is no Unicode text")]
    NotUnicode,
}

impl ProxyError {
    /// What is wrong.
    pub fn kind(&self) -> ProxyErrorKind {
        self.kind
    }

    /// The environment variable that is wrong, if it came from one.
    pub fn variable(&self) -> Option<&'static str> {
        self.variable
    }

    pub(super) fn in_variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }
}

impl From<ProxyErrorKind> for ProxyError {
    fn from(kind: ProxyErrorKind) -> Self {
        Self { kind, variable: None }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => write!(f, "{variable}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl std::error::Error for ProxyError {}
