//! Random transactions and random bytes: no sequence breaks an invariant, no decoder panics.

use crate::cases::{self, alert, concern, issuer, propose, target};
use crate::evidence::pinned;
use crate::town::{self, Town, key, set_power};
use heatmark_ledger::block::Block;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::{AlertSubject, Height};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::messages::propose::Action;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::state;
use heatmark_ledger::transaction::Transaction;
use proptest::prelude::*;
use prost::Message;
use std::sync::{Arc, OnceLock};

/// One attempt: who does what, with numbers that are often wrong.
#[derive(Debug, Clone)]
struct Attempt {
    who: usize,
    kind: u8,
    number: u8,
    level: i32,
    delay_ms: u64,
}

fn attempts() -> impl Strategy<Value = Vec<Vec<Attempt>>> {
    let delay = prop_oneof![4 => 1_u64..5_000, 1 => Just(town::DELAY_MS)];
    let attempt = (0_usize..4, 0_u8..10, 0_u8..6, 0_i32..6, delay).prop_map(
        |(who, kind, number, level, delay_ms)| Attempt { who, kind, number, level, delay_ms },
    );
    proptest::collection::vec(proptest::collection::vec(attempt, 0..6), 1..8)
}

fn transaction(town: &mut Town, proposals: &[Vec<u8>], attempt: &Attempt) -> Arc<Transaction> {
    let Attempt { who, kind, number, level, .. } = attempt.clone();
    let record = key(&format!("record {}", number % 2));
    let sequence = u64::from(number);
    let level = pb::AlertLevel::try_from(level).unwrap();
    let other = usize::from(number) % 4;
    let proposal = proposals.get(usize::from(number)).cloned().unwrap_or(vec![0; 32]);
    match kind {
        0 => town.anchor(who),
        1 | 2 => {
            town.tx_with(who, Payload::Alert(alert(&record, level, sequence)), &issuer(&record))
        }
        3 => town.tx(who, concern(&record, level, sequence)),
        4 => {
            let subject = cases::subject(&record);
            let concern_of = if number > 3 { town.id(other).to_vec() } else { Vec::new() };
            let sequence = sequence % 3;
            town.tx(who, Payload::Acknowledge(pb::Acknowledge { subject, concern_of, sequence }))
        }
        5 => {
            let payload = set_power(&town.members[other], u64::from(number) / 2);
            town.tx(who, payload)
        }
        6 => {
            let action = target(&town.members[other]);
            let suspend = number % 2 == 0;
            let action = if suspend { Action::Suspend(action) } else { Action::Reinstate(action) };
            town.tx(who, propose(action))
        }
        7 => {
            let leave = Payload::Leave(pb::Leave { member: town.id(who).to_vec() });
            let root = town.members[who].root.clone();
            town.tx_with(who, leave, &[(pb::CoSigner::Root, root)])
        }
        _ => town.vote(who, &proposal, number != 5),
    }
}

fn sequence_of(town: &Town, subject: &AlertSubject) -> (u64, Option<pb::AlertLevel>) {
    let alert = town.value::<pb::AlertState>(&state::alert_key(subject));
    alert.map_or((0, None), |alert| (alert.sequence, Some(alert.level())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// `Town::commit` itself compares what the proposer built with what a validator finds.
    #[test]
    fn no_sequence_of_transactions_breaks_an_invariant(blocks in attempts()) {
        let mut town = Town::new();
        let mut proposals: Vec<Vec<u8>> = Vec::new();
        let subjects: Vec<AlertSubject> = (0..2)
            .map(|n| cases::subject(&key(&format!("record {n}"))).as_slice().try_into().unwrap())
            .collect();
        for block in blocks {
            let mut candidates = Vec::new();
            for attempt in &block {
                let candidate = transaction(&mut town, &proposals, attempt);
                if matches!(candidate.payload(), Payload::Propose(_)) {
                    proposals.push(candidate.id().to_vec());
                }
                candidates.push(candidate);
            }
            let time = town.tip.time.0 + block.first().map_or(1, |attempt| attempt.delay_ms);
            let before: Vec<_> = subjects.iter().map(|s| sequence_of(&town, s)).collect();
            let size = town.tip.frontier.size().0;
            let proposal = town.propose_at(time, &candidates);

            // Candidates that are refused leave no trace: without them the block is the same.
            let kept: Vec<_> = proposal.block.transactions.clone();
            let again = town.propose_at(time, &kept);
            prop_assert!(again.refused.is_empty());
            prop_assert_eq!(again.block.header, proposal.block.header);
            prop_assert_eq!(kept.len() + proposal.refused.len(), candidates.len());

            let count = kept.len() as u64;
            let header = town.take(proposal.block);
            prop_assert_eq!(header.log_size.0, size + count);
            for (subject, (sequence, level)) in subjects.iter().zip(before) {
                let (now, level_now) = sequence_of(&town, subject);
                prop_assert!(now >= sequence, "a sequence went back");
                if level == Some(pb::AlertLevel::Revoke) {
                    prop_assert_eq!((now, level_now), (sequence, level), "a revoke is final");
                }
            }
            prop_assert!(!town.tip.validators.validators().is_empty());
            for transaction in kept {
                let time = town.tip.time.0 + 1;
                let found = town.refusal(transaction.bytes(), time).map_err(|r| r.code());
                prop_assert_eq!(found, Err("replayed"));
            }
        }
        let mut auditor = heatmark_ledger::audit::Auditor::new(&town.genesis).unwrap();
        for block in &town.blocks {
            auditor.block(block).unwrap();
        }
        prop_assert_eq!(auditor.tip().hash, town.tip.hash);
    }
}

struct Samples {
    trust: TrustRoot,
    all: Vec<Vec<u8>>,
}

/// One sound sample of everything that is ever decoded.
fn samples() -> &'static Samples {
    static SAMPLES: OnceLock<Samples> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let town = Town::with_two_set_changes();
        let block = town.blocks[1].block.as_ref().unwrap().encode_to_vec();
        let receipt = town.receipt(1, Height(0)).encode_to_vec();
        let proof = town.state_proof(&state::validators_key(), Height(0)).encode_to_vec();
        let genesis = town.text().into_bytes();
        let (transaction, trusted) = (town.envelopes[3].clone(), pinned(&town, 3));
        let all = vec![transaction, block, receipt, proof, genesis, trusted];
        Samples { trust: town.trust(), all }
    })
}

/// Gives bytes to every decoder; what decodes must encode to the same bytes.
fn decode_all(bytes: &[u8]) {
    let Samples { trust, .. } = samples();
    if let Ok(transaction) = Transaction::decode(&trust.network, bytes.to_vec().into()) {
        assert_eq!(transaction.bytes().as_ref(), bytes);
    }
    if let Ok(block) = Block::decode(bytes) {
        let message =
            pb::Block { header: Some(block.header.to_proto()), transactions: block.transactions };
        assert_eq!(message.encode_to_vec(), bytes);
    }
    if let Ok(genesis) = Genesis::parse(bytes) {
        assert!(genesis.to_text().as_bytes().starts_with(bytes));
    }
    let _ = TrustRoot::from_pinned(bytes);
    let _ = receipt::verify_bytes(bytes, trust);
    let _ = receipt::verify_state_bytes(bytes, trust);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_decoder_panics_on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode_all(&bytes);
    }

    #[test]
    fn no_decoder_panics_on_mutated_samples(
        sample in 0_usize..6,
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..5),
    ) {
        let mut bytes = samples().all[sample].clone();
        for (index, byte, kind) in mutations {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        decode_all(&bytes);
    }
}
