//! Request and response by id: `cargo run --example request`.
//!
//! For servers whose answers carry the id of their request, as JSON-RPC has it. Any number of calls are in flight at
//! once, and are answered in any order; what answers nothing goes to `on_message`.

use std::error::Error;
use std::time::Duration;

use examples::answers;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use wscengine::request::{CallError, Requests};
use wscengine::{Engine, Handler, Message, Session, Status};
use wscengine_tungstenite::TungsteniteTransport;

/// Far more than anything here takes: a mistake ends the example and does not hang it.
const LIMIT: Duration = Duration::from_secs(10);

/// Tells the main task what `on_message` was given.
struct Listener {
    requests: Requests<u64>,
    heard: mpsc::UnboundedSender<Value>,
}

impl Handler for Listener {
    async fn on_message(&self, session: &Session, message: Message<'_>) {
        println!("    on_message: {}", message.text().unwrap_or_default());
        let Ok(message) = serde_json::from_slice::<Value>(message.payload()) else { return };
        if message["event"] == "who are you?" {
            // With one worker, the very one that this runs on. If the session ends meanwhile, the call does too.
            match call(&self.requests.on(session), 4, 0).await {
                Ok(result) => println!("    inside on_message, the answer: {result}"),
                Err(error) => println!("    inside on_message, no answer: {error}"),
            }
        }
        // The main task ends before the engine does.
        let _ = self.heard.send(message);
    }
}

/// Where the id stands. A message without one answers nothing.
fn id_of(message: &Message<'_>) -> Option<u64> {
    serde_json::from_slice::<Value>(message.payload()).ok()?["id"].as_u64()
}

/// Asks the server to double a number, which it does after so many milliseconds.
async fn call(requests: &Requests<u64>, number: u64, after: u64) -> Result<Value, CallError> {
    let id = requests.next_id();
    let request = json!({ "id": id, "double": number, "after": after });
    let reply = requests.call(request.to_string(), LIMIT).await?;
    Ok(serde_json::from_slice::<Value>(reply.payload()).unwrap_or_default()["result"].clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = answers::Server::start().await?;
    let (heard, mut messages) = mpsc::unbounded_channel();
    let requests = Requests::new(id_of);
    let engine = Engine::builder(
        TungsteniteTransport::new(),
        Listener { requests: requests.clone(), heard },
    )
    .url(server.url())
    .requests(&requests)
    .build()?
    .start()
    .await?;
    println!("connected to {}", server.url());

    println!("[1] a call returns its answer");
    println!("    the answer: {}", call(&requests, 21, 0).await?);

    println!("[2] three calls at once, answered in the opposite order");
    let calls = [(1, 60), (2, 30), (3, 0)].map(|(number, after)| {
        let requests = &requests;
        async move {
            let result = call(requests, number, after).await?;
            println!("    the answer to {number}: {result}");
            Ok::<_, CallError>(())
        }
    });
    join_all(calls).await.into_iter().collect::<Result<(), _>>()?;

    println!("[3] what answers nothing goes to on_message, which may make calls itself");
    engine.send(json!({ "tell": "who are you?" }).to_string()).await?;
    expect(&mut messages, "event").await?;

    println!("[4] an answer that comes too late goes to on_message too");
    let id = requests.next_id();
    let late = json!({ "id": id, "double": 5, "after": 60 }).to_string();
    let error = requests.call(late, Duration::from_millis(20)).await.err();
    println!("    the call: {}", error.ok_or("it was answered in time")?);
    expect(&mut messages, "result").await?;

    println!("[5] when the connection is lost, calls that wait fail at once");
    let lost = engine.session().ok_or("there is no session")?;
    let (call_that_waits, sent) = tokio::join!(
        call(&requests, 6, 5_000),
        engine.send(json!({ "hang_up": true }).to_string())
    );
    sent?;
    println!("    the call: {}", call_that_waits.err().ok_or("it was answered")?);
    reopened(&engine, lost).await?;
    println!("    on the next connection: {}", call(&requests, 6, 0).await?);

    let outcome = engine.stop().await;
    println!("stopped: {:?}", outcome.kind());
    Ok(())
}

/// The next message that `on_message` was given must have this member.
async fn expect(
    messages: &mut mpsc::UnboundedReceiver<Value>,
    member: &str,
) -> Result<(), Box<dyn Error>> {
    match timeout(LIMIT, messages.recv()).await? {
        Some(heard) if heard.get(member).is_some() => Ok(()),
        heard => Err(format!("on_message was given {heard:?}, without {member:?}").into()),
    }
}

/// Waits for the session after this one.
async fn reopened(engine: &Engine, lost: Session) -> Result<(), Box<dyn Error>> {
    let mut status = engine.status();
    let is_new =
        |status: &Status| matches!(status, Status::Open { session } if *session != lost.id());
    timeout(LIMIT, status.wait_for(is_new)).await??;
    Ok(())
}
