//! Transactions, blocks, headers, certificates, sets, receipts, trust roots, the founding text,
//! keys, signatures and values of the state.

use crate::seeds;
use heatmark_fuzz::{Shape, Target};
use heatmark_ledger::alerts;
use heatmark_ledger::audit::Auditor;
use heatmark_ledger::block::Block;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::deal::{Deal, verify_carried};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::header::Header;
use heatmark_ledger::keys::{PublicKey, RegisteredKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::transaction::{MAX_COSIGNATURES, MAX_SEALS, Transaction};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::wire;
use prost::Message;
use prost::bytes::Bytes;
use std::cell::RefCell;
use std::collections::BTreeSet;

#[test]
fn transaction() {
    let network = seeds::trust().network;
    let run = move |input: &[u8]| {
        let Ok(read) = Transaction::decode(&network, Bytes::copy_from_slice(input)) else {
            return false;
        };
        assert_eq!(read.bytes(), input);
        let again = Transaction::decode(&network, Bytes::copy_from_slice(input)).unwrap();
        assert_eq!(again.id(), read.id());
        let lots = matches!(read.payload(), Payload::LotEvent(_));
        assert!(read.cosignatures().len() <= if lots { MAX_SEALS } else { MAX_COSIGNATURES });
        true
    };
    Target::new("transaction", seeds::envelopes(), run).may_allocate(200, 64 << 10).fuzz();
}

#[test]
fn signatures_of_a_transaction() {
    // Whatever is changed of a signed transaction, its signatures cover it.
    let envelope = seeds::envelopes().remove(0);
    let network = seeds::trust().network;
    let (genesis, _) = seeds::chain();
    let keys: Vec<RegisteredKey> = genesis
        .document()
        .founders
        .iter()
        .map(|f| RegisteredKey::from_state(&hex::decode(&f.keys.signing).unwrap()).unwrap())
        .collect();
    let original = pb::Envelope::decode(envelope.as_slice()).unwrap();
    let run = move |input: &[u8]| {
        let Ok(read) = Transaction::decode(&network, Bytes::copy_from_slice(input)) else {
            return false;
        };
        let Some(key) = keys.iter().find(|key| key.id() == read.signer()) else { return false };
        let verified = read.verify(&network, key).is_ok();
        let message = pb::Envelope::decode(input).unwrap();
        let same = message.body == original.body && message.signature == original.signature;
        assert!(!verified || same, "a signature that nobody made");
        verified
    };
    Target::new("signatures", vec![envelope], run).may_allocate(200, 64 << 10).fuzz();
}

#[test]
fn envelope() {
    let run = |input: &[u8]| match wire::decode_envelope(input) {
        Ok(read) => {
            assert_eq!(read.encode_to_vec(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("envelope", seeds::envelopes(), run).may_allocate(96, 64 << 10).fuzz();
}

#[test]
fn body() {
    let envelopes = seeds::envelopes().into_iter();
    let bodies = envelopes.map(|e| pb::Envelope::decode(e.as_slice()).unwrap().body).collect();
    let run = |input: &[u8]| match wire::decode_body(input) {
        Ok(read) => {
            assert_eq!(read.encode_to_vec(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("body", bodies, run).may_allocate(96, 64 << 10).fuzz();
}

#[test]
fn block() {
    let (_, blocks) = seeds::chain();
    let blocks = blocks.iter().map(|bytes| {
        let certified = pb::CertifiedBlock::decode(bytes.as_slice()).unwrap();
        certified.block.unwrap().encode_to_vec()
    });
    let run = |input: &[u8]| match Block::decode(input) {
        Ok(read) => {
            let header = Some(read.header.to_proto());
            let again = pb::Block { header, transactions: read.transactions };
            assert_eq!(again.encode_to_vec(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("block", blocks.collect(), run).fuzz();
}

#[test]
fn block_in_a_replay() {
    // An auditor takes the one block that follows, and no other.
    let (genesis, blocks) = seeds::chain();
    let first = blocks[0].clone();
    let header = pb::CertifiedBlock::decode(first.as_slice()).unwrap().block.unwrap().header;
    let run = move |input: &[u8]| {
        let Ok(certified) = wire::decode::<pb::CertifiedBlock>(input, 1 << 20) else {
            return false;
        };
        let mut auditor = Auditor::new(&genesis).unwrap();
        match auditor.block(&certified) {
            Ok(()) => {
                assert_eq!(certified.block.unwrap().header, header, "another first block");
                true
            }
            Err(_) => false,
        }
    };
    // An auditor builds the state at genesis, whatever the block.
    Target::new("replay", vec![first], run).may_allocate(400, 4 << 20).fuzz();
}

#[test]
fn header() {
    let golden = seeds::encodings();
    let headers = seeds::list(&golden["headers"]).iter().map(|h| seeds::bytes(&h["encoding"]));
    let run = |input: &[u8]| {
        let Ok(message) = wire::decode::<pb::Header>(input, 1 << 12) else { return false };
        let Ok(read) = Header::from_proto(&message) else { return false };
        assert_eq!(read.to_proto(), message);
        assert_eq!(read.hash(), Header::from_proto(&message).unwrap().hash());
        true
    };
    Target::new("header", headers.collect(), run).fuzz();
}

#[test]
fn certificate() {
    let (genesis, blocks) = seeds::chain();
    let first = pb::CertifiedBlock::decode(blocks[0].as_slice()).unwrap();
    let seed = first.certificate.unwrap();
    let header = Header::from_proto(&first.block.unwrap().header.unwrap()).unwrap();
    let set = genesis.validators().clone();
    let real: BTreeSet<Vec<u8>> = seed.signatures.iter().map(|s| s.signature.clone()).collect();
    let bytes = seed.encode_to_vec();
    let run = move |input: &[u8]| {
        let Ok(message) = wire::decode::<pb::CommitCertificate>(input, 1 << 20) else {
            return false;
        };
        let Ok(read) = CommitCertificate::from_proto(&message) else { return false };
        assert_eq!(read.to_proto(), message);
        let verified = read.verify(&header, &set).is_ok();
        // Fewer signatures may still be enough, but none that nobody made.
        assert!(!verified || message.signatures.iter().all(|s| real.contains(&s.signature)));
        verified
    };
    Target::new("certificate", vec![bytes], run).fuzz();
}

#[test]
fn validator_set() {
    let golden = seeds::encodings();
    let sets = seeds::list(&golden["validator_sets"]).iter();
    let run = |input: &[u8]| {
        let Ok(message) = wire::decode::<pb::ValidatorSet>(input, 1 << 20) else { return false };
        let Ok(read) = ValidatorSet::from_proto(&message) else { return false };
        assert_eq!(read.to_proto(), message);
        assert!(read.total_power() > 0);
        true
    };
    Target::new("validator-set", sets.map(|s| seeds::bytes(&s["encoding"])).collect(), run).fuzz();
}

#[test]
fn receipt_bytes() {
    let evidence = seeds::receipts();
    let known: BTreeSet<Vec<u8>> = evidence
        .iter()
        .map(|e| pb::Receipt::decode(e.bytes.as_slice()).unwrap().transaction)
        .collect();
    let trusts: Vec<TrustRoot> = evidence.iter().map(|e| e.trust.clone()).collect();
    let bytes = evidence.into_iter().map(|e| e.bytes).collect();
    let run = move |input: &[u8]| {
        let mut any = false;
        for trust in &trusts {
            if receipt::verify_bytes(input, trust).is_ok() {
                let transaction = pb::Receipt::decode(input).unwrap().transaction;
                assert!(known.contains(&transaction), "a transaction that stands nowhere");
                any = true;
            }
        }
        any
    };
    Target::new("receipt", bytes, run).may_allocate(400, 1 << 20).fuzz();
}

#[test]
fn state_proof_bytes() {
    // No golden file holds a whole one: put together from a receipt's header and a map proof, whose
    // roots differ, so that every stage but the last is passed.
    let receipt = seeds::receipt_message();
    let trust = seeds::receipts().remove(0).trust;
    let map = seeds::map();
    let proof = seeds::list(&map["proofs"]).iter().find(|proof| proof["ok"] == true).unwrap();
    let seed = pb::StateProof {
        key: b"key".to_vec(),
        value: Vec::new(),
        present: false,
        proof: seeds::bytes(&proof["proof"]),
        header: receipt.header,
        certificate: receipt.certificate,
        set_changes: receipt.set_changes,
    };
    let run = move |input: &[u8]| {
        assert!(receipt::verify_state_bytes(input, &trust).is_err(), "nothing was proved");
        wire::decode::<pb::StateProof>(input, 1 << 20).is_ok()
    };
    Target::new("state-proof", vec![seed.encode_to_vec()], run).may_allocate(96, 1 << 20).fuzz();
}

#[test]
fn alert_proof_bytes() {
    let receipt = seeds::receipt_message();
    let trust = seeds::receipts().remove(0).trust;
    let map = seeds::map();
    let proof = seeds::list(&map["proofs"]).iter().find(|proof| proof["ok"] == true).unwrap();
    let entry = || pb::StateEntry {
        value: Vec::new(),
        present: false,
        proof: seeds::bytes(&proof["proof"]),
    };
    let seed = pb::AlertProof {
        subject: vec![1; 32],
        header: receipt.header,
        certificate: receipt.certificate,
        set_changes: receipt.set_changes,
        entries: vec![entry(), entry(), entry()],
        reasons: vec![pb::AlertReason { salt: vec![2; 32], reason: "retest failed".to_owned() }],
    };
    let run = move |input: &[u8]| {
        assert!(alerts::verify_bytes(input, &trust).is_err(), "nothing was proved");
        wire::decode::<pb::AlertProof>(input, 1 << 20).is_ok()
    };
    Target::new("alert-proof", vec![seed.encode_to_vec()], run).may_allocate(96, 1 << 20).fuzz();
}

#[test]
fn pinned_header() {
    let run = |input: &[u8]| match TrustRoot::from_pinned(input) {
        Ok(trust) => {
            let message = pb::TrustedHeader::decode(input).unwrap();
            let header = Header::from_proto(&message.header.unwrap()).unwrap();
            assert_eq!(trust.header, Some(header.hash()));
            assert_eq!(TrustRoot::pin(&header, &trust.validators, &trust.era).unwrap(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("pinned-header", seeds::pinned(), run).fuzz();
}

#[test]
fn genesis() {
    let run = |input: &[u8]| match Genesis::parse(input) {
        Ok(genesis) => {
            let again = Genesis::parse(genesis.to_text().as_bytes()).unwrap();
            assert_eq!(again.network(), genesis.network());
            assert_eq!(again.to_text(), genesis.to_text());
            true
        }
        Err(_) => false,
    };
    let target = Target::new("genesis", seeds::genesis_texts(), run);
    target.of(Shape::Text).may_allocate(200, 1 << 20).fuzz();
}

#[test]
fn public_key_and_signature() {
    let golden = seeds::encodings();
    let key = |key: &serde_json::Value| seeds::bytes(&key["root"]);
    let keys: Vec<Vec<u8>> = seeds::list(&golden["keys"]).iter().map(key).collect();
    let run = |input: &[u8]| {
        let (key, signature) = input.split_at(input.len().min(32));
        let Ok(read) = PublicKey::from_bytes(key) else { return false };
        assert_eq!(read.to_bytes(), key);
        assert!(read.verify(b"nobody signed this", signature).is_err());
        true
    };
    Target::new("public-key", keys, run).of(Shape::Bytes).fuzz();
}

/// A deal that the state gives is either a damaged one or written as it was read.
fn deal_is_kept(input: &[u8]) -> bool {
    let state = pb::DealState::decode(input).unwrap();
    if let Ok(deal) = Deal::from_state(&state) {
        assert_eq!(deal.to_state(), state);
    }
    true
}

/// What one party asks another to carry.
#[test]
fn carried_step_of_a_deal() {
    let envelopes: Vec<pb::Envelope> = seeds::envelopes()
        .iter()
        .map(|bytes| pb::Envelope::decode(bytes.as_slice()).unwrap())
        .filter(|envelope| {
            envelope.cosignatures.first().is_some_and(|c| c.purpose() == pb::CoSigner::Deal)
        })
        .take(4)
        .collect();
    assert_eq!(envelopes.len(), 4);
    let cosignatures: Vec<_> = envelopes.iter().map(|e| e.cosignatures[0].clone()).collect();
    let bodies: Vec<Vec<u8>> = envelopes.into_iter().map(|envelope| envelope.body).collect();
    let known: BTreeSet<Vec<u8>> = bodies.iter().cloned().collect();
    let network = seeds::trust().network;
    let run = move |input: &[u8]| {
        let mut any = false;
        for cosignature in &cosignatures {
            if verify_carried(&network, input, cosignature).is_ok() {
                assert!(known.contains(input), "a step that nobody signed");
                any = true;
            }
        }
        any
    };
    Target::new("carried-step", bodies, run).may_allocate(400, 64 << 10).fuzz();
}

#[test]
fn state_values() {
    fn recode<M: Message + Default + 'static>(input: &[u8]) -> bool {
        wire::decode::<M>(input, usize::MAX)
            .map(|read| assert_eq!(read.encode_to_vec(), input))
            .is_ok()
    }
    let (genesis, _) = seeds::chain();
    let values = genesis.state().unwrap().into_values().flatten();
    let values: Vec<Vec<u8>> = values.chain(seeds::deal_states()).collect();
    let run = |input: &[u8]| {
        [
            recode::<pb::MemberState>(input),
            recode::<pb::KeyState>(input),
            recode::<pb::MemberIndex>(input),
            recode::<pb::AlertState>(input),
            recode::<pb::AcknowledgementState>(input),
            recode::<pb::DealState>(input) && deal_is_kept(input),
            recode::<pb::DealClockState>(input),
            recode::<pb::ProposalState>(input),
            recode::<pb::PendingProposals>(input),
            recode::<pb::ValidatorsState>(input),
            recode::<pb::VersionsState>(input),
            recode::<pb::Parameters>(input),
        ]
        .into_iter()
        .any(|read| read)
    };
    // The node's own state: a part of two bytes takes a hundred in memory, ten times over.
    Target::new("state-values", values, run).may_allocate(1_200, 64 << 10).fuzz();
}

#[test]
fn blocks_of_a_lying_node() {
    use heatmark_client::BlockVerifier;
    let (genesis, blocks) = seeds::chain();
    let trust = TrustRoot::from_genesis(&genesis);
    let answer = |bytes: &Vec<u8>| pb::StreamBlocksResponse {
        block: Some(pb::CertifiedBlock::decode(bytes.as_slice()).unwrap()),
        next: None,
        restart: None,
    };
    let first = answer(&blocks[0]);
    let header = first.block.clone().unwrap().block.unwrap();
    let seen = RefCell::new(BTreeSet::new());
    let run = move |input: &[u8]| {
        let shape = wire::shape::of::<pb::StreamBlocksResponse>();
        if !wire::shape::fits(input, shape) {
            return false;
        }
        let Ok(answer) = pb::StreamBlocksResponse::decode(input) else { return false };
        match BlockVerifier::from_trust(&trust).verify(answer) {
            Ok(verified) => {
                let block = verified.message.block.unwrap();
                assert_eq!(block, header, "another first block");
                seen.borrow_mut().insert(verified.header.height);
                true
            }
            Err(_) => false,
        }
    };
    Target::new("blocks-answer", vec![first.encode_to_vec()], run).fuzz();
}
