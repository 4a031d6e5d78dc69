//! The examples of authorization, as applications of somebody else's.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, Rooms};

use crate::common::host;
use crate::peer::Peer;

#[path = "../../examples/jwt.rs"]
#[allow(dead_code, reason = "a program of its own")]
mod jwt;
#[path = "../../examples/mount.rs"]
#[allow(dead_code, reason = "a program of its own")]
mod mount;

const SECRET: &[u8] = b"a secret of at least 32 bytes, as HS256 wants it";

/// A client with this header; the status if it is refused.
async fn come(addr: std::net::SocketAddr, path: &str, authorization: &str) -> Result<Peer, u16> {
    let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
    if !authorization.is_empty() {
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
    }
    let stream = TcpStream::connect(addr).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(Peer::greeted(socket).await),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn basic_authentication_lets_in_who_knows_the_password() {
    let (addr, _host) = host(mount::app(&Rooms::new(Config::default())).unwrap()).await;
    // anna:secret, anna:guess
    let mut anna = come(addr, "/chat", "Basic YW5uYTpzZWNyZXQ=").await.ok().unwrap();
    anna.say("root", "whoami", "").await;
    anna.expect(&Message::new("root", "you", &*anna.id.clone(), &*anna.id.clone(), "anna")).await;
    for wrong in ["", "Basic YW5uYTpndWVzcw==", "Basic %", "Bearer x"] {
        assert_eq!(come(addr, "/chat", wrong).await.err(), Some(401), "{wrong}");
    }
}

#[tokio::test]
async fn a_json_web_token_lets_in_while_it_is_valid() {
    let (addr, _host) = host(jwt::app(&Rooms::new(Config::default()), SECRET)).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let sign = |secret: &[u8], exp: Duration, algorithm| {
        let claims = json!({ "sub": "anna", "exp": exp.as_secs() });
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let hour = Duration::from_secs(3600);
    let valid = sign(SECRET, now + hour, Algorithm::HS256);
    assert!(come(addr, "/chat", &format!("Bearer {valid}")).await.is_ok());
    assert!(come(addr, &format!("/chat?token={valid}"), "").await.is_ok());
    for wrong in [
        sign(SECRET, now - hour, Algorithm::HS256),
        sign(b"another secret", now + hour, Algorithm::HS256),
        sign(SECRET, now + hour, Algorithm::HS512),
        "no token".into(),
    ] {
        let refused = come(addr, "/chat", &format!("Bearer {wrong}")).await;
        assert_eq!(refused.err(), Some(401), "{wrong}");
    }
}
