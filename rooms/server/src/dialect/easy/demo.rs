//! What `rooms-server` offers on `/ws/easy`.

use bytes::Bytes;

use super::{Conn, Easy, Message, RegisterError};

/// Connections with the tokens `valid` and `channel_valid`; the channels `test`, open to all, and `validate`, for the
/// second token.
pub(crate) fn demo() -> Result<Easy, RegisterError> {
    let easy = Easy::new()
        .validate(async |token: String| match &*token {
            "valid" | "channel_valid" => Ok(()),
            _ => Err("no such token".into()),
        })
        .channel("test")?
        .guarded_channel("validate", async |token: String| match &*token {
            "channel_valid" => Ok(()),
            _ => Err("another token".into()),
        })?;
    handlers(easy)
}

/// Answers to the sender alone, and two commands that write to the channel `test`.
fn handlers(easy: Easy) -> Result<Easy, RegisterError> {
    easy.on("open", async |_, _| Ok(Some(Message::new("hello", "Connected")?)))?
        .on("testResponse", async |_, _| Ok(Some(Message::new("response", "sent")?)))?
        .on("echo", async |_, content: Bytes| Ok(Some(Message::new("echo", content)?)))?
        .on("testChannel", async |conn: Conn, _| {
            conn.write_to_channel("test", "channel", "test")?;
            Ok(None)
        })?
        .on("publish", async |conn: Conn, content: Bytes| {
            conn.write_to_channel("test", "news", content)?;
            Ok(None)
        })?
        .on("a".repeat(254), async |_, _| Ok(Some(Message::new("long", "254")?)))?
        .on("a".repeat(255), async |_, _| Ok(Some(Message::new("long", "255")?)))
}
