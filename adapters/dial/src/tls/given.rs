//! Certificates and keys as they were given, and what they are.

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{TlsConfigError, TlsConfigErrorKind as Kind};

/// Certificates as they were given.
pub(super) enum Certificates {
    Pem(Vec<u8>),
    Der(Vec<CertificateDer<'static>>),
}

/// A client certificate and its key as they were given.
pub(super) enum Identity {
    Pem { chain: Vec<u8>, key: Vec<u8> },
    Der { chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static> },
}

impl Certificates {
    pub(super) fn read(self) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
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
    pub(super) fn read(
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

/// Adds certificates given by hand: here each one counts.
pub(super) fn trust(store: &mut RootCertStore, given: Certificates) -> Result<(), TlsConfigError> {
    let certificates =
        given.read().map_err(|error| TlsConfigError::with_source(Kind::Ca, error))?;
    for certificate in certificates {
        store.add(certificate).map_err(|error| TlsConfigError::with_source(Kind::Ca, error))?;
    }
    Ok(())
}
