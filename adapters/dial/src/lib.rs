//! From a URL to an upgraded byte stream: names, TCP, proxies, TLS and the client side of the WebSocket opening
//! handshake.
//!
//! Written once for all adapters of [`wscengine`]: a [`Dialer`] turns a
//! [`ConnectRequest`](wscengine::transport::ConnectRequest) into a [`Dialed`], that is the byte stream, the server's
//! answer, and the bytes that had been read after it. A WebSocket library then frames messages on that stream.
//!
//! | phase | what can be chosen | what a failure is | in time |
//! |---|---|---|---|
//! | resolve | a resolver: [`Resolve`], [`StaticResolver`] | `Resolve` | `Timeout(Resolve)` |
//! | connect | Happy Eyeballs and the socket's options: [`TcpConnector`]; a Unix socket: `UnixConnector`; anything: [`Connector`] | `Connect` | `Timeout(Connect)` |
//! | proxy | HTTP `CONNECT`, SOCKS5, from the environment by option: [`Proxy`], [`Proxies`] | `Proxy`, `ProxyAuth` | `Timeout(Proxy)` |
//! | TLS | whom to trust, pins, client certificate, names: [`TlsConfig`] | `Tls`, `Certificate` | `Timeout(Tls)` |
//! | upgrade | [`Extension`]s, checked against the offer; [`Redirects`] by option | `Status`, `Redirect`, `Handshake`, `ResponseTooLarge`, `Io` | `Timeout(Upgrade)` |
//!
//! The kinds are those of [`ConnectErrorKind`](wscengine::ConnectErrorKind); what refuses keeps its answer, with status,
//! headers and the beginning of the body. Nothing insecure is done unless it is asked for by name, and the check of a
//! server's certificate cannot be turned off. Dropping a dial at any point closes all that it had opened.
//!
//! [`handshake`] is the opening handshake alone (RFC 6455 section 4), over any byte stream, and [`Proxy::tunnel`] the
//! proxy's.
//!
//! # Examples
//! By the proxy that the environment names, to a server whose key is known:
//! ```no_run
//! use wscengine::transport::ConnectRequest;
//! use wscengine_dial::{Dialer, Proxies, Redirects, TlsConfig};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tls = TlsConfig::builder()
//!     .pin("sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
//!     .build()?;
//! let dialer = Dialer::default()
//!     .proxy(Proxies::from_env()?)
//!     .redirects(Redirects::up_to(3))
//!     .tls(tls);
//! let dialed = dialer.dial(&ConnectRequest::new("wss://example.com/chat".parse()?)).await?;
//! println!("connected to {}", dialed.url.host_str().unwrap_or_default());
//! # Ok(())
//! # }
//! ```

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
