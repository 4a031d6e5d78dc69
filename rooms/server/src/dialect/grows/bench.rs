//! The application for a load generator, as the generator's README says.

use super::{ClientHandler, Conn, Event, Grows, RegisterError, Routes};
use serde_json::value::RawValue;

/// Tells each client its id, joins and leaves rooms, and passes on what is said to a room or to a client.
pub(crate) fn bench() -> Result<Grows, RegisterError> {
    let handler = ClientHandler::new()
        .on_connect(async |conn: Conn| Ok(conn.write_event("id", conn.id())?))
        .on_event("join", async |conn: Conn, event: Event| {
            conn.join(&event.data.json::<String>()?)?;
            Ok(conn.write_event("joined", &event.data)?)
        })?
        .on_event("leave", async |conn: Conn, event: Event| {
            conn.leave(&event.data.json::<String>()?);
            Ok(conn.write_event("left", &event.data)?)
        })?
        .on_event("say", async |conn: Conn, event: Event| {
            let (room, text): (String, &RawValue) = event.data.json()?;
            conn.clients().broadcast_event(&room, "say", text)?;
            Ok(())
        })?
        .on_event("tell", async |conn: Conn, event: Event| {
            let (id, text): (String, &RawValue) = event.data.json()?;
            conn.clients().broadcast_event_to_client(&id, "say", text)?;
            Ok(())
        })?;
    Grows::new().router(Routes::new().route("/bench/grows", handler)?)
}
