//! TLS 1.3 between members, without certificate authorities: each end shows a self-signed X.509
//! certificate around an Ed25519 key, and the registry, or a pinned key, says whose key that is.
//!
//! ```text
//!   client ── own certificate ──▶ server: Registry::member_of(key), now and at every request
//!   client ◀── own certificate ── server;  client: the key must be the pinned one
//! ```
//!
//! Refuses TLS 1.2, other algorithms than Ed25519, chains, keys outside the prime-order subgroup,
//! peers without a certificate, and keys that the registry does not know as valid. Nothing in a
//! certificate but its key is believed: no name, no date. Sessions are never resumed, because
//! resuming one would skip the registry.

#[cfg(test)]
mod tests;
mod verifiers;

use ed25519_dalek::{Signer as _, SigningKey};
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state::{self, StateError, StateView};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig, SignatureAlgorithm, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use verifiers::{PinnedServer, RegisteredClient};

/// Suffix of the name in a member's certificate, for people who look at one.
pub const NAME_SUFFIX: &str = "member.heatmark.invalid";

/// The name that clients ask for; no server checks it.
const SERVER_NAME: &str = "node.heatmark.invalid";

/// Longest certificate that is looked at, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 4_096;

const ALPN_HTTP2: &[u8] = b"h2";

/// Why TLS cannot be set up. The caller's fault, or a defect.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The own certificate could not be made.
    #[error("making the own certificate failed")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the configuration.
    #[error("TLS configuration failed")]
    Config(#[from] rustls::Error),
}

/// Whose key may connect, as of now.
pub trait Registry: Send + Sync + 'static {
    /// The member in good standing whose valid key this is, if any.
    ///
    /// # Errors
    /// When the state cannot be read; the peer is refused then.
    fn member_of(&self, key: &PublicKey) -> Result<Option<MemberId>, StateError>;
}

/// Who is at the other end of a connection, proved by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The member.
    pub member: MemberId,
    /// The key it proved to hold.
    pub key: PublicKey,
}

/// The member that may connect with `key` in a block of `height`: registered for p2p or signing,
/// valid, of a member that is active or suspended.
///
/// # Errors
/// When the state cannot be read.
pub fn admitted_member(
    view: &(impl StateView + ?Sized),
    key: &PublicKey,
    height: Height,
) -> Result<Option<MemberId>, StateError> {
    let Some(entry) = state::key_state(view, &key.id())? else { return Ok(None) };
    let public = entry.key.as_ref().ok_or(StateError::Damaged("key"))?;
    let role = matches!(public.role(), pb::KeyRole::P2p | pb::KeyRole::Signing);
    let begun = entry.valid_from_height <= height.0;
    let ended = entry.valid_to_height != 0 && entry.valid_to_height <= height.0;
    if !role || !begun || ended {
        return Ok(None);
    }
    let member =
        MemberId::try_from(entry.member.as_slice()).map_err(|_| StateError::Damaged("key"))?;
    let standing = state::member(view, &member)?.ok_or(StateError::Damaged("member"))?.status();
    let admitted = matches!(standing, pb::MemberStatus::Active | pb::MemberStatus::Suspended);
    Ok(admitted.then_some(member))
}

/// What one end shows of itself: a key and the self-signed certificate around it.
#[derive(Clone)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: OwnKey,
}

impl Identity {
    /// Makes the certificate for a key of `member`. The certificate's dates mean nothing.
    ///
    /// # Errors
    /// [`TlsError::Certificate`].
    pub fn new(key: SigningKey, member: &MemberId) -> Result<Self, TlsError> {
        let public = key.verifying_key().to_bytes();
        let key = OwnKey { key: Arc::new(key), public };
        // One DNS label holds 63 characters, an id has 64.
        let id = member.to_string();
        let (first, second) = id.split_at(id.len() / 2);
        let name = format!("{first}.{second}.{NAME_SUFFIX}");
        let certificate = rcgen::CertificateParams::new([name])?.self_signed(&key)?;
        Ok(Self { certificate: certificate.der().clone(), key })
    }

    /// The public key that peers see.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.key.key)
    }

    /// The certificate that peers are shown, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn certified(&self) -> Arc<SingleCertAndKey> {
        let certified =
            CertifiedKey::new(vec![self.certificate.clone()], Arc::new(self.key.clone()));
        Arc::new(SingleCertAndKey::from(certified))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.public_key()).finish()
    }
}

/// Configuration of a server that admits whom the registry admits.
///
/// # Errors
/// [`TlsError::Config`].
pub fn server_config(
    identity: &Identity,
    registry: Arc<dyn Registry>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(RegisteredClient::new(registry)))
        .with_cert_resolver(identity.certified());
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Configuration of a client that talks to the holder of `server_key` and nobody else.
///
/// # Errors
/// [`TlsError::Config`].
pub fn client_config(
    identity: &Identity,
    server_key: PublicKey,
) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(server_key)))
        .with_client_cert_resolver(identity.certified());
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The server name that a client configuration is used with.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    ServerName::try_from(SERVER_NAME).expect("the constant is a DNS name")
}

/// The key that a peer proved to hold in a finished handshake.
#[must_use]
pub fn peer_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
    match certificates {
        Some([certificate]) => verifiers::key_of(certificate, &[]).ok(),
        _ => None,
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The own key, shared rather than copied, so that one place in memory holds it.
#[derive(Clone)]
struct OwnKey {
    key: Arc<SigningKey>,
    public: [u8; 32],
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKey")
    }
}

impl rcgen::PublicKeyData for OwnKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for OwnKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

impl rustls::sign::SigningKey for OwnKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let wanted = offered.contains(&SignatureScheme::ED25519);
        wanted.then(|| Box::new(self.clone()) as Box<dyn rustls::sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl rustls::sign::Signer for OwnKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}
