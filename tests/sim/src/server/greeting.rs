//! The server's answer to the opening handshake.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use turmoil::net::TcpStream;

use crate::event::What;
use crate::record::Record;
use crate::scenario::Greeting;
use crate::wire;

/// A connection that is upgraded.
pub(super) struct Open {
    pub(super) stream: TcpStream,
    /// What the client sent right behind its request.
    pub(super) input: Vec<u8>,
    /// The number of the next message.
    pub(super) next: u64,
}

/// Answers the handshake. `None` if there is no connection to serve.
pub(super) async fn greet(
    mut stream: TcpStream,
    port: u16,
    greeting: &Greeting,
    record: &Record,
) -> Option<Open> {
    if matches!(greeting, Greeting::Drop) {
        record.note(What::ServerDid { port, what: "drops the connection at once" });
        return None;
    }
    let (key, input) = read_request(&mut stream).await?;
    let accepted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    match greeting {
        Greeting::Drop => None,
        Greeting::Upgrade => {
            record.note(What::Upgraded { port });
            stream.write_all(accepted.as_bytes()).await.ok()?;
            Some(Open { stream, input, next: 0 })
        }
        Greeting::UpgradeAndMessage => {
            record.note(What::Upgraded { port });
            let text = wire::server_text(port, 0, 0);
            record.note(What::Sending { port, k: 0, len: text.len() });
            let mut bytes = accepted.into_bytes();
            bytes.extend(wire::frame(wire::TEXT, text.as_bytes()));
            stream.write_all(&bytes).await.ok()?;
            record.note(What::Sent { port, k: 0 });
            Some(Open { stream, input, next: 1 })
        }
        Greeting::Silence => {
            record.note(What::ServerDid { port, what: "never answers the handshake" });
            wait_for_end(stream).await;
            None
        }
        Greeting::Garbage => {
            record.note(What::ServerDid { port, what: "answers with something else than HTTP" });
            stream.write_all(b"SSH-2.0-nothing to see here\r\n\r\n").await.ok()?;
            wait_for_end(stream).await;
            None
        }
        Greeting::Half => {
            record.note(What::ServerDid { port, what: "answers by half" });
            stream.write_all(&accepted.as_bytes()[..40]).await.ok()?;
            None
        }
        Greeting::Refuse { status, retry_after } => {
            record.note(What::Refused { port, status: *status });
            let after = retry_after.map(|s| format!("Retry-After: {s}\r\n")).unwrap_or_default();
            let answer = format!("HTTP/1.1 {status} No\r\n{after}Content-Length: 7\r\n\r\nrefused");
            stream.write_all(answer.as_bytes()).await.ok()?;
            wait_for_end(stream).await;
            None
        }
    }
}

/// The client's key, and what came behind the request.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut input = Vec::new();
    loop {
        if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&input[..end]).into_owned();
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
            });
            return Some((key?, input.split_off(end + 4)));
        }
        if stream.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
}

async fn wait_for_end(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}
