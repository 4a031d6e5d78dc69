//! What `rooms-server` offers on `/ws/grows/...`.

use serde_json::Value;
use serde_json::value::RawValue;

use super::{ClientHandler, Conn, Event, Grows, Guest, HandlerError, RegisterError, Routes};

const ROOM: &str = "testRoom";

/// The routes and what is said on them:
/// - `/example`: in a room from the beginning; raw messages `test`, `id`, `echo ..`, `fail`, `close`, and events
///   `Broadcast`, `echo`, `join`, `leave`, `rooms`, `room`;
/// - `/user/:id`: the same, and `user` is answered with the parameter;
/// - `/star`: two handlers for everything;
/// - `/tagged`: as `/example`, with two send middlewares;
/// - `/denied`: nobody comes in.
pub(crate) fn demo() -> Result<Grows, RegisterError> {
    let user = async |conn: Conn, _| {
        let id = conn.param("id").unwrap_or_default().to_owned();
        Ok(conn.write(&format!("user {id}"))?)
    };
    let routes = Routes::new()
        .route("/example", example()?)?
        .route("/user/:id", example()?.on("user", user)?)?
        .route("/star", star()?)?
        .route("/tagged", example()?)?
        .route("/denied", ClientHandler::new())?
        .handshake_middleware("^/denied$", async |_, _: Guest| false)?
        .send_middleware("^/tagged$", |_, text| Ok(format!("1:{text}")))?
        .send_middleware("^/tagged$", |_, text| Ok(format!("2:{text}")))?;
    Grows::new().router(routes)
}

fn example() -> Result<ClientHandler, RegisterError> {
    raw(events(ClientHandler::new().on_connect(async |conn: Conn| Ok(conn.join(ROOM)?)))?)
}

fn raw(handler: ClientHandler) -> Result<ClientHandler, RegisterError> {
    handler
        .on("test", async |conn: Conn, _| Ok(conn.write("test back")?))?
        .on("id", async |conn: Conn, _| Ok(conn.write(conn.id())?))?
        .on("echo .*", async |conn: Conn, text: String| Ok(conn.write(&text)?))?
        .on("fail", async |_, _| Err("asked to fail".into()))?
        .on("close", async |conn: Conn, _| {
            conn.close();
            Ok(())
        })
}

fn events(handler: ClientHandler) -> Result<ClientHandler, RegisterError> {
    handler
        .on_event("Broadcast", async |conn: Conn, _| {
            conn.clients().broadcast_event(ROOM, "broadcast-event", "...")?;
            Ok(())
        })?
        .on_event("echo", async |conn: Conn, event: Event| {
            Ok(conn.write_event("echo", &event.data)?)
        })?
        .on_event("join", async |conn: Conn, event: Event| {
            conn.join(&event.data.json::<String>()?)?;
            Ok(conn.write_event("joined", &event.data)?)
        })?
        .on_event("leave", async |conn: Conn, event: Event| {
            conn.leave(&event.data.json::<String>()?);
            Ok(conn.write_event("left", &event.data)?)
        })?
        .on_event("rooms", async |conn: Conn, _| {
            let rooms: Vec<String> = conn.rooms().iter().map(ToString::to_string).collect();
            Ok(conn.write_event("rooms", &rooms)?)
        })?
        .on_event("room", said)
}

/// What an event `room` brings along.
#[derive(serde::Deserialize)]
struct Said<'a> {
    room: String,
    #[serde(borrow)]
    text: &'a RawValue,
}

async fn said(conn: Conn, event: Event) -> Result<(), HandlerError> {
    let Said { room, text } = event.data.json()?;
    conn.clients().broadcast_event(&room, "chat", text)?;
    Ok(())
}

fn star() -> Result<ClientHandler, RegisterError> {
    ClientHandler::new()
        .on("*", async |conn: Conn, text: String| Ok(conn.write(&format!("star:{text}"))?))?
        .on_event("*", async |conn: Conn, event: Event| {
            let data: Value = event.data.json()?;
            Ok(conn.write(&format!("starev:{data}"))?)
        })
}
