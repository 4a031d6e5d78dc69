//! Rooms for those who bring a JSON Web Token, in the header `Authorization` or, since browsers cannot set
//! that, as the query `?token=`.
//!
//! ```console
//! $ ROOMS_JWT_SECRET=... cargo run -p wscengine-rooms-server --example jwt
//! ```

use axum::Router;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tokio::net::TcpListener;
use wscengine_rooms_server::wsrooms::{Claims, Unauthorized, Wsrooms};
use wscengine_rooms_server::{Config, Rooms};

/// What a token must say.
#[derive(Debug, Deserialize)]
struct Token {
    /// Whom it was given to.
    sub: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::var("ROOMS_JWT_SECRET")?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let rooms = Rooms::new(Config::default());
    axum::serve(listener, app(&rooms, secret.as_bytes())).await?;
    Ok(())
}

/// The rooms, for those whose token is signed with `secret` and has not expired.
pub(crate) fn app(rooms: &Rooms, secret: &[u8]) -> Router {
    let key = DecodingKey::from_secret(secret);
    let wsrooms = Wsrooms::new().authorize(move |request| {
        let claims = judge(&request, &key);
        async move { claims }
    });
    Router::new().route("/chat", rooms.wsrooms(wsrooms))
}

fn judge(request: &Parts, key: &DecodingKey) -> Result<Claims, Unauthorized> {
    let token = token(request).ok_or_else(|| Unauthorized("no token".into()))?;
    // The algorithm is ours to say: a token that names another one is refused.
    let decoded = decode::<Token>(token, key, &Validation::new(Algorithm::HS256));
    let token = decoded.map_err(|error| Unauthorized(error.to_string()))?;
    Ok(Claims::from([("sub".into(), token.claims.sub)]))
}

fn token(request: &Parts) -> Option<&str> {
    let header = request.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let query = request.uri.query().unwrap_or_default();
    let in_query = || query.split('&').find_map(|pair| pair.strip_prefix("token="));
    header.and_then(|header| header.strip_prefix("Bearer ")).or_else(in_query)
}
