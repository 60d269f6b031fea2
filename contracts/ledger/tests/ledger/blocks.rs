//! Blocks: what a proposer builds every validator accepts, and nothing else; what stands is
//! audited from genesis.

use crate::cases::{self, concern};
use crate::town::{self, Town, key};
use heatmark_ledger::audit::Auditor;
use heatmark_ledger::block::{self, Block, BlockError};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Height, NetworkId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::transaction::Transaction;
use heatmark_ledger::{Hash, TreeSize};
use std::sync::Arc;

fn refusal(town: &Town, header: &Header, transactions: Vec<Arc<Transaction>>) -> String {
    block::check(&town.ledger, &town.tip, header, transactions).unwrap_err().to_string()
}

#[test]
fn rejects_a_header_with_any_field_other_than_execution_gives() {
    let mut town = Town::new();
    town.commit(&[]);
    let anchor = town.anchor(0);
    let sound = town.propose(&[Arc::clone(&anchor)]).block.header;
    let other = Hash([9; 32]);
    let wrong = [
        Header { network: NetworkId(other), ..sound },
        Header { version: 2, ..sound },
        Header { height: Height(1), ..sound },
        Header { height: Height(3), ..sound },
        Header { time: town.tip.time, ..sound },
        Header { time: UnixMillis(0), ..sound },
        Header { previous: other, ..sound },
        Header { log_size: TreeSize(0), ..sound },
        Header { log_size: TreeSize(2), ..sound },
        Header { log_root: other, ..sound },
        Header { state_root: other, ..sound },
        Header { next_validators: other, ..sound },
    ];
    for header in wrong {
        let error =
            block::check(&town.ledger, &town.tip, &header, vec![Arc::clone(&anchor)]).unwrap_err();
        assert!(error.is_proposers_fault(), "{error}");
        assert!(
            matches!(error, BlockError::NotNext(_) | BlockError::Mismatch(_)),
            "{error} for {header:?}"
        );
    }
    assert!(block::check(&town.ledger, &town.tip, &sound, vec![anchor]).is_ok());
}

#[test]
fn rejects_a_block_with_a_transaction_less_more_or_in_another_order() {
    let mut town = Town::new();
    let (first, second, third) = (town.anchor(0), town.anchor(1), town.anchor(2));
    let header = town.propose(&[Arc::clone(&first), Arc::clone(&second)]).block.header;
    for transactions in [
        vec![],
        vec![Arc::clone(&first)],
        vec![Arc::clone(&second), Arc::clone(&first)],
        vec![Arc::clone(&first), Arc::clone(&second), third],
    ] {
        assert!(refusal(&town, &header, transactions).contains("gives another log"));
    }
}

#[test]
fn a_block_with_a_transaction_that_does_not_take_effect_is_invalid() {
    let (mut town, all) = cases::all();
    let sound = town.anchor(0);
    for case in all.iter().filter(|case| case.expect.is_some()) {
        let Ok(transaction) = town.decode(&case.envelope) else { continue };
        // Its header is the one of a proposer who counts the leaf and nothing else.
        let mut header = town.propose_at(case.time_ms, &[]).block.header;
        header.log_size = TreeSize(header.log_size.0 + 1);
        let error = block::check(&town.ledger, &town.tip, &header, vec![transaction]).unwrap_err();
        assert!(matches!(error, BlockError::Transaction { position: 0, .. }), "{}", case.name);
    }
    let header = town.propose(&[Arc::clone(&sound)]).block.header;
    let twice = vec![Arc::clone(&sound), sound];
    let error = block::check(&town.ledger, &town.tip, &header, twice).unwrap_err();
    assert!(matches!(error, BlockError::Transaction { position: 1, .. }), "{error}");
}

#[test]
fn blocks_keep_to_their_limits_and_room_for_alerts() {
    let mut document = town::document();
    document.parameters.max_block_bytes = 131_072;
    document.parameters.reserved_alert_bytes = 65_536;
    let mut town = Town::with(&document);
    let anchors: Vec<_> = (0..600).map(|_| town.anchor(0)).collect();
    let alerts: Vec<_> = (0..600)
        .map(|n| town.tx(1, concern(&key(&format!("record {n}")), pb::AlertLevel::Hold, 1)))
        .collect();
    let bytes = |all: &[Arc<Transaction>]| all.iter().map(|t| t.bytes().len()).sum::<usize>();
    let open = town.propose(&anchors).block;
    assert!(bytes(&open.transactions) <= 65_536);
    assert!(bytes(&open.transactions) > 65_536 - 400);
    let mixed = [anchors.as_slice(), alerts.as_slice()].concat();
    let full = town.propose(&mixed).block;
    assert!(bytes(&full.transactions) <= 131_072);
    assert!(full.transactions.len() > open.transactions.len() + 200, "alerts find room");
    let only_alerts = town.propose(&alerts).block;
    assert!(bytes(&only_alerts.transactions) > 65_536 + 30_000, "alerts may use all of it");
    // One more than fits is too large, whatever its header says.
    let mut over = open.transactions;
    over.push(Arc::clone(&anchors[over.len()]));
    let error = block::check(&town.ledger, &town.tip, &open.header, over).unwrap_err();
    assert!(matches!(error, BlockError::TooLarge), "{error}");
}

#[test]
fn blocks_keep_to_their_number_of_transactions() {
    let mut document = town::document();
    document.parameters.max_block_transactions = 2;
    let mut town = Town::with(&document);
    let anchors: Vec<_> = (0..3).map(|_| town.anchor(0)).collect();
    let proposal = town.propose(&anchors);
    assert_eq!(proposal.block.transactions.len(), 2);
    assert!(proposal.refused.is_empty(), "what does not fit waits");
    let error = block::check(&town.ledger, &town.tip, &proposal.block.header, anchors).unwrap_err();
    assert!(matches!(error, BlockError::TooLarge), "{error}");
}

#[test]
fn time_increases_even_when_the_clock_does_not() {
    let town = Town::new();
    let behind = town.propose_at(0, &[]).block.header;
    assert_eq!(behind.time.0, town.tip.time.0 + 1);
}

#[test]
fn rejects_a_block_that_is_not_in_its_one_encoding() {
    let mut town = Town::new();
    let anchor = town.anchor(0);
    let block = town.propose(&[anchor]).block;
    let bytes = Block::encode(&block.header, &block.transactions);
    assert!(Block::decode(&bytes).is_ok());
    assert!(Block::decode(&[bytes.as_slice(), &[0x18, 1]].concat()).is_err());
    assert!(Block::decode(&bytes[..bytes.len() - 1]).is_err());
    assert!(Block::decode(&[]).is_err(), "no header");
    assert!(Block::decode(&vec![0; 8 * 1024 * 1024 + 1]).is_err());
}

fn audited(town: &Town) -> Auditor {
    let mut auditor = Auditor::new(&town.genesis).unwrap();
    for block in &town.blocks {
        auditor.block(block).unwrap();
    }
    auditor
}

#[test]
fn an_audit_reaches_the_same_end_and_says_what_it_checked() {
    let town = Town::with_two_set_changes();
    let auditor = audited(&town);
    assert_eq!(auditor.tip().hash, town.tip.hash);
    assert_eq!(auditor.tip().state_root, town.tip.state_root);
    let summary = auditor.summary();
    assert_eq!(summary.blocks, 6);
    assert_eq!(summary.transactions, town.envelopes.len() as u64);
    assert_eq!(summary.set_changes, 2);
    assert_eq!(summary.certificate_signatures, 5 * 4 + 3);
}

#[test]
fn an_audit_refuses_tampered_missing_and_foreign_blocks_and_stays_where_it_was() {
    let town = Town::with_two_set_changes();
    type Tamper = (&'static str, fn(&mut pb::CertifiedBlock));
    let tampers: [Tamper; 9] = [
        ("no block", |b| b.block = None),
        ("no certificate", |b| b.certificate = None),
        ("no header", |b| b.block.as_mut().unwrap().header = None),
        ("a transaction less", |b| drop(b.block.as_mut().unwrap().transactions.pop())),
        ("a byte of a transaction", |b| {
            let transaction = &mut b.block.as_mut().unwrap().transactions[0];
            let mut bytes = transaction.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            *transaction = bytes.into();
        }),
        ("a root", |b| b.block.as_mut().unwrap().header.as_mut().unwrap().state_root[0] ^= 1),
        ("a signature", |b| b.certificate.as_mut().unwrap().signatures[0].signature[0] ^= 1),
        ("signatures short of a quorum", |b| {
            b.certificate.as_mut().unwrap().signatures.truncate(2)
        }),
        ("another round", |b| b.certificate.as_mut().unwrap().round += 1),
    ];
    for (name, tamper) in tampers {
        let mut auditor = Auditor::new(&town.genesis).unwrap();
        let mut tampered = town.blocks[0].clone();
        tamper(&mut tampered);
        assert!(auditor.block(&tampered).is_err(), "{name}");
        assert_eq!(auditor.tip().height, Height(0), "{name}");
        auditor.block(&town.blocks[0]).unwrap();
    }
    let mut auditor = Auditor::new(&town.genesis).unwrap();
    assert!(auditor.block(&town.blocks[1]).is_err(), "a block left out");
    auditor.block(&town.blocks[0]).unwrap();
    assert!(auditor.block(&town.blocks[0]).is_err(), "a block twice");
}

#[test]
fn a_certified_block_that_breaks_the_rules_is_refused_all_the_same() {
    let mut town = Town::new();
    let nobody = key("nobody");
    let body = town.body(cases::anchor());
    let foreign = town.decode(&town.envelope(&nobody, &body, &[])).unwrap();
    let anchor = town.anchor(0);
    let block = town.propose(&[anchor]).block;
    let certificate = town.certify(&block.header).to_proto();
    let message = pb::Block {
        header: Some(block.header.to_proto()),
        transactions: vec![foreign.bytes().clone()],
    };
    let certified = pb::CertifiedBlock { block: Some(message), certificate: Some(certificate) };
    let error = Auditor::new(&town.genesis).unwrap().block(&certified).unwrap_err();
    assert!(error.to_string().contains("transaction 0 does not take effect"), "{error}");
}

#[test]
fn a_member_that_acknowledges_again_after_a_new_alert_is_heard() {
    use pb::AlertLevel::{Clear, Hold};
    let mut town = Town::new();
    let record = key("record");
    let seen = |sequence| {
        let subject = cases::subject(&record);
        Payload::Acknowledge(pb::Acknowledge { subject, concern_of: Vec::new(), sequence })
    };
    let raise = |level, sequence| Payload::Alert(cases::alert(&record, level, sequence));
    let block = [
        town.tx_with(0, raise(Hold, 1), &cases::issuer(&record)),
        town.tx(1, seen(1)),
        town.tx_with(0, raise(Clear, 2), &cases::issuer(&record)),
        town.tx(1, seen(2)),
    ];
    town.commit(&block);
}
