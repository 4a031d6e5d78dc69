//! TLS by rustls, with the crypto provider `ring`.

mod config;
mod error;
mod given;
mod pin;

use std::io;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, OtherError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wscengine::{ConnectError, ConnectErrorKind};

pub use config::{Roots, TlsConfig, TlsConfigBuilder};
pub use error::{TlsConfigError, TlsConfigErrorKind};

use crate::connector::{BoxedIo, Target, unbox};
use crate::stream::Stream;

/// The protocol that the opening handshake is written for, by its registered name (RFC 7301 section 6).
const ALPN: &[u8] = b"http/1.1";

/// The configuration of a dialer that was given none.
///
/// It runs on a thread for blocking work: the system's roots are read from files.
pub(crate) async fn load_default() -> Result<TlsConfig, ConnectError> {
    let built = tokio::task::spawn_blocking(|| TlsConfig::builder().build()).await;
    match built {
        Ok(config) => {
            config.map_err(|error| ConnectError::with_source(ConnectErrorKind::Tls, error))
        }
        Err(error) => Err(ConnectError::with_source(ConnectErrorKind::Tls, error)),
    }
}

/// Runs the TLS handshake on top of `io`, with the target's host as the name to be proven, unless another one is configured.
pub(crate) async fn connect(
    config: &TlsConfig,
    io: BoxedIo,
    target: &Target,
) -> Result<Stream, ConnectError> {
    let name = match config.server_name() {
        Some(name) => name.clone(),
        None => ServerName::try_from(target.host.clone())
            .map_err(|error| ConnectError::with_source(ConnectErrorKind::InvalidRequest, error))?,
    };
    let connector = TlsConnector::from(config.client_config());
    match unbox(io) {
        Stream::Tcp(tcp) => {
            Ok(Stream::Tls(Box::new(secure::<TcpStream>(&connector, name, tcp).await?)))
        }
        Stream::Boxed(io) => {
            Ok(Stream::TlsBoxed(Box::new(secure::<BoxedIo>(&connector, name, io).await?)))
        }
        Stream::Tls(_) | Stream::TlsBoxed(_) => Err(ConnectErrorKind::Other.into()),
    }
}

async fn secure<S>(
    connector: &TlsConnector,
    name: ServerName<'static>,
    io: S,
) -> Result<TlsStream<S>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = connector.connect(name, io).await.map_err(failed)?;
    match stream.get_ref().1.alpn_protocol() {
        Some(protocol) if is_later_http(protocol) => Err(ConnectError::with_source(
            ConnectErrorKind::Tls,
            "the server chose a later version of HTTP than 1.1",
        )),
        _ => Ok(stream),
    }
}

fn failed(error: io::Error) -> ConnectError {
    let kind = tls_kind(&error).unwrap_or(ConnectErrorKind::Tls);
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        // rustls shows such a cause as only a programmer can read it.
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))) => {
            ConnectError::with_source(kind, cause.to_string())
        }
        _ => ConnectError::with_source(kind, error),
    }
}

/// Whether an ALPN protocol is one that the opening handshake is not written for.
fn is_later_http(protocol: &[u8]) -> bool {
    matches!(protocol, b"h2" | b"h3")
}

/// The kind of an I/O error that TLS caused; `None` for one of the socket's.
///
/// Also needed after the TLS handshake: with TLS 1.3 the server's refusal of a client certificate arrives as
/// an alert in place of the first answer (RFC 8446 section 2).
pub(crate) fn tls_kind(error: &io::Error) -> Option<ConnectErrorKind> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match cause {
        rustls::Error::InvalidCertificate(_) => ConnectErrorKind::Certificate,
        _ => ConnectErrorKind::Tls,
    })
}
