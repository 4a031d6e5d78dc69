//! The dialer against hand-written servers: in memory, over loopback, with TLS.

mod acceptance;
mod garbage;
mod refusal;
mod request;
mod support;
mod tcp;
mod tls;
