//! Those who use the connection while the fault strikes.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wscengine::{Exclusive, RecvError, SendError, Session};

use super::handler::{Gates, PROBE, SENT, Told};

/// Somebody who has paused the engine, and reports what he receives.
pub(super) struct Holding {
    /// Told to send the probe.
    pub(super) ask: mpsc::Sender<()>,
    pub(super) task: JoinHandle<(Exclusive, Option<RecvError>)>,
}

impl Holding {
    pub(super) fn begin(conn: Exclusive, told: mpsc::UnboundedSender<Told>) -> Self {
        let (ask, asked) = mpsc::channel(1);
        Self { ask, task: tokio::spawn(hold(conn, asked, told)) }
    }
}

/// Sends until it is told to stop, as far as the window lets it; says how many it sent.
pub(super) async fn send_on(
    session: Session,
    gates: Arc<Gates>,
    padding: &str,
) -> Result<usize, SendError> {
    let mut sent = 0;
    while let Ok(permit) = gates.window.acquire().await {
        permit.forget();
        session.send_flushed(format!("{SENT} {sent} {padding}")).await?;
        sent += 1;
    }
    Ok(sent)
}

/// Makes messages large enough to fill buffers.
pub(super) const PADDING: &str = match std::str::from_utf8(&[b'.'; 4096]) {
    Ok(padding) => padding,
    Err(_) => "",
};

/// Receives until it cannot, or nobody asks any more.
async fn hold(
    mut conn: Exclusive,
    mut asked: mpsc::Receiver<()>,
    told: mpsc::UnboundedSender<Told>,
) -> (Exclusive, Option<RecvError>) {
    loop {
        tokio::select! {
            ask = asked.recv() => match ask {
                // The hold may be over by now; the next `recv` says so.
                Some(()) => drop(conn.send(PROBE).await),
                None => return (conn, None),
            },
            received = conn.recv() => match received {
                Ok(message) => drop(told.send(Told::Message(message.text().unwrap().to_owned()))),
                Err(error) => return (conn, Some(error)),
            },
        }
    }
}
