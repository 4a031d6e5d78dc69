//! The way of one engine from start to stop, over the in-memory transport.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use wscengine::testing::memory;
use wscengine::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);
impl Log {
    fn push(&self, line: impl Into<String>) { self.0.lock().unwrap().push(line.into()); }
}
impl Handler for Log {
    async fn on_open(&self, conn: &mut Exclusive, opened: Opened) -> Result<(), HandlerError> {
        self.push(format!("open restarting={}", opened.restarting));
        conn.send("hello").await?;
        Ok(())
    }
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        self.push(format!("message {}", message.text().unwrap()));
        if message.text() == Some("slow") { tokio::time::sleep(Duration::from_secs(1)).await; }
        if message.text() == Some("pause") {
            let mut conn = session.pause().await.unwrap();
            conn.send("ask").await.unwrap();
            let m = conn.recv_matching(|m| m.text() == Some("answer")).await.unwrap();
            self.push(format!("got {}", m.text().unwrap()));
        }
    }
    async fn on_close(&self, _: &mut Exclusive, closed: &Closed) -> Option<CloseFrame> {
        self.push(format!("close {} restarting={} unhandled={}", closed.cause, closed.restarting, closed.unhandled));
        None
    }
    async fn on_restart_error(&self, _: &Control, error: &AttemptError, retry: u32) {
        self.push(format!("restart error {error} {retry}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_opens_handles_reconnects_and_stops() {
    let (transport, mut server) = memory::transport();
    let log = Log::default();
    let prepared = Engine::builder(transport, log.clone()).url("ws://test/").build().unwrap();
    let (engine, mut peer) = tokio::join!(prepared.start(), server.accept());
    let engine = engine.unwrap();
    assert_eq!(peer.next_message().await.text(), Some("hello"));
    peer.send("one");
    peer.send("slow");
    peer.send("pause");
    peer.send("after");
    assert_eq!(peer.next_message().await.text(), Some("ask"));
    peer.send("answer");
    engine.send_flushed("x").await.unwrap();
    assert_eq!(peer.next_message().await.text(), Some("x"));
    peer.send("last");
    peer.close(Some(CloseFrame::new(1012, "bye").unwrap()));
    let mut peer = server.accept().await;
    assert_eq!(peer.next_message().await.text(), Some("hello"));
    let mut conn = engine.pause().await.unwrap();
    peer.send("q");
    assert_eq!(conn.recv().await.unwrap().text(), Some("q"));
    drop(conn);
    assert!(engine.ping().await.is_ok());
    let outcome = engine.stop().await;
    assert_eq!(outcome.kind(), OutcomeKind::Requested);
    let log = log.0.lock().unwrap().clone();
    assert_eq!(log, [
        "open restarting=false", "message one", "message slow", "message pause", "got answer", "message after", "message last",
        "close closed by the peer with 1012 restarting=true unhandled=0", "open restarting=true",
        "close stopped restarting=false unhandled=0",
    ]);
    assert_eq!(server.live(), 0);
}
