//! What `rooms-server` offers on `/ws/iris` and `/ws/gowsal`.

use bytes::Bytes;
use serde::Deserialize;

use super::{BROADCAST, Conn, Iris, Json};
use crate::config::Config;

/// What `room` brings.
#[derive(Deserialize)]
struct ToRoom {
    room: String,
    text: serde_json::Value,
}

/// - Native message x: `Me: x` to the sender, `bc:x` to all others.
/// - `chat` goes to all others; `n`, `next` and `flag` answer numbers and bools; `whoami` answers the id.
/// - `join`, `leave`: rooms, and an answer; `room` sends to any target; `bye` disconnects the caller.
pub(crate) fn demo(prefix: &str, config: &Config) -> Iris {
    let iris = Iris::new().prefix(prefix).on_message(async |conn: Conn, message: Bytes| {
        let said = |by: &str| [by.as_bytes(), &message].concat();
        conn.to(BROADCAST).emit_message(said("bc:"))?;
        conn.emit_message(said("Me: "))?;
        Ok(())
    });
    let iris = talk(iris)
        .on("join", async |conn: Conn, room: String| {
            conn.join(&room)?;
            conn.emit("joined", room)?;
            Ok(())
        })
        .on("leave", async |conn: Conn, room: String| {
            conn.leave(&room);
            conn.emit("left", room)?;
            Ok(())
        })
        .on("room", async |conn: Conn, Json(ToRoom { room, text }): Json<ToRoom>| {
            conn.to(&room).emit("chat", text)?;
            Ok(())
        })
        .on("bye", async |conn: Conn| {
            conn.disconnect()?;
            Ok(())
        });
    iris.ping_period(config.ping_interval).pong_timeout(config.idle_timeout)
}

fn talk(iris: Iris) -> Iris {
    iris.on("chat", async |conn: Conn, text: String| {
        conn.to(BROADCAST).emit("chat", text)?;
        Ok(())
    })
    .on("n", async |conn: Conn| {
        conn.emit("n", 42)?;
        Ok(())
    })
    .on("next", async |conn: Conn, number: i64| {
        conn.emit("next", number.checked_add(1).ok_or("there is no next number")?)?;
        Ok(())
    })
    .on("flag", async |conn: Conn, flag: bool| {
        conn.emit("flag", flag)?;
        Ok(())
    })
    .on("whoami", async |conn: Conn| {
        conn.emit("whoami", conn.id())?;
        Ok(())
    })
}
