//! What a load generator talks to on `/bench/easy`.

use bytes::Bytes;

use super::{Conn, Easy, HandlerError, Message, RegisterError};

/// How many rooms a run has: the channels `r0` to `r199`.
const ROOMS: usize = 200;

/// `open` tells a client its id. `say: ROOM TEXT` writes `say: TEXT` to a channel, `tell: ID TEXT` to a client.
pub(crate) fn bench() -> Result<Easy, RegisterError> {
    let mut easy = Easy::new()
        .on("open", async |_, id: Bytes| Ok(Some(Message::new("id", id)?)))?
        .on("say", async |conn: Conn, content: Bytes| {
            let (room, text) = split(&content)?;
            conn.write_to_channel(room, "say", text)?;
            Ok(None)
        })?
        .on("tell", async |conn: Conn, content: Bytes| {
            let (id, text) = split(&content)?;
            conn.write_to_client(id, "say", text)?;
            Ok(None)
        })?;
    for room in 0..ROOMS {
        easy = easy.channel(format!("r{room}"))?;
    }
    Ok(easy)
}

fn split(content: &[u8]) -> Result<(&str, &str), HandlerError> {
    let content = std::str::from_utf8(content)?;
    content.split_once(' ').ok_or_else(|| "no text behind the receiver".into())
}
