//! The client over sockets, with the transport on sockudo-ws.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod suite;

type Transport = wscengine_sockudo::SockudoTransport;
