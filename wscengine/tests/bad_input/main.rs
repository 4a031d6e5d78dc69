//! Wrong configurations: each is an error that names the option, found before anything is dialled; no right one is
//! refused, and nothing panics. Wrong servers are in package `e2e`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is how a test fails")]

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use url::Url;
use wscengine::testing::memory::{self, MemoryTransport};
use wscengine::{ConfigError, Engine, EngineBuilder, Handler, Message, Outbox, Session};

struct Ignore;

impl Handler for Ignore {
    async fn on_message(&self, _: &Session, _: Message<'_>) {}
}

type Builder = EngineBuilder<MemoryTransport, Ignore>;

/// An option as a test sets it.
#[derive(Clone, Debug)]
enum Setting {
    Url(String),
    Header(String, String),
    Subprotocol(String),
    Workers(usize),
    Queue(&'static str, usize, usize),
    Size(&'static str, usize),
    Time(&'static str, Duration),
    MaxAttempts(u32),
}

impl Setting {
    /// The option that it sets.
    fn option(&self) -> &'static str {
        match self {
            Self::Url(_) => "url",
            Self::Header(..) => "header",
            Self::Subprotocol(_) => "subprotocol",
            Self::Workers(_) => "workers",
            Self::Queue(option, ..) | Self::Size(option, _) | Self::Time(option, _) => option,
            Self::MaxAttempts(_) => "max_attempts",
        }
    }

    fn apply(self, builder: Builder) -> Builder {
        match self {
            Self::Url(url) => builder.url(url),
            Self::Header(name, value) => builder.header(name, value),
            Self::Subprotocol(name) => builder.subprotocol(name),
            Self::Workers(workers) => builder.workers(workers),
            Self::Queue("read_ahead", messages, bytes) => builder.read_ahead(messages, bytes),
            Self::Queue("outbox", messages, bytes) => {
                builder.outbox(Outbox::new().capacity(messages, bytes))
            }
            Self::Queue(_, messages, bytes) => builder.send_queue(messages, bytes),
            Self::Size("max_frame_size", bytes) => builder.max_frame_size(bytes),
            Self::Size(_, bytes) => builder.max_message_size(bytes),
            Self::Time(option, time) => set_time(builder, option, time),
            Self::MaxAttempts(attempts) => builder.max_attempts(Some(attempts)),
        }
    }
}

const TIMES: [&str; 14] = [
    "connect_timeout",
    "on_open_timeout",
    "on_message_timeout",
    "on_read_error_timeout",
    "on_close_timeout",
    "on_close_error_timeout",
    "on_restart_error_timeout",
    "drain_timeout",
    "close_timeout",
    "stop_timeout",
    "write_timeout",
    "idle_timeout",
    "max_elapsed",
    "ping_timeout",
];

fn set_time(builder: Builder, option: &str, time: Duration) -> Builder {
    match option {
        "connect_timeout" => builder.connect_timeout(time),
        "on_open_timeout" => builder.on_open_timeout(time),
        "on_message_timeout" => builder.on_message_timeout(Some(time)),
        "on_read_error_timeout" => builder.on_read_error_timeout(time),
        "on_close_timeout" => builder.on_close_timeout(time),
        "on_close_error_timeout" => builder.on_close_error_timeout(time),
        "on_restart_error_timeout" => builder.on_restart_error_timeout(time),
        "drain_timeout" => builder.drain_timeout(time),
        "close_timeout" => builder.close_timeout(time),
        "stop_timeout" => builder.stop_timeout(time),
        "write_timeout" => builder.write_timeout(time),
        "idle_timeout" => builder.idle_timeout(Some(time)),
        "max_elapsed" => builder.max_elapsed(Some(time)),
        "ping_timeout" => builder.ping_timeout(time),
        other => panic!("no option {other}"),
    }
}

fn build(settings: &[Setting]) -> Result<(), ConfigError> {
    let builder = Engine::builder(memory::transport().0, Ignore).url("ws://127.0.0.1:9/");
    settings
        .iter()
        .cloned()
        .fold(builder, |builder, setting| setting.apply(builder))
        .build()
        .map(drop)
}

fn right() -> impl Strategy<Value = Setting> {
    prop_oneof![
        right_url().prop_map(Setting::Url),
        ("x-[a-z0-9-]{1,20}", "[ -~]{0,30}").prop_map(|(name, value)| Setting::Header(name, value)),
        "[a-zA-Z0-9.!#$%&'*+^_`|~-]{1,20}".prop_map(Setting::Subprotocol),
        (1..=1024usize).prop_map(Setting::Workers),
        (select(&["read_ahead", "send_queue", "outbox"][..]), 1..=1usize << 30, 1..=1usize << 30)
            .prop_map(|(option, messages, bytes)| Setting::Queue(option, messages, bytes)),
        (select(&["max_message_size", "max_frame_size"][..]), 1..=usize::MAX)
            .prop_map(|(option, bytes)| Setting::Size(option, bytes)),
        // The ping time-out must fit into the default interval.
        (select(&TIMES[..]), 1..=20_000_000_000u64)
            .prop_map(|(option, nanos)| Setting::Time(option, Duration::from_nanos(nanos))),
        (1..=u32::MAX).prop_map(Setting::MaxAttempts),
    ]
}

fn right_url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-z][a-z0-9]{0,20}(\\.[a-z]{2,5})?",
        Just("[::1]".to_owned()),
        Just("127.0.0.1".to_owned())
    ];
    let rest =
        "(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9%20_.~-]{0,10}){0,3}(\\?[a-z]{1,5}=[ -\"$-~]{0,10})?";
    (select(&["ws", "wss", "WS", "Wss"][..]), "([a-z]{1,5}(:[a-z]{0,5})?@)?", host, rest)
        .prop_map(|(scheme, user, host, rest)| format!("{scheme}://{user}{host}{rest}"))
}

fn wrong() -> impl Strategy<Value = Setting> {
    prop_oneof![
        wrong_url().prop_map(Setting::Url),
        ("[ ():,;<=>?@\\[\\]{}\u{e9}]{1,5}|", "[a-z]{0,5}")
            .prop_map(|(name, value)| Setting::Header(name, value)),
        ("x-[a-z]{1,5}", "[a-z]{0,3}[\r\n\0\u{7f}][a-z]{0,3}")
            .prop_map(|(name, value)| Setting::Header(name, value)),
        select(
            &[
                "Upgrade",
                "connection",
                "Sec-WebSocket-Key",
                "sec-websocket-VERSION",
                "Sec-WebSocket-Protocol"
            ][..]
        )
        .prop_map(|name| Setting::Header(name.to_owned(), "x".to_owned())),
        "[a-z]{0,3}[ ,;\"\u{e9}/][a-z]{0,3}|".prop_map(Setting::Subprotocol),
        prop_oneof![Just(0), 1025..=usize::MAX].prop_map(Setting::Workers),
        (
            select(&["read_ahead", "send_queue", "outbox"][..]),
            select(&[(0, 1), (1, 0), (usize::MAX, 1), (1, (1 << 30) + 1)][..])
        )
            .prop_map(|(option, (messages, bytes))| Setting::Queue(option, messages, bytes)),
        select(&["max_message_size", "max_frame_size"][..])
            .prop_map(|option| Setting::Size(option, 0)),
        (
            select(&TIMES[..]),
            select(vec![Duration::ZERO, Duration::MAX, Duration::from_secs(365 * 86_400 + 1)])
        )
            .prop_map(|(option, time)| Setting::Time(option, time)),
        (21..1_000u64)
            .prop_map(|seconds| Setting::Time("ping_timeout", Duration::from_secs(seconds))),
        Just(Setting::MaxAttempts(0)),
    ]
}

fn wrong_url() -> impl Strategy<Value = String> {
    prop_oneof![
        right_url().prop_map(|url| format!("{url}#fragment")),
        right_url().prop_map(|url| format!("http{url}")),
        right_url().prop_map(|url| format!("x-{url}")),
        select(
            &[
                "",
                "ws",
                "ws:",
                "ws://",
                "wss:///",
                "ws://:80/",
                "ws://host:65536/",
                "ws://[::1/",
                "ws://a b/",
                "//host/",
                "ws://host:0/",
                "http://host/",
                "https://host/",
                "file:///etc/hosts",
                "data:,ws",
                "mailto:a@b",
                "host:80",
                "ws://\u{0}/",
                "ws://%zz/",
                "ws://exa%mple/",
                "ws://256.1.1.1/"
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

/// Adding the same subprotocol twice is wrong by itself.
fn without_repeats(settings: Vec<Setting>) -> Vec<Setting> {
    let mut offered = Vec::new();
    let is_new = |setting: &Setting| match setting {
        Setting::Subprotocol(name) => {
            !offered.contains(name) && {
                offered.push(name.clone());
                true
            }
        }
        _ => true,
    };
    settings.into_iter().filter(is_new).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn every_right_configuration_builds(settings in prop::collection::vec(right(), 0..20)) {
        let settings = without_repeats(settings);
        prop_assert_eq!(build(&settings), Ok(()), "{:?}", settings);
    }

    #[test]
    fn every_wrong_value_is_an_error_that_names_its_option(
        settings in prop::collection::vec(right(), 0..10),
        wrong in wrong(),
    ) {
        // Nothing after it may set it right again.
        let mut settings: Vec<_> =
            without_repeats(settings).into_iter().filter(|setting| setting.option() != wrong.option()).collect();
        settings.push(wrong.clone());
        let error = build(&settings).expect_err("it is wrong");
        prop_assert_eq!(error.option(), wrong.option());
        prop_assert!(error.to_string().contains(wrong.option()));
    }

    #[test]
    fn any_text_is_a_url_or_an_error_that_names_the_url(
        url in prop_oneof![any::<String>(), "wss?:/{0,3}\\PC{0,30}", "wss?://[a-z@:#?/%\\[\\]0-9.]{0,20}"],
    ) {
        match build(&[Setting::Url(url.clone())]) {
            Ok(()) => {
                let url: Url = url.parse().expect("what is not a URL must not build");
                prop_assert!(matches!(url.scheme(), "ws" | "wss") && url.host().is_some() && url.fragment().is_none());
            }
            Err(error) => prop_assert_eq!(error.option(), "url"),
        }
    }

    #[test]
    fn any_header_and_subprotocol_builds_or_is_an_error_that_names_it(
        name in any::<String>(),
        value in any::<String>(),
    ) {
        for setting in [Setting::Header(name.clone(), value.clone()), Setting::Subprotocol(value)] {
            if let Err(error) = build(std::slice::from_ref(&setting)) {
                prop_assert_eq!(error.option(), setting.option());
            }
        }
    }
}

#[test]
fn a_configuration_without_a_url_is_an_error_that_names_it() {
    let error = Engine::builder(memory::transport().0, Ignore).build().unwrap_err();
    assert_eq!(error.option(), "url");
}

#[test]
fn an_error_shows_neither_credentials_nor_header_values() {
    for settings in [
        [Setting::Url("http://user:secret@host/?token=secret".to_owned())],
        [Setting::Url("ws://user:secret@host:99999/?token=secret".to_owned())],
        [Setting::Header("authorization".to_owned(), "secret\n".to_owned())],
    ] {
        let error = build(&settings).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn a_subprotocol_offered_twice_and_a_ping_timeout_beyond_its_interval_are_errors() {
    let twice = [Setting::Subprotocol("chat".to_owned()), Setting::Subprotocol("chat".to_owned())];
    assert_eq!(build(&twice).unwrap_err().option(), "subprotocol");
    let builder = Engine::builder(memory::transport().0, Ignore).url("ws://h/");
    let builder = builder
        .ping_interval(Some(Duration::from_secs(1)))
        .ping_timeout(Duration::from_millis(1_001));
    assert_eq!(builder.build().unwrap_err().option(), "ping_timeout");
}

#[test]
fn more_headers_than_any_server_takes_are_an_error() {
    for (count, fits) in [(1_024, true), (1_025, false)] {
        let (transport, _server) = memory::transport();
        let mut builder = Engine::builder(transport, Ignore).url("ws://server.test/");
        for number in 0..count {
            builder = builder.header("x-many", number.to_string());
        }
        assert_eq!(builder.build().map(drop).map_err(|error| error.option()).err().is_none(), fits);
    }
}
