//! What clients of the four protocols of `rooms-server` say and hear in one room of its demo.
//!
//! Written by hand, byte by byte: the server's own code does not say here what is right.

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// wsrooms
    Wsrooms,
    /// groWs
    Grows,
    /// go-easy-websocket
    Easy,
    /// iris, with the prefix `iris-websocket-message:`
    Iris,
}

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// The room that clients of all four can be in: the channel of the go-easy demo.
const ROOM: &str = "test";
const IRIS: &str = "iris-websocket-message:";

impl Dialect {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Wsrooms, Self::Grows, Self::Easy, Self::Iris];

    /// Where the demo speaks it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Wsrooms => "/ws/wsrooms",
            Self::Grows => "/ws/grows/example",
            Self::Easy => "/ws/easy",
            Self::Iris => "/ws/iris",
        }
    }

    /// The cookie that its handshake has to have.
    #[must_use]
    pub fn cookie(self) -> Option<&'static str> {
        (self == Self::Easy).then_some("auth=valid")
    }

    /// What a client says to be in the room, the answer to which is [`is_in`](Self::is_in).
    #[must_use]
    pub fn join(self) -> Vec<Said> {
        let text = |text: &str| Said::Text(text.to_owned());
        match self {
            Self::Wsrooms => vec![Said::Binary(fields([ROOM, "join", "", "", ""]))],
            Self::Grows => vec![text(r#"{"event":"join","data":"test"}"#)],
            // It is not answered, but what comes behind it is.
            Self::Easy => vec![text("listen: test"), text("echo: in")],
            Self::Iris => vec![text("iris-websocket-message:join;0;test")],
        }
    }

    /// Whether this answer says that the client is in the room.
    #[must_use]
    pub fn is_in(self, message: &[u8]) -> bool {
        match self {
            Self::Wsrooms => message.starts_with(b"\0\0\0\x04test\0\0\0\x08join_ack"),
            Self::Grows => message == br#"{"event":"joined","data":"test"}"#,
            Self::Easy => message == b"echo: in",
            Self::Iris => message == b"iris-websocket-message:joined;0;test",
        }
    }

    /// Says a text, without quotes or backslashes, to the room.
    #[must_use]
    pub fn say(self, text: &str) -> Said {
        let about = format!(r#"{{"room":"{ROOM}","text":"{text}"}}"#);
        match self {
            Self::Wsrooms => Said::Binary(fields([ROOM, "chat", "", "", text])),
            Self::Grows => Said::Text(format!(r#"{{"event":"room","data":{about}}}"#)),
            Self::Easy => Said::Text(format!("publish: {text}")),
            Self::Iris => Said::Text(format!("{IRIS}room;4;{about}")),
        }
    }

    /// The text that somebody said to the room, if that is what the message is about.
    #[must_use]
    pub fn heard(self, message: &[u8]) -> Option<String> {
        ["chat", "news"].iter().find_map(|event| {
            let head = match self {
                Self::Wsrooms => fields([ROOM, event, ""]),
                Self::Grows => format!(r#"{{"event":"{event}","data":""#).into_bytes(),
                Self::Easy => format!("{event}: ").into_bytes(),
                Self::Iris => format!("{IRIS}{event};0;").into_bytes(),
            };
            let rest = message.strip_prefix(&*head)?;
            let text = match self {
                // Behind the sender's id and the length of the payload.
                Self::Wsrooms => rest.get(4 + 36 + 4..)?,
                Self::Grows => rest.strip_suffix(br#""}"#)?,
                Self::Easy | Self::Iris => rest,
            };
            String::from_utf8(text.to_vec()).ok()
        })
    }

    /// Whether a client hears what it says to its room itself.
    #[must_use]
    pub fn hears_itself(self) -> bool {
        self != Self::Wsrooms
    }
}

/// Each with its length before it.
fn fields<const N: usize>(fields: [&str; N]) -> Vec<u8> {
    let with_length = |field: &str| {
        let length = u32::try_from(field.len()).unwrap();
        [&length.to_be_bytes()[..], field.as_bytes()].concat()
    };
    fields.into_iter().flat_map(with_length).collect()
}
