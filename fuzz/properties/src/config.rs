//! Configurations: `build` accepts what is right, and refuses the rest with an error that names an option.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use url::Url;
use wscengine::testing::memory::{self, MemoryTransport};
use wscengine::{
    Endpoints, Engine, EngineBuilder, ExponentialBackoff, Handler, HandshakeRequest, Message,
    Session,
};

struct Ignore;

impl Handler for Ignore {
    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

type Builder = EngineBuilder<MemoryTransport, Ignore>;

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Time {
    Zero,
    Nanosecond,
    Milliseconds(u16),
    Year,
    MoreThanAYear,
    Most,
}

impl Time {
    fn get(self) -> Duration {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        match self {
            Self::Zero => Duration::ZERO,
            Self::Nanosecond => Duration::from_nanos(1),
            Self::Milliseconds(count) => Duration::from_millis(count.into()),
            Self::Year => YEAR,
            Self::MoreThanAYear => YEAR + Duration::from_nanos(1),
            Self::Most => Duration::MAX,
        }
    }

    fn is_right(self) -> bool {
        !self.get().is_zero() && !matches!(self, Self::MoreThanAYear | Self::Most)
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Count {
    Zero,
    Small(u8),
    Any(usize),
    Most,
}

impl Count {
    fn get(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::Small(count) => count.into(),
            Self::Any(count) => count,
            Self::Most => usize::MAX,
        }
    }
}

/// An option and its value.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Setting<'a> {
    Url(&'a str),
    Header(&'a str, &'a str),
    Subprotocol(&'a str),
    Workers(Count),
    OrderedBy,
    ReadAhead(Count, Count),
    SendQueue(Count, Count),
    MaxMessageSize(Count),
    MaxFrameSize(Count),
    Timeout(u8, Time),
    PingInterval(Option<Time>),
    PingTimeout(Time),
    Backoff(Time, Time),
    StableAfter(Time),
    MaxAttempts(Option<u32>),
    AutoReconnect(bool),
    RetryFirst(bool),
    Seed(u64),
    Propagate(bool),
}

type Setter = fn(Builder, Duration) -> Builder;

const TIMEOUTS: [(&str, Setter); 14] = [
    ("request_timeout", Builder::request_timeout),
    ("connect_timeout", Builder::connect_timeout),
    ("on_open_timeout", Builder::on_open_timeout),
    ("on_message_timeout", |builder, time| builder.on_message_timeout(Some(time))),
    ("on_read_error_timeout", Builder::on_read_error_timeout),
    ("on_close_timeout", Builder::on_close_timeout),
    ("on_close_error_timeout", Builder::on_close_error_timeout),
    ("on_restart_error_timeout", Builder::on_restart_error_timeout),
    ("drain_timeout", Builder::drain_timeout),
    ("close_timeout", Builder::close_timeout),
    ("stop_timeout", Builder::stop_timeout),
    ("write_timeout", Builder::write_timeout),
    ("idle_timeout", |builder, time| builder.idle_timeout(Some(time))),
    ("max_elapsed", |builder, time| builder.max_elapsed(Some(time))),
];

/// How the value of each header begins.
const SECRET: &str = "s3cr3t-";

/// Options in any order, some of them again and again.
pub fn config(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let mut builder = Engine::builder(memory::transport().0, Ignore);
    let mut plain = Plain::default();
    while let (false, Ok(setting)) = (input.is_empty(), input.arbitrary()) {
        plain.note(&setting);
        builder = apply(builder, setting);
    }
    let wrong = plain.wrong();
    match builder.build() {
        Ok(_) => assert_eq!(wrong, [""; 0]),
        Err(error) => {
            assert!(wrong.contains(&error.option()), "{error} is none of {wrong:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET) || plain.names_secret, "{shown}");
        }
    }
}

fn apply(builder: Builder, setting: Setting<'_>) -> Builder {
    match setting {
        Setting::Url(url) => builder.url(url),
        Setting::Header(name, value) => builder.header(name, format!("{SECRET}{value}")),
        Setting::Subprotocol(name) => builder.subprotocol(name),
        Setting::Workers(count) => builder.workers(count.get()),
        Setting::OrderedBy => builder.ordered_by(|message| message.payload().first().copied()),
        Setting::ReadAhead(messages, bytes) => builder.read_ahead(messages.get(), bytes.get()),
        Setting::SendQueue(messages, bytes) => builder.send_queue(messages.get(), bytes.get()),
        Setting::MaxMessageSize(bytes) => builder.max_message_size(bytes.get()),
        Setting::MaxFrameSize(bytes) => builder.max_frame_size(bytes.get()),
        Setting::Timeout(which, time) => {
            TIMEOUTS[usize::from(which) % TIMEOUTS.len()].1(builder, time.get())
        }
        Setting::PingInterval(time) => builder.ping_interval(time.map(Time::get)),
        Setting::PingTimeout(time) => builder.ping_timeout(time.get()),
        Setting::Backoff(base, cap) => {
            builder.backoff(ExponentialBackoff::new().base(base.get()).cap(cap.get()))
        }
        Setting::StableAfter(time) => builder.stable_after(time.get()),
        Setting::MaxAttempts(attempts) => builder.max_attempts(attempts),
        Setting::AutoReconnect(yes) => builder.auto_reconnect(yes),
        Setting::RetryFirst(yes) => builder.retry_first(yes),
        Setting::Seed(seed) => builder.seed(seed),
        Setting::Propagate(yes) => builder.propagate(yes),
    }
}

/// What is known of a configuration: the last value of each option, and whether it is right.
struct Plain {
    url: Option<String>,
    headers: bool,
    subprotocols: Vec<String>,
    /// Whether each of the others is right.
    options: std::collections::BTreeMap<&'static str, bool>,
    ping_interval: Option<Duration>,
    ping_timeout: Duration,
    /// Whether something that an error may show looks like the value of a header.
    names_secret: bool,
}

impl Default for Plain {
    fn default() -> Self {
        Self {
            url: None,
            headers: true,
            subprotocols: Vec::new(),
            options: std::collections::BTreeMap::new(),
            ping_interval: Some(Duration::from_secs(20)),
            ping_timeout: Duration::from_secs(10),
            names_secret: false,
        }
    }
}

impl Plain {
    fn note(&mut self, setting: &Setting<'_>) {
        let queue = |messages: &Count, bytes: &Count| {
            [messages, bytes].iter().all(|count| (1..=1 << 30).contains(&count.get()))
        };
        if let Setting::Url(text) | Setting::Header(text, _) | Setting::Subprotocol(text) = setting
        {
            self.names_secret |= text.to_ascii_lowercase().contains(SECRET);
        }
        let (option, right) = match setting {
            Setting::Url(url) => return self.note_url(url),
            Setting::Header(name, value) => return self.note_header(name, value),
            Setting::Subprotocol(name) => return self.subprotocols.push((*name).to_owned()),
            Setting::Workers(count) => ("workers", (1..=1024).contains(&count.get())),
            Setting::ReadAhead(messages, bytes) => ("read_ahead", queue(messages, bytes)),
            Setting::SendQueue(messages, bytes) => ("send_queue", queue(messages, bytes)),
            Setting::MaxMessageSize(bytes) => ("max_message_size", bytes.get() > 0),
            Setting::MaxFrameSize(bytes) => ("max_frame_size", bytes.get() > 0),
            Setting::Timeout(which, time) => {
                (TIMEOUTS[usize::from(*which) % TIMEOUTS.len()].0, time.is_right())
            }
            Setting::PingInterval(time) => {
                self.ping_interval = time.map(Time::get);
                ("ping_interval", time.is_none_or(Time::is_right))
            }
            Setting::PingTimeout(time) => {
                self.ping_timeout = time.get();
                ("ping_timeout", time.is_right())
            }
            Setting::StableAfter(time) => ("stable_after", time.is_right() || time.get().is_zero()),
            Setting::MaxAttempts(attempts) => ("max_attempts", *attempts != Some(0)),
            Setting::OrderedBy
            | Setting::Backoff(..)
            | Setting::AutoReconnect(_)
            | Setting::RetryFirst(_)
            | Setting::Seed(_)
            | Setting::Propagate(_) => return,
        };
        self.options.insert(option, right);
    }

    fn note_url(&mut self, url: &str) {
        self.url = Some(url.to_owned());
        let is_right = is_right_url(url);
        assert_eq!(HandshakeRequest::new(url).is_ok(), is_right, "{url}");
        assert_eq!(Endpoints::new([url]).is_ok(), is_right, "{url}");
    }

    fn note_header(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        let reserved = ["connection", "upgrade", "content-length"].contains(&&name[..])
            || ["key", "version", "accept", "protocol", "extensions"]
                .iter()
                .any(|end| name == format!("sec-websocket-{end}"));
        // RFC 9110 section 5.5: visible characters, blanks and what is beyond ASCII.
        let is_value = value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
        let is_right = is_token(&name) && !reserved && is_value;
        self.headers &= is_right;
        // A request factory is told the same.
        let request = HandshakeRequest::new("wss://example.com/").expect("a URL");
        assert_eq!(request.header(&name, value).is_ok(), is_right, "{name}");
    }

    /// The options that are wrong.
    fn wrong(&self) -> Vec<&'static str> {
        let mut wrong: Vec<_> =
            self.options.iter().filter(|(_, right)| !**right).map(|(option, _)| *option).collect();
        if self.ping_interval.is_some_and(|interval| self.ping_timeout > interval) {
            wrong.push("ping_timeout");
        }
        let names = &self.subprotocols;
        let twice = |(at, name): (usize, &String)| names[..at].contains(name);
        if !names.iter().all(|name| is_token(name)) || names.iter().enumerate().any(twice) {
            wrong.push("subprotocol");
        }
        if !self.url.as_deref().is_some_and(is_right_url) {
            wrong.push("url");
        }
        if !self.headers {
            wrong.push("header");
        }
        wrong
    }
}

fn is_token(text: &str) -> bool {
    let is_tchar = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
    !text.is_empty() && text.chars().all(is_tchar)
}

fn is_right_url(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    ["ws", "wss"].contains(&url.scheme())
        && has_host
        && url.fragment().is_none()
        && url.port() != Some(0)
}
