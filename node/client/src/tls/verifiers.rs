//! The two verifiers that TLS calls: a registered client's key, a pinned server's key. The key is
//! read once, and the handshake signature is verified with that reading, so that two parsers
//! cannot disagree about it. Refuses what [`super`] says.

use super::{MAX_CERTIFICATE_BYTES, Registry};
use heatmark_ledger::keys::PublicKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    SignatureScheme,
};
use std::fmt;
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// RFC 8410: the key's 32 bytes follow this.
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

const SCHEMES: &[SignatureScheme] = &[SignatureScheme::ED25519];

/// The Ed25519 key of a lone certificate.
pub(super) fn key_of(
    certificate: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<PublicKey, Error> {
    let malformed = Error::InvalidCertificate(CertificateError::BadEncoding);
    if !intermediates.is_empty() || certificate.len() > MAX_CERTIFICATE_BYTES {
        return Err(malformed);
    }
    let parsed = X509Certificate::from_der(certificate);
    let Ok(([], certificate)) = parsed else { return Err(malformed) };
    let key = certificate.public_key().raw.strip_prefix(SPKI_PREFIX.as_slice());
    key.and_then(|key| PublicKey::from_bytes(key).ok()).ok_or(malformed)
}

fn verify_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = key_of(certificate, &[])?;
    let spki = [SPKI_PREFIX.as_slice(), &key.to_bytes()].concat();
    let algorithms: WebPkiSupportedAlgorithms =
        rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let spki = SubjectPublicKeyInfoDer::from(spki);
    if signature.scheme != SignatureScheme::ED25519 {
        return Err(Error::InvalidCertificate(CertificateError::BadSignature));
    }
    verify_tls13_signature_with_raw_key(message, &spki, signature, &algorithms)
}

/// Admits the clients whom the registry admits.
pub(super) struct RegisteredClient {
    registry: Arc<dyn Registry>,
}

impl RegisteredClient {
    pub(super) fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry }
    }
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegisteredClient")
    }
}

impl ClientCertVerifier for RegisteredClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let key = key_of(certificate, intermediates)?;
        match self.registry.member_of(&key) {
            Ok(Some(_)) => Ok(ClientCertVerified::assertion()),
            Ok(None) => Err(CertificateError::ApplicationVerificationFailure.into()),
            Err(_) => Err(Error::General("the registry cannot be read".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

/// Accepts the one server that holds the pinned key.
#[derive(Debug)]
pub(super) struct PinnedServer {
    key: PublicKey,
}

impl PinnedServer {
    pub(super) fn new(key: PublicKey) -> Self {
        Self { key }
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if key_of(certificate, intermediates)? == self.key {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}
