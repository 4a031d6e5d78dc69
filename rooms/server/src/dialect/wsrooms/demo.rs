//! What `rooms-server` offers on `/ws/wsrooms`.

use super::{RegisterError, Wsrooms};

/// Everything is relayed but these, if they are meant for a room:
/// - `hello` goes to the room in which it was said;
/// - `ping` is answered with `pong`, to the sender only;
/// - `tell` says `told` to the client whose id is the payload.
pub(crate) fn demo() -> Result<Wsrooms, RegisterError> {
    use super::{Conn, Message};

    Wsrooms::new()
        .on("hello", async |conn: Conn, message: Message| {
            conn.send_to_room(&message.room, "hello", &message.payload);
            Ok(())
        })?
        .on("ping", async |conn: Conn, message: Message| {
            let id = conn.id().to_owned();
            conn.try_send(&Message::new(message.room, "pong", "", id, message.payload));
            Ok(())
        })?
        .on("tell", async |conn: Conn, message: Message| {
            conn.send_to_client(std::str::from_utf8(&message.payload)?, "told", b"psst");
            Ok(())
        })
}
