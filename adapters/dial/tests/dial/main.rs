//! The dialer against hand-written servers: in memory, over loopback, with TLS.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails, in its helpers too")]

mod acceptance;
mod extensions;
mod eyeballs;
mod garbage;
mod proxy_http;
mod proxy_socks;
mod redirects;
mod refusal;
mod request;
mod support;
mod tcp;
mod tls;
mod tls_options;
#[cfg(unix)]
mod unix;
