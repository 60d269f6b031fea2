//! Proof that a validator signed twice: sound proofs verify from genesis and from pinned headers;
//! everything short of proof is refused, and with which name.

use crate::evidence::{Trust, pinned};
use crate::town::{Town, hash, key, public};
use ed25519_dalek::SigningKey;
use heatmark_ledger::certificate::{VoteKind, proposal_preimage, vote_preimage};
use heatmark_ledger::evidence::{self, Equivocation, EvidenceError, Signed, Statement};
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round};
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::state;
use heatmark_ledger::validators::ValidatorSet;
use prost::Message;
use std::collections::BTreeSet;

/// Evidence under a trust root with what must be said of it: `ok`, `input`, or a code.
pub(crate) struct Case {
    pub name: String,
    pub trust: Trust,
    pub evidence: Vec<u8>,
    pub expect: &'static str,
}

fn value(label: &str) -> HeaderHash {
    HeaderHash(hash(label))
}

/// A statement by a key as it would be signed on a network.
fn signed(
    network: &NetworkId,
    key: &SigningKey,
    place: (u64, u32),
    statement: Statement,
    (value, lock_round): (Option<HeaderHash>, Option<Round>),
) -> Signed {
    let at = (Height(place.0), Round(place.1));
    let own = PublicKey::of(key).to_bytes();
    let vote = |kind| vote_preimage(network, kind, at, value.as_ref(), &own);
    let bytes = match statement {
        Statement::Prevote => vote(VoteKind::Prevote),
        Statement::Precommit => vote(VoteKind::Precommit),
        Statement::Proposal => proposal_preimage(network, at, lock_round, &value.unwrap(), &own),
    };
    Signed { value, lock_round, signature: sign(key, &bytes).try_into().unwrap() }
}

fn equivocation(
    network: &NetworkId,
    key: &SigningKey,
    place: (u64, u32),
    statement: Statement,
) -> pb::Equivocation {
    let one = signed(network, key, place, statement, (Some(value("one")), None));
    let other = match statement {
        Statement::Proposal => (Some(value("one")), Some(Round(0))),
        Statement::Prevote => (Some(value("other")), None),
        Statement::Precommit => (None, None),
    };
    let other = signed(network, key, place, statement, other);
    let at = (Height(place.0), Round(place.1));
    let own = PublicKey::of(key).to_bytes();
    Equivocation::new(*network, own, at, statement, [one, other]).unwrap().to_proto()
}

/// The set that votes on a height of the chain with two set changes.
fn set_of(town: &Town, height: u64) -> pb::ValidatorSet {
    let before = |change: &&pb::SetChange| change.header.as_ref().unwrap().height < height;
    let newest = town.changes.iter().rfind(before);
    newest.map_or_else(|| town.genesis.validators().to_proto(), |c| c.next.clone().unwrap())
}

/// Evidence about a height, for a verifier that trusts the height `after`.
fn about(town: &Town, equivocation: pb::Equivocation, after: u64) -> pb::Evidence {
    let height = equivocation.height;
    if height == after + 1 {
        return pb::Evidence { equivocation: Some(equivocation), ..Default::default() };
    }
    let block = &town.blocks[height as usize - 2];
    let between = |change: &&pb::SetChange| {
        let at = change.header.as_ref().unwrap().height;
        after < at && at + 1 < height
    };
    pb::Evidence {
        equivocation: Some(equivocation),
        header: block.block.as_ref().unwrap().header.clone(),
        certificate: block.certificate.clone(),
        set_changes: town.changes.iter().filter(between).cloned().collect(),
        validators: Some(set_of(town, height)),
        key: None,
        member: None,
    }
}

fn with_holder(town: &Town, evidence: pb::Evidence, who: usize, after: u64) -> pb::Evidence {
    let member = &town.members[who];
    let id = PublicKey::of(&member.consensus).id();
    let key = Some(town.state_proof(&state::key_key(&id), Height(after)));
    let member = Some(town.state_proof(&state::member_key(&member.id), Height(after)));
    pb::Evidence { key, member, ..evidence }
}

struct Cases {
    town: Town,
    all: Vec<Case>,
}

impl Cases {
    fn genesis(&self) -> Trust {
        Trust::Genesis(self.town.text())
    }

    fn pinned(&self, height: u64) -> Trust {
        Trust::Pinned(pinned(&self.town, height))
    }

    fn push(&mut self, name: &str, trust: Trust, evidence: Vec<u8>, expect: &'static str) {
        self.all.push(Case { name: name.to_owned(), trust, evidence, expect });
    }

    /// The last founder's equivocation, for a verifier that trusts the height `after`.
    fn sound(&self, place: (u64, u32), statement: Statement, after: u64) -> pb::Evidence {
        let network = self.town.tip.network;
        let equivocation =
            equivocation(&network, &self.town.members[3].consensus, place, statement);
        about(&self.town, equivocation, after)
    }

    /// Evidence about height 7 seen from height 4, a set change away, changed in one thing.
    fn far(&mut self, name: &str, change: impl FnOnce(&mut pb::Evidence), expect: &'static str) {
        let mut evidence = self.sound((7, 1), Statement::Prevote, 4);
        change(&mut evidence);
        let trust = self.pinned(4);
        self.push(name, trust, evidence.encode_to_vec(), expect);
    }

    /// The same with its owner.
    fn owned(&mut self, name: &str, change: impl FnOnce(&mut pb::Evidence), expect: &'static str) {
        let evidence = self.sound((7, 1), Statement::Prevote, 4);
        let mut evidence = with_holder(&self.town, evidence, 3, 4);
        change(&mut evidence);
        let trust = self.pinned(4);
        self.push(name, trust, evidence.encode_to_vec(), expect);
    }

    /// Evidence about height 7 whose two statements are these.
    fn pair(&mut self, name: &str, pair: [Signed; 2], statement: i32, expect: &'static str) {
        let signed = pair.map(|signed| pb::SignedStatement {
            value: signed.value.map_or_else(Vec::new, |hash| hash.to_vec()),
            lock: signed.lock_round.map_or(0, |round| round.0 + 1),
            signature: signed.signature.to_vec(),
        });
        self.far(
            name,
            |evidence| {
                let equivocation = evidence.equivocation.as_mut().unwrap();
                equivocation.signed = signed.into();
                equivocation.statement = statement;
            },
            expect,
        );
    }
}

fn core(evidence: &mut pb::Evidence) -> &mut pb::Equivocation {
    evidence.equivocation.as_mut().unwrap()
}

/// All cases: every code at least once.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases { town: Town::with_two_set_changes(), all: Vec::new() };
    sound(&mut cases);
    conflicts(&mut cases);
    encodings(&mut cases);
    chains(&mut cases);
    holders(&mut cases);
    cases.all
}

fn sound(cases: &mut Cases) {
    for (name, statement) in [
        ("two prevotes", Statement::Prevote),
        ("a precommit and one for nil", Statement::Precommit),
        ("two proposals that differ in their lock", Statement::Proposal),
    ] {
        for height in [1, 7] {
            let evidence = cases.sound((height, 2), statement, 0).encode_to_vec();
            let trust = cases.genesis();
            cases.push(&format!("{name} at height {height}, from genesis"), trust, evidence, "ok");
        }
        for height in [2, 4, 6] {
            let evidence = cases.sound((height, 0), statement, 1).encode_to_vec();
            let trust = cases.pinned(1);
            cases.push(&format!("{name} at height {height}, pinned"), trust, evidence, "ok");
        }
    }
    let evidence = cases.sound((7, 1), Statement::Prevote, 0);
    let evidence = with_holder(&cases.town, evidence, 3, 0).encode_to_vec();
    for height in [2, 4, 5, 6] {
        let trust = cases.pinned(height);
        let name = format!("made for genesis, seen from height {height}");
        cases.push(&name, trust, evidence.clone(), "ok");
    }
    let older = cases.sound((6, 1), Statement::Prevote, 0).encode_to_vec();
    let trust = cases.pinned(6);
    cases.push("as old as the trust root", trust, older, "older-than-trust");
    cases.owned("with its owner", |_| {}, "ok");
    cases.owned("without its owner's name", |e| e.member = None, "ok");
    let trust = Trust::Genesis(format!("{}x", cases.town.text()));
    cases.push("a useless trust root", trust, evidence, "input");
}

fn conflicts(cases: &mut Cases) {
    let (network, mallory) = (cases.town.tip.network, cases.town.members[3].consensus.clone());
    let make = |place, statement, says| signed(&network, &mallory, place, statement, says);
    let (here, prevote) = ((7, 1), Statement::Prevote);
    let (one, other) = ((Some(value("one")), None), (Some(value("other")), None));
    let kind = pb::Statement::Prevote as i32;
    let first = make(here, prevote, one);
    let second = make(here, prevote, other);
    let ordered = |a: Signed, b: Signed| if a.value <= b.value { [a, b] } else { [b, a] };
    cases.pair("the same vote twice", [first, first], kind, "no-conflict");
    let mut again = first;
    again.signature = second.signature;
    cases.pair("the same vote with two signatures", [first, again], kind, "no-conflict");
    let [low, high] = ordered(first, second);
    cases.pair("in the wrong order", [high, low], kind, "not-canonical");
    let elsewhere = make((7, 2), prevote, other);
    cases.pair("votes of two rounds", ordered(first, elsewhere), kind, "statement-signature");
    let elsewhere = make((6, 1), prevote, other);
    cases.pair("votes of two heights", ordered(first, elsewhere), kind, "statement-signature");
    let precommit = make(here, Statement::Precommit, other);
    cases.pair("a prevote and a precommit", ordered(first, precommit), kind, "statement-signature");
    let claimed = pb::Statement::Precommit as i32;
    cases.pair(
        "prevotes called precommits",
        ordered(first, second),
        claimed,
        "statement-signature",
    );
    let claimed = pb::Statement::Proposal as i32;
    cases.pair("prevotes called proposals", ordered(first, second), claimed, "statement-signature");
    let foreign = signed(&NetworkId::from([7; 32]), &mallory, here, prevote, other);
    cases.pair("a vote of another network", ordered(first, foreign), kind, "statement-signature");
    let stranger = signed(&network, &key("stranger"), here, prevote, other);
    cases.pair("a vote by another key", ordered(first, stranger), kind, "statement-signature");
    let mut flipped = second;
    flipped.signature[40] ^= 1;
    cases.pair("a flipped signature", ordered(first, flipped), kind, "statement-signature");
    let mut zero = second;
    zero.signature = [0; 64];
    cases.pair("a signature of zeros", ordered(first, zero), kind, "statement-signature");
    let mut locked = second;
    locked.lock_round = Some(Round(0));
    cases.pair("a vote with a lock", ordered(first, locked), kind, "not-canonical");
}

fn encodings(cases: &mut Cases) {
    cases.far("no equivocation", |e| e.equivocation = None, "wrong-length");
    cases.far("a single statement", |e| core(e).signed.truncate(1), "wrong-length");
    cases.far(
        "three statements",
        |e| {
            let third = core(e).signed[0].clone();
            core(e).signed.push(third);
        },
        "wrong-length",
    );
    cases.far("no kind", |e| core(e).statement = 0, "not-canonical");
    cases.far("an unknown kind", |e| core(e).statement = 4, "not-canonical");
    cases.far("a key of 31 bytes", |e| core(e).validator.truncate(31), "wrong-length");
    cases.far("a network of 33 bytes", |e| core(e).network.push(0), "wrong-length");
    cases.far("a value of 31 bytes", |e| core(e).signed[0].value.truncate(31), "wrong-length");
    cases.far(
        "a signature of 63 bytes",
        |e| core(e).signed[1].signature.truncate(63),
        "wrong-length",
    );
    let mut proposal = cases.sound((7, 1), Statement::Proposal, 4);
    core(&mut proposal).signed[0].value.clear();
    let trust = cases.pinned(4);
    cases.push("a proposal of nothing", trust, proposal.encode_to_vec(), "wrong-length");
    let sound = cases.sound((7, 1), Statement::Prevote, 4).encode_to_vec();
    let trust = cases.pinned(4);
    cases.push("an unknown field", trust, [&sound[..], &[0x40, 1]].concat(), "not-canonical");
    let trust = cases.pinned(4);
    cases.push("the last byte missing", trust, sound[..sound.len() - 1].to_vec(), "not-canonical");
    let trust = cases.pinned(4);
    cases.push("no bytes", trust, Vec::new(), "wrong-length");
}

fn chains(cases: &mut Cases) {
    cases.far("of another network", |e| core(e).network[0] ^= 1, "wrong-network");
    cases.far("height 0", |e| core(e).height = 0, "older-than-trust");
    cases.far("no header", |e| e.header = None, "wrong-length");
    cases.far("no certificate", |e| e.certificate = None, "wrong-length");
    cases.far("no set", |e| e.validators = None, "wrong-length");
    cases.far("an empty set", |e| e.validators = Some(Default::default()), "invalid-set");
    cases.far("a set change missing", |e| drop(e.set_changes.pop()), "certificate-signature");
    let mut swapped = cases.sound((7, 1), Statement::Prevote, 2);
    swapped.set_changes.reverse();
    let trust = cases.pinned(2);
    cases.push("set changes swapped", trust, swapped.encode_to_vec(), "set-change-order");
    let earlier = cases.town.genesis.validators().to_proto();
    cases.far("the set of an earlier height", |e| e.validators = Some(earlier), "wrong-next-set");
    let stranger = pb::Validator { key: public(&key("stranger")), power: 1 };
    cases.far(
        "a set with a stranger in it",
        |e| {
            let set = e.validators.as_mut().unwrap();
            set.validators.push(stranger);
            set.validators.sort_by(|a, b| a.key.cmp(&b.key));
        },
        "wrong-next-set",
    );
    cases.far("about the height after", |e| core(e).height = 8, "wrong-next-set");
    cases.far("a certificate without quorum", quorumless, "certificate-quorum");
    let network = cases.town.tip.network;
    let mallory = key("stranger");
    let strange = equivocation(&network, &mallory, (7, 1), Statement::Prevote);
    let strange = about(&cases.town, strange, 2);
    let trust = cases.pinned(2);
    cases.push("a stranger's key", trust, strange.encode_to_vec(), "not-a-validator");
    // The first founder lost its power in block 5: it votes on 5, and not on 6.
    let retired = cases.town.members[0].consensus.clone();
    for (height, expect) in [(5, "ok"), (6, "not-a-validator")] {
        let gone = equivocation(&network, &retired, (height, 0), Statement::Prevote);
        let gone = about(&cases.town, gone, 2).encode_to_vec();
        let trust = cases.pinned(2);
        let name = format!("a key that left the set, at height {height}");
        cases.push(&name, trust, gone, expect);
    }
}

fn quorumless(evidence: &mut pb::Evidence) {
    evidence.certificate.as_mut().unwrap().signatures.truncate(1);
}

fn holders(cases: &mut Cases) {
    cases.owned("an owner without the key's entry", |e| e.key = None, "wrong-member");
    cases.owned("entries exchanged", |e| std::mem::swap(&mut e.key, &mut e.member), "wrong-member");
    let proof = |town: &Town, key: &[u8]| Some(town.state_proof(key, Height(4)));
    let other = &cases.town.members[1];
    let others_key = state::key_key(&PublicKey::of(&other.consensus).id());
    let key_entry = proof(&cases.town, &others_key);
    let member_entry = proof(&cases.town, &state::member_key(&other.id));
    let absent = proof(&cases.town, b"key/nobody");
    cases.owned("another's key", |e| e.key = key_entry, "wrong-member");
    cases.owned("another member", |e| e.member = member_entry, "wrong-member");
    cases.owned("an entry that is absent", |e| e.key = absent, "wrong-member");
    cases.owned(
        "an entry that its header does not hold",
        |e| e.key.as_mut().unwrap().value[3] ^= 1,
        "state-proof",
    );
    cases.owned(
        "an entry whose header is not certified",
        |e| {
            let certificate = e.member.as_mut().unwrap().certificate.as_mut().unwrap();
            certificate.signatures[0].signature[5] ^= 4;
        },
        "certificate-signature",
    );
}

pub(crate) fn verdict(case: &Case) -> &'static str {
    let Some(trust) = case.trust.root() else { return "input" };
    match evidence::verify_bytes(&case.evidence, &trust) {
        Ok(_) => "ok",
        Err(error) => {
            let cannot_tell = error.code() == "older-than-trust";
            assert_eq!(error.cannot_tell(), cannot_tell);
            error.code()
        }
    }
}

#[test]
fn evidence_of_equivocation_meets_its_fate_and_every_code_occurs() {
    let all = cases();
    let wrong: Vec<String> = all
        .iter()
        .filter(|case| verdict(case) != case.expect)
        .map(|case| format!("{}: expected {}, found {}", case.name, case.expect, verdict(case)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let occurred: BTreeSet<_> = all.iter().map(|case| case.expect).collect();
    for code in ["no-conflict", "statement-signature", "not-a-validator", "wrong-member"] {
        assert!(occurred.contains(code), "{code}");
    }
    let refused = all.iter().filter(|case| case.expect != "ok").count();
    assert!(refused > all.len() / 2, "negatives outnumber positives");
}

#[test]
fn evidence_says_who_it_was_and_when_it_voted() {
    let cases = Cases { town: Town::with_two_set_changes(), all: Vec::new() };
    let evidence = cases.sound((7, 1), Statement::Prevote, 0);
    let bytes = with_holder(&cases.town, evidence, 3, 0).encode_to_vec();
    let said = evidence::verify_bytes(&bytes, &cases.town.trust()).unwrap();
    let lab = &cases.town.members[3];
    assert_eq!(said.equivocation.validator, PublicKey::of(&lab.consensus).to_bytes());
    assert_eq!((said.power, said.total_power), (2, 4));
    assert_eq!(said.validator_at, [1, 4, 6, 7].map(Height));
    let holder = said.holder.unwrap();
    assert_eq!((holder.member, holder.legal_name.as_deref()), (lab.id, Some("Lab")));
    assert_eq!((holder.valid_from, holder.valid_to, holder.as_of), (Height(1), None, Height(6)));
}

#[test]
fn rejects_evidence_with_any_bit_flipped() {
    let cases = Cases { town: Town::with_two_set_changes(), all: Vec::new() };
    let bytes = cases.sound((4, 1), Statement::Precommit, 0).encode_to_vec();
    let trust = cases.town.trust();
    evidence::verify_bytes(&bytes, &trust).unwrap();
    for position in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut flipped = bytes.clone();
            flipped[position] ^= 1 << bit;
            let found = evidence::verify_bytes(&flipped, &trust);
            assert!(found.is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn a_proposal_of_nothing_is_no_statement() {
    let network = NetworkId::from([1; 32]);
    let nothing = Signed { value: None, lock_round: None, signature: [0; 64] };
    let lock = Signed { lock_round: Some(Round(0)), ..nothing };
    let place = (Height(1), Round(0));
    let made = Equivocation::new(network, [2; 32], place, Statement::Proposal, [nothing, lock]);
    assert!(matches!(made, Err(EvidenceError::Chain(_))));
}

#[test]
fn sets_that_the_cases_name_are_those_of_the_headers() {
    let town = Town::with_two_set_changes();
    for height in 2..=6 {
        let set = ValidatorSet::from_proto(&set_of(&town, height)).unwrap();
        assert_eq!(set.hash().0.to_vec(), town.header(height - 1).next_validators, "{height}");
    }
    assert_eq!(TrustRoot::from_genesis(&town.genesis).height, Height(0));
}
