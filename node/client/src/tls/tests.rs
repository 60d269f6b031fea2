#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use heatmark_ledger::keys::key_id;
use heatmark_ledger::state::Changes;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Members by key, changed under running servers.
#[derive(Default)]
struct Book(Mutex<BTreeMap<[u8; 32], MemberId>>);

impl Registry for Book {
    fn member_of(&self, key: &PublicKey) -> Result<Option<MemberId>, StateError> {
        Ok(self.0.lock().unwrap().get(&key.to_bytes()).copied())
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn member(seed: u8) -> MemberId {
    MemberId::from([seed; 32])
}

fn identity(seed: u8) -> Identity {
    Identity::new(key(seed), &member(seed)).unwrap()
}

fn book(seeds: &[u8]) -> Arc<Book> {
    let entries = seeds.iter().map(|s| (key(*s).verifying_key().to_bytes(), member(*s)));
    Arc::new(Book(Mutex::new(entries.collect())))
}

/// Serves handshakes; every admitted client is told its own key, then the connection ends.
async fn server(own: u8, registry: Arc<Book>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(server_config(&identity(own), registry).unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                let key = peer_key(tls.get_ref().1.peer_certificates()).unwrap();
                tls.write_all(&key.to_bytes()).await.unwrap();
                tls.shutdown().await.unwrap();
            });
        }
    });
    address
}

async fn greet(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Vec<u8>> {
    let tcp = TcpStream::connect(address).await?;
    let mut tls = TlsConnector::from(config).connect(server_name(), tcp).await?;
    let mut greeting = Vec::new();
    tls.read_to_end(&mut greeting).await?;
    Ok(greeting)
}

async fn greet_as(address: SocketAddr, own: u8, server: u8) -> io::Result<Vec<u8>> {
    greet(address, client_config(&identity(own), PublicKey::of(&key(server))).unwrap()).await
}

fn alert_of(error: &io::Error) -> Option<rustls::AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn registered_key_is_admitted_and_known_by_its_key() {
    let address = server(1, book(&[2])).await;
    assert_eq!(greet_as(address, 2, 1).await.unwrap(), key(2).verifying_key().to_bytes());
}

#[tokio::test]
async fn unknown_key_is_refused_within_tls() {
    let address = server(1, book(&[2])).await;
    let error = greet_as(address, 3, 1).await.unwrap_err();
    assert_eq!(alert_of(&error), Some(rustls::AlertDescription::AccessDenied));
}

#[tokio::test]
async fn withdrawn_key_is_refused_at_the_next_connection() {
    let registry = book(&[2]);
    let address = server(1, Arc::clone(&registry)).await;
    let config = client_config(&identity(2), PublicKey::of(&key(1))).unwrap();
    greet(address, Arc::clone(&config)).await.unwrap();
    registry.0.lock().unwrap().clear();
    // The same configuration: a resumed session would get in.
    let error = greet(address, config).await.unwrap_err();
    assert_eq!(alert_of(&error), Some(rustls::AlertDescription::AccessDenied));
}

#[tokio::test]
async fn server_with_another_key_is_not_talked_to() {
    let address = server(1, book(&[2])).await;
    let error = greet_as(address, 2, 9).await.unwrap_err();
    let inner = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
    assert!(matches!(inner, rustls::Error::InvalidCertificate(_)));
}

#[tokio::test]
async fn client_without_certificate_is_refused() {
    let address = server(1, book(&[2])).await;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(PublicKey::of(&key(1)))))
        .with_no_client_auth();
    let error = greet(address, Arc::new(config)).await.unwrap_err();
    assert_eq!(alert_of(&error), Some(rustls::AlertDescription::CertificateRequired));
}

#[tokio::test]
async fn client_of_tls_1_2_is_refused() {
    let address = server(1, book(&[2])).await;
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(PublicKey::of(&key(1)))))
        .with_client_cert_resolver(identity(2).certified());
    let error = greet(address, Arc::new(config)).await.unwrap_err();
    assert_eq!(alert_of(&error), Some(rustls::AlertDescription::ProtocolVersion));
}

#[tokio::test]
async fn certificate_of_another_algorithm_is_refused() {
    let address = server(1, book(&[2])).await;
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new([NAME_SUFFIX.to_owned()]).unwrap();
    let certificate = params.self_signed(&other).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(other.serialize_der()));
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(PublicKey::of(
            &super::tests::key(1),
        ))))
        .with_client_auth_cert(vec![certificate.der().clone()], key)
        .unwrap();
    assert!(greet(address, Arc::new(config)).await.is_err());
}

#[tokio::test]
async fn registered_certificate_in_other_hands_is_refused() {
    // The certificate is public; without the key behind it the handshake cannot be signed.
    let address = server(1, book(&[2])).await;
    let stolen = Identity { certificate: identity(2).certificate, key: identity(3).key };
    let error = greet(address, client_config(&stolen, PublicKey::of(&key(1))).unwrap()).await;
    assert!(error.is_err());
}

#[tokio::test]
async fn chain_of_certificates_is_refused() {
    let address = server(1, book(&[2])).await;
    let own = identity(2);
    let chain = vec![own.certificate.clone(), identity(3).certificate];
    let certified = CertifiedKey::new(chain, Arc::new(own.key));
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer::new(PublicKey::of(&key(1)))))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    assert!(greet(address, Arc::new(config)).await.is_err());
}

#[test]
fn certificate_with_anything_behind_it_is_no_certificate() {
    let certificate = identity(2).certificate;
    assert_eq!(verifiers::key_of(&certificate, &[]).unwrap(), PublicKey::of(&key(2)));
    let longer = CertificateDer::from([certificate.as_ref(), &[0]].concat());
    assert!(verifiers::key_of(&longer, &[]).is_err());
    let huge = CertificateDer::from(vec![0x30; MAX_CERTIFICATE_BYTES + 1]);
    assert!(verifiers::key_of(&huge, &[]).is_err());
    for length in 0..certificate.len() {
        let cut = CertificateDer::from(certificate[..length].to_vec());
        assert!(verifiers::key_of(&cut, &[]).is_err());
    }
}

#[test]
fn key_outside_the_prime_order_subgroup_is_no_key() {
    let certificate = identity(2).certificate;
    let own = key(2).verifying_key().to_bytes();
    let place = certificate.windows(32).position(|window| window == own).unwrap();
    // The identity, and a point of order 4.
    for bad in [
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [0; 32],
    ] {
        let mut bytes = certificate.to_vec();
        bytes[place..place + 32].copy_from_slice(&bad);
        assert!(verifiers::key_of(&CertificateDer::from(bytes), &[]).is_err());
    }
}

/// A state with one member and the keys given.
struct State(Changes);

impl StateView for State {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).cloned().flatten())
    }

    fn contains_transaction(
        &self,
        _id: &heatmark_ledger::ids::TransactionId,
    ) -> Result<bool, StateError> {
        Ok(false)
    }
}

fn registered(role: pb::KeyRole, valid: (u64, u64), status: pb::MemberStatus) -> State {
    use prost::Message as _;
    let public = PublicKey::of(&key(2));
    let entry = pb::KeyState {
        member: member(2).to_vec(),
        key: Some(pb::PublicKey {
            role: role.into(),
            algorithm: pb::KeyAlgorithm::Ed25519.into(),
            key: public.to_bytes().to_vec(),
        }),
        valid_from_height: valid.0,
        valid_to_height: valid.1,
        compromised_since_height: 0,
    };
    let holder = pb::MemberState { entry: None, status: status.into(), since_height: 1 };
    let mut changes = Changes::new();
    let id = key_id(pb::KeyAlgorithm::Ed25519, &public.to_bytes());
    changes.insert(state::key_key(&id), Some(entry.encode_to_vec()));
    changes.insert(state::member_key(&member(2)), Some(holder.encode_to_vec()));
    State(changes)
}

#[test]
fn registry_admits_valid_p2p_and_signing_keys_of_members_in_good_standing_only() {
    use pb::{KeyRole as Role, MemberStatus as Status};
    let admitted = |role, valid, status, height| {
        let state = registered(role, valid, status);
        admitted_member(&state, &PublicKey::of(&key(2)), Height(height)).unwrap().is_some()
    };
    assert!(admitted(Role::P2p, (1, 0), Status::Active, 1));
    assert!(admitted(Role::Signing, (1, 0), Status::Active, 9));
    assert!(admitted(Role::P2p, (1, 0), Status::Suspended, 9));
    assert!(admitted(Role::P2p, (3, 8), Status::Active, 7));
    assert!(!admitted(Role::P2p, (3, 8), Status::Active, 8), "rotated away");
    assert!(!admitted(Role::P2p, (3, 8), Status::Active, 2), "not valid yet");
    assert!(!admitted(Role::P2p, (1, 0), Status::Left, 9));
    assert!(!admitted(Role::P2p, (1, 0), Status::Unspecified, 9));
    for role in [Role::Root, Role::Envelope, Role::Consensus, Role::Unspecified] {
        assert!(!admitted(role, (1, 0), Status::Active, 9), "{role:?}");
    }
    let state = registered(Role::P2p, (1, 0), Status::Active);
    assert!(admitted_member(&state, &PublicKey::of(&key(3)), Height(1)).unwrap().is_none());
}

#[test]
fn debugging_an_identity_shows_no_secret() {
    let shown = format!("{:?} {:?}", identity(2), identity(2).key);
    let secret: String = key(2).to_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert!(!shown.contains(&secret) && shown.contains("PublicKey"));
}
