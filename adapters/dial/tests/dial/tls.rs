//! TLS over loopback, with certificates made for the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wscengine::{ConnectErrorKind, Phase};
use wscengine_dial::{
    Dialer, Roots, Stream, TlsConfig, TlsConfigBuilder, TlsConfigErrorKind, rustls,
};

use crate::support::{request, serve_echo};
use crate::tcp::Once;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn issue(authority: &Authority, name: &str) -> Identity {
    issue_with(authority, name, |_| {})
}

pub(crate) fn issue_with(
    authority: &Authority,
    name: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Identity {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Identity { certificate: params.signed_by(&key, authority).unwrap(), key }
}

impl Identity {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }
}

/// A server's configuration; with `clients`, one that demands a client certificate of that authority.
pub(crate) fn server_config(
    identity: &Identity,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(identity.chain(), identity.key()).unwrap()
}

/// Serves one connection: accepts the upgrade, and echoes. A client that is refused is read to its end, so
/// that the alert is not lost to a reset.
pub(crate) async fn serve(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let tcp = listener.accept().await.unwrap().0;
        match TlsAcceptor::from(Arc::new(config)).accept(tcp).into_fallible().await {
            Ok(stream) => serve_echo(stream).await,
            Err((_, mut tcp)) => drain(&mut tcp).await,
        }
    });
    address
}

pub(crate) async fn drain(tcp: &mut TcpStream) {
    let _ = tcp.read_to_end(&mut Vec::new()).await;
}

pub(crate) fn trusting(authority: &Authority) -> TlsConfigBuilder {
    TlsConfig::builder().roots(Roots::None).ca_pem(authority.pem())
}

pub(crate) async fn kind_of(tls: TlsConfig, url: &str) -> ConnectErrorKind {
    Dialer::default().tls(tls).dial(&request(url)).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_server_with_a_certificate_of_a_given_authority_is_dialled() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = authority();
        let address = serve(server_config(&issue(&authority, "localhost"), None, &[version])).await;
        let dialer = Dialer::default().tls(trusting(&authority).build().unwrap());
        let mut dialed =
            dialer.dial(&request(&format!("wss://localhost:{}/", address.port()))).await.unwrap();

        assert!(matches!(dialed.stream, Stream::Tls(_)));
        assert_eq!(dialed.stream.tcp().unwrap().peer_addr().unwrap(), address);
        assert_eq!(dialed.stream.tls().unwrap().protocol_version(), Some(version.version));
        dialed.stream.write_all(b"hello").await.unwrap();
        dialed.stream.flush().await.unwrap();
        let mut echoed = [0; 5];
        dialed.stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"hello");
    }
}

#[tokio::test]
async fn tls_runs_on_what_a_connector_gives() {
    let authority = authority();
    let (client, server) = tokio::io::duplex(4096);
    let config = server_config(&issue(&authority, "chat.example"), None, rustls::DEFAULT_VERSIONS);
    tokio::spawn(async move {
        serve_echo(TlsAcceptor::from(Arc::new(config)).accept(server).await.unwrap()).await;
    });
    let dialer = Dialer::default()
        .tls(trusting(&authority).build().unwrap())
        .connector(Once::new(Some(client)));
    let dialed = dialer.dial(&request("wss://chat.example/")).await.unwrap();
    assert!(matches!(dialed.stream, Stream::TlsBoxed(_)));
    assert!(
        dialed.stream.tcp().is_none()
            && dialed.stream.boxed().is_some()
            && dialed.stream.tls().is_some()
    );
}

#[tokio::test]
async fn http_1_1_is_offered_as_the_only_protocol() {
    let authority = authority();
    let mut config = server_config(&issue(&authority, "127.0.0.1"), None, rustls::DEFAULT_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let address = serve(config).await;
    let dialer = Dialer::default().tls(trusting(&authority).build().unwrap());
    let dialed = dialer.dial(&request(&format!("wss://{address}/"))).await.unwrap();
    assert_eq!(dialed.stream.tls().unwrap().alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_ready_configuration_is_taken_as_it_is() {
    let authority = authority();
    let address =
        serve(server_config(&issue(&authority, "127.0.0.1"), None, rustls::DEFAULT_VERSIONS)).await;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let ready = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let dialer = Dialer::default().tls(Arc::new(ready).into());
    let dialed = dialer.dial(&request(&format!("wss://{address}/"))).await.unwrap();
    assert_eq!(dialed.stream.tls().unwrap().protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[tokio::test]
async fn a_ready_configuration_that_ends_in_http_2_is_a_tls_error() {
    let authority = authority();
    let mut config = server_config(&issue(&authority, "127.0.0.1"), None, rustls::DEFAULT_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = serve(config).await;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let mut ready = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ready.alpn_protocols = vec![b"h2".to_vec()];
    assert_eq!(
        kind_of(Arc::new(ready).into(), &format!("wss://{address}/")).await,
        ConnectErrorKind::Tls
    );
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    for tls in [
        trusting(&authority()).build().unwrap(),
        TlsConfig::builder().roots(Roots::BuiltIn).build().unwrap(),
        TlsConfig::builder().roots(Roots::SystemAndBuiltIn).build().unwrap(),
    ] {
        let address =
            serve(server_config(&issue(&authority(), "localhost"), None, rustls::DEFAULT_VERSIONS))
                .await;
        let url = format!("wss://localhost:{}/", address.port());
        assert_eq!(kind_of(tls, &url).await, ConnectErrorKind::Certificate);
    }
}

#[tokio::test]
async fn the_default_dialer_does_not_trust_an_unknown_authority() {
    let address =
        serve(server_config(&issue(&authority(), "localhost"), None, rustls::DEFAULT_VERSIONS))
            .await;
    let url = format!("wss://localhost:{}/", address.port());
    let error = Dialer::default().dial(&request(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Certificate, "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    for (name, host) in
        [("example.com", "localhost"), ("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.1")]
    {
        let address =
            serve(server_config(&issue(&authority, name), None, rustls::DEFAULT_VERSIONS)).await;
        let url = format!("wss://{host}:{}/", address.port());
        let kind = kind_of(trusting(&authority).build().unwrap(), &url).await;
        assert_eq!(kind, ConnectErrorKind::Certificate, "a certificate for {name} of {host}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_demands_one() {
    let authority = authority();
    let client = issue(&authority, "client");
    for tls in [
        trusting(&authority)
            .client_certificate_pem(client.certificate.pem(), client.key.serialize_pem()),
        trusting(&authority).client_certificate_der(client.chain(), client.key()),
    ] {
        let server = issue(&authority, "127.0.0.1");
        let address =
            serve(server_config(&server, Some(&authority), rustls::DEFAULT_VERSIONS)).await;
        let dialer = Dialer::default().tls(tls.build().unwrap());
        dialer.dial(&request(&format!("wss://{address}/"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_or_wrong_client_certificate_is_a_tls_error() {
    let authority = authority();
    let stranger = issue(&self::authority(), "client");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for tls in [
            trusting(&authority),
            trusting(&authority).client_certificate_der(stranger.chain(), stranger.key()),
        ] {
            let server = issue(&authority, "127.0.0.1");
            let address = serve(server_config(&server, Some(&authority), &[version])).await;
            let kind = kind_of(tls.build().unwrap(), &format!("wss://{address}/")).await;
            assert_eq!(kind, ConnectErrorKind::Tls, "{:?}", version.version);
        }
    }
}

#[tokio::test]
async fn a_plain_server_on_a_wss_url_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut tcp = listener.accept().await.unwrap().0;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        drain(&mut tcp).await;
    });
    let tls = TlsConfig::builder().roots(Roots::BuiltIn).build().unwrap();
    assert_eq!(kind_of(tls, &format!("wss://{address}/")).await, ConnectErrorKind::Tls);
}

#[tokio::test]
async fn a_server_that_does_not_answer_times_out_in_the_tls_phase() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsConfig::builder().roots(Roots::BuiltIn).build().unwrap();
    let dialer = Dialer::default().tls(tls).tls_timeout(Duration::from_millis(50));
    let error = dialer.dial(&request(&format!("wss://{address}/"))).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout(Phase::Tls));
}

#[test]
fn what_is_wrong_in_a_tls_configuration_is_told_apart() {
    let authority = authority();
    let (one, other) = (issue(&authority, "a"), issue(&authority, "b"));
    let (pem, key) = (one.certificate.pem(), one.key.serialize_pem());
    let broken = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let none = || TlsConfig::builder().roots(Roots::None);
    let some = || trusting(&authority);
    for (what, builder, kind) in [
        ("nobody to trust", none(), TlsConfigErrorKind::NoRoots),
        ("an empty CA", some().ca_pem(""), TlsConfigErrorKind::Ca),
        ("a CA that is text", some().ca_pem("hello"), TlsConfigErrorKind::Ca),
        ("a CA that is a key", some().ca_pem(&key), TlsConfigErrorKind::Ca),
        ("a CA that is broken", some().ca_pem(broken), TlsConfigErrorKind::Ca),
        ("a CA that is no certificate", some().ca_der(vec![1, 2, 3]), TlsConfigErrorKind::Ca),
        (
            "an empty chain",
            some().client_certificate_pem("", &key),
            TlsConfigErrorKind::ClientCertificate,
        ),
        (
            "no chain",
            some().client_certificate_der(vec![], one.key()),
            TlsConfigErrorKind::ClientCertificate,
        ),
        ("a pin that is none", some().pin("sha256/AAAA"), TlsConfigErrorKind::Pin),
        ("a name that is none", some().server_name("a b"), TlsConfigErrorKind::ServerName),
        ("an empty protocol", some().alpn([""]), TlsConfigErrorKind::Alpn),
        ("a long protocol", some().alpn(["a".repeat(256)]), TlsConfigErrorKind::Alpn),
        ("HTTP/2", some().alpn(["http/1.1", "h2"]), TlsConfigErrorKind::Alpn),
        ("an empty key", some().client_certificate_pem(&pem, ""), TlsConfigErrorKind::ClientKey),
        (
            "a key that is a certificate",
            some().client_certificate_pem(&pem, &pem),
            TlsConfigErrorKind::ClientKey,
        ),
        (
            "the key of another",
            some().client_certificate_pem(&pem, other.key.serialize_pem()),
            TlsConfigErrorKind::ClientKey,
        ),
    ] {
        let error = builder.build().map(|_| ()).expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
    }
}

#[test]
fn debug_output_shows_no_key() {
    let authority = authority();
    let client = issue(&authority, "client");
    let builder = trusting(&authority)
        .client_certificate_pem(client.certificate.pem(), client.key.serialize_pem());
    let mut shown = format!("{builder:?}");
    shown += &format!("{:?}", Dialer::default().tls(builder.build().unwrap()));
    assert!(!shown.contains("PRIVATE") && shown.len() < 1_000, "{shown}");
}
