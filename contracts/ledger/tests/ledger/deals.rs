//! Deals on the log: what a block takes and refuses of them, who may carry a step, what a gap
//! makes of deadlines, and what the state keeps.

mod cases;
mod enumeration;
mod faults;

use crate::cases::{propose, target};
use crate::town::{DELAY_MS, Town, bytes32, key, public};
use ed25519_dalek::SigningKey;
use heatmark_ledger::deal::{Deal, MAX_GAP_MS, Phase, body, verify_carried};
use heatmark_ledger::ids::{DealId, DealTime};
use heatmark_ledger::keys::deal_id;
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::CoSigner;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state;
use heatmark_ledger::transaction::{self, Transaction};
use pb::deal::Step;
use pb::propose::Action;
use prost::Message;
use std::sync::Arc;

/// The openings' deadlines come at these distances.
const MINUTE_MS: u64 = 60_000;

/// An opening in which everything is asked for, with deadlines still to be set.
pub(super) fn opening(name: &str, agents: usize, threshold: u32) -> pb::DealOpen {
    let of = |what: &str| public(&key(&format!("{name} {what}")));
    pb::DealOpen {
        terms_digest: bytes32(name).to_vec(),
        buyer_key: of("buyer"),
        owner_key: of("owner"),
        arbiter_key: of("arbiter"),
        agent_keys: (0..agents).map(|agent| of(&format!("agent {agent}"))).collect(),
        threshold,
        ..pb::DealOpen::default()
    }
}

/// A deal of three agents, two of whom are enough, its deadlines a minute apart.
pub(super) fn bargain(name: &str, now_ms: u64) -> pb::DealOpen {
    pb::DealOpen {
        accept_by_ms: now_ms + MINUTE_MS,
        fund_by_ms: now_ms + 2 * MINUTE_MS,
        ready_by_ms: now_ms + 3 * MINUTE_MS,
        release_by_ms: now_ms + 4 * MINUTE_MS,
        confirm_by_ms: now_ms + 5 * MINUTE_MS,
        rule_by_ms: now_ms + 6 * MINUTE_MS,
        ..opening(name, 3, 2)
    }
}

/// The same without acceptance and payment.
pub(super) fn gift(name: &str, now_ms: u64) -> pb::DealOpen {
    pb::DealOpen {
        owner_key: Vec::new(),
        arbiter_key: Vec::new(),
        accept_by_ms: 0,
        fund_by_ms: 0,
        rule_by_ms: 0,
        ..bargain(name, now_ms)
    }
}

pub(super) fn id_of(town: &Town, name: &str) -> DealId {
    let buyer: [u8; 32] = public(&key(&format!("{name} buyer"))).try_into().unwrap();
    deal_id(&town.tip.network, &buyer)
}

pub(super) fn release(agent: u32) -> Step {
    Step::Release(pb::DealRelease { agent, envelopes: vec![vec![7; 120]; 2] })
}

pub(super) fn ready(agent: u32) -> Step {
    Step::Ready(pb::DealReady { agent })
}

pub(super) fn dispute() -> Step {
    Step::Dispute(pb::DealDispute { claim_digest: bytes32("claim").to_vec() })
}

pub(super) fn rule(refund: bool) -> Step {
    Step::Rule(pb::DealRule { refund, reason_digest: bytes32("reason").to_vec() })
}

/// The key that a step of a deal is signed with.
pub(super) fn key_of(name: &str, step: &Step) -> SigningKey {
    let who = match step {
        Step::Open(_) | Step::Confirm(_) | Step::Dispute(_) => "buyer".to_owned(),
        Step::Accept(_) => "owner".to_owned(),
        Step::Fund(_) | Step::Rule(_) => "arbiter".to_owned(),
        Step::Ready(pb::DealReady { agent }) | Step::Release(pb::DealRelease { agent, .. }) => {
            format!("agent {agent}")
        }
    };
    key(&format!("{name} {who}"))
}

pub(super) fn payload(town: &Town, name: &str, step: Step) -> Payload {
    Payload::Deal(pb::Deal { deal: id_of(town, name).to_vec(), step: Some(step) })
}

/// A step, signed as it should be, carried by a member.
pub(super) fn taken(town: &mut Town, who: usize, name: &str, step: Step) -> Arc<Transaction> {
    let signer = key_of(name, &step);
    let payload = payload(town, name, step);
    town.tx_with(who, payload, &[(CoSigner::Deal, signer)])
}

/// Commits steps, each in the next block.
pub(super) fn go(town: &mut Town, name: &str, steps: Vec<Step>) {
    for step in steps {
        let step = taken(town, 1, name, step);
        town.commit(&[step]);
    }
}

fn open(town: &mut Town, name: &str, open: pb::DealOpen) {
    go(town, name, vec![Step::Open(open)]);
}

fn kept(town: &Town, name: &str) -> Deal {
    let kept = state::deal(&town.ledger, &id_of(town, name)).unwrap().unwrap();
    Deal::from_state(&kept).unwrap()
}

/// Where a deal stands as of the newest block.
fn phase(town: &Town, name: &str) -> Phase {
    let deal = kept(town, name);
    let clock = deal.clock(state::deal_clock(&town.ledger).unwrap());
    deal.phase(clock.read(town.tip.time))
}

fn refused(town: &mut Town, name: &str, step: Step) -> Option<&'static str> {
    let step = taken(town, 0, name, step);
    let at = town.tip.time.0 + 1_000;
    town.refusal(step.bytes(), at).err().map(|refusal| refusal.code())
}

fn accept() -> Step {
    Step::Accept(pb::DealAccept {})
}

fn fund() -> Step {
    Step::Fund(pb::DealFund {})
}

fn confirm() -> Step {
    Step::Confirm(pb::DealConfirm {})
}

#[test]
fn a_deal_goes_from_its_opening_to_its_end_whoever_carries_its_steps() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    let steps = [
        (Step::Open(bargain("d", start)), Phase::Open),
        (accept(), Phase::Accepted),
        (fund(), Phase::Funded),
        (ready(0), Phase::Funded),
        (ready(2), Phase::Ready),
        (release(2), Phase::Ready),
        (ready(1), Phase::Ready),
        (release(1), Phase::Delivered),
        (release(0), Phase::Delivered),
        (dispute(), Phase::Disputed),
        (rule(false), Phase::Settled),
    ];
    for (at, (step, then)) in steps.into_iter().enumerate() {
        let step = taken(&mut town, at % 4, "d", step);
        town.commit(&[step]);
        assert_eq!(phase(&town, "d"), then, "after step {at}");
    }
    // Every release is found again by its leaf, in whose entry the share is.
    let deal = kept(&town, "d");
    let leaves: Vec<u64> =
        deal.agents().iter().map(|marks| marks.released.unwrap().leaf.0).collect();
    assert_eq!(leaves, [8, 7, 5]);
    for (agent, leaf) in (0_u32..).zip(leaves) {
        let entry = town.decode(&town.envelopes[leaf as usize]).unwrap();
        let Payload::Deal(pb::Deal { step: Some(Step::Release(found)), .. }) = entry.payload()
        else {
            panic!("a release")
        };
        assert_eq!(found.agent, agent);
    }
    assert_eq!(deal.opened().leaf.0, 0);
}

#[test]
fn one_block_takes_a_whole_deal_in_order_and_nothing_out_of_order() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    let steps = [
        Step::Open(bargain("d", start)),
        accept(),
        fund(),
        ready(0),
        ready(1),
        release(0),
        release(1),
        confirm(),
    ];
    let mut all: Vec<_> = steps.into_iter().map(|step| taken(&mut town, 2, "d", step)).collect();
    all.reverse();
    let backwards = town.propose(&all);
    assert_eq!(backwards.block.transactions.len(), 1, "the opening alone");
    assert!(backwards.refused.iter().all(|(_, refusal)| *refusal == Refusal::NoSuchDeal));
    all.reverse();
    all.swap(4, 5);
    let early = town.propose(&all);
    let codes: Vec<&str> = early.refused.iter().map(|(_, refusal)| refusal.code()).collect();
    // A release before enough are ready, and a confirmation of one share.
    assert_eq!(codes, ["deal-phase", "deal-phase"]);
    all.swap(4, 5);
    town.commit(&all);
    assert_eq!(phase(&town, "d"), Phase::Settled);
}

#[test]
fn time_alone_ends_a_deal_in_every_phase() {
    let begin: [(Vec<Step>, Phase, u64); 6] = [
        (vec![], Phase::Expired, 1),
        (vec![accept()], Phase::Expired, 2),
        (vec![accept(), fund()], Phase::Refunded, 3),
        (vec![accept(), fund(), ready(0), ready(1)], Phase::Refunded, 4),
        (vec![accept(), fund(), ready(0), ready(1), release(0), release(1)], Phase::Settled, 5),
        (
            vec![accept(), fund(), ready(0), ready(1), release(0), release(1), dispute()],
            Phase::Refunded,
            6,
        ),
    ];
    for (steps, end, minutes) in begin {
        let mut town = Town::new();
        let start = town.tip.time.0;
        open(&mut town, "d", bargain("d", start));
        go(&mut town, "d", steps);
        let before = phase(&town, "d");
        town.commit_at(start + minutes * MINUTE_MS - 1, &[]);
        assert_eq!(phase(&town, "d"), before);
        assert!(!before.is_final());
        town.commit_at(start + minutes * MINUTE_MS, &[]);
        assert_eq!(phase(&town, "d"), end);
    }
}

#[test]
fn a_step_is_in_time_until_its_deadline_and_late_at_it() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "d", bargain("d", start));
    let step = taken(&mut town, 0, "d", accept());
    let code = |at: u64| town.refusal(step.bytes(), at).err().map(|refusal| refusal.code());
    assert_eq!(code(start + MINUTE_MS - 1), None);
    assert_eq!(code(start + MINUTE_MS), Some("deal-late"));
}

#[test]
fn nothing_is_released_in_the_last_quarter() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "d", gift("d", start));
    go(&mut town, "d", vec![ready(0), ready(1)]);
    let since = town.tip.time.0;
    let end = start + 4 * MINUTE_MS;
    let cut_off = end - (end - since) / 4;
    assert_eq!(kept(&town, "d").cut_off(), Some(DealTime(cut_off)));
    let step = taken(&mut town, 0, "d", release(0));
    let code = |at: u64| town.refusal(step.bytes(), at).err().map(|refusal| refusal.code());
    assert_eq!(code(cut_off - 1), None);
    assert_eq!(code(cut_off), Some("release-cut-off"));
    assert_eq!(code(end - 1), Some("release-cut-off"));
    assert_eq!(code(end), Some("deal-late"));
}

#[test]
fn a_gap_makes_every_deadline_later_and_a_pause_does_not() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "early", gift("early", start));
    // As long as a pause may be; the deal runs out in it.
    town.commit_at(town.tip.time.0 + MAX_GAP_MS, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 0);
    assert_eq!(phase(&town, "early"), Phase::Refunded);
    let start = town.tip.time.0;
    open(&mut town, "d", gift("d", start));
    let opened = town.tip.time.0;
    // The block after a gap may itself hold a step.
    let gap = MAX_GAP_MS + 1;
    let mut first = town.body(payload(&town, "d", ready(0)));
    (first.not_before_ms, first.not_after_ms) = (opened + gap, opened + gap + 1);
    let signer = town.members[0].signing.clone();
    let first = town.envelope(&signer, &first, &[(CoSigner::Deal, key("d agent 0"))]);
    let first = town.decode(&first).unwrap();
    town.commit_at(opened + gap, &[first]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), gap);
    assert_eq!(phase(&town, "d"), Phase::Funded);
    assert_eq!(phase(&town, "early"), Phase::Refunded, "what has ended stays ended");
    assert_eq!(kept(&town, "d").agents()[0].ready.unwrap().time, DealTime(opened));
    // A deal that is opened after the gap knows nothing of it.
    let late = town.tip.time.0;
    open(&mut town, "late", gift("late", late));
    let step = taken(&mut town, 0, "late", ready(0));
    let other = taken(&mut town, 0, "d", ready(1));
    let code = |step: &Transaction, at| town.refusal(step.bytes(), at).map_err(|r| r.code());
    assert_eq!(code(&step, late + 3 * MINUTE_MS - 1), Ok(()));
    assert_eq!(code(&step, late + 3 * MINUTE_MS), Err("deal-late"));
    assert_eq!(code(&other, start + gap + 3 * MINUTE_MS - 1), Ok(()));
    assert_eq!(code(&other, start + gap + 3 * MINUTE_MS), Err("deal-late"));
    let clock = kept(&town, "d").clock(state::deal_clock(&town.ledger).unwrap());
    let deadline = kept(&town, "d").deadline().unwrap();
    assert_eq!(clock.block_time(deadline).0, start + gap + 3 * MINUTE_MS);
    // Two gaps add up.
    town.commit_at(town.tip.time.0 + 2 * gap, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 3 * gap);
}

#[test]
fn the_time_before_the_first_block_is_no_gap() {
    let mut town = Town::new();
    town.commit_at(town.tip.time.0 + 100 * MAX_GAP_MS, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 0);
    town.commit_at(town.tip.time.0 + 100 * MAX_GAP_MS, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 100 * MAX_GAP_MS);
}

#[test]
fn what_an_idle_network_waits_is_no_gap() {
    let mut document = crate::town::document();
    document.parameters.heartbeat_ms = 3_600_000;
    let mut town = Town::with(&document);
    town.commit(&[]);
    town.commit_at(town.tip.time.0 + 7_200_000, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 0);
    town.commit_at(town.tip.time.0 + 7_200_001, &[]);
    assert_eq!(state::deal_clock(&town.ledger).unwrap(), 7_200_001);
}

#[test]
fn a_suspended_member_carries_and_a_member_that_left_does_not() {
    let mut town = Town::new();
    let suspend = propose(Action::Suspend(target(&town.members[3])));
    town.decide(suspend, &[1, 2]);
    let start = town.tip.time.0;
    let step = taken(&mut town, 3, "d", Step::Open(bargain("d", start)));
    town.commit(&[step]);
    assert_eq!(phase(&town, "d"), Phase::Open);
    let without = crate::town::set_power(&town.members[2], 0);
    town.decide(without, &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    let leave = Payload::Leave(pb::Leave { member: town.id(2).to_vec() });
    let root = town.members[2].root.clone();
    let leave = town.tx_with(2, leave, &[(CoSigner::Root, root)]);
    town.commit(&[leave]);
    let start = town.tip.time.0;
    let step = taken(&mut town, 2, "e", Step::Open(bargain("e", start)));
    let at = town.tip.time.0 + 1_000;
    assert_eq!(town.refusal(step.bytes(), at).map_err(|r| r.code()), Err("key-not-valid"));
}

#[test]
fn a_step_that_was_carried_is_not_taken_again_from_the_pool() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "d", gift("d", start));
    let first = taken(&mut town, 0, "d", ready(0));
    let seen = pb::Envelope::decode(first.bytes().as_ref()).unwrap();
    let body = pb::Body::decode(seen.body.as_slice()).unwrap();
    let network = town.tip.network;
    let again = transaction::sign(&network, &town.members[1].signing, &body, seen.cosignatures);
    let again = town.decode(&again).unwrap();
    assert_ne!(again.id(), first.id(), "another carrier's is another transaction");
    let proposal = town.propose(&[again, first]);
    assert_eq!(proposal.block.transactions.len(), 1);
    assert_eq!(proposal.refused[0].1.code(), "already-ready");
}

#[test]
fn a_carrier_knows_a_step_that_may_be_carried() {
    let town = Town::new();
    let network = town.tip.network;
    let id = id_of(&town, "d");
    let made = body(&id, fund(), 5..9, [3; 16]);
    let cosign = |body: &pb::Body, purpose| {
        transaction::cosign(&network, purpose, &key("d arbiter"), &body.encode_to_vec()).unwrap()
    };
    let signed = cosign(&made, CoSigner::Deal);
    let code = |body: &pb::Body, cosignature: &pb::CoSignature| {
        let found = verify_carried(&network, &body.encode_to_vec(), cosignature);
        found.map(|(found, deal, _)| (found == *body, deal)).map_err(|refusal| refusal.code())
    };
    assert_eq!(code(&made, &signed), Ok((true, id)));
    assert_eq!(code(&body(&id, fund(), 5..9, [4; 16]), &signed), Err("bad-signature"));
    assert_eq!(code(&made, &cosign(&made, CoSigner::Seal)), Err("cosignatures"));
    let mislabelled = pb::CoSignature { purpose: CoSigner::Seal.into(), ..signed.clone() };
    assert_eq!(code(&made, &mislabelled), Err("cosignatures"));
    let relabelled =
        pb::CoSignature { purpose: CoSigner::Deal.into(), ..cosign(&made, CoSigner::Seal) };
    assert_eq!(code(&made, &relabelled), Err("bad-signature"));
    let mut short = made.clone();
    short.nonce.pop();
    assert_eq!(code(&short, &cosign(&short, CoSigner::Deal)), Err("field"));
    let empty = body(&id, fund(), 9..9, [3; 16]);
    assert_eq!(code(&empty, &cosign(&empty, CoSigner::Deal)), Err("window"));
    let other = pb::Body { payload: Some(crate::cases::anchor()), ..made.clone() };
    assert_eq!(code(&other, &cosign(&other, CoSigner::Deal)), Err("no-payload"));
    let nothing = Payload::Deal(pb::Deal { deal: id.to_vec(), step: None });
    let nothing = pb::Body { payload: Some(nothing), ..made.clone() };
    assert_eq!(code(&nothing, &cosign(&nothing, CoSigner::Deal)), Err("field"));
    let mut loose = made.encode_to_vec();
    loose.extend([0x0a, 0]);
    let found = verify_carried(&network, &loose, &signed);
    assert_eq!(found.map(|_| ()).map_err(|refusal| refusal.code()), Err("malformed"));
}

#[test]
fn a_value_that_no_deal_leaves_is_a_damaged_one() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "d", bargain("d", start));
    go(&mut town, "d", vec![accept(), fund(), ready(0), ready(1), release(1)]);
    let sound = state::deal(&town.ledger, &id_of(&town, "d")).unwrap().unwrap();
    assert!(Deal::from_state(&sound).is_ok());
    let broken: [&dyn Fn(&mut pb::DealState); 8] = [
        &|s| s.open = None,
        &|s| s.opened = None,
        &|s| s.agents.reverse(),
        &|s| s.agents[1].agent = 3,
        &|s| s.agents[1].agent = 0,
        &|s| s.agents[1].ready = None,
        &|s| s.refund = true,
        &|s| s.open.as_mut().unwrap().threshold = 4,
    ];
    for (at, change) in broken.iter().enumerate() {
        let mut state = sound.clone();
        change(&mut state);
        assert!(Deal::from_state(&state).is_err(), "change {at}");
    }
}

#[test]
fn later_agents_stand_in_for_one_whose_share_is_bad() {
    let mut town = Town::new();
    let start = town.tip.time.0;
    open(&mut town, "d", gift("d", start));
    go(&mut town, "d", vec![ready(0), ready(1), release(0), release(1)]);
    assert_eq!(phase(&town, "d"), Phase::Delivered);
    assert_eq!(refused(&mut town, "d", release(2)), Some("not-ready"));
    go(&mut town, "d", vec![ready(2), release(2)]);
    assert_eq!(phase(&town, "d"), Phase::Delivered);
    go(&mut town, "d", vec![confirm()]);
    assert_eq!(refused(&mut town, "d", confirm()), Some("deal-phase"));
}
