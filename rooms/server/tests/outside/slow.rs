//! A member that does not read.

use wscengine_rooms_server::wsrooms::Message;
use wscengine_rooms_server::{Config, RunningServer, SlowClients};

use crate::common::{HANG, start};
use crate::raw::{BINARY, CLOSE, Raw};

/// Each message is this large: the buffers of the system are soon full.
const SIZE: usize = 60_000;
/// Far more than the system and the queue hold together.
const MESSAGES: usize = 400;

/// A short queue; and however late the slow one reads, its last words are still there.
fn patient(config: Config) -> Config {
    config.queue_messages(8).write_timeout(HANG).close_timeout(HANG)
}

/// A speaker, a reader and one that does not read, all in one room.
async fn room(config: Config) -> (RunningServer, Raw, Raw, Raw) {
    let server = start(patient(config)).await;
    let addr = server.local_addr();
    let mut speaker = Raw::connect(addr).await;
    let mut reader = Raw::connect(addr).await;
    let mut slow = Raw::narrow(addr).await;
    for member in [&mut speaker, &mut reader, &mut slow] {
        member.join("room").await;
    }
    for member in [&mut speaker, &mut reader, &mut slow] {
        member.settle().await;
    }
    (server, speaker, reader, slow)
}

/// The speaker says all its messages, the reader reads each as it comes. Who left meanwhile, as it was told.
async fn talk(speaker: &mut Raw, reader: &mut Raw) -> Vec<String> {
    let mut left = Vec::new();
    for number in 0..MESSAGES {
        let payload = format!("{number:SIZE$}");
        speaker.say(&Message::new("room", "chat", "", "", payload)).await;
        loop {
            let heard = reader.message().await;
            match &*heard.event {
                "chat" => break assert_eq!(number_of(&heard), number),
                "member_left" if heard.room == "room" => {
                    left.push(String::from_utf8(heard.payload.to_vec()).unwrap());
                }
                _ => {}
            }
        }
    }
    left
}

fn number_of(message: &Message) -> usize {
    std::str::from_utf8(&message.payload).unwrap().trim().parse().unwrap()
}

/// All that it reads in the end, and the code of the close frame behind that.
async fn rest(slow: &mut Raw) -> (Vec<usize>, Option<u16>) {
    let mut heard = Vec::new();
    while let Some((opcode, payload)) = slow.frame().await {
        match opcode {
            BINARY => {
                let message = Message::from_bytes(&payload).unwrap();
                if message.event == "chat" {
                    heard.push(number_of(&message));
                }
            }
            CLOSE => return (heard, payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            opcode => panic!("{opcode}"),
        }
    }
    (heard, None)
}

#[tokio::test]
async fn a_member_that_does_not_read_is_closed_with_1013_and_holds_up_nobody() {
    let (server, mut speaker, mut reader, mut slow) = room(Config::default()).await;
    // It is out of the room at once, and not only when it has read.
    assert_eq!(talk(&mut speaker, &mut reader).await, [&*slow.id]);
    assert_eq!(server.rooms().members("room").len(), 2);
    // What it was sent before is whole and in order.
    let (heard, code) = rest(&mut slow).await;
    assert_eq!(heard, (0..heard.len()).collect::<Vec<_>>());
    assert!(heard.len() < MESSAGES);
    // The system, left to itself, takes in some fifty of these for who reads nothing.
    #[cfg(target_os = "linux")]
    assert!(heard.len() < 30, "{}", heard.len());
    assert_eq!(code, Some(1013));
    // The others go on.
    speaker.say(&Message::new("room", "chat", "", "", "0")).await;
    assert_eq!(number_of(&reader.until("chat").await), 0);
}

#[tokio::test]
async fn where_the_oldest_is_dropped_the_slow_member_stays_and_hears_the_newest() {
    let config = Config::default().slow_clients(SlowClients::DropOldest);
    let (server, mut speaker, mut reader, mut slow) = room(config).await;
    talk(&mut speaker, &mut reader).await;
    assert_eq!(server.rooms().members("room").len(), 3);
    let mut heard = Vec::new();
    while heard.last() != Some(&(MESSAGES - 1)) {
        heard.push(number_of(&slow.until("chat").await));
    }
    assert!(heard.is_sorted() && heard.len() < MESSAGES, "{heard:?}");
    // It is a member as before.
    slow.say(&Message::new("room", "chat", "", "", "7")).await;
    assert_eq!(number_of(&speaker.until("chat").await), 7);
}

#[tokio::test]
async fn ten_slow_members_hold_up_nobody() {
    let server = start(patient(Config::default())).await;
    let addr = server.local_addr();
    let (mut speaker, mut reader) = (Raw::connect(addr).await, Raw::connect(addr).await);
    speaker.join("room").await;
    reader.join("room").await;
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut one = Raw::narrow(addr).await;
        one.join("room").await;
        slow.push(one);
    }
    speaker.settle().await;
    assert_eq!(talk(&mut speaker, &mut reader).await.len(), slow.len());
    assert_eq!(server.rooms().members("room").len(), 2);
    for mut one in slow {
        assert_eq!(rest(&mut one).await.1, Some(1013));
    }
}
