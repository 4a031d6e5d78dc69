//! Certificates out of date, pinned keys, other names, protocols, logged keys, and proxies over TLS.

use std::error::Error as _;
use std::fmt;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::date_time_ymd;
use ring::digest::{SHA256, digest};
use rustls::{DEFAULT_VERSIONS, KeyLog};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wscengine::{ConnectError, ConnectErrorKind, Phase};
use wscengine_dial::{Dialer, Proxy, TlsConfig, TlsConfigBuilder, rustls};

use crate::support::{read_request, request, serve_echo};
use crate::tls::{
    Authority, Identity, authority, drain, issue, issue_with, kind_of, serve, server_config,
    trusting,
};

/// The pin of a server's key.
fn pin(identity: &Identity) -> String {
    use rcgen::PublicKeyData;

    STANDARD.encode(digest(&SHA256, &identity.key.subject_public_key_info()))
}

async fn served(identity: &Identity) -> String {
    format!("wss://{}/", serve(server_config(identity, None, DEFAULT_VERSIONS)).await)
}

#[tokio::test]
async fn a_certificate_out_of_date_is_refused() {
    let authority = authority();
    for (from, to) in [(2019, 2020), (4000, 4001)] {
        let identity = issue_with(&authority, "127.0.0.1", |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
        });
        for builder in [trusting(&authority), trusting(&authority).pin(pin(&identity))] {
            let url = served(&identity).await;
            let kind = kind_of(builder.build().unwrap(), &url).await;
            assert_eq!(kind, ConnectErrorKind::Certificate, "from {from} to {to}");
        }
    }
}

#[tokio::test]
async fn a_pinned_key_is_taken_and_another_is_refused() {
    let authority = authority();
    let (ours, other) = (issue(&authority, "127.0.0.1"), issue(&authority, "127.0.0.1"));
    for version in DEFAULT_VERSIONS {
        for pins in [vec![pin(&ours)], vec![pin(&other), format!("sha256//{}", pin(&ours))]] {
            let url = format!("wss://{}/", serve(server_config(&ours, None, &[version])).await);
            let tls = pins.into_iter().fold(trusting(&authority), TlsConfigBuilder::pin);
            let dialer = Dialer::default().tls(tls.build().unwrap());
            dialer.dial(&request(&url)).await.unwrap();
        }
        let url = format!("wss://{}/", serve(server_config(&ours, None, &[version])).await);
        let tls = trusting(&authority).pin(pin(&other)).build().unwrap();
        let error = Dialer::default().tls(tls).dial(&request(&url)).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Certificate);
        assert!(error.to_string().contains("pinned"), "{error}");
    }
}

#[tokio::test]
async fn a_pin_of_the_authority_does_not_count_and_a_right_pin_forgives_nothing() {
    let (authority, stranger) = (authority(), authority());
    let ours = issue(&authority, "127.0.0.1");
    let elsewhere = issue(&authority, "chat.example");
    let unknown = issue(&stranger, "127.0.0.1");
    let of_authority = {
        use rcgen::PublicKeyData;

        STANDARD.encode(digest(&SHA256, &authority.key().subject_public_key_info()))
    };
    for (what, identity, pin) in [
        ("the authority's", &ours, of_authority),
        ("another name", &elsewhere, pin(&elsewhere)),
        ("another authority", &unknown, pin(&unknown)),
    ] {
        let url = served(identity).await;
        let kind = kind_of(trusting(&authority).pin(pin).build().unwrap(), &url).await;
        assert_eq!(kind, ConnectErrorKind::Certificate, "{what}");
    }
}

#[tokio::test]
async fn another_name_is_asked_for_and_has_to_be_proven() {
    let authority = authority();
    let config = server_config(&issue(&authority, "chat.example"), None, DEFAULT_VERSIONS);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let tcp = listener.accept().await.unwrap().0;
        let stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.unwrap();
        let name = stream.get_ref().1.server_name().map(str::to_owned);
        tokio::spawn(serve_echo(stream));
        name
    });
    let tls = trusting(&authority).server_name("chat.example").build().unwrap();
    Dialer::default().tls(tls).dial(&request(&format!("wss://{address}/"))).await.unwrap();
    assert_eq!(serving.await.unwrap().as_deref(), Some("chat.example"));

    let url = served(&issue(&authority, "127.0.0.1")).await;
    let tls = trusting(&authority).server_name("chat.example").build().unwrap();
    assert_eq!(kind_of(tls, &url).await, ConnectErrorKind::Certificate, "the host's own name");
}

#[tokio::test]
async fn protocols_are_offered_as_configured() {
    let authority = authority();
    for (offered, spoken, chosen) in [
        (vec!["chat/1", "http/1.1"], vec!["chat/1", "http/1.1"], Some("chat/1")),
        (vec!["http/1.1"], vec![], None),
        (vec![], vec!["http/1.1"], None),
    ] {
        let mut config = server_config(&issue(&authority, "127.0.0.1"), None, DEFAULT_VERSIONS);
        config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
        let url = format!("wss://{}/", serve(config).await);
        let tls = trusting(&authority).alpn(offered).build().unwrap();
        let dialed = Dialer::default().tls(tls).dial(&request(&url)).await.unwrap();
        let found = dialed.stream.tls().unwrap().alpn_protocol();
        assert_eq!(found, chosen.map(str::as_bytes));
    }
}

/// Keeps the labels of what is logged.
#[derive(Default)]
struct Labels(Mutex<Vec<String>>);

impl KeyLog for Labels {
    fn log(&self, label: &str, _: &[u8], _: &[u8]) {
        self.0.lock().unwrap().push(label.to_owned());
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Labels")
    }
}

#[tokio::test]
async fn secrets_are_given_to_a_key_log_by_option() {
    let authority = authority();
    let url = served(&issue(&authority, "127.0.0.1")).await;
    let labels = Arc::<Labels>::default();
    let log: Arc<dyn KeyLog> = labels.clone();
    let tls = trusting(&authority).key_log(log).build().unwrap();
    Dialer::default().tls(tls).dial(&request(&url)).await.unwrap();
    let seen = labels.0.lock().unwrap().join(" ");
    assert!(seen.contains("CLIENT_TRAFFIC_SECRET_0"), "{seen}");
}

/// By itself it shows that the option does no harm without the variable; the test below runs it with it.
#[tokio::test]
async fn a_dial_that_may_write_its_secrets_to_a_file() {
    let authority = authority();
    let url = served(&issue(&authority, "127.0.0.1")).await;
    let tls = trusting(&authority).key_log_file().build().unwrap();
    Dialer::default().tls(tls).dial(&request(&url)).await.unwrap();
}

#[tokio::test]
async fn a_dial_that_may_not_write_its_secrets_to_a_file() {
    let authority = authority();
    let url = served(&issue(&authority, "127.0.0.1")).await;
    let tls = trusting(&authority).build().unwrap();
    Dialer::default().tls(tls).dial(&request(&url)).await.unwrap();
}

#[test]
fn secrets_go_to_the_file_of_sslkeylogfile_by_option_only() {
    for (test, is_written) in [
        ("a_dial_that_may_write_its_secrets_to_a_file", true),
        ("a_dial_that_may_not_write_its_secrets_to_a_file", false),
    ] {
        let file = std::env::temp_dir().join(format!("wscengine-{}-{test}", std::process::id()));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("tls_options::{test}")])
            .env("SSLKEYLOGFILE", &file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(&file);
        assert_eq!(text.contains("CLIENT_TRAFFIC_SECRET_0"), is_written, "{test}: {text}");
    }
}

/// A proxy over TLS that connects to `host`, whatever it is asked for.
async fn secure_proxy(identity: &Identity, host: SocketAddr) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(identity, None, DEFAULT_VERSIONS)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let tcp = listener.accept().await.unwrap().0;
        let Ok(mut client) = acceptor.accept(tcp).await else { return };
        read_request(&mut client).await;
        let mut server = TcpStream::connect(host).await.unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    address
}

#[tokio::test]
async fn tls_to_the_server_runs_through_tls_to_the_proxy_each_with_its_own_trust() {
    let (of_proxy, of_server) = (authority(), authority());
    let server = issue(&of_server, "chat.example");
    let server = serve(server_config(&server, None, DEFAULT_VERSIONS)).await;
    let through = secure_proxy(&issue(&of_proxy, "127.0.0.1"), server).await;
    let proxy: Proxy = format!("https://{through}").parse().unwrap();
    let dialer = Dialer::default()
        .tls(trusting(&of_server).build().unwrap())
        .proxy(proxy.tls(trusting(&of_proxy).build().unwrap()));
    let mut dialed = dialer.dial(&request("wss://chat.example/")).await.unwrap();
    dialed.stream.write_all(b"hello").await.unwrap();
    dialed.stream.flush().await.unwrap();
    let mut echoed = [0; 5];
    dialed.stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
}

/// What a dial through an `https` proxy fails with, and the failure beneath: that of the TLS with the proxy.
async fn fails_at(proxy: SocketAddr, trusted: &Authority) -> (ConnectErrorKind, ConnectErrorKind) {
    let tls: TlsConfig = trusting(trusted).build().unwrap();
    let proxy: Proxy = format!("https://{proxy}").parse().unwrap();
    let dialer = Dialer::default().tls(tls.clone()).proxy(proxy.tls(tls));
    let error = dialer.dial(&request("wss://chat.example/")).await.unwrap_err();
    let beneath = error.source().and_then(|source| source.downcast_ref::<ConnectError>());
    (error.kind(), beneath.unwrap_or_else(|| panic!("{error:?}")).kind())
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_a_proxy_error() {
    let (trusted, other) = (authority(), authority());
    let expired = issue_with(&trusted, "127.0.0.1", |params| {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    for (what, identity) in [
        ("an unknown authority", issue(&other, "127.0.0.1")),
        ("another name", issue(&trusted, "proxy.example")),
        ("out of date", expired),
    ] {
        let proxy = secure_proxy(&identity, ([127, 0, 0, 1], 9).into()).await;
        let kinds = fails_at(proxy, &trusted).await;
        assert_eq!(kinds, (ConnectErrorKind::Proxy, ConnectErrorKind::Certificate), "{what}");
    }
}

#[tokio::test]
async fn a_proxy_that_speaks_no_tls_though_its_url_says_so_is_a_proxy_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut tcp = listener.accept().await.unwrap().0;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        drain(&mut tcp).await;
    });
    let kinds = fails_at(address, &authority()).await;
    assert_eq!(kinds, (ConnectErrorKind::Proxy, ConnectErrorKind::Tls));
}

#[tokio::test]
async fn a_proxy_that_is_silent_instead_of_tls_times_out_in_the_proxys_phase() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy: Proxy = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let tls = trusting(&authority()).build().unwrap();
    let dialer = Dialer::default().proxy(proxy.tls(tls)).proxy_timeout(Duration::from_millis(50));
    let error = dialer.dial(&request("ws://chat.example/")).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Proxy));
}
