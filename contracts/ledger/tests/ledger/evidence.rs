//! Receipts and state proofs with what must be said of them: every code of the specification's
//! section 7 at least once, sound ones beside them.

mod restarts;
mod states;

pub(crate) use restarts::{cases as restart_cases, restarted_town};

use crate::town::{Town, certify, hash, key};
use heatmark_ledger::TreeSize;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, ReceiptError, TrustRoot};
use prost::Message;

/// A trust root as a vector file carries it.
#[derive(Clone)]
pub(crate) enum Trust {
    Genesis(String),
    Pinned(Vec<u8>),
}

impl Trust {
    pub(crate) fn root(&self) -> Option<TrustRoot> {
        match self {
            Self::Genesis(text) => {
                let genesis = heatmark_ledger::genesis::Genesis::parse(text.as_bytes()).ok()?;
                genesis.require_signed().ok()?;
                Some(TrustRoot::from_genesis(&genesis))
            }
            Self::Pinned(bytes) => TrustRoot::from_pinned(bytes).ok(),
        }
    }
}

/// What is to be verified.
#[derive(Clone)]
pub(crate) enum Evidence {
    Receipt(Vec<u8>),
    State(Vec<u8>),
}

impl Evidence {
    pub(crate) fn verify(&self, trust: &TrustRoot) -> Result<(), ReceiptError> {
        match self {
            Self::Receipt(bytes) => receipt::verify_bytes(bytes, trust).map(|_| ()),
            Self::State(bytes) => receipt::verify_state_bytes(bytes, trust).map(|_| ()),
        }
    }
}

/// Evidence under a trust root with what must be said of it: `ok`, `input`, or a code.
pub(crate) struct Case {
    pub name: String,
    pub trust: Trust,
    pub evidence: Evidence,
    pub expect: &'static str,
}

/// Pins the header of a height of the chain with two set changes.
pub(crate) fn pinned(town: &Town, height: u64) -> Vec<u8> {
    let header = Header::from_proto(&town.header(height)).unwrap();
    let named = |set: &&pb::ValidatorSet| {
        let set = heatmark_ledger::validators::ValidatorSet::from_proto(set).unwrap();
        set.hash() == header.next_validators
    };
    let genesis = town.genesis.validators().to_proto();
    let later = town.changes.iter().filter_map(|change| change.next.as_ref());
    let set = std::iter::once(&genesis).chain(later).find(named).unwrap();
    let next = Some(set.clone());
    let restart = Vec::new();
    pb::TrustedHeader { header: Some(header.to_proto()), next, restart }.encode_to_vec()
}

struct Cases {
    town: Town,
    all: Vec<Case>,
}

impl Cases {
    fn pinned(&self, height: u64) -> Trust {
        Trust::Pinned(pinned(&self.town, height))
    }

    fn push(&mut self, name: &str, trust: Trust, evidence: Evidence, expect: &'static str) {
        self.all.push(Case { name: name.to_owned(), trust, evidence, expect });
    }

    /// A receipt seen from the header before, changed in one thing.
    fn receipt(&mut self, name: &str, change: impl FnOnce(&mut pb::Receipt), expect: &'static str) {
        self.seen_from(5, name, change, expect);
    }

    /// A receipt seen from height 1, so that it has set changes, changed in one thing.
    fn far(&mut self, name: &str, change: impl FnOnce(&mut pb::Receipt), expect: &'static str) {
        self.seen_from(1, name, change, expect);
    }

    fn seen_from(
        &mut self,
        height: u64,
        name: &str,
        change: impl FnOnce(&mut pb::Receipt),
        expect: &'static str,
    ) {
        let mut receipt = self.town.receipt(1, Height(height));
        change(&mut receipt);
        let trust = self.pinned(height);
        self.push(name, trust, Evidence::Receipt(receipt.encode_to_vec()), expect);
    }

    fn bytes(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>), expect: &'static str) {
        let mut bytes = self.town.receipt(1, Height(5)).encode_to_vec();
        change(&mut bytes);
        let trust = self.pinned(5);
        self.push(name, trust, Evidence::Receipt(bytes), expect);
    }

    fn state(
        &mut self,
        name: &str,
        key: &[u8],
        change: impl FnOnce(&mut pb::StateProof),
        expect: &'static str,
    ) {
        let mut proof = self.town.state_proof(key, Height(5));
        change(&mut proof);
        let trust = self.pinned(5);
        self.push(name, trust, Evidence::State(proof.encode_to_vec()), expect);
    }

    /// A receipt whose header says something else and is certified again by those who may.
    fn recertified(&mut self, name: &str, change: impl FnOnce(&mut Header), expect: &'static str) {
        let mut receipt = self.town.receipt(1, Height(5));
        let mut header = Header::from_proto(receipt.header.as_ref().unwrap()).unwrap();
        change(&mut header);
        receipt.certificate = Some(self.town.certify(&header).to_proto());
        receipt.header = Some(header.to_proto());
        let trust = self.pinned(5);
        self.push(name, trust, Evidence::Receipt(receipt.encode_to_vec()), expect);
    }

    /// A receipt for an envelope that no honest validator would have let stand.
    fn envelope(&mut self, name: &str, envelope: Vec<u8>, expect: &'static str) {
        let leaf = heatmark_ledger::transaction::leaf_hash(&envelope);
        let mut receipt = self.town.receipt(1, Height(5));
        let mut header = Header::from_proto(receipt.header.as_ref().unwrap()).unwrap();
        (header.log_size, header.log_root) = (TreeSize(1), leaf);
        (receipt.transaction, receipt.leaf_index) = (envelope, 0);
        receipt.inclusion_path.clear();
        receipt.certificate = Some(self.town.certify(&header).to_proto());
        receipt.header = Some(header.to_proto());
        let trust = self.pinned(5);
        self.push(name, trust, Evidence::Receipt(receipt.encode_to_vec()), expect);
    }
}

/// All cases: every code of the specification's section 7 at least once.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases { town: Town::with_two_set_changes(), all: Vec::new() };
    sound(&mut cases);
    encodings(&mut cases);
    chains(&mut cases);
    certificates(&mut cases);
    paths(&mut cases);
    trust_roots(&mut cases);
    states::states(&mut cases);
    flips(&mut cases);
    cases.all
}

fn sound(cases: &mut Cases) {
    let leaves = cases.town.envelopes.len() as u64;
    for leaf in (0..leaves).step_by(3) {
        let receipt = cases.town.receipt(leaf, Height(5)).encode_to_vec();
        let trust = cases.pinned(5);
        let name = format!("leaf {leaf} from the header before");
        cases.push(&name, trust, Evidence::Receipt(receipt), "ok");
    }
    for height in 1..5 {
        let receipt = cases.town.receipt(0, Height(height)).encode_to_vec();
        let trust = cases.pinned(height);
        cases.push(&format!("from height {height}"), trust, Evidence::Receipt(receipt), "ok");
    }
    let receipt = cases.town.receipt(0, Height(0)).encode_to_vec();
    let trust = Trust::Genesis(cases.town.text());
    cases.push("from genesis, over two set changes", trust, Evidence::Receipt(receipt), "ok");
    let receipt = cases.town.receipt(1, Height(5)).encode_to_vec();
    let trust = Trust::Genesis(cases.town.text());
    let expect = "certificate-signature";
    cases.push("from genesis without the set changes", trust, Evidence::Receipt(receipt), expect);
}

fn encodings(cases: &mut Cases) {
    cases.bytes("no bytes", Vec::clear, "wrong-length");
    cases.bytes("the last byte missing", |b| b.truncate(b.len() - 1), "not-canonical");
    cases.bytes("an unknown field", |b| b.extend([0x38, 1]), "not-canonical");
    cases.bytes("a default written out", |b| b.extend([0x10, 0]), "not-canonical");
    cases.bytes("a group", |b| b.extend([0x3b, 0x3c]), "not-canonical");
    cases.bytes("its bytes twice", |b| b.extend(b.clone()), "not-canonical");
    cases.receipt("no header", |r| r.header = None, "wrong-length");
    cases.receipt("no certificate", |r| r.certificate = None, "wrong-length");
    cases.far("a set change without header", |r| r.set_changes[0].header = None, "wrong-length");
    cases.far(
        "a set change without certificate",
        |r| r.set_changes[0].certificate = None,
        "wrong-length",
    );
    cases.far("a set change without set", |r| r.set_changes[0].next = None, "wrong-length");
    cases.receipt("a network of 31 bytes", |r| header(r).network.truncate(31), "wrong-length");
    cases.receipt("a log root of 33 bytes", |r| header(r).log_root.push(0), "wrong-length");
    cases.receipt("no state root", |r| header(r).state_root.clear(), "wrong-length");
    cases.receipt("a path hash of 31 bytes", |r| r.inclusion_path[0].truncate(31), "wrong-length");
    cases.receipt(
        "a precommit of 63 bytes",
        |r| signatures(r)[0].signature.truncate(63),
        "wrong-length",
    );
}

fn header(receipt: &mut pb::Receipt) -> &mut pb::Header {
    receipt.header.as_mut().unwrap()
}

fn signatures(receipt: &mut pb::Receipt) -> &mut Vec<pb::CommitSignature> {
    &mut receipt.certificate.as_mut().unwrap().signatures
}

fn set_of(receipt: &mut pb::Receipt, change: usize) -> &mut Vec<pb::Validator> {
    &mut receipt.set_changes[change].next.as_mut().unwrap().validators
}

fn chains(cases: &mut Cases) {
    cases.receipt("another network", |r| header(r).network[0] ^= 1, "wrong-network");
    cases.far(
        "a set change of another network",
        |r| r.set_changes[0].header.as_mut().unwrap().network[0] ^= 1,
        "wrong-network",
    );
    cases.receipt("as old as the trust root", |r| header(r).height = 5, "older-than-trust");
    cases.receipt("height 0", |r| header(r).height = 0, "older-than-trust");
    cases.far("set changes swapped", |r| r.set_changes.reverse(), "set-change-order");
    cases.far(
        "a set change twice",
        |r| r.set_changes.insert(1, r.set_changes[0].clone()),
        "set-change-order",
    );
    cases.far(
        "a set change at the header's height",
        |r| r.set_changes[1].header.as_mut().unwrap().height = 6,
        "set-change-order",
    );
    cases.far(
        "a set change at the trust root's height",
        |r| r.set_changes[0].header.as_mut().unwrap().height = 1,
        "set-change-order",
    );
    cases.far("a change of powers alone left out", |r| drop(r.set_changes.remove(0)), "ok");
    cases.far(
        "the last set change missing",
        |r| drop(r.set_changes.pop()),
        "certificate-signature",
    );
    cases.far("more power in a set", |r| set_of(r, 0)[0].power += 1, "wrong-next-set");
    cases.far("a validator less in a set", |r| drop(set_of(r, 0).pop()), "wrong-next-set");
    cases.far(
        "a validator's key of 31 bytes",
        |r| set_of(r, 0)[0].key.truncate(31),
        "wrong-length",
    );
    cases.far("an empty set", |r| set_of(r, 0).clear(), "invalid-set");
    cases.far("a set out of order", |r| set_of(r, 0).reverse(), "invalid-set");
    cases.far("a validator without power", |r| set_of(r, 1)[0].power = 0, "invalid-set");
    cases.far("too much power", |r| set_of(r, 1)[0].power = (1 << 40) + 1, "invalid-set");
    let identity = [&[1_u8][..], &[0; 31]].concat();
    cases.far("the identity votes", |r| set_of(r, 1)[0].key = identity, "invalid-set");
    let unchanged = {
        let at = town_at_height_two();
        at.receipt(0, Height(0)).header
    };
    let set = cases.town.genesis.validators().to_proto();
    let header = Header::from_proto(&unchanged.unwrap()).unwrap();
    let certificate = certify(&cases.town.voters, &header, cases.town.genesis.validators(), 9);
    let change = pb::SetChange {
        header: Some(header.to_proto()),
        certificate: Some(certificate.to_proto()),
        next: Some(set),
        restart: None,
    };
    cases.far(
        "a set change to the same set",
        |r| r.set_changes.insert(0, change),
        "set-change-unchanged",
    );
}

/// The same chain, ended at height 2.
fn town_at_height_two() -> Town {
    let mut town = Town::new();
    let first = [town.anchor(0), town.anchor(1), town.anchor(2)];
    town.commit(&first);
    town.commit(&[]);
    town
}

fn certificates(cases: &mut Cases) {
    cases.receipt(
        "another round",
        |r| r.certificate.as_mut().unwrap().round = 0,
        "certificate-signature",
    );
    cases.receipt(
        "a flipped signature",
        |r| signatures(r)[2].signature[5] ^= 4,
        "certificate-signature",
    );
    cases.receipt(
        "a signature of zeros beside a quorum",
        |r| signatures(r)[0].signature = vec![0; 64],
        "certificate-signature",
    );
    cases.receipt("no signature", |r| signatures(r).clear(), "certificate-quorum");
    cases.receipt("a single signature", |r| signatures(r).truncate(1), "certificate-quorum");
    cases.receipt("signatures out of order", |r| signatures(r).swap(0, 1), "certificate-order");
    cases.receipt(
        "a signature twice",
        |r| {
            let first = signatures(r)[0].clone();
            signatures(r).insert(0, first);
        },
        "certificate-order",
    );
    cases.receipt(
        "a signer outside the set",
        |r| signatures(r)[2].validator = 3,
        "certificate-order",
    );
    cases.receipt(
        "a signer far outside",
        |r| signatures(r)[2].validator = u32::MAX,
        "certificate-order",
    );
    cases.far(
        "two thirds and no more in a set change",
        |r| r.set_changes[0].certificate.as_mut().unwrap().signatures.truncate(2),
        "certificate-quorum",
    );
    cases.far(
        "three of four are enough in a set change",
        |r| drop(r.set_changes[0].certificate.as_mut().unwrap().signatures.remove(1)),
        "ok",
    );
    cases.receipt("another time", |r| header(r).time_ms += 1, "certificate-signature");
    cases.receipt("another version", |r| header(r).version = 2, "certificate-signature");
    let strangers = [key("a"), key("b"), key("c")];
    let town = &cases.town;
    let mut forged = town.receipt(1, Height(5));
    let set = heatmark_ledger::validators::ValidatorSet::new(
        strangers
            .iter()
            .map(|key| heatmark_ledger::validators::Validator {
                key: heatmark_ledger::keys::PublicKey::of(key),
                power: 1,
            })
            .collect(),
    )
    .unwrap();
    let header = Header::from_proto(forged.header.as_ref().unwrap()).unwrap();
    forged.certificate = Some(certify(&strangers, &header, &set, 9).to_proto());
    let trust = cases.pinned(5);
    cases.push(
        "certified by strangers",
        trust,
        Evidence::Receipt(forged.encode_to_vec()),
        "certificate-signature",
    );
}

fn paths(cases: &mut Cases) {
    cases.receipt("another leaf's index", |r| r.leaf_index = 2, "inclusion-path");
    cases.receipt("an index behind the log", |r| r.leaf_index = 1 << 40, "inclusion-path");
    cases.receipt("a path one short", |r| drop(r.inclusion_path.pop()), "inclusion-path");
    cases.receipt("no path", |r| r.inclusion_path.clear(), "inclusion-path");
    cases.receipt("a path one too long", |r| r.inclusion_path.push(vec![0; 32]), "inclusion-path");
    cases.receipt("a path upside down", |r| r.inclusion_path.reverse(), "inclusion-path");
    cases.receipt("a flipped path", |r| r.inclusion_path[1][0] ^= 1, "inclusion-path");
    cases.receipt("another transaction", |r| r.transaction[40] ^= 1, "inclusion-path");
    cases.receipt("no transaction", |r| r.transaction.clear(), "inclusion-path");
    cases.recertified("a log of another size", |h| h.log_size = TreeSize(3), "inclusion-path");
    cases.recertified("another log root", |h| h.log_root = hash("x"), "inclusion-path");
    cases.recertified("an empty log", |h| h.log_size = TreeSize(0), "inclusion-path");
    cases.recertified("another state root", |h| h.state_root = hash("x"), "ok");
    let sound = cases.town.envelopes[0].clone();
    cases.envelope("a log of one leaf", sound.clone(), "ok");
    cases.envelope("an empty envelope", Vec::new(), "body-not-canonical");
    cases.envelope("an envelope that is none", b"heat".to_vec(), "body-not-canonical");
    cases.envelope(
        "an envelope with more",
        [sound.as_slice(), &[0x28, 1]].concat(),
        "body-not-canonical",
    );
    let mut changed = pb::Envelope::decode(sound.as_slice()).unwrap();
    changed.body.extend([0x90, 1, 1]);
    cases.envelope("a body with more", changed.encode_to_vec(), "body-not-canonical");
    let mut changed = pb::Envelope::decode(sound.as_slice()).unwrap();
    changed.signer.pop();
    cases.envelope("a signer of 31 bytes", changed.encode_to_vec(), "body-not-canonical");
    let cosignature = pb::CoSignature { purpose: 6, public_key: vec![1], signature: vec![1] };
    let mut changed = pb::Envelope::decode(sound.as_slice()).unwrap();
    changed.cosignatures.push(cosignature);
    cases.envelope("an unknown co-signer", changed.encode_to_vec(), "body-not-canonical");
}

fn trust_roots(cases: &mut Cases) {
    let receipt = Evidence::Receipt(cases.town.receipt(1, Height(0)).encode_to_vec());
    let text = cases.town.text();
    let mut unsigned: Vec<&str> = text.lines().collect();
    unsigned.pop();
    let unsigned = format!("{}\n", unsigned.join("\n"));
    cases.push(
        "a genesis that one has not signed",
        Trust::Genesis(unsigned),
        receipt.clone(),
        "input",
    );
    let newest = cases.pinned(6);
    cases.push("from the header itself", newest, receipt.clone(), "older-than-trust");
    let late = cases.pinned(4);
    cases.push("set changes before the trust root", late, receipt.clone(), "set-change-order");
    let Trust::Pinned(bytes) = cases.pinned(1) else { unreachable!() };
    let pinned = pb::TrustedHeader::decode(bytes.as_slice()).unwrap();
    type Change = fn(&mut pb::TrustedHeader);
    let changes: [(&str, Change); 5] = [
        ("a pinned header without set", |p| p.next = None),
        ("a pinned header without header", |p| p.header = None),
        ("a pinned header with another set", |p| p.next.as_mut().unwrap().validators[0].power = 7),
        ("a pinned header of 31 bytes of network", |p| {
            p.header.as_mut().unwrap().network.truncate(31);
        }),
        ("a pinned header with an empty set", |p| p.next.as_mut().unwrap().validators.clear()),
    ];
    for (name, change) in changes {
        let mut pinned = pinned.clone();
        change(&mut pinned);
        cases.push(name, Trust::Pinned(pinned.encode_to_vec()), receipt.clone(), "input");
    }
    let mut more = bytes;
    more.extend([0x18, 1]);
    cases.push("a pinned header with more", Trust::Pinned(more), receipt, "input");
}

/// A bit of every 53rd byte, as far as that stays evidence to be refused.
fn flips(cases: &mut Cases) {
    let sound = cases.town.receipt(4, Height(5)).encode_to_vec();
    let trust = cases.pinned(5);
    for position in (0..sound.len()).step_by(53) {
        let mut bytes = sound.clone();
        bytes[position] ^= 1;
        let evidence = Evidence::Receipt(bytes);
        let found = evidence.verify(&trust.root().unwrap()).map_err(|error| error.code());
        let expect = found.expect_err("a flipped byte must be refused");
        cases.push(&format!("byte {position} flipped"), trust.clone(), evidence, expect);
    }
}

/// What our verifier says of a case.
pub(crate) fn verdict(case: &Case) -> &'static str {
    match case.trust.root() {
        None => "input",
        Some(trust) => case.evidence.verify(&trust).map_or_else(|error| error.code(), |()| "ok"),
    }
}
