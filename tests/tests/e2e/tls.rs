//! `wss` end to end: `rooms-server` behind TLS, with a certificate made for the test.

use std::sync::Arc;

use e2e::{Reporter, within};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wscengine::{AttemptError, ConnectErrorKind, Engine, StartError};
use wscengine_dial::rustls::ServerConfig;
use wscengine_dial::rustls::crypto::ring;
use wscengine_dial::rustls::pki_types::PrivateKeyDer;
use wscengine_dial::{Dialer, Roots, TlsConfig};
use wscengine_rooms_server::Config;
use wscengine_tungstenite::TungsteniteTransport;

use crate::echo::rooms;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Takes TLS off what comes, and hands it on to `to`. The port it listens on.
async fn terminate_tls(acceptor: TlsAcceptor, to: std::net::SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses the certificate is one of the tests.
                let Ok(mut outside) = acceptor.accept(outside).await else { return };
                let mut inside = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    port
}

fn transport(trusted: &Authority) -> TungsteniteTransport {
    let tls = TlsConfig::builder().roots(Roots::None).ca_pem(trusted.pem()).build().unwrap();
    TungsteniteTransport::new().dialer(Dialer::default().tls(tls))
}

#[tokio::test]
async fn messages_come_back_over_wss_and_after_a_reconnect_too() {
    let authority = authority();
    let server = rooms(Config::default().drop_first_after(2)).await;
    let port = terminate_tls(acceptor(&authority), server.local_addr()).await;
    let (reporter, mut events) = Reporter::new();
    let url = format!("wss://localhost:{port}/echo");
    let prepared = Engine::builder(transport(&authority), reporter)
        .url(url)
        .backoff(wscengine::NoBackoff)
        .build()
        .unwrap();
    let engine = within(prepared.start()).await.unwrap();
    assert!(!events.opened().await);
    engine.send("secret").await.unwrap();
    assert_eq!(events.message().await.text(), Some("secret"));
    let large: Vec<u8> = (0..3_000_000).map(|at| (at % 255) as u8).collect();
    engine.send(large.clone()).await.unwrap();
    assert!(events.message().await.payload() == large);
    events.read_error().await;
    events.closed().await;
    assert!(events.opened().await);
    let mut status = engine.status();
    within(status.wait_for(|status| matches!(status, wscengine::Status::Open { .. })))
        .await
        .unwrap();
    engine.send("again").await.unwrap();
    assert_eq!(events.message().await.text(), Some("again"));
    assert!(!within(engine.stop()).await.is_forced());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_or_for_another_name_fails_the_start() {
    let trusted = authority();
    let server = rooms(Config::default()).await;
    let port = terminate_tls(acceptor(&trusted), server.local_addr()).await;
    for (client, host) in
        [(transport(&authority()), "localhost"), (transport(&trusted), "127.0.0.1")]
    {
        let url = format!("wss://{host}:{port}/echo");
        let prepared = Engine::builder(client, Reporter::new().0).url(url).build().unwrap();
        let error = within(prepared.start()).await.unwrap_err();
        let StartError::Attempt(AttemptError::Connect(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), ConnectErrorKind::Certificate, "{host}");
    }
}
