//! `/echo`: every message goes back to its sender.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::app::App;
use crate::handshake::{HandshakeError, Upgrade};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

pub(crate) async fn handler(
    State(app): State<App>,
    upgrade: Result<Upgrade, HandshakeError>,
) -> Response {
    if app.drain().draining().is_cancelled() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (response, on_upgrade) = match upgrade {
        Ok(upgrade) => upgrade.response(),
        Err(error) => return error.into_response(),
    };
    app.drain().sessions().spawn(serve(app.clone(), on_upgrade));
    response
}

/// One connection, from the upgrade to the end of its TCP connection.
async fn serve(app: App, on_upgrade: OnUpgrade) {
    // An error means that the client went away before it had our 101.
    let Ok(upgraded) = on_upgrade.await else { return };
    let io = TokioIo::new(upgraded);
    let mut socket =
        Socket::from_raw_socket(io, Role::Server, Some(app.config().websocket())).await;

    let end = tokio::select! {
        // First: a connection opened while the server closes is told so before anything else.
        biased;
        end = app.drain().ends() => End::Server(end),
        end = echo(&mut socket, app.next_echo_budget()) => end,
    };
    // Whatever the end is, it is bounded: a client that does not cooperate loses its connection.
    let _ = timeout(app.config().close_timeout, finish(socket, end)).await;
}

/// Why the echoing stopped.
enum End {
    /// The client closed, and our answer is on its way.
    PeerClosed,
    /// The connection broke, or the closing handshake is already complete.
    Gone,
    /// The server ends it.
    Server(crate::hub::End),
    /// The client broke a rule, for which there is this close frame.
    Violation(CloseFrame),
    /// The connection is to be cut, see [`Config::drop_first_after`](crate::Config::drop_first_after).
    Cut,
}

/// Echoes until something ends it. `budget` is the number of echoes before the connection is cut.
///
/// # Cancel safety
/// May be dropped at any await: at most the echo of one message is lost.
async fn echo(socket: &mut Socket, mut budget: Option<u64>) -> End {
    loop {
        if budget == Some(0) {
            let _ = socket.flush().await;
            return End::Cut;
        }
        let message = match next(socket).await {
            Ok(Some(message)) => message,
            Ok(None) => return End::Gone,
            Err(error) => return end_of(&error),
        };
        match message {
            Message::Text(_) | Message::Binary(_) => {
                // Waits while the write buffer is full, and nothing is read meanwhile.
                if let Err(error) = socket.feed(message).await {
                    return end_of(&error);
                }
                budget = budget.map(|left| left - 1);
            }
            Message::Close(_) => return End::PeerClosed,
            // tungstenite has queued the pong; reading and flushing send it.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// The next message. Echoes are flushed only when none is at hand, so that a burst of small
/// messages costs one write and not one each.
async fn next(socket: &mut Socket) -> Result<Option<Message>, Error> {
    if let Some(ready) = socket.next().now_or_never() {
        return ready.transpose();
    }
    socket.flush().await?;
    socket.next().await.transpose()
}

fn end_of(error: &Error) -> End {
    let (code, reason) = match error {
        Error::Capacity(_) => (CloseCode::Size, "message too big"),
        Error::Utf8(_) => (CloseCode::Invalid, "text is not UTF-8"),
        Error::Protocol(violation) if !is_end_of_stream(violation) => {
            (CloseCode::Protocol, "protocol violation")
        }
        _ => return End::Gone,
    };
    End::Violation(CloseFrame { code, reason: reason.into() })
}

/// tungstenite reports a TCP connection that ends without a close frame as a protocol error.
fn is_end_of_stream(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    matches!(error, ResetWithoutClosingHandshake)
}

/// Ends the connection as its end demands, then drops it. The caller bounds the time.
async fn finish(mut socket: Socket, end: End) {
    match end {
        End::Gone | End::Cut => {}
        End::PeerClosed => drain(&mut socket).await,
        End::Server(end) => {
            let frame = CloseFrame { code: end.code.into(), reason: (&*end.reason).into() };
            if socket.close(Some(frame)).await.is_ok() {
                drain(&mut socket).await;
            }
        }
        End::Violation(frame) => {
            if socket.close(Some(frame)).await.is_ok() {
                linger(socket.get_mut()).await;
            }
        }
    }
}

/// Reads until the closing handshake is complete; what still comes in before that has no answer.
async fn drain(socket: &mut Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

/// After a violation nothing can be parsed any more, but the client may still be sending. Closing
/// a TCP socket with unread input resets it, and the reset could overtake our close frame: so we
/// end our direction and throw away what comes until the client ends its own.
async fn linger(io: &mut TokioIo<Upgraded>) {
    if io.shutdown().await.is_err() {
        return;
    }
    let mut discarded = [0; 4096];
    while matches!(io.read(&mut discarded).await, Ok(1..)) {}
}
