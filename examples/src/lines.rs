//! Around the transport of `cargo run --example custom_transport`: a server of lines, and a handler.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use wscengine::{CloseError, Exclusive, Handler, HandlerError, Message, Opened, Session};

/// Sends three messages, prints what comes back, and ends the engine after the third.
#[derive(Clone, Copy, Debug)]
pub struct Printer;

impl Handler for Printer {
    async fn on_open(&self, conn: &mut Exclusive, _opened: Opened) -> Result<(), HandlerError> {
        for text in ["one", "two", "three"] {
            println!("sending: {text:?}");
            conn.send(text).await?;
        }
        Ok(())
    }

    async fn on_message(&self, session: &Session, message: Message<'_>) {
        println!("on_message: {:?}", message.text().unwrap_or_default());
        if message.text() == Some("three") {
            session.exit();
        }
    }

    async fn on_close_error(&self, _session: &Session, error: &CloseError) {
        println!("on_close_error: {error}");
    }
}

/// Starts a server on a free port of the loopback interface, which sends each line back. It serves one client.
///
/// # Errors
/// Those of binding a TCP socket.
///
/// # Cancel safety
/// Cancel safe: dropped, nothing is bound.
pub async fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await?;
        let (mut input, mut output) = client.split();
        // Until the client ends its side; then the socket is dropped, and ours is ended too.
        tokio::io::copy(&mut input, &mut output).await
    });
    Ok(address)
}
