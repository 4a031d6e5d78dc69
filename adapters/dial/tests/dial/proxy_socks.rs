//! Tunnels through SOCKS5 proxies: honest ones, ones that refuse, and ones that lie.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::runtime::Builder;
use tokio::time::Instant;
use wscengine::{ConnectError, ConnectErrorKind, Phase};
use wscengine_dial::{Dialer, Proxy, StaticResolver, Target, TcpConnector};

use crate::support::{accepted, read_request, request};
use crate::tcp::Once;

const LIMIT: Duration = Duration::from_secs(10);

/// What a success may look like: bound to an address of each kind.
const REPLIES: [&[u8]; 3] = [
    b"\x05\0\0\x01\x7f\0\0\x01\x12\x34",
    b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0",
    b"\x05\0\0\x03\x05proxy\0\0",
];

fn proxy(url: &str) -> Proxy {
    url.parse().unwrap()
}

/// Asks a proxy that says all its `words` at once, and then nothing, for `target`; gives what it was told.
async fn tunnelled(
    proxy: &Proxy,
    target: &Target,
    words: &[u8],
    closes: bool,
) -> (Result<(), ConnectError>, Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = duplex(1 << 16);
    server.write_all(words).await.unwrap();
    if closes {
        server.shutdown().await.unwrap();
    }
    let outcome = proxy.tunnel(&mut client, target, LIMIT).await;
    client.shutdown().await.unwrap();
    let (mut told, mut rest) = (Vec::new(), Vec::new());
    server.read_to_end(&mut told).await.unwrap();
    drop(server);
    client.read_to_end(&mut rest).await.unwrap();
    (outcome, told, rest)
}

async fn kind_of(url: &str, words: &[u8], closes: bool) -> ConnectErrorKind {
    let target = Target::new("chat.example", 443);
    tunnelled(&proxy(url), &target, words, closes).await.0.unwrap_err().kind()
}

#[tokio::test]
async fn names_are_left_to_the_proxy_and_addresses_go_as_addresses() {
    for (host, asked) in [
        ("h.example", &b"\x05\x01\0\x03\x09h.example\x01\xbb"[..]),
        ("192.0.2.1", b"\x05\x01\0\x01\xc0\0\x02\x01\x01\xbb"),
        ("2001:db8::1", b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb"),
    ] {
        for reply in REPLIES {
            let words = [b"\x05\0", reply].concat();
            let target = Target::new(host, 443);
            let (outcome, told, rest) =
                tunnelled(&proxy("socks5://p"), &target, &words, false).await;
            outcome.unwrap();
            assert_eq!(told, [b"\x05\x01\0", asked].concat());
            assert_eq!(rest, b"");
        }
    }
}

#[tokio::test]
async fn user_name_and_password_are_shown_if_the_proxy_asks_for_them() {
    let proxy = proxy("socks5://user:secret@p");
    assert!(!format!("{proxy:?}").contains("secret"));
    let target = Target::new("h", 1);
    let request = b"\x05\x01\0\x03\x01h\0\x01";
    let words = [b"\x05\x02\x01\0", REPLIES[0]].concat();
    let (outcome, told, _) = tunnelled(&proxy, &target, &words, false).await;
    outcome.unwrap();
    assert_eq!(told, [&b"\x05\x02\0\x02\x01\x04user\x06secret"[..], request].concat());
    let words = [b"\x05\0", REPLIES[0]].concat();
    let (outcome, told, _) = tunnelled(&proxy, &target, &words, false).await;
    outcome.unwrap();
    assert_eq!(told, [&b"\x05\x02\0\x02"[..], request].concat());
}

#[tokio::test]
async fn what_follows_the_reply_is_the_hosts() {
    let words = [b"\x05\0", REPLIES[2], b"\x81\x02hi"].concat();
    let target = Target::new("h", 1);
    let (outcome, _, rest) = tunnelled(&proxy("socks5://p"), &target, &words, false).await;
    outcome.unwrap();
    assert_eq!(rest, b"\x81\x02hi");
}

#[tokio::test]
async fn refused_credentials_are_told_from_other_failures() {
    for (what, url, words) in [
        ("no method", "socks5://p", &b"\x05\xff"[..]),
        ("no method with a password", "socks5://u:p@p", b"\x05\xff"),
        ("a wrong password", "socks5://u:p@p", b"\x05\x02\x01\x01"),
    ] {
        assert_eq!(kind_of(url, words, false).await, ConnectErrorKind::ProxyAuth, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_says_why() {
    for (reply, reason) in [(2, "rules"), (4, "host unreachable"), (5, "refused"), (99, "unknown")]
    {
        let words = [b"\x05\0\x05", &[reply, 0, 1, 0, 0, 0, 0, 0, 0][..]].concat();
        let target = Target::new("h", 1);
        let error = tunnelled(&proxy("socks5://p"), &target, &words, false).await.0.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Proxy);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_lies_is_a_proxy_error() {
    for (what, url, words, closes) in [
        ("SOCKS4", "socks5://p", &b"\x04\x5a\0\0\0\0\0\0"[..], false),
        ("HTTP", "socks5://p", b"HTTP/1.1 400 Bad Request\r\n\r\n", false),
        ("a method not offered", "socks5://p", b"\x05\x02", false),
        ("GSSAPI", "socks5://u:p@p", b"\x05\x01", false),
        ("another version of RFC 1929", "socks5://u:p@p", b"\x05\x02\x05\0", false),
        ("another version in the reply", "socks5://p", b"\x05\0\x04\0\0\x01", false),
        ("an address of no kind", "socks5://p", b"\x05\0\x05\0\0\x02\0\0\0\0\0\0", false),
        ("nothing", "socks5://p", b"", true),
        ("half a choice", "socks5://p", b"\x05", true),
        ("no reply", "socks5://p", b"\x05\0", true),
        ("a short reply", "socks5://p", b"\x05\0\x05\0\0\x01\x7f\0", true),
        ("a name cut short", "socks5://p", b"\x05\0\x05\0\0\x03\xffproxy", true),
    ] {
        assert_eq!(kind_of(url, words, closes).await, ConnectErrorKind::Proxy, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_never_answers_times_out_in_its_own_phase() {
    for words in [&b""[..], b"\x05", b"\x05\0", b"\x05\0\x05\0\0\x03"] {
        let begun = Instant::now();
        let kind = kind_of("socks5://p", words, false).await;
        assert_eq!(kind, ConnectErrorKind::Timeout(Phase::Proxy), "{words:?}");
        assert_eq!(begun.elapsed(), LIMIT);
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_is_found_before_anything_is_written() {
    for length in [0, 256, 70_000] {
        let target = Target::new("a".repeat(length), 1);
        let (outcome, told, _) = tunnelled(&proxy("socks5://p"), &target, b"", true).await;
        assert_eq!(outcome.unwrap_err().kind(), ConnectErrorKind::InvalidRequest);
        assert_eq!(told, b"");
    }
}

#[tokio::test]
async fn names_are_resolved_here_if_that_is_wanted() {
    let (client, mut server) = duplex(1 << 10);
    let resolver = StaticResolver::new().host("h.example", ["192.0.2.9:0".parse().unwrap()]);
    let dialer = Dialer::default()
        .tcp(TcpConnector::default().resolver(resolver))
        .connector(Once::new(Some(client)))
        .proxy(proxy("socks5://p").resolve_locally(true));
    let serving = async {
        server.write_all(&[b"\x05\0", REPLIES[0]].concat()).await.unwrap();
        let mut told = [0; 13];
        server.read_exact(&mut told).await.unwrap();
        let seen = read_request(&mut server).await;
        server.write_all(&accepted(&seen, "")).await.unwrap();
        (told, seen)
    };
    let request = request("ws://h.example/");
    let (dialed, (told, seen)) = tokio::join!(dialer.dial(&request), serving);
    dialed.unwrap();
    assert_eq!(told[3..], *b"\x05\x01\0\x01\xc0\0\x02\x09\0\x50");
    assert!(seen.contains("\r\nHost: h.example\r\n"), "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_of_a_proxy_come_to_a_typed_result(
        start in prop::sample::select(vec![&b""[..], b"\x05\0", b"\x05\x02\x01\0", b"\x05\0\x05\0\0", b"HTTP/1.1 200 x\r\n"]),
        rest in vec(any::<u8>(), 0..300),
        url in prop::sample::select(vec!["socks5://p", "socks5://u:p@p", "http://p"]),
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let words = [start, &rest].concat();
        let target = Target::new("h", 1);
        let (outcome, ..) = runtime.block_on(tunnelled(&proxy(url), &target, &words, true));
        if let Err(error) = outcome {
            prop_assert!(
                matches!(error.kind(), ConnectErrorKind::Proxy | ConnectErrorKind::ProxyAuth),
                "{error}"
            );
        }
    }
}
