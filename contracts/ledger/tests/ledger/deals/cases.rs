//! Steps with what must become of them, on a chain with a deal in every phase. Every refusal of
//! the specification, section 16, stands here at least once.

use super::{
    accept, bargain, confirm, dispute, fund, gift, id_of, key_of, payload, ready, release, rule,
    taken,
};
use crate::cases::Case;
use crate::town::{Town, bytes32, key, public};
use crate::vectors::{golden, hexed};
use ed25519_dalek::SigningKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::CoSigner;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::state::{self, StateView};
use pb::deal::Step;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every code that a refusal of a deal can have, besides those of any transaction.
const CODES: [&str; 14] = [
    "deal-exists",
    "no-such-deal",
    "deal-deadlines",
    "deal-keys",
    "deal-key",
    "no-owner",
    "no-arbiter",
    "no-such-agent",
    "deal-phase",
    "deal-late",
    "already-ready",
    "not-ready",
    "already-released",
    "release-cut-off",
];

/// Those of any transaction that occur here.
const COMMON: [&str; 6] =
    ["bad-signature", "cosignatures", "field", "not-canonical", "unacceptable-key", "window"];

/// A chain of two blocks with deals that are named after how far they have come.
pub(super) fn prepared() -> Town {
    let mut town = Town::new();
    let start = town.tip.time.0;
    let paid = || vec![accept(), fund()];
    let enough = || [paid(), vec![ready(0), ready(1)]].concat();
    let out = || [enough(), vec![ready(2), release(0), release(1)]].concat();
    let hurried = pb::DealOpen {
        ready_by_ms: start + 1_500,
        release_by_ms: start + 2_300,
        ..gift("hurried", start)
    };
    let lapsed = pb::DealOpen { accept_by_ms: start + 1_500, ..bargain("lapsed", start) };
    let deals = [
        ("open", bargain("open", start), vec![]),
        ("accepted", bargain("accepted", start), vec![accept()]),
        ("funded", bargain("funded", start), [paid(), vec![ready(1)]].concat()),
        ("ready", bargain("ready", start), enough()),
        ("delivered", bargain("delivered", start), out()),
        ("disputed", bargain("disputed", start), [out(), vec![dispute()]].concat()),
        ("settled", bargain("settled", start), [out(), vec![confirm()]].concat()),
        ("refunded", bargain("refunded", start), [out(), vec![dispute(), rule(true)]].concat()),
        ("gift", gift("gift", start), vec![]),
        ("given", gift("given", start), vec![ready(0), ready(1), release(0), release(1)]),
        ("hurried", hurried, vec![ready(0), ready(1)]),
        ("lapsed", lapsed, vec![]),
    ];
    let mut block = Vec::new();
    for (name, open, steps) in deals {
        block.push(taken(&mut town, 0, name, Step::Open(open)));
        block.extend(steps.into_iter().map(|step| taken(&mut town, 1, name, step)));
    }
    town.commit(&block);
    town
}

struct Cases {
    town: Town,
    time_ms: u64,
    all: Vec<Case>,
}

impl Cases {
    fn signed(
        &mut self,
        name: &'static str,
        payload: Payload,
        cosigners: &[(CoSigner, SigningKey)],
        expect: &'static str,
    ) {
        let body = self.town.body(payload);
        let envelope = self.town.envelope(&self.town.members[2].signing, &body, cosigners);
        self.envelope(name, envelope, expect);
    }

    fn envelope(&mut self, name: &'static str, envelope: Vec<u8>, expect: &'static str) {
        let expect = Some(expect).filter(|code| *code != "ok");
        self.all.push(Case { name, envelope, time_ms: self.time_ms, expect });
    }

    /// A step of a deal, signed by the key that it belongs to.
    fn step(&mut self, name: &'static str, deal: &str, step: Step, expect: &'static str) {
        let signer = key_of(deal, &step);
        self.by(name, deal, (step, &signer), expect);
    }

    fn by(
        &mut self,
        name: &'static str,
        deal: &str,
        (step, signer): (Step, &SigningKey),
        expect: &'static str,
    ) {
        let payload = payload(&self.town, deal, step);
        self.signed(name, payload, &[(CoSigner::Deal, signer.clone())], expect);
    }
}

pub(super) fn all() -> (Town, Vec<Case>) {
    let town = prepared();
    let time_ms = town.tip.time.0 + 1_000;
    let mut cases = Cases { town, time_ms, all: Vec::new() };
    openings(&mut cases);
    deadlines(&mut cases);
    steps(&mut cases);
    agents(&mut cases);
    releases(&mut cases);
    signers(&mut cases);
    (cases.town, cases.all)
}

fn openings(cases: &mut Cases) {
    let now = cases.time_ms;
    let mut by = |name, change: &dyn Fn(&mut pb::DealOpen), expect| {
        let mut open = bargain("new", now);
        change(&mut open);
        cases.step(name, "new", Step::Open(open), expect);
    };
    by("an opening", &|_| (), "ok");
    by("an opening of all agents' shares", &|o| o.threshold = 3, "ok");
    by("a threshold of none", &|o| o.threshold = 0, "field");
    by("a threshold above the agents", &|o| o.threshold = 4, "field");
    let agents = |number: usize| {
        let key_at = |at| public(&key(&format!("new agent {at}")));
        (0..number).map(key_at).collect::<Vec<_>>()
    };
    by("32 agents", &|o| o.agent_keys = agents(32), "ok");
    by("33 agents", &|o| o.agent_keys = agents(33), "field");
    by("no agents", &|o| o.agent_keys.clear(), "field");
    by("terms of 31 bytes", &|o| o.terms_digest.truncate(31), "field");
    by("no terms", &|o| o.terms_digest.clear(), "field");
    by("a buyer's key of 31 bytes", &|o| o.buyer_key.truncate(31), "field");
    by("an owner's key of 33 bytes", &|o| o.owner_key.push(0), "field");
    by("an arbiter's key of 31 bytes", &|o| o.arbiter_key.truncate(31), "field");
    by("an agent's key of 31 bytes", &|o| o.agent_keys[2].truncate(31), "field");
    by("an agent twice", &|o| o.agent_keys[2] = o.agent_keys[0].clone(), "deal-keys");
    by("an arbiter who is an agent", &|o| o.arbiter_key = o.agent_keys[0].clone(), "deal-keys");
    by("an owner who is the buyer", &|o| o.owner_key = o.buyer_key.clone(), "deal-keys");
    let identity = [vec![1], vec![0; 31]].concat();
    by(
        "an agent's key that is the identity",
        &|o| o.agent_keys[1] = identity.clone(),
        "unacceptable-key",
    );
    let other = public(&key("open buyer"));
    by("another buyer's key than the id's", &|o| o.buyer_key = other.clone(), "deal-key");
    cases.step("a deal opened twice", "open", Step::Open(bargain("open", now)), "deal-exists");
    let again = pb::DealOpen { terms_digest: bytes32("others").to_vec(), ..gift("settled", now) };
    cases.step("other terms for a deal that ended", "settled", Step::Open(again), "deal-exists");
    let wrong = pb::Deal {
        deal: id_of(&cases.town, "open").to_vec(),
        step: Some(Step::Open(bargain("new", now))),
    };
    let buyer = [(CoSigner::Deal, key("new buyer"))];
    cases.signed("an opening under another deal's id", Payload::Deal(wrong), &buyer, "field");
}

fn deadlines(cases: &mut Cases) {
    let now = cases.time_ms;
    let mut by = |name, change: &dyn Fn(&mut pb::DealOpen), expect| {
        let mut open = bargain("new", now);
        change(&mut open);
        cases.step(name, "new", Step::Open(open), expect);
    };
    let wrong = "deal-deadlines";
    by("a first deadline in 1 ms", &|o| o.accept_by_ms = now + 1, "ok");
    by("a first deadline now", &|o| o.accept_by_ms = now, wrong);
    by("two deadlines at once", &|o| o.fund_by_ms = o.accept_by_ms, wrong);
    by("a deadline before the one before", &|o| o.release_by_ms = o.ready_by_ms - 1, wrong);
    by("no deadline to accept", &|o| o.accept_by_ms = 0, wrong);
    by("no deadline to be ready", &|o| o.ready_by_ms = 0, wrong);
    by("no deadline to release", &|o| o.release_by_ms = 0, wrong);
    by("no deadline to confirm", &|o| o.confirm_by_ms = 0, wrong);
    by("no deadline to rule", &|o| o.rule_by_ms = 0, wrong);
    by("no deadline to fund", &|o| o.fund_by_ms = 0, wrong);
    by("a deadline to accept of no owner", &|o| o.owner_key.clear(), wrong);
    by("deadlines of no arbiter", &|o| o.arbiter_key.clear(), wrong);
    let furthest = now + 400 * 86_400_000;
    by("a last deadline in 400 days", &|o| o.rule_by_ms = furthest, "ok");
    by("a last deadline 1 ms later", &|o| o.rule_by_ms = furthest + 1, wrong);
    by("a last deadline at the end of time", &|o| o.rule_by_ms = u64::MAX, wrong);
    cases.step("an opening of a gift", "new", Step::Open(gift("new", now)), "ok");
    let ruled = pb::DealOpen { rule_by_ms: now + 999_000, ..gift("new", now) };
    cases.step("a gift with a deadline to rule", "new", Step::Open(ruled), wrong);
    let only = pb::DealOpen { accept_by_ms: 0, owner_key: Vec::new(), ..bargain("new", now) };
    cases.step("payment without acceptance", "new", Step::Open(only), "ok");
}

fn steps(cases: &mut Cases) {
    // In each phase, everything that is of another one.
    let steps = || {
        [
            ("acceptance", accept()),
            ("funding", fund()),
            ("ready", ready(2)),
            ("release", release(0)),
            ("confirmation", confirm()),
            ("dispute", dispute()),
            ("ruling", rule(false)),
        ]
    };
    let in_phase = [
        ("open", vec!["acceptance"]),
        ("accepted", vec!["funding"]),
        ("funded", vec!["ready"]),
        ("ready", vec!["ready", "release"]),
        ("delivered", vec!["confirmation", "dispute"]),
        ("disputed", vec!["ruling"]),
        ("settled", vec![]),
        ("refunded", vec![]),
    ];
    for (deal, taken) in in_phase {
        for (what, step) in steps() {
            let expect = match (deal, what) {
                _ if taken.contains(&what) => "ok",
                ("delivered", "ready") => "already-ready",
                ("delivered", "release") => "already-released",
                _ => "deal-phase",
            };
            let name = format!("{deal}: {what}").leak();
            cases.step(name, deal, step, expect);
        }
    }
    cases.step("an acceptance that nobody asked for", "gift", accept(), "no-owner");
    cases.step("a payment that nobody asked for", "gift", fund(), "no-arbiter");
    cases.step("a dispute without an arbiter", "given", dispute(), "no-arbiter");
    cases.step("a ruling without an arbiter", "given", rule(true), "no-arbiter");
    cases.step("a confirmation of a gift", "given", confirm(), "ok");
    cases.step("an acceptance after its deadline", "lapsed", accept(), "deal-late");
    cases.step("a funding after another's deadline", "lapsed", fund(), "deal-phase");
    cases.step("a step of a deal that nobody opened", "nothing", accept(), "no-such-deal");
    let short = Step::Dispute(pb::DealDispute { claim_digest: vec![1; 31] });
    cases.step("a claim of 31 bytes", "delivered", short, "field");
    let none = Step::Rule(pb::DealRule { refund: true, reason_digest: Vec::new() });
    cases.step("a ruling without a reason", "disputed", none, "field");
    let nothing = Payload::Deal(pb::Deal { deal: id_of(&cases.town, "open").to_vec(), step: None });
    let owner = [(CoSigner::Deal, key("open owner"))];
    cases.signed("no step", nothing, &owner, "field");
    let short = Payload::Deal(pb::Deal { deal: vec![1; 31], step: Some(accept()) });
    cases.signed("a deal of 31 bytes", short, &owner, "field");
}

fn agents(cases: &mut Cases) {
    cases.step("a second agent", "funded", ready(0), "ok");
    cases.step("an agent that is ready twice", "funded", ready(1), "already-ready");
    let third = key("funded agent 2");
    cases.by("an agent beyond the last", "funded", (ready(3), &third), "no-such-agent");
    cases.by("an agent far beyond", "funded", (ready(u32::MAX), &third), "no-such-agent");
    cases.step("a release before enough are ready", "funded", release(1), "deal-phase");
    cases.step("a release by an agent that is not ready", "ready", release(2), "not-ready");
    cases.step("a release by a third agent", "delivered", release(2), "ok");
    cases.step("a release in the last quarter", "hurried", release(0), "release-cut-off");
    cases.step("a third agent too late", "hurried", ready(2), "deal-late");
}

fn releases(cases: &mut Cases) {
    let mut with = |name, envelopes: Vec<Vec<u8>>, expect| {
        let release = Step::Release(pb::DealRelease { agent: 0, envelopes });
        cases.step(name, "ready", release, expect);
    };
    with("no envelope", Vec::new(), "field");
    with("an empty envelope", vec![Vec::new()], "field");
    with("an empty envelope among others", vec![vec![1; 9], Vec::new()], "field");
    with("an envelope of one byte", vec![vec![1]], "ok");
    with("an envelope of 2,048 bytes", vec![vec![1; 2_048]], "ok");
    with("an envelope of 2,049 bytes", vec![vec![1; 2_049]], "field");
    with("32 envelopes", vec![vec![1; 64]; 32], "ok");
    with("33 envelopes", vec![vec![1; 64]; 33], "field");
}

fn signers(cases: &mut Cases) {
    let deal = "ready";
    let first = key("ready agent 0");
    for (name, wrong) in [
        ("another agent's key", "ready agent 1"),
        ("the buyer's key for an agent", "ready buyer"),
        ("the agent's key of another deal", "funded agent 0"),
        ("a key of nobody in the deal", "nobody"),
    ] {
        cases.by(name, deal, (release(0), &key(wrong)), "deal-key");
    }
    cases.by("the buyer's key for the owner", "open", (accept(), &key("open buyer")), "deal-key");
    cases.by(
        "the owner's key for the arbiter",
        "accepted",
        (fund(), &key("accepted owner")),
        "deal-key",
    );
    cases.by(
        "an agent's key for the buyer",
        "delivered",
        (confirm(), &key("delivered agent 0")),
        "deal-key",
    );
    cases.by(
        "the buyer's key for a ruling",
        "disputed",
        (rule(true), &key("disputed buyer")),
        "deal-key",
    );
    let release = payload(&cases.town, deal, release(0));
    cases.signed("no co-signature", release.clone(), &[], "cosignatures");
    let twice = vec![(CoSigner::Deal, first.clone()); 2];
    cases.signed("a step signed twice", release.clone(), &twice, "cosignatures");
    let seal = [(CoSigner::Seal, first.clone())];
    cases.signed("a deal's key as a seal", release.clone(), &seal, "cosignatures");
    let also = [(CoSigner::Deal, first.clone()), (CoSigner::Root, first.clone())];
    cases.signed("a deal's key and a root key", release.clone(), &also, "cosignatures");
    let anchor = crate::cases::anchor();
    cases.signed(
        "an anchor under a deal's key",
        anchor,
        &[(CoSigner::Deal, first.clone())],
        "cosignatures",
    );
    // What was signed stands under no other body, and for no other purpose.
    let signed = cases.town.body(release.clone());
    let other = cases.town.body(release.clone());
    let carrier = cases.town.members[2].signing.clone();
    let made = |cases: &Cases, body, cosigners: &[_]| {
        <pb::Envelope as prost::Message>::decode(
            cases.town.envelope(&carrier, body, cosigners).as_slice(),
        )
        .unwrap()
    };
    let seen = made(cases, &signed, &[(CoSigner::Deal, first.clone())]);
    let stolen = pb::Envelope { cosignatures: seen.cosignatures, ..made(cases, &other, &[]) };
    let stolen = prost::Message::encode_to_vec(&stolen);
    cases.envelope("a step's signature under another body", stolen, "bad-signature");
    let mut relabelled = made(cases, &signed, &[(CoSigner::Seal, first.clone())]);
    relabelled.cosignatures[0].purpose = CoSigner::Deal.into();
    let relabelled = prost::Message::encode_to_vec(&relabelled);
    cases.envelope("a seal's signature as a deal's", relabelled, "bad-signature");
    let mut long = cases.town.body(release);
    long.not_after_ms = long.not_before_ms + 600_001;
    let long = cases.town.envelope(&carrier, &long, &[(CoSigner::Deal, first)]);
    cases.envelope("a step's window too long by 1 ms", long, "window");
    // A step of a number that no step has.
    let mut unknown = made(cases, &signed, &[]);
    let stepless = pb::Body { payload: None, ..signed };
    unknown.body = prost::Message::encode_to_vec(&stepless);
    unknown.body.extend([0x92, 0x01, 2, 0x52, 0]);
    cases.envelope("an unknown step", prost::Message::encode_to_vec(&unknown), "not-canonical");
}

#[test]
fn every_step_meets_its_fate_and_every_refusal_occurs() {
    let (town, all) = all();
    let mut wrong = Vec::new();
    for case in &all {
        let found = town.refusal(&case.envelope, case.time_ms).err().map(|refusal| refusal.code());
        if found != case.expect {
            wrong.push(format!("{}: expected {:?}, found {found:?}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let occurred: BTreeSet<&str> = all.iter().filter_map(|case| case.expect).collect();
    let expected: BTreeSet<&str> = CODES.into_iter().chain(COMMON).collect();
    assert_eq!(occurred, expected);
    let names: BTreeSet<&str> = all.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), all.len(), "a name of two cases");
}

#[test]
fn deals_are_golden() {
    let (town, all) = all();
    let blocks: Vec<String> =
        town.blocks.iter().map(|b| hexed(prost::Message::encode_to_vec(b))).collect();
    let cases: Vec<Value> = all
        .iter()
        .map(|case| {
            let code = town.refusal(&case.envelope, case.time_ms).err().map(|r| r.code());
            json!({ "name": case.name, "time_ms": case.time_ms, "refused": code,
                "envelope": hexed(&case.envelope) })
        })
        .collect();
    let states: Vec<Value> = ["open", "refunded", "given"]
        .into_iter()
        .map(|name| {
            let place = state::deal_key(&id_of(&town, name));
            let value = StateView::value(&town.ledger, &place).unwrap().unwrap();
            json!({ "name": name, "key": hexed(place), "value": hexed(value) })
        })
        .collect();
    golden(
        "deals.json",
        &json!({ "about": "proto/README.md, section 16. After `blocks`, each transaction alone in \
            the next block, at its time: null where it takes effect, else why it is refused. \
            `states` are entries of the state after `blocks`.",
            "genesis": town.text(), "blocks": blocks,
            "next_height": town.tip.height.0 + 1, "cases": cases, "states": states }),
    );
}
