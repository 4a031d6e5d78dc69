//! Lines to a room, and what the others say: `cargo run -p wscengine-rooms-client --example chat`.
//!
//! A line that begins with `/to ID ` goes to that member alone; `/who` shows the members.

use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, BufReader, Stdin};
use wscengine_rooms_client::{Client, Event, Message, SendError, Wsrooms};
use wscengine_tungstenite::TungsteniteTransport;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Talks to whoever is in a room.
#[derive(Parser)]
struct Args {
    /// The server.
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws/wsrooms")]
    url: String,
    /// The room.
    #[arg(long, default_value = "lobby")]
    room: String,
    /// The name that the others see in front of what you say.
    #[arg(long, default_value = "anonymous")]
    name: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let Args { url, room, name } = Args::parse();
    let client =
        Client::builder(TungsteniteTransport::new(), Wsrooms::new()).url(url).connect().await?;
    let mut events = client.events();
    let members = client.join(&room).await?;
    println!("* you are {} in {room}, with {} others", id(&client), members.len() - 1);

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => show(&event, &room),
                Some(Err(missed)) => println!("* {missed}"),
                None => break,
            },
            line = next_line(&mut lines) => match line? {
                Some(line) => say(&client, &room, &name, &line),
                None => break,
            },
        }
    }
    client.close().await;
    Ok(())
}

async fn next_line(
    lines: &mut tokio::io::Lines<BufReader<Stdin>>,
) -> Result<Option<String>, std::io::Error> {
    lines.next_line().await
}

/// What is typed while there is no connection waits for the next: nobody waits for it here.
fn say(client: &Client<Wsrooms>, room: &str, name: &str, line: &str) {
    if line == "/who" {
        println!("* here: {}", client.members(room).unwrap_or_default().join(", "));
        return;
    }
    let direct = line.strip_prefix("/to ").and_then(|rest| rest.split_once(' '));
    let (client, room) = (client.clone(), room.to_owned());
    let to = direct.map(|(to, _)| to.to_owned());
    let text = format!("{name}: {}", direct.map_or(line, |(_, text)| text));
    tokio::spawn(async move {
        let sent: Result<(), SendError> = match to {
            Some(to) => client.send_to(&to, "chat", text).await,
            None => client.send(&room, "chat", text).await,
        };
        if let Err(error) = sent {
            println!("* not sent: {error}");
        }
    });
}

fn show(event: &Event, room: &str) {
    match event {
        Event::Message(message) => show_message(message),
        Event::NewMember { room: of, id } if of == room => println!("* {id} came"),
        Event::MemberLeft { room: of, id } if of == room => println!("* {id} went"),
        Event::Lost { cause, .. } => println!("* the connection is lost: {cause}"),
        Event::Reconnecting { attempt, delay } => println!("* attempt {attempt} in {delay:.1?}"),
        Event::Open { again: true, .. } => println!("* connected again"),
        Event::Closed { outcome } => println!("* closed: {:?}", outcome.kind()),
        _ => {}
    }
}

fn show_message(message: &Message) {
    let text = message.text().unwrap_or("(bytes)");
    if message.dst.is_empty() {
        println!("{text}");
    } else {
        println!("(to you, from {}) {text}", message.src);
    }
}

fn id(client: &Client<Wsrooms>) -> String {
    client.id().unwrap_or_default()
}
