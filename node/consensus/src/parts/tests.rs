//! Blocks in parts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use heatmark_ledger::ids::HeaderHash;

fn heading(height: u64, fill: u8) -> Heading {
    Heading {
        height: Height(height),
        round: Round::new(0),
        valid_round: Round::Nil,
        proposer: Address([1; 32]),
        block: BlockId(HeaderHash::from([fill; 32])),
    }
}

fn peer(seed: u8) -> PeerId {
    PeerId::from_bytes(&libp2p_peer(seed).to_bytes()).unwrap()
}

fn libp2p_peer(seed: u8) -> libp2p::PeerId {
    libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap().public().to_peer_id()
}

fn block(bytes: usize) -> Bytes {
    (0..bytes).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into()
}

#[test]
fn parts_in_any_order_make_the_block() {
    for bytes in [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, MAX_BLOCK_BYTES] {
        let (mut assembly, block) = (Assembly::default(), block(bytes));
        let mut parts = divide(&heading(1, 2), &block);
        assert_eq!(parts.len(), bytes.div_ceil(PART_BYTES));
        assert!(parts.len() <= MAX_PARTS as usize);
        parts.reverse();
        let last = parts.pop().unwrap();
        for part in parts {
            assert!(assembly.take(peer(1), Some(peer(1)), part).is_none());
        }
        let (got, joined) = assembly.take(peer(2), Some(peer(1)), last).unwrap();
        assert_eq!((got, joined), (heading(1, 2), block));
        assert_eq!(assembly.bytes(), 0);
    }
}

#[test]
fn a_block_is_assembled_once_for_each_publisher() {
    let mut assembly = Assembly::default();
    let part = divide(&heading(1, 2), &block(10)).pop().unwrap();
    assert!(assembly.take(peer(1), Some(peer(1)), part.clone()).is_some());
    assert!(assembly.take(peer(1), Some(peer(1)), part.clone()).is_none());
    assert!(assembly.take(peer(1), Some(peer(2)), part.clone()).is_some());
    assembly.forget_through(Height(1));
    assert!(assembly.take(peer(1), Some(peer(1)), part).is_some());
}

#[test]
fn publishers_do_not_disturb_each_other() {
    let mut assembly = Assembly::default();
    let honest = divide(&heading(1, 2), &block(2 * PART_BYTES));
    let mut forged = honest.clone();
    for part in &mut forged {
        part.chunk = vec![0; part.chunk.len()].into();
    }
    assert!(assembly.take(peer(2), Some(peer(2)), forged[0].clone()).is_none());
    assert!(assembly.take(peer(1), Some(peer(1)), honest[0].clone()).is_none());
    let (_, joined) = assembly.take(peer(1), Some(peer(1)), honest[1].clone()).unwrap();
    assert_eq!(joined, block(2 * PART_BYTES));
}

#[test]
fn parts_that_contradict_the_first_are_ignored() {
    let mut assembly = Assembly::default();
    let parts = divide(&heading(1, 2), &block(2 * PART_BYTES));
    assert!(assembly.take(peer(1), None, parts[0].clone()).is_none());
    let mut longer = parts[1].clone();
    longer.count = 3;
    assert!(assembly.take(peer(1), None, longer).is_none());
    let mut other_proposer = parts[1].clone();
    other_proposer.proposer = Address([9; 32]);
    assert!(assembly.take(peer(1), None, other_proposer).is_none());
    assert!(assembly.take(peer(1), None, parts[1].clone()).is_some());
}

#[test]
fn a_flooding_peer_evicts_only_its_own_blocks() {
    let mut assembly = Assembly::default();
    let honest = divide(&heading(1, 1), &block(2 * PART_BYTES));
    assert!(assembly.take(peer(1), Some(peer(1)), honest[0].clone()).is_none());
    for fill in 2..200 {
        // Publishers cost nothing to make up; the account is that of one peer.
        for part in divide(&heading(1, fill), &block(4 * PART_BYTES)).into_iter().take(3) {
            assert!(assembly.take(peer(2), Some(peer(fill)), part).is_none());
        }
        assert!(assembly.bytes() <= MAX_PEER_BYTES + PART_BYTES);
    }
    assert!(assembly.take(peer(1), Some(peer(1)), honest[1].clone()).is_some());
}

#[test]
fn many_flooding_peers_stay_within_the_bound() {
    let mut assembly = Assembly::default();
    for seed in 1..40 {
        for fill in 1..4 {
            for part in divide(&heading(1, fill), &block(MAX_BLOCK_BYTES)).into_iter().take(7) {
                assert!(assembly.take(peer(seed), Some(peer(seed)), part).is_none());
            }
        }
        assert!(assembly.bytes() <= MAX_TOTAL_BYTES);
    }
}
