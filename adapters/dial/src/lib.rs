//! From a URL to an upgraded byte stream: TCP, TLS and the client side of the WebSocket opening handshake.
//!
//! Written once for all adapters of [`wscengine`]: a [`Dialer`] turns a
//! [`ConnectRequest`](wscengine::transport::ConnectRequest) into a [`Dialed`], that is the byte stream, the server's
//! answer, and the bytes that had been read after it. A WebSocket library then frames messages on that stream.
//!
//! - [`Connector`] says where the byte stream comes from: TCP by default, or anything of your own.
//! - [`TlsConfig`] says whom to trust for `wss` URLs, and which client certificate to show.
//! - [`Extension`]s are offered by an adapter that can do them, and what the server accepted is checked against that.
//! - [`handshake`] is the opening handshake alone (RFC 6455 section 4), over any byte stream.

mod connector;
mod deadline;
mod dialer;
mod extension;
mod handshake;
mod proxy;
mod redirect;
mod resolve;
mod stream;
mod tcp;
mod tls;
#[cfg(unix)]
mod unix;

pub use rustls;

pub use connector::{BoxedIo, Connector, Io, Target};
pub use dialer::{Dialed, Dialer};
pub use extension::{Extension, ExtensionError};
pub use handshake::{Upgraded, handshake, handshake_with};
pub use proxy::{Proxies, Proxy, ProxyError, ProxyErrorKind};
pub use redirect::Redirects;
pub use resolve::{Resolve, StaticResolver, SystemResolver};
pub use stream::Stream;
pub use tcp::TcpConnector;
pub use tls::{Roots, TlsConfig, TlsConfigBuilder, TlsConfigError, TlsConfigErrorKind};
#[cfg(unix)]
pub use unix::UnixConnector;
