//! The rooms in an axum application of one's own, behind basic authentication.
//!
//! ```console
//! $ cargo run -p wscengine-rooms-server --example mount
//! $ websocat --binary ws://anna:secret@127.0.0.1:8080/chat
//! ```

use std::net::SocketAddr;

use axum::Router;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use wscengine_rooms_server::wsrooms::{
    Claims, Conn, Message, RegisterError, Unauthorized, Wsrooms,
};
use wscengine_rooms_server::{Config, Rooms};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rooms = Rooms::new(Config::default().max_connections_per_address(100));
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening on http://{}", listener.local_addr()?);
    // With the address of each client, which limits go by.
    let service = app(&rooms)?.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = axum::serve(listener, service) => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    rooms.close().await;
    Ok(())
}

/// The application: a page of its own, and the rooms.
pub(crate) fn app(rooms: &Rooms) -> Result<Router, RegisterError> {
    let wsrooms = Wsrooms::new().authorize(basic).on("whoami", async |conn: Conn, _| {
        let name = conn.claims().get("name").cloned().unwrap_or_default();
        let id = conn.id().to_owned();
        conn.try_send(&Message::new("root", "you", id.clone(), id, name));
        Ok(())
    })?;
    Ok(Router::new()
        .route("/", get(|| async { "chat on /chat" }))
        .route("/chat", rooms.wsrooms(wsrooms)))
}

/// Accepts every name with the one password. An application looks into its table of hashes instead.
async fn basic(request: Parts) -> Result<Claims, Unauthorized> {
    let refused = || Unauthorized("no name and password, or wrong ones".into());
    let header = request.headers.get(AUTHORIZATION).ok_or_else(refused)?;
    let encoded = header.to_str().ok().and_then(|header| header.strip_prefix("Basic "));
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok()).ok_or_else(refused)?;
    let credentials = String::from_utf8(decoded).map_err(|_| refused())?;
    match credentials.split_once(':') {
        Some((name, "secret")) => Ok(Claims::from([("name".into(), name.into())])),
        _ => Err(refused()),
    }
}
