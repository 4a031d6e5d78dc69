//! Whom to trust, and which certificate to show.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, KeyLog, KeyLogFile, RootCertStore};

use super::ALPN;
use super::error::{TlsConfigError, TlsConfigErrorKind as Kind};
use super::given::{Certificates, Identity, trust};
use super::pin::{self, Pin, PinVerifier};

/// How to speak TLS with a server: TLS 1.2 and 1.3, by rustls with the crypto provider `ring`.
///
/// There is no switch that turns the check of the server's certificate off: add the certificate that signed it
/// with [`ca_pem`](TlsConfigBuilder::ca_pem), or say by which name the server is known with
/// [`server_name`](TlsConfigBuilder::server_name).
///
/// Cheap to clone; clones share the cache of TLS sessions.
///
/// # Examples
/// ```
/// use wscengine_dial::{Dialer, TlsConfig};
///
/// # fn example(ca: &[u8]) -> Result<Dialer, wscengine_dial::TlsConfigError> {
/// let tls = TlsConfig::builder().ca_pem(ca).build()?;
/// # Ok(
/// Dialer::default().tls(tls)
/// # )
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConfig {
    client: Arc<ClientConfig>,
    /// Instead of the host's name.
    server_name: Option<ServerName<'static>>,
}

/// The public certificate authorities to trust, besides those given by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the system, or, if it has none (a container from scratch), the built-in ones. The default: a
    /// company's own authorities work, and so does a bare image.
    #[default]
    SystemElseBuiltIn,
    /// Those of the system only.
    System,
    /// Those built in only, the list of Mozilla: the same on every machine.
    BuiltIn,
    /// Those of the system and those built in.
    SystemAndBuiltIn,
    /// None: only the certificates given by hand are trusted.
    None,
}

impl TlsConfig {
    /// Starts from the default: [`Roots::SystemElseBuiltIn`], no client certificate.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    pub(crate) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }
}

/// Takes a ready configuration of rustls as it is, with its crypto provider and its ALPN protocols.
///
/// If the server chooses `h2` or `h3` of the ALPN protocols that it offers, the dial fails.
impl From<Arc<ClientConfig>> for TlsConfig {
    fn from(client: Arc<ClientConfig>) -> Self {
        Self { client, server_name: None }
    }
}

/// Shows nothing: it may hold a private key.
impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// Builds a [`TlsConfig`]; everything given is checked in [`build`](Self::build).
pub struct TlsConfigBuilder {
    roots: Roots,
    authorities: Vec<Certificates>,
    identity: Option<Identity>,
    pins: Vec<String>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    key_log: Option<Arc<dyn KeyLog>>,
}

impl Default for TlsConfigBuilder {
    fn default() -> Self {
        Self {
            roots: Roots::default(),
            authorities: Vec::new(),
            identity: None,
            pins: Vec::new(),
            server_name: None,
            alpn: vec![ALPN.to_vec()],
            key_log: None,
        }
    }
}

impl TlsConfigBuilder {
    /// Which public authorities to trust; [`Roots::SystemElseBuiltIn`] by default.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Trusts the certificates in this PEM text too, one or more. May be called repeatedly. With
    /// [`Roots::None`] they are the only ones.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities.push(Certificates::Pem(pem.as_ref().to_vec()));
        self
    }

    /// Trusts this DER certificate too. May be called repeatedly.
    #[must_use]
    pub fn ca_der(mut self, der: impl Into<CertificateDer<'static>>) -> Self {
        self.authorities.push(Certificates::Der(vec![der.into()]));
        self
    }

    /// Shows this certificate if the server asks for one: the chain with the client's own certificate first,
    /// and its private key (PKCS #8, PKCS #1 or SEC 1), both PEM. None by default.
    #[must_use]
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        let (chain, key) = (chain.as_ref().to_vec(), key.as_ref().to_vec());
        self.identity = Some(Identity::Pem { chain, key });
        self
    }

    /// Shows this certificate if the server asks for one: the chain with the client's own certificate first,
    /// and its private key, both DER. None by default.
    #[must_use]
    pub fn client_certificate_der(
        mut self,
        chain: Vec<CertificateDer<'static>>,
        key: impl Into<PrivateKeyDer<'static>>,
    ) -> Self {
        self.identity = Some(Identity::Der { chain, key: key.into() });
        self
    }

    /// Accepts only a server whose key has this pin: the SHA-256 of its certificate's `SubjectPublicKeyInfo` in base64,
    /// by itself or behind `sha256/` or `sha256//`. May be called repeatedly: one of the pins has to fit. None by default.
    ///
    /// The pin comes on top of the usual check, of which it forgives nothing. It is compared with the server's own
    /// certificate, not with those of authorities. Give that of the next key too, or the change of keys locks all out.
    #[must_use]
    pub fn pin(mut self, pin: impl Into<String>) -> Self {
        self.pins.push(pin.into());
        self
    }

    /// The name to ask for (SNI, RFC 6066 section 3) and to be proven by the certificate, instead of the URL's host: for
    /// a server that is dialled by its address, or through another name. It holds for every URL dialled with this, also
    /// for one that was redirected to. For an IP address nothing is asked for.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The protocols to offer (ALPN, RFC 7301), most wanted first; `http/1.1` by default. None at all for a server that
    /// cannot bear it. Whichever is chosen, the handshake is that of HTTP/1.1: `h2` and `h3` cannot be offered.
    #[must_use]
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Writes the secrets of each connection to the file that the environment variable `SSLKEYLOGFILE` names, if it is
    /// set when this is called: who has it can read all that is sent, as Wireshark does. Off by
    /// default.
    #[must_use]
    pub fn key_log_file(mut self) -> Self {
        self.key_log = Some(Arc::new(KeyLogFile::new()));
        self
    }

    /// Gives the secrets of each connection to `log`: who has them can read all that is sent. Off by default.
    #[must_use]
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }

    /// Checks everything, and reads the roots of the system, which are files: some milliseconds.
    ///
    /// # Errors
    /// [`TlsConfigError`], whose kind says what of the given is wrong.
    pub fn build(self) -> Result<TlsConfig, TlsConfigError> {
        let mut trusted =
            public_roots(self.roots, || rustls_native_certs::load_native_certs().certs);
        for given in self.authorities {
            trust(&mut trusted, given)?;
        }
        if trusted.is_empty() {
            return Err(TlsConfigError::new(Kind::NoRoots));
        }
        // The provider is named here, so that nothing has to be installed for the whole process.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::with_source(Kind::Other, error))?;
        let builder = match pins(&self.pins)? {
            none if none.is_empty() => builder.with_root_certificates(trusted),
            pins => {
                let usual =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(trusted), provider)
                        .build()
                        .map_err(|error| TlsConfigError::with_source(Kind::Other, error))?;
                let verifier = Arc::new(PinVerifier::new(usual, pins));
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut client = match self.identity.map(Identity::read).transpose()? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| TlsConfigError::with_source(Kind::ClientKey, error))?,
        };
        client.alpn_protocols = alpn(self.alpn)?;
        if let Some(log) = self.key_log {
            client.key_log = log;
        }
        let server_name = self.server_name.map(ServerName::try_from).transpose();
        let server_name =
            server_name.map_err(|error| TlsConfigError::with_source(Kind::ServerName, error))?;
        Ok(TlsConfig { client: Arc::new(client), server_name })
    }
}

fn pins(given: &[String]) -> Result<Vec<Pin>, TlsConfigError> {
    let pins = given.iter().map(|text| pin::parse(text));
    pins.collect::<Option<_>>().ok_or_else(|| TlsConfigError::new(Kind::Pin))
}

/// Of what cannot be sent (RFC 7301 section 3.1) or dealt with, nothing.
fn alpn(protocols: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, TlsConfigError> {
    let fits =
        |protocol: &Vec<u8>| (1..=255).contains(&protocol.len()) && !super::is_later_http(protocol);
    match protocols.iter().all(fits) {
        true => Ok(protocols),
        false => Err(TlsConfigError::new(Kind::Alpn)),
    }
}

/// Shows which roots were chosen, whether there is a client certificate, nothing of a key.
impl fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigBuilder")
            .field("roots", &self.roots)
            .field("authorities", &self.authorities.len())
            .field("client_certificate", &self.identity.is_some())
            .field("pins", &self.pins.len())
            .field("server_name", &self.server_name)
            .field("key_log", &self.key_log.is_some())
            .finish_non_exhaustive()
    }
}

/// The public roots; what the system has and cannot be parsed is passed over, as every client does.
fn public_roots(
    roots: Roots,
    system: impl FnOnce() -> Vec<CertificateDer<'static>>,
) -> RootCertStore {
    let mut store = RootCertStore::empty();
    if matches!(roots, Roots::SystemElseBuiltIn | Roots::System | Roots::SystemAndBuiltIn) {
        store.add_parsable_certificates(system());
    }
    let built_in = match roots {
        Roots::BuiltIn | Roots::SystemAndBuiltIn => true,
        Roots::SystemElseBuiltIn => store.is_empty(),
        Roots::System | Roots::None => false,
    };
    if built_in {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of roots on a system with these certificates.
    fn count(roots: Roots, system: &[CertificateDer<'static>]) -> usize {
        public_roots(roots, || system.to_vec()).len()
    }

    #[test]
    fn the_built_in_roots_stand_in_only_where_the_system_has_none() {
        let built_in = webpki_roots::TLS_SERVER_ROOTS.len();
        let own = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.der().clone();
        let unreadable = CertificateDer::from(vec![1, 2, 3]);
        for (system, usable) in
            [(vec![], 0), (vec![unreadable.clone()], 0), (vec![unreadable, own], 1)]
        {
            let fallback = if usable == 0 { built_in } else { usable };
            assert_eq!(count(Roots::SystemElseBuiltIn, &system), fallback);
            assert_eq!(count(Roots::System, &system), usable);
            assert_eq!(count(Roots::BuiltIn, &system), built_in);
            assert_eq!(count(Roots::SystemAndBuiltIn, &system), usable + built_in);
            assert_eq!(count(Roots::None, &system), 0);
        }
    }
}
