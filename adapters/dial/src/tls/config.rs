//! Whom to trust, and which certificate to show.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::ALPN;
use super::error::{TlsConfigError, TlsConfigErrorKind as Kind};

/// How to speak TLS with a server: TLS 1.2 and 1.3, by rustls with the crypto provider `ring`.
///
/// There is no switch that turns the check of the server's certificate off: add the certificate that signed it
/// with [`ca_pem`](TlsConfigBuilder::ca_pem).
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
}

/// Takes a ready configuration of rustls as it is, with its crypto provider and its ALPN protocols.
///
/// If it offers ALPN protocols, `http/1.1` has to be the one that the server chooses.
impl From<Arc<ClientConfig>> for TlsConfig {
    fn from(client: Arc<ClientConfig>) -> Self {
        Self { client }
    }
}

/// Shows nothing: it may hold a private key.
impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig").finish_non_exhaustive()
    }
}

/// Builds a [`TlsConfig`]; everything given is checked in [`build`](Self::build).
#[derive(Default)]
pub struct TlsConfigBuilder {
    roots: Roots,
    authorities: Vec<Certificates>,
    identity: Option<Identity>,
}

/// Certificates as they were given.
enum Certificates {
    Pem(Vec<u8>),
    Der(Vec<CertificateDer<'static>>),
}

/// A client certificate and its key as they were given.
enum Identity {
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Der { chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static> },
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
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsConfigError::with_source(Kind::Other, error))?
            .with_root_certificates(trusted);
        let mut client = match self.identity.map(Identity::read).transpose()? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| TlsConfigError::with_source(Kind::ClientKey, error))?,
        };
        client.alpn_protocols = vec![ALPN.to_vec()];
        Ok(TlsConfig { client: Arc::new(client) })
    }
}

/// Shows which roots were chosen and whether there is a client certificate, nothing of a key.
impl fmt::Debug for TlsConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigBuilder")
            .field("roots", &self.roots)
            .field("authorities", &self.authorities.len())
            .field("client_certificate", &self.identity.is_some())
            .finish()
    }
}

impl Certificates {
    fn read(self) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
        match self {
            Self::Der(certificates) => Ok(certificates),
            Self::Pem(pem) => {
                let certificates: Vec<_> =
                    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?;
                if certificates.is_empty() {
                    Err(pem::Error::NoItemsFound)
                } else {
                    Ok(certificates)
                }
            }
        }
    }
}

impl Identity {
    fn read(
        self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsConfigError> {
        let (chain, key) = match self {
            Self::Der { chain, key } => (Certificates::Der(chain), Ok(key)),
            Self::Pem { chain, key } => {
                (Certificates::Pem(chain), PrivateKeyDer::from_pem_slice(&key))
            }
        };
        let chain = chain
            .read()
            .map_err(|error| TlsConfigError::with_source(Kind::ClientCertificate, error))?;
        if chain.is_empty() {
            return Err(TlsConfigError::new(Kind::ClientCertificate));
        }
        let key = key.map_err(|error| TlsConfigError::with_source(Kind::ClientKey, error))?;
        Ok((chain, key))
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

/// Adds certificates given by hand: here each one counts.
fn trust(store: &mut RootCertStore, given: Certificates) -> Result<(), TlsConfigError> {
    let certificates =
        given.read().map_err(|error| TlsConfigError::with_source(Kind::Ca, error))?;
    for certificate in certificates {
        store.add(certificate).map_err(|error| TlsConfigError::with_source(Kind::Ca, error))?;
    }
    Ok(())
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
