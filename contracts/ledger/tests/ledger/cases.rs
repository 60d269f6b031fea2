//! Transactions with what must become of them, on a chain that has an alert, a concern, a revoked
//! record, a suspended member, a rotated key, an open and a decided proposal, and a member that
//! has left. Every refusal of the specification, section 3, stands here at least once.

mod lots;
mod members;

use crate::town::{self, Member, START_MS, Town, bytes32, key, public, public_key};
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::CoSigner;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::messages::propose::Action;
use prost::Message;

/// One transaction at one block time.
pub(crate) struct Case {
    pub name: &'static str,
    pub envelope: Vec<u8>,
    pub time_ms: u64,
    /// The refusal's code; none when it takes effect.
    pub expect: Option<&'static str>,
}

pub(crate) fn subject(of: &SigningKey) -> Vec<u8> {
    PublicKey::of(of).alert_subject().to_vec()
}

pub(crate) fn alert(of: &SigningKey, level: pb::AlertLevel, sequence: u64) -> pb::Alert {
    let reason_digest = bytes32("reason").to_vec();
    pb::Alert { subject: subject(of), level: level as i32, sequence, reason_digest, concern: false }
}

pub(crate) fn concern(of: &SigningKey, level: pb::AlertLevel, sequence: u64) -> Payload {
    Payload::Alert(pb::Alert { concern: true, ..alert(of, level, sequence) })
}

pub(crate) fn issuer(of: &SigningKey) -> Vec<(CoSigner, SigningKey)> {
    vec![(CoSigner::Alert, of.clone())]
}

pub(crate) fn propose(action: Action) -> Payload {
    Payload::Propose(pb::Propose { action: Some(action) })
}

pub(crate) fn target(member: &Member) -> pb::MemberAction {
    pb::MemberAction { member: member.id.to_vec(), reason_digest: bytes32("reason").to_vec() }
}

pub(crate) fn rotate(member: &Member, new: &SigningKey, role: pb::KeyRole) -> pb::RotateKey {
    let new_key = Some(public_key(role, new));
    pb::RotateKey { new_key, compromised_since: 0, member: member.id.to_vec() }
}

pub(crate) fn rotate_cosigners(member: &Member, new: &SigningKey) -> Vec<(CoSigner, SigningKey)> {
    vec![(CoSigner::Root, member.root.clone()), (CoSigner::NewKey, new.clone())]
}

fn acknowledge(of: &SigningKey, concern_of: Vec<u8>, sequence: u64) -> Payload {
    Payload::Acknowledge(pb::Acknowledge { subject: subject(of), concern_of, sequence })
}

pub(crate) struct Prepared {
    pub town: Town,
    pub open: Vec<u8>,
    pub decided: Vec<u8>,
}

/// The chain that the cases stand on. Member 3 is suspended; member 1 has a new signing key; the
/// member "Gone" has come and left.
pub(crate) fn prepared() -> Prepared {
    let mut town = Town::new();
    let (held, revoked) = (key("held record"), key("revoked record"));
    let roles = [pb::Role::Supplier];
    let gone = propose(Action::AddMember(town::entry("Gone", &roles)));
    let add = town.tx_with(0, gone, &town::entry_cosigners("Gone", &roles));
    let first = [
        town.tx_with(0, Payload::Alert(alert(&held, pb::AlertLevel::Hold, 1)), &issuer(&held)),
        town.tx_with(
            0,
            Payload::Alert(alert(&revoked, pb::AlertLevel::Revoke, 1)),
            &issuer(&revoked),
        ),
        town.tx(1, concern(&held, pb::AlertLevel::Recall, 1)),
        town.tx(2, acknowledge(&held, Vec::new(), 1)),
        town.vote(1, &add.id().to_vec(), true),
        town.vote(2, &add.id().to_vec(), true),
        town.tx_with(1, Payload::LotEvent(lots::event(&town, 1, 1)), &lots::seals(&["broken"])),
    ];
    let mut block = vec![add];
    block.extend(first);
    town.commit(&block);
    let gone =
        heatmark_ledger::keys::member_id(&town.tip.network, &PublicKey::of(&key("Gone root")).id());
    let leave = Payload::Leave(pb::Leave { member: gone.to_vec() });
    let leave = town.tx_with(0, leave, &[(CoSigner::Root, key("Gone root"))]);
    town.commit(&[leave]);
    let suspend = propose(Action::Suspend(target(&town.members[3])));
    let decided = town.decide(suspend, &[1, 2]);
    let set_roles = pb::SetRoles {
        member: town.members[1].id.to_vec(),
        roles: vec![pb::Role::Assembler as i32],
    };
    let open = town.decide(propose(Action::SetRoles(set_roles)), &[]);
    let new = key("Forge signing 2");
    let turn = Payload::RotateKey(rotate(&town.members[1], &new, pb::KeyRole::Signing));
    let turn = town.tx_with(0, turn, &rotate_cosigners(&town.members[1], &new));
    town.commit(&[turn]);
    Prepared { town, open, decided }
}

/// Collects cases that differ from a sound transaction in one thing.
struct Cases {
    town: Town,
    time_ms: u64,
    all: Vec<Case>,
}

impl Cases {
    fn envelope(&mut self, name: &'static str, envelope: Vec<u8>, expect: &'static str) {
        let expect = Some(expect).filter(|code| *code != "ok");
        self.all.push(Case { name, envelope, time_ms: self.time_ms, expect });
    }

    fn by(
        &mut self,
        name: &'static str,
        signer: &SigningKey,
        (payload, cosigners): (Payload, &[(CoSigner, SigningKey)]),
        expect: &'static str,
    ) {
        let body = self.town.body(payload);
        let envelope = self.town.envelope(signer, &body, cosigners);
        self.envelope(name, envelope, expect);
    }

    fn plain(&mut self, name: &'static str, payload: Payload, expect: &'static str) {
        self.cosigned(name, payload, &[], expect);
    }

    fn cosigned(
        &mut self,
        name: &'static str,
        payload: Payload,
        cosigners: &[(CoSigner, SigningKey)],
        expect: &'static str,
    ) {
        let signer = self.town.members[0].signing.clone();
        self.by(name, &signer, (payload, cosigners), expect);
    }

    fn body(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut pb::Body),
        expect: &'static str,
    ) {
        let mut body = self.town.body(anchor());
        change(&mut body);
        let envelope = self.town.envelope(&self.town.members[0].signing, &body, &[]);
        self.envelope(name, envelope, expect);
    }

    fn message(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut pb::Envelope),
        expect: &'static str,
    ) {
        let body = self.town.body(anchor());
        let envelope = self.town.envelope(&self.town.members[0].signing, &body, &[]);
        let mut envelope = pb::Envelope::decode(envelope.as_slice()).unwrap();
        change(&mut envelope);
        self.envelope(name, envelope.encode_to_vec(), expect);
    }
}

pub(crate) fn anchor() -> Payload {
    Payload::Anchor(pb::Anchor { root: bytes32("batch").to_vec(), records: 1 })
}

/// All cases and the chain they stand on.
pub(crate) fn all() -> (Town, Vec<Case>) {
    let Prepared { town, open, decided } = prepared();
    let time_ms = town.tip.time.0 + 1_000;
    let mut cases = Cases { town, time_ms, all: Vec::new() };
    encodings(&mut cases);
    windows(&mut cases);
    signers(&mut cases);
    anchors(&mut cases);
    alerts(&mut cases);
    lots::events(&mut cases);
    members::registry(&mut cases);
    members::actions(&mut cases);
    members::votes(&mut cases, &open, &decided);
    (cases.town, cases.all)
}

fn encodings(cases: &mut Cases) {
    let body = cases.town.body(anchor());
    let sound = cases.town.envelope(&cases.town.members[0].signing, &body, &[]);
    cases.envelope("an anchor", sound.clone(), "ok");
    cases.envelope("no bytes", Vec::new(), "field");
    cases.envelope("an envelope cut short", sound[..sound.len() - 1].to_vec(), "malformed");
    cases.envelope("an unknown field", [sound.as_slice(), &[0x28, 1]].concat(), "not-canonical");
    cases.envelope(
        "a default written out",
        [sound.as_slice(), &[0x22, 0]].concat(),
        "cosignatures",
    );
    cases.envelope("an envelope too long", vec![0x22; 65_508], "too-long");
    let mut swapped = pb::Envelope::decode(sound.as_slice()).unwrap();
    swapped.body.push(0);
    cases.envelope("a body with a byte more", swapped.encode_to_vec(), "malformed");
    cases.message("a signer of 31 bytes", |e| e.signer.truncate(31), "field");
    cases.message("a signature of 63 bytes", |e| e.signature.truncate(63), "field");
    cases.message("a signature of 65 bytes", |e| e.signature.push(0), "field");
    cases.body("a nonce of 15 bytes", |b| b.nonce.truncate(15), "field");
    cases.body("a nonce of 17 bytes", |b| b.nonce.push(0), "field");
    cases.body("no payload", |b| b.payload = None, "no-payload");
    cases.message(
        "an unnamed co-signer",
        |e| e.cosignatures.push(cosignature(0, 32, 64)),
        "cosignatures",
    );
    cases.message(
        "an unknown co-signer",
        |e| e.cosignatures.push(cosignature(6, 32, 64)),
        "malformed",
    );
    cases.message(
        "a co-signer's key of 31 bytes",
        |e| e.cosignatures.push(cosignature(1, 31, 64)),
        "field",
    );
    cases.message(
        "a co-signature of 63 bytes",
        |e| e.cosignatures.push(cosignature(1, 32, 63)),
        "field",
    );
    cases.message(
        "nine co-signatures",
        |e| e.cosignatures = vec![cosignature(1, 32, 64); 9],
        "cosignatures",
    );
    cases.message(
        "a co-signer's key that is the identity",
        |e| {
            e.cosignatures
                .push(pb::CoSignature { public_key: identity(), ..cosignature(1, 32, 64) })
        },
        "unacceptable-key",
    );
    let unknown_level =
        pb::Alert { level: 6, ..alert(&key("held record"), pb::AlertLevel::Hold, 1) };
    cases.plain("an unknown level", Payload::Alert(unknown_level), "malformed");
}

fn identity() -> Vec<u8> {
    let mut identity = vec![0; 32];
    identity[0] = 1;
    identity
}

fn cosignature(purpose: i32, key: usize, signature: usize) -> pb::CoSignature {
    pb::CoSignature { purpose, public_key: vec![7; key], signature: vec![7; signature] }
}

fn windows(cases: &mut Cases) {
    let time = cases.time_ms;
    cases.body("a window that is empty", |b| b.not_after_ms = b.not_before_ms, "window");
    cases.body(
        "a window that ends before it begins",
        |b| b.not_after_ms = b.not_before_ms - 1,
        "window",
    );
    cases.body(
        "a window of the longest length",
        |b| b.not_after_ms = b.not_before_ms + 600_000,
        "ok",
    );
    cases.body(
        "a window too long by 1 ms",
        |b| b.not_after_ms = b.not_before_ms + 600_001,
        "window",
    );
    cases.body("a window that opens now", |b| b.not_before_ms = time, "ok");
    cases.body("a window that opens in 1 ms", |b| b.not_before_ms = time + 1, "too-early");
    cases.body("a window that closes in 1 ms", |b| b.not_after_ms = time + 1, "ok");
    cases.body("a window that closes now", |b| b.not_after_ms = time, "expired");
    cases.body(
        "a window of the first day",
        |b| (b.not_before_ms, b.not_after_ms) = (0, 1),
        "expired",
    );
    cases.body(
        "a window at the end of time",
        |b| (b.not_before_ms, b.not_after_ms) = (u64::MAX - 1, u64::MAX),
        "too-early",
    );
    // On the log since height 3, in another envelope: a co-signature does not make another transaction.
    let logged = cases.town.envelopes.last().unwrap().clone();
    cases.envelope("a transaction that is on the log", logged.clone(), "replayed");
    let mut other = pb::Envelope::decode(logged.as_slice()).unwrap();
    other.signature = vec![9; 64];
    other.cosignatures.clear();
    cases.envelope("the same body with other signatures", other.encode_to_vec(), "replayed");
}

fn signers(cases: &mut Cases) {
    let (mill, forge) = (0, 1);
    let part = |town: &Town, who: usize| {
        let member = &town.members[who];
        (member.root.clone(), member.p2p.clone(), member.signing.clone())
    };
    let (root, p2p, _) = part(&cases.town, mill);
    cases.by("a key nobody knows", &key("nobody"), (anchor(), &[]), "unknown-key");
    cases.by("a root key", &root, (anchor(), &[]), "key-not-valid");
    cases.by("a p2p key", &p2p, (anchor(), &[]), "key-not-valid");
    let (_, _, old) = part(&cases.town, forge);
    cases.by("a key that was rotated", &old, (anchor(), &[]), "key-not-valid");
    cases.by("the key that replaced it", &key("Forge signing 2"), (anchor(), &[]), "ok");
    let (_, _, suspended) = part(&cases.town, 3);
    cases.by("a suspended member's anchor", &suspended, (anchor(), &[]), "member-not-active");
    let hold = concern(&key("held record"), pb::AlertLevel::Hold, 1);
    cases.by("a suspended member's concern", &suspended, (hold, &[]), "ok");
    let seen = acknowledge(&key("held record"), Vec::new(), 1);
    cases.by("a suspended member's acknowledgement", &suspended, (seen, &[]), "ok");
    cases.by(
        "the key of a member that left",
        &key("Gone signing"),
        (anchor(), &[]),
        "key-not-valid",
    );
    cases.message("a signature of zeros", |e| e.signature = vec![0; 64], "bad-signature");
    cases.message("a signature with a bit flipped", |e| e.signature[0] ^= 1, "bad-signature");
    let body = cases.town.body(anchor());
    let mut other = Town::with(&{
        let mut document = town::document();
        document.name = "Elsewhere".to_owned();
        document
    });
    other.tip.time = cases.town.tip.time;
    let foreign = other.envelope(&cases.town.members[0].signing, &body, &[]);
    cases.envelope("made for another network", foreign, "bad-signature");
}

fn anchors(cases: &mut Cases) {
    let with = |root: usize, records| Payload::Anchor(pb::Anchor { root: vec![1; root], records });
    cases.plain("an anchor of the most records", with(32, 1_000_000), "ok");
    cases.plain("an anchor of one record too many", with(32, 1_000_001), "batch-size");
    cases.plain("an anchor of no record", with(32, 0), "batch-size");
    cases.plain("a root of 31 bytes", with(31, 1), "field");
    cases.plain("no root", with(0, 1), "field");
    cases.cosigned("a co-signed anchor", anchor(), &issuer(&key("held record")), "cosignatures");
}

fn alerts(cases: &mut Cases) {
    use pb::AlertLevel::{Clear, Hold, Recall, Revoke, Unspecified};
    let (held, revoked, fresh) = (key("held record"), key("revoked record"), key("fresh record"));
    let mut issued = |name, alert: pb::Alert, by: &SigningKey, expect| {
        cases.cosigned(name, Payload::Alert(alert), &issuer(by), expect);
    };
    issued("a first alert", alert(&fresh, Hold, 1), &fresh, "ok");
    issued("a first alert of sequence 2", alert(&fresh, Hold, 2), &fresh, "alert-sequence");
    issued("a first alert of sequence 0", alert(&fresh, Hold, 0), &fresh, "alert-sequence");
    issued("a clear of nothing", alert(&fresh, Clear, 1), &fresh, "alert-unchanged");
    issued("a clear of a hold", alert(&held, Clear, 2), &held, "ok");
    issued("the level that stands", alert(&held, Hold, 2), &held, "alert-unchanged");
    issued("a sequence once more", alert(&held, Recall, 1), &held, "alert-sequence");
    issued("a sequence too far", alert(&held, Recall, 3), &held, "alert-sequence");
    issued("a clear of a revoke", alert(&revoked, Clear, 2), &revoked, "alert-final");
    issued("no level", alert(&fresh, Unspecified, 1), &fresh, "field");
    issued("another record's key", alert(&fresh, Revoke, 1), &held, "cosignatures");
    let short = pb::Alert { subject: vec![1; 31], ..alert(&fresh, Hold, 1) };
    issued("a subject of 31 bytes", short, &fresh, "field");
    let short = pb::Alert { reason_digest: Vec::new(), ..alert(&fresh, Hold, 1) };
    issued("no reason", short, &fresh, "field");
    let bare = Payload::Alert(alert(&fresh, Hold, 1));
    cases.plain("an issuer's alert without its key", bare.clone(), "cosignatures");
    let root = vec![(CoSigner::Root, fresh.clone())];
    cases.cosigned("an alert key as a root key", bare.clone(), &root, "cosignatures");
    let twice = [issuer(&fresh), issuer(&fresh)].concat();
    cases.cosigned("an alert co-signed twice", bare, &twice, "cosignatures");
    cases.plain("a first concern", concern(&held, Hold, 1), "ok");
    cases.plain("a concern of sequence 2", concern(&held, Hold, 2), "alert-sequence");
    cases.cosigned("a co-signed concern", concern(&held, Hold, 1), &issuer(&held), "cosignatures");
    let seen = |of: &SigningKey, sequence| acknowledge(of, Vec::new(), sequence);
    cases.plain("an acknowledgement", seen(&held, 1), "ok");
    cases.plain("an acknowledgement of no alert", seen(&fresh, 1), "no-such-alert");
    cases.plain("an acknowledgement of another sequence", seen(&held, 2), "no-such-alert");
    let forge = cases.town.id(1).to_vec();
    cases.plain("an acknowledgement of a concern", acknowledge(&held, forge, 1), "ok");
    let mill = cases.town.id(0).to_vec();
    cases.plain("of a concern nobody has", acknowledge(&held, mill, 1), "no-such-alert");
    cases.plain("of a concern by 31 bytes", acknowledge(&held, vec![1; 31], 1), "field");
    let third = cases.town.members[2].signing.clone();
    cases.by("a second acknowledgement", &third, (seen(&held, 1), &[]), "acknowledged");
}
