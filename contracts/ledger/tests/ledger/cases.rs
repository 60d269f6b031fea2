//! Transactions with what must become of them, on a chain that has an alert, a concern, a revoked
//! record, a suspended member, a rotated key, an open and a decided proposal, and a member that
//! has left. Every refusal of the specification, section 3, stands here at least once.

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
    registry(&mut cases);
    actions(&mut cases);
    votes(&mut cases, &open, &decided);
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
        |e| e.cosignatures.push(cosignature(4, 32, 64)),
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

fn registry(cases: &mut Cases) {
    use pb::KeyRole::{Consensus, P2p, Root, Signing};
    let new = key("a new key");
    let mill = cases.town.members[0].root.clone();
    let both = vec![(CoSigner::Root, mill.clone()), (CoSigner::NewKey, new.clone())];
    let turn = |town: &Town, key: &SigningKey, role| rotate(&town.members[0], key, role);
    let sound = turn(&cases.town, &new, Signing);
    cases.cosigned("a rotation", Payload::RotateKey(sound.clone()), &both, "ok");
    for (name, cosigners, expect) in [
        ("a rotation without the root key", both[1..].to_vec(), "cosignatures"),
        ("a rotation without the new key", both[..1].to_vec(), "cosignatures"),
        (
            "a rotation with both in the wrong order",
            vec![both[1].clone(), both[0].clone()],
            "cosignatures",
        ),
        (
            "a rotation with another member's root key",
            vec![(CoSigner::Root, cases.town.members[1].root.clone()), both[1].clone()],
            "cosignatures",
        ),
        (
            "a rotation with another new key",
            vec![both[0].clone(), (CoSigner::NewKey, key("another key"))],
            "cosignatures",
        ),
    ] {
        cases.cosigned(name, Payload::RotateKey(sound.clone()), &cosigners, expect);
    }
    let consensus = turn(&cases.town, &new, Consensus);
    cases.cosigned("a rotation of a consensus key", Payload::RotateKey(consensus), &both, "ok");
    let root = turn(&cases.town, &new, Root);
    cases.cosigned("a rotation of a root key", Payload::RotateKey(root), &both, "entry");
    let known = cases.town.members[1].p2p.clone();
    let taken = turn(&cases.town, &known, P2p);
    let cosigners = [both[0].clone(), (CoSigner::NewKey, known)];
    cases.cosigned(
        "a rotation to a known key",
        Payload::RotateKey(taken),
        &cosigners,
        "key-in-use",
    );
    let unknown = pb::RotateKey { member: vec![5; 32], ..sound.clone() };
    cases.cosigned("a stranger's rotation", Payload::RotateKey(unknown), &both, "unknown-member");
    let short = pb::RotateKey { member: vec![5; 31], ..sound.clone() };
    cases.cosigned("a member of 31 bytes", Payload::RotateKey(short), &both, "field");
    let future = pb::RotateKey { compromised_since: 1_000, ..sound.clone() };
    cases.cosigned("compromised in the future", Payload::RotateKey(future), &both, "field");
    let none = pb::RotateKey { new_key: None, ..sound.clone() };
    cases.cosigned("a rotation to no key", Payload::RotateKey(none), &both, "field");
    let weak = pb::PublicKey { key: identity(), ..public_key(Signing, &new) };
    let weak = pb::RotateKey { new_key: Some(weak), ..sound };
    cases.cosigned(
        "a rotation to the identity",
        Payload::RotateKey(weak),
        &both,
        "unacceptable-key",
    );

    let leave =
        |town: &Town, who: usize| Payload::Leave(pb::Leave { member: town.id(who).to_vec() });
    let by_root = [(CoSigner::Root, mill)];
    let validator = leave(&cases.town, 0);
    cases.cosigned("a validator leaves", validator.clone(), &by_root, "still-validator");
    cases.plain("a leave without the root key", validator, "cosignatures");
    let gone = Payload::Leave(pb::Leave {
        member: heatmark_ledger::keys::member_id(
            &cases.town.tip.network,
            &PublicKey::of(&key("Gone root")).id(),
        )
        .to_vec(),
    });
    let its_root = [(CoSigner::Root, key("Gone root"))];
    cases.cosigned("a member leaves twice", gone, &its_root, "member-not-active");
    let nobody = Payload::Leave(pb::Leave { member: vec![1; 32] });
    cases.cosigned("a stranger leaves", nobody, &by_root, "unknown-member");
}

fn actions(cases: &mut Cases) {
    use pb::Role::{Assembler, Supplier, Validator};
    let roles = [Supplier, Validator];
    let sound = town::entry("Newcomer", &roles);
    let cosigners = town::entry_cosigners("Newcomer", &roles);
    let mut add = |name, change: &dyn Fn(&mut pb::MemberEntry), expect| {
        let mut entry = sound.clone();
        change(&mut entry);
        cases.cosigned(name, propose(Action::AddMember(entry)), &cosigners, expect);
    };
    add("a new member", &|_| (), "ok");
    add("a name with a space at its end", &|e| e.legal_name.push(' '), "entry");
    add("no name", &|e| e.legal_name.clear(), "entry");
    add("a name of 201 characters", &|e| e.legal_name = "ä".repeat(201), "entry");
    add("a name with a line break", &|e| e.legal_name = "a\nb".to_owned(), "entry");
    add("a country in small letters", &|e| e.country = "de".to_owned(), "entry");
    add("an unknown scheme", &|e| e.identifiers = vec![identifier("duns", "1")], "entry");
    add("an empty identifier", &|e| e.identifiers = vec![identifier("lei", "")], "entry");
    add(
        "identifiers out of order",
        &|e| e.identifiers = vec![identifier("lei", "2"), identifier("lei", "1")],
        "entry",
    );
    add("seventeen identifiers", &|e| e.identifiers = vec![identifier("lei", "1"); 17], "entry");
    add("roles out of order", &|e| e.roles.reverse(), "entry");
    add("a role twice", &|e| e.roles = vec![1, 1, 6], "entry");
    add("no role", &|e| e.roles.clear(), "entry");
    add("a role that is none", &|e| e.roles = vec![0, 6], "entry");
    add("an unknown role", &|e| e.roles = vec![1, 7], "malformed");
    add("a consensus key without the role", &|e| e.roles = vec![1], "entry");
    add("an envelope key of zeros", &|e| e.keys[3].key = vec![0; 32], "entry");
    add("keys out of order", &|e| e.keys.swap(0, 1), "cosignatures");
    add("a key less than co-signed", &|e| drop(e.keys.pop()), "cosignatures");
    add("a key nobody co-signed", &|e| e.keys[1].key = public(&key("other")), "cosignatures");
    let mill = cases.town.members[0].root.clone();
    let mut taken = sound.clone();
    taken.keys[0].key = public(&mill);
    let mut by_taken = cosigners.clone();
    by_taken[0].1 = mill;
    cases.cosigned("a known key", propose(Action::AddMember(taken)), &by_taken, "key-in-use");
    cases.plain("no action", Payload::Propose(pb::Propose { action: None }), "action");

    let of = |town: &Town, who: usize| target(&town.members[who]);
    let (active, suspended) = (of(&cases.town, 2), of(&cases.town, 3));
    cases.plain("a suspension", propose(Action::Suspend(active.clone())), "ok");
    cases.plain(
        "a suspension of one suspended",
        propose(Action::Suspend(suspended.clone())),
        "action",
    );
    cases.plain("a reinstatement", propose(Action::Reinstate(suspended)), "ok");
    cases.plain(
        "a reinstatement of one active",
        propose(Action::Reinstate(active.clone())),
        "action",
    );
    let unreasoned = pb::MemberAction { reason_digest: Vec::new(), ..active.clone() };
    cases.plain("a suspension without reason", propose(Action::Suspend(unreasoned)), "field");
    let stranger = pb::MemberAction { member: vec![8; 32], ..active };
    cases.plain("a stranger's suspension", propose(Action::Suspend(stranger)), "unknown-member");

    let member = cases.town.id(1).to_vec();
    let set_roles =
        |roles: Vec<i32>| propose(Action::SetRoles(pb::SetRoles { member: member.clone(), roles }));
    cases.plain("new roles", set_roles(vec![Assembler as i32]), "ok");
    cases.plain(
        "the validator's role by a vote on roles",
        set_roles(vec![Validator as i32]),
        "action",
    );
    cases.plain("no roles", set_roles(vec![]), "entry");

    let power = |town: &Town, who: usize, power| town::set_power(&town.members[who], power);
    let (more, too_much, none) =
        (power(&cases.town, 1, 5), power(&cases.town, 1, (1 << 40) + 1), power(&cases.town, 1, 0));
    cases.plain("more power", more, "ok");
    cases.plain("too much power", too_much, "action");
    cases.plain("no power", none, "ok");
    let to_suspended = power(&cases.town, 3, 2);
    cases.plain("power for one suspended", to_suspended, "action");
    let foreign = pb::SetValidator {
        member: cases.town.id(1).to_vec(),
        consensus_key: public(&key("x")),
        power: 1,
    };
    cases.plain(
        "power for an unregistered key",
        propose(Action::SetValidator(foreign.clone())),
        "action",
    );
    let nothing = pb::SetValidator { power: 0, ..foreign.clone() };
    cases.plain("no power for one without", propose(Action::SetValidator(nothing)), "action");
    let weak = pb::SetValidator { consensus_key: identity(), ..foreign };
    cases.plain("power for the identity", propose(Action::SetValidator(weak)), "unacceptable-key");

    let parameters = cases.town.genesis.document().parameters.to_proto();
    cases.plain("the same parameters", propose(Action::Parameters(parameters)), "ok");
    let wild = pb::Parameters { max_block_bytes: 131_071, ..parameters };
    cases.plain("blocks too small", propose(Action::Parameters(wild)), "action");
    let wild =
        pb::Parameters { reserved_alert_bytes: parameters.max_block_bytes / 2 + 1, ..parameters };
    cases.plain("too much reserved", propose(Action::Parameters(wild)), "action");
    let schedule =
        |version, height| propose(Action::ScheduleVersion(pb::ScheduleVersion { version, height }));
    cases.plain("a version to come", schedule(2, 1_000), "ok");
    cases.plain("the version that runs", schedule(1, 1_000), "action");
    cases.plain("a version in the past", schedule(2, 1), "action");
    let replace = |town: &Town, new: &SigningKey, role| {
        let new_root = Some(public_key(role, new));
        propose(Action::ReplaceRoot(pb::ReplaceRoot { member: town.id(1).to_vec(), new_root }))
    };
    let new = key("Forge root 2");
    let by_new = [(CoSigner::NewKey, new.clone())];
    let root = replace(&cases.town, &new, pb::KeyRole::Root);
    cases.cosigned("a new root key", root.clone(), &by_new, "ok");
    cases.plain("a new root key that nobody holds", root, "cosignatures");
    let signing = replace(&cases.town, &new, pb::KeyRole::Signing);
    cases.cosigned("a new root key for signing", signing, &by_new, "action");
}

fn identifier(scheme: &str, value: &str) -> pb::Identifier {
    pb::Identifier { scheme: scheme.to_owned(), value: value.to_owned() }
}

fn votes(cases: &mut Cases, open: &[u8], decided: &[u8]) {
    let vote =
        |proposal: &[u8]| Payload::Vote(pb::Vote { proposal: proposal.to_vec(), approve: true });
    let third = cases.town.members[2].signing.clone();
    cases.by("a vote", &third, (vote(open), &[]), "ok");
    cases.plain("a vote of the proposer", vote(open), "voted");
    cases.by("a vote on what is decided", &third, (vote(decided), &[]), "proposal-not-open");
    cases.by("a vote on nothing", &third, (vote(&[3; 32]), &[]), "proposal-not-open");
    cases.by("a vote on 31 bytes", &third, (vote(&[3; 31]), &[]), "field");
    let suspended = cases.town.members[3].signing.clone();
    cases.by("a suspended member's vote", &suspended, (vote(open), &[]), "member-not-active");
    let late = START_MS + 1_000_000;
    let mut body = cases.town.body(vote(open));
    (body.not_before_ms, body.not_after_ms) = (late, late + 1_000);
    let envelope = cases.town.envelope(&third, &body, &[]);
    let expect = Some("proposal-not-open");
    cases.all.push(Case { name: "a vote that comes too late", envelope, time_ms: late, expect });
}
