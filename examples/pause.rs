//! Request and response by pausing: `cargo run --example pause`.
//!
//! For servers whose answers carry no id. Whoever pauses the engine reads the connection alone, so the next message
//! is the answer; `on_message` stays silent, and is given later what nobody took.

use std::error::Error;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use wscengine::{Engine, Handler, Message, Session};
use wscengine_rooms_server::{Config, Server};
use wscengine_tungstenite::TungsteniteTransport;

/// Far more than anything here takes: a mistake ends the example and does not hang it.
const LIMIT: Duration = Duration::from_secs(10);

/// Tells the main task what `on_message` was given.
struct Listener {
    heard: mpsc::UnboundedSender<String>,
}

impl Handler for Listener {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        let text = message.text().unwrap_or_default();
        println!("    on_message: {text:?}");
        if text == "log in" {
            log_in(session).await;
        }
        // The main task ends before the engine does.
        let _ = self.heard.send(text.to_owned());
    }
}

/// Asks and waits for the answer inside of `on_message`, with one worker: the very one that this runs on.
async fn log_in(session: &Session) {
    let asked = async {
        let mut conn = session.pause().await?;
        conn.send("what is my name?").await?;
        let answer = conn.recv().await?;
        println!("    inside on_message, the answer: {:?}", answer.text().unwrap_or_default());
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    if let Err(error) = asked.await {
        println!("    inside on_message, no answer: {error}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind("127.0.0.1:0", Config::default()).await?.spawn();
    let (heard, mut messages) = mpsc::unbounded_channel();
    let engine = Engine::builder(TungsteniteTransport::new(), Listener { heard })
        .url(server.echo_url())
        .workers(1)
        .build()?
        .start()
        .await?;
    println!("connected to {}", server.echo_url());

    println!("[1] pausing from outside: the next message is the answer");
    ask(&engine, "what time is it?").await?;
    expect_silence(&mut messages)?;

    println!("[2] waiting for one message, and leaving the others for later");
    pick(&engine).await?;
    expect(&mut messages, "news").await?;

    println!("[3] pausing from inside on_message, with one worker");
    engine.send("log in").await?;
    expect(&mut messages, "log in").await?;

    println!("[4] nobody holds the connection: on_message hears everything again");
    engine.send("goodbye").await?;
    expect(&mut messages, "goodbye").await?;

    let outcome = engine.stop().await;
    println!("stopped: {:?}", outcome.kind());
    server.shutdown().await;
    expect_silence(&mut messages)
}

async fn ask(engine: &Engine, question: &str) -> Result<(), Box<dyn Error>> {
    let mut conn = engine.pause().await?;
    conn.send(question).await?;
    let answer = timeout(LIMIT, conn.recv()).await??;
    println!("    the answer: {:?}", answer.text().unwrap_or_default());
    // Dropping `conn` gives the connection back.
    Ok(())
}

async fn pick(engine: &Engine) -> Result<(), Box<dyn Error>> {
    let mut conn = engine.pause().await?;
    conn.send("news").await?;
    conn.send("answer 42").await?;
    let is_answer =
        |message: &Message<'_>| message.text().is_some_and(|text| text.starts_with("answer"));
    let answer = timeout(LIMIT, conn.recv_matching(is_answer)).await??;
    println!("    the answer: {:?}", answer.text().unwrap_or_default());
    Ok(())
}

/// The next message that `on_message` was given must be this one.
async fn expect(
    messages: &mut mpsc::UnboundedReceiver<String>,
    text: &str,
) -> Result<(), Box<dyn Error>> {
    match timeout(LIMIT, messages.recv()).await? {
        Some(heard) if heard == text => Ok(()),
        heard => Err(format!("on_message was given {heard:?} in place of {text:?}").into()),
    }
}

fn expect_silence(messages: &mut mpsc::UnboundedReceiver<String>) -> Result<(), Box<dyn Error>> {
    match messages.try_recv() {
        Ok(heard) => Err(format!("on_message was given {heard:?}, which was not for it").into()),
        Err(_) => Ok(()),
    }
}
