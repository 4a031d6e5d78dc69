//! A certificate authority of a test's own, and the servers that it vouches for.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wscengine_dial::rustls::ServerConfig;
use wscengine_dial::rustls::crypto::ring;
use wscengine_dial::rustls::pki_types::PrivateKeyDer;
use wscengine_dial::{Roots, TlsConfig};

/// A new one for each test. It vouches for `localhost`.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// One that nobody knows yet.
    #[allow(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a client needs that trusts it, and nobody else.
    pub fn trusted(&self) -> TlsConfig {
        TlsConfig::builder().roots(Roots::None).ca_pem(self.0.pem()).build().unwrap()
    }

    /// A certificate and its key, one after the other in PEM.
    pub fn pem(&self) -> String {
        let (certificate, key) = self.issue();
        certificate.pem() + &key.serialize_pem()
    }

    /// Takes TLS off what comes, and hands it on to `to`. The address it listens on, as `localhost` resolves.
    pub async fn terminate(&self, to: SocketAddr) -> SocketAddr {
        let acceptor = self.acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that refuses the certificate is one of the tests.
                    let Ok(mut outside) = acceptor.accept(outside).await else { return };
                    let mut inside = TcpStream::connect(to).await.unwrap();
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        address
    }

    fn acceptor(&self) -> TlsAcceptor {
        let (certificate, key) = self.issue();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    fn issue(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}
