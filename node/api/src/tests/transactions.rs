//! Every kind of transaction that is not taken, as its sender hears of it: a kind that any client
//! understands and a stable name. Whoever sends it, the pool and the log stay as they were.

use super::{Server, chain, hostile, start};
use crate::ApiLimits;
use chain::{TestChain, anchor, body, key, now_ms};
use ed25519_dalek::SigningKey;
use heatmark_client::ClientError;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::{messages as pb, transaction};
use pb::body::Payload;
use prost::Message as _;
use prost::bytes::Bytes;
use tonic::Code;

fn sign(chain: &TestChain, key: &SigningKey, body: &pb::Body) -> Bytes {
    transaction::sign(&chain.genesis.network(), key, body, Vec::new())
}

fn envelope_of(bytes: &[u8]) -> pb::Envelope {
    pb::Envelope::decode(bytes).unwrap()
}

fn changed(bytes: &[u8], change: impl FnOnce(&mut pb::Envelope)) -> Vec<u8> {
    let mut envelope = envelope_of(bytes);
    change(&mut envelope);
    envelope.encode_to_vec()
}

fn changed_body(chain: &TestChain, change: impl FnOnce(&mut pb::Body)) -> Vec<u8> {
    let mut body = body(anchor(200), 200);
    change(&mut body);
    sign(chain, &chain.members[1].signing, &body).to_vec()
}

/// S + L, which a lax verifier takes for S.
fn signature_with_large_s(signature: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0u16;
    for (byte, more) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// Fields of an envelope in another order, which means the same and is not the one encoding.
fn reordered(bytes: &[u8]) -> Vec<u8> {
    let envelope = envelope_of(bytes);
    let signer = pb::Envelope { signer: envelope.signer.clone(), ..pb::Envelope::default() };
    let rest = pb::Envelope { signer: Vec::new(), ..envelope };
    [rest.encode_to_vec(), signer.encode_to_vec()].concat()
}

/// A key rotation whose new key is a point of small order.
fn rotation_to_a_small_order_key(chain: &TestChain) -> Vec<u8> {
    let mut small = [0; 32];
    small[0] = 1;
    let owner = &chain.members[1];
    let rotate = pb::RotateKey {
        new_key: Some(pb::PublicKey {
            role: pb::KeyRole::P2p.into(),
            algorithm: pb::KeyAlgorithm::Ed25519.into(),
            key: small.to_vec(),
        }),
        compromised_since: 0,
        member: owner.id.to_vec(),
    };
    let body = body(Payload::RotateKey(rotate), 201);
    let bytes = body.encode_to_vec();
    let network = chain.genesis.network();
    let root = transaction::cosign(&network, pb::CoSigner::Root, &owner.root, &bytes).unwrap();
    let new = pb::CoSignature {
        purpose: pb::CoSigner::NewKey.into(),
        public_key: small.to_vec(),
        signature: [small.to_vec(), vec![0; 32]].concat(),
    };
    transaction::sign(&network, &owner.signing, &body, vec![root, new]).to_vec()
}

/// The second member's transaction signed by the third one's key under the second one's name.
fn signed_by_another(chain: &TestChain) -> Vec<u8> {
    let body = body(anchor(202), 202);
    let other = sign(chain, &chain.members[2].signing, &body);
    changed(&other, |envelope| {
        envelope.signer = PublicKey::of(&chain.members[1].signing).id().to_vec();
    })
}

/// As many co-signatures as nobody needs.
fn too_many_cosignatures(chain: &TestChain) -> Vec<u8> {
    let cosignature = pb::CoSignature {
        purpose: pb::CoSigner::Alert.into(),
        public_key: vec![1; 32],
        signature: vec![2; 64],
    };
    changed(&chain.signed(1, anchor(203), 203), |envelope| {
        envelope.cosignatures = vec![cosignature; 9];
    })
}

type Case = (&'static str, Vec<u8>, Code, &'static str);

fn of_form(chain: &TestChain) -> Vec<Case> {
    use Code::InvalidArgument as Bad;
    let good = chain.signed(1, anchor(204), 204).to_vec();
    let unknown_field = [good.as_slice(), &[0xf8, 0x07, 0x01]].concat();
    let unknown_in_body = changed(&good, |e| e.body.extend([0xf8, 0x07, 0x01]));
    let twice = [good.as_slice(), good.as_slice()].concat();
    let overlong = {
        // The length of the signer, 32, in two bytes.
        let mut bytes = vec![good[0], 0xa0, 0x00];
        bytes.extend(&good[2..]);
        bytes
    };
    let level = pb::Alert {
        subject: vec![1; 32],
        level: 77,
        sequence: 1,
        reason_digest: vec![2; 32],
        concern: true,
    };
    vec![
        ("nothing", Vec::new(), Bad, "field"),
        ("noise", vec![0xff; 300], Bad, "malformed"),
        ("cut short", good[..good.len() - 1].to_vec(), Bad, "malformed"),
        ("oversized", vec![0x0a; 65_508], Bad, "too-long"),
        ("an empty co-signature", [&good[..], &[0x22, 0]].concat(), Bad, "cosignatures"),
        ("an unknown field", unknown_field, Bad, "not-canonical"),
        ("an unknown field in the body", unknown_in_body, Bad, "not-canonical"),
        ("fields in another order", reordered(&good), Bad, "not-canonical"),
        ("fields twice", twice, Bad, "not-canonical"),
        ("a length in too many bytes", overlong, Bad, "not-canonical"),
        (
            "a number that names nothing",
            changed_body(chain, |b| {
                b.payload = Some(Payload::Alert(level));
            }),
            Bad,
            "malformed",
        ),
        ("a short signer", changed(&good, |e| e.signer.truncate(31)), Bad, "field"),
        ("a short signature", changed(&good, |e| e.signature.truncate(63)), Bad, "field"),
        ("a short nonce", changed_body(chain, |b| b.nonce.truncate(15)), Bad, "field"),
        ("no payload", changed_body(chain, |b| b.payload = None), Bad, "no-payload"),
        ("nine co-signatures", too_many_cosignatures(chain), Bad, "cosignatures"),
        (
            "a batch of none",
            changed_body(chain, |b| {
                b.payload = Some(Payload::Anchor(pb::Anchor { root: vec![1; 32], records: 0 }));
            }),
            Bad,
            "batch-size",
        ),
        (
            "a short root",
            changed_body(chain, |b| {
                b.payload = Some(Payload::Anchor(pb::Anchor { root: vec![1; 31], records: 1 }));
            }),
            Bad,
            "field",
        ),
    ]
}

fn of_time(chain: &TestChain) -> Vec<Case> {
    let window = |from: u64, to: u64| {
        changed_body(chain, |body| (body.not_before_ms, body.not_after_ms) = (from, to))
    };
    let now = now_ms();
    vec![
        ("expired", window(now - 60_000, now - 30_000), Code::FailedPrecondition, "expired"),
        ("too early", window(now + 60_000, now + 90_000), Code::FailedPrecondition, "too-early"),
        ("ends before it begins", window(now, now - 1), Code::InvalidArgument, "window"),
        ("open for ever", window(now - 1, u64::MAX), Code::InvalidArgument, "window"),
    ]
}

fn of_signature(chain: &TestChain) -> Vec<Case> {
    use Code::InvalidArgument as Bad;
    let good = chain.signed(1, anchor(205), 205);
    let broken = |change: &dyn Fn(&mut Vec<u8>)| changed(&good, |e| change(&mut e.signature));
    let mut identity = [0; 64];
    identity[0] = 1;
    let other_network = transaction::sign(
        &TestChain::new(2).genesis.network(),
        &chain.members[1].signing,
        &body(anchor(206), 206),
        Vec::new(),
    );
    vec![
        ("one bit of R", broken(&|s| s[0] ^= 1), Bad, "bad-signature"),
        ("one bit of S", broken(&|s| s[40] ^= 1), Bad, "bad-signature"),
        ("S above the group order", broken(&|s| signature_with_large_s(s)), Bad, "bad-signature"),
        ("R of small order", broken(&|s| s.copy_from_slice(&identity)), Bad, "bad-signature"),
        ("all zero", broken(&|s| s.fill(0)), Bad, "bad-signature"),
        (
            "another body",
            changed(&good, |e| *e.body.last_mut().unwrap() ^= 3),
            Bad,
            "bad-signature",
        ),
        ("of another network", other_network.to_vec(), Bad, "bad-signature"),
        ("by another member's key", signed_by_another(chain), Bad, "bad-signature"),
        ("a new key of small order", rotation_to_a_small_order_key(chain), Bad, "unacceptable-key"),
    ]
}

fn of_signer(chain: &TestChain) -> Vec<Case> {
    use Code::PermissionDenied as No;
    let by = |key: &SigningKey| sign(chain, key, &body(anchor(207), 207)).to_vec();
    vec![
        ("by nobody", by(&key(199)), No, "unknown-key"),
        ("by a root key", by(&chain.members[1].root), No, "key-not-valid"),
        ("by a p2p key", by(&chain.members[1].p2p), No, "key-not-valid"),
    ]
}

/// Asked without the client, which would not send what is no envelope.
async fn refused(server: &Server, cases: Vec<Case>) {
    let mut raw = hostile::raw(server, 1, 65_535).await;
    for (what, bytes, kind, code) in cases {
        let request = pb::SubmitRequest { transaction: bytes, wait: false, trusted_height: 0 };
        let (answer, _) = raw.begin("Submit", hostile::framed(&request), true).await;
        let told = hostile::Raw::refusal(answer).await;
        assert_eq!(told, Some((kind, code.to_owned())), "{what}");
    }
    assert_eq!(server.chain.mempool.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_transaction_is_refused_by_its_name() {
    let server = start(3, ApiLimits::default()).await;
    server.chain.produce(None);
    let chain = &server.chain;
    for cases in [of_form(chain), of_time(chain), of_signature(chain), of_signer(chain)] {
        refused(&server, cases).await;
    }
    // What was almost the same, and right, is taken.
    server.client(1).await.submit(chain.signed(1, anchor(204), 204)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_in_another_envelope_is_the_same_transaction() {
    let server = start(3, ApiLimits::default()).await;
    let chain = &server.chain;
    let client = server.client(1).await;
    let body = body(anchor(1), 1);
    let envelope = sign(chain, &chain.members[1].signing, &body);
    let id = client.submit(envelope.clone()).await.unwrap();
    // A co-signature over the same body, by a key that may make one.
    let network = chain.genesis.network();
    let cosignature =
        transaction::cosign(&network, pb::CoSigner::Alert, &key(7), &body.encode_to_vec()).unwrap();
    let other = changed(&envelope, |e| e.cosignatures.push(cosignature));
    let error = client.submit(Bytes::from(other.clone())).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("cosignatures"));
    // Once more as it was: it waits already, and once it stands it is not taken again.
    assert_eq!(client.submit(envelope.clone()).await.unwrap(), id);
    assert_eq!(chain.mempool.len(), 1);
    chain.produce(None);
    for envelope in [envelope, Bytes::from(other)] {
        let error = client.submit(envelope).await.unwrap_err();
        assert_eq!(error.refusal_code(), Some("replayed"));
    }
    assert_eq!(chain.store.tip().log_size.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_member_is_refused_but_may_acknowledge_and_raise_alerts() {
    let server = start(3, ApiLimits::default()).await;
    let chain = &server.chain;
    let suspend =
        pb::MemberAction { member: chain.members[2].id.to_vec(), reason_digest: vec![1; 32] };
    let action = Some(pb::propose::Action::Suspend(suspend));
    let propose = Payload::Propose(pb::Propose { action });
    let client = server.client(0).await;
    let proposal = client.submit(chain.signed(0, propose, 1)).await.unwrap();
    chain.produce(None);
    let vote = Payload::Vote(pb::Vote { proposal: proposal.to_vec(), approve: true });
    server.client(1).await.submit(chain.signed(1, vote, 2)).await.unwrap();
    chain.produce(None);
    let suspended = server.client(2).await;
    let error = suspended.submit(chain.signed(2, anchor(3), 3)).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("member-not-active"));
    assert!(matches!(error, ClientError::Refused { kind: Code::PermissionDenied, .. }));
    let concern = pb::Alert {
        subject: vec![1; 32],
        level: pb::AlertLevel::Hold.into(),
        sequence: 1,
        reason_digest: vec![2; 32],
        concern: true,
    };
    suspended.submit(chain.signed(2, Payload::Alert(concern), 4)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn member_over_its_share_of_the_pool_is_told_when_to_try_again() {
    let server = start(3, ApiLimits::default()).await;
    let chain = &server.chain;
    let most = chain.mempool.limits().max_member_alert_transactions;
    for n in 0..=most {
        let concern = pb::Alert {
            subject: (n as u64).to_be_bytes().repeat(4),
            level: pb::AlertLevel::Hold.into(),
            sequence: 1,
            reason_digest: vec![2; 32],
            concern: true,
        };
        let mut body = body(Payload::Alert(concern), 1);
        body.nonce = (n as u64).to_be_bytes().repeat(2);
        let envelope = sign(chain, &chain.members[1].signing, &body);
        if n < most {
            chain.intake.submit(envelope, chain.tip()).unwrap();
            continue;
        }
        let error = server.client(1).await.submit(envelope).await.unwrap_err();
        assert_eq!(error.refusal_code(), Some("member-quota"));
        assert!(error.retry_after().is_some());
        assert!(matches!(error, ClientError::Refused { kind: Code::ResourceExhausted, .. }));
    }
    // Others have their own.
    server.client(0).await.submit(chain.signed(0, anchor(1), 1)).await.unwrap();
}
