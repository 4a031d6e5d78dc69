//! What `rooms-server --bench` offers on `/bench/iris`, for the load generator.

use super::{Conn, Iris};

const MAX_MESSAGE: usize = 64 << 10;

/// - `hello` tells each connection its id.
/// - `join` and `leave` of a room, with an answer.
/// - `say` sends the text behind a room's name to the room, `tell` that behind an id to one connection, as `say`.
pub(crate) fn bench(prefix: &str) -> Iris {
    Iris::new()
        .prefix(prefix)
        .max_message(MAX_MESSAGE)
        .on_connection(async |conn: Conn| {
            conn.emit("hello", conn.id())?;
            Ok(())
        })
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
        .on("say", say)
        .on("tell", say)
}

async fn say(conn: Conn, whom_and_text: String) -> Result<(), super::ListenerError> {
    if let Some((whom, text)) = whom_and_text.split_once(' ') {
        conn.to(whom).emit("say", text)?;
    }
    Ok(())
}
