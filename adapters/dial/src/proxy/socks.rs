//! A tunnel through a SOCKS5 proxy: RFC 1928, with the credentials of RFC 1929.
//!
//! Written here: the crates for it read more than they must, do not flush, or bring second versions of others.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wscengine::{ConnectError, ConnectErrorKind};

use super::{Credentials, failed};
use crate::connector::Target;

const VERSION: u8 = 5;
/// The version of the negotiation of RFC 1929.
const AUTH_VERSION: u8 = 1;
const CONNECT: u8 = 1;

const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Nothing is read beyond the proxy's last reply.
pub(super) async fn connect<S>(
    stream: &mut S,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<(), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(target)?;
    match (choose_method(stream, credentials.is_some()).await?, credentials) {
        (NO_AUTH, _) => {}
        (PASSWORD, Some(credentials)) => authenticate(stream, credentials).await?,
        (NO_METHOD, _) => return Err(refused("it takes none of the ways to authenticate")),
        _ => {
            return Err(failed("the SOCKS proxy chose a way to authenticate that was not offered"));
        }
    }
    write(stream, &request).await?;
    read_reply(stream).await
}

/// RFC 1928 section 3.
async fn choose_method<S>(stream: &mut S, has_credentials: bool) -> Result<u8, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let greeting: &[u8] = match has_credentials {
        true => &[VERSION, 2, NO_AUTH, PASSWORD],
        false => &[VERSION, 1, NO_AUTH],
    };
    write(stream, greeting).await?;
    match read(stream).await? {
        [VERSION, method] => Ok(method),
        _ => Err(failed("the proxy does not speak SOCKS5")),
    }
}

/// RFC 1929 section 2. Both lengths were looked at when the proxy's URL was.
async fn authenticate<S>(stream: &mut S, credentials: &Credentials) -> Result<(), ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut message = vec![AUTH_VERSION];
    for part in [&credentials.user, &credentials.password] {
        message.push(u8::try_from(part.len()).map_err(|_| refused("they are too long"))?);
        message.extend_from_slice(part);
    }
    write(stream, &message).await?;
    match read(stream).await? {
        [AUTH_VERSION, 0] => Ok(()),
        [AUTH_VERSION, _] => Err(refused("it does not take the user name and password")),
        _ => Err(failed("the SOCKS proxy broke the protocol of RFC 1929")),
    }
}

/// RFC 1928 section 4.
fn request(target: &Target) -> Result<Vec<u8>, ConnectError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match target.host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(target.host.len()).ok().filter(|length| *length > 0);
            let length = length.ok_or_else(|| {
                let problem = "SOCKS5 takes host names of 1 to 255 bytes";
                ConnectError::with_source(ConnectErrorKind::InvalidRequest, problem)
            })?;
            request.extend_from_slice(&[NAME, length]);
            request.extend_from_slice(target.host.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

/// RFC 1928 section 6. The address that the proxy is bound to is of no interest, but has to be read.
async fn read_reply<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), ConnectError> {
    let [version, reply, _] = read(stream).await?;
    if version != VERSION {
        return Err(failed("the SOCKS proxy broke its protocol"));
    }
    // A refusal may end here: nothing more is needed of it.
    if reply != 0 {
        return Err(failed(format!("the SOCKS proxy refused: {} ({reply})", reason(reply))));
    }
    match read(stream).await? {
        [IPV4] => read::<_, 6>(stream).await.map(drop),
        [IPV6] => read::<_, 18>(stream).await.map(drop),
        [NAME] => {
            let [length] = read(stream).await?;
            let mut rest = vec![0; usize::from(length) + 2];
            stream.read_exact(&mut rest).await.map_err(broken)?;
            Ok(())
        }
        _ => Err(failed("the SOCKS proxy gave an address of an unknown kind")),
    }
}

fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "command not supported",
        8 => "kind of address not supported",
        _ => "unknown reason",
    }
}

async fn read<S: AsyncRead + Unpin, const N: usize>(
    stream: &mut S,
) -> Result<[u8; N], ConnectError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), ConnectError> {
    stream.write_all(bytes).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

fn broken(error: io::Error) -> ConnectError {
    failed(error)
}

fn refused(problem: &'static str) -> ConnectError {
    ConnectError::with_source(ConnectErrorKind::ProxyAuth, problem)
}
