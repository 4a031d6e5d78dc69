//! Pinned keys, in addition to the usual check of the certificate.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

/// The SHA-256 of a `SubjectPublicKeyInfo`.
pub(super) type Pin = [u8; SHA256_OUTPUT_LEN];

/// Base64, by itself or behind the prefix that other programs write.
pub(super) fn parse(text: &str) -> Option<Pin> {
    let text = text.trim();
    let digits = text.strip_prefix("sha256//").or_else(|| text.strip_prefix("sha256/"));
    STANDARD.decode(digits.unwrap_or(text)).ok()?.try_into().ok()
}

/// Asks the usual verifier first: a pin forgives nothing.
#[derive(Debug)]
pub(super) struct PinVerifier {
    usual: Arc<WebPkiServerVerifier>,
    pins: Vec<Pin>,
}

/// The server's certificate is good, but its key is another one.
#[derive(Debug, thiserror::Error)]
#[error("the server's key is none of the pinned ones")]
struct NotPinned;

impl PinVerifier {
    pub(super) fn new(usual: Arc<WebPkiServerVerifier>, pins: Vec<Pin>) -> Self {
        Self { usual, pins }
    }

    /// Only the server's own key counts: what else the server sends need not be part of the chain that was verified.
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let found = digest(&SHA256, &key);
        match self.pins.iter().any(|pin| pin == found.as_ref()) {
            true => Ok(()),
            false => Err(CertificateError::Other(OtherError(Arc::new(NotPinned))).into()),
        }
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.usual.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        self.check(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.usual.root_hint_subjects()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_32_bytes_of_base64_with_or_without_a_prefix() {
        let plain = STANDARD.encode([7; 32]);
        for text in [plain.clone(), format!("sha256/{plain}"), format!(" sha256//{plain}\n")] {
            assert_eq!(parse(&text), Some([7; 32]), "{text}");
        }
        let (short, long) = (STANDARD.encode([7; 31]), STANDARD.encode([7; 33]));
        for text in ["", "sha256/", "!", &short, &long, &format!("sha1/{plain}"), &"07".repeat(32)]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
