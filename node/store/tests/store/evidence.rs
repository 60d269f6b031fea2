//! What the store proves: receipts, state proofs, blocks and tiles.

use crate::world::{World, certify};
use heatmark_ledger::audit::Auditor;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::receipt::{TrustRoot, verify, verify_state};
use heatmark_ledger::{Hash, LeafIndex, state, transaction};
use heatmark_merkle::tree;
use heatmark_store::StoreError;
use std::sync::Arc;
use tempfile::tempdir;

/// Trust in a committed header, as someone who pinned it has it.
fn pinned(world: &World, height: u64) -> TrustRoot {
    let (header, _) = world.store.header(Height(height)).unwrap().unwrap();
    let validators = world.store.validators(Height(height + 1)).unwrap().unwrap();
    assert_eq!(validators.hash(), header.next_validators);
    TrustRoot {
        network: world.genesis.network(),
        height: Height(height),
        header: Some(header.hash()),
        validators,
        era: Era::of(world.genesis.network()),
    }
}

#[test]
fn every_receipt_verifies_from_genesis_and_from_every_pinned_header() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let tip = world.store.tip();
    assert_eq!(tip.log_size.0, world.envelopes.len() as u64);
    for height in 0..tip.height.0 {
        let trust = match height {
            0 => TrustRoot::from_genesis(&world.genesis),
            height => pinned(&world, height),
        };
        let every = if height == 0 { 1 } else { 37 };
        for leaf in (0..tip.log_size.0).step_by(every) {
            for at in [None, Some(tip.height)] {
                let receipt = world.store.receipt(LeafIndex(leaf), Height(height), at).unwrap();
                let verified = verify(&receipt, &trust).unwrap();
                assert_eq!(verified.leaf_index.0, leaf);
                assert_eq!(receipt.transaction, world.envelopes[leaf as usize]);
            }
        }
    }
}

#[test]
fn no_receipt_against_a_header_older_than_the_leaf_or_the_trust_root_or_yet_to_come() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let (newest, last) = (world.store.tip().height, LeafIndex(world.envelopes.len() as u64 - 1));
    for (leaf, trusted, at) in [
        (last, Height(0), Some(newest.previous())),
        (LeafIndex(0), newest, None),
        (LeafIndex(0), newest, Some(newest)),
        (LeafIndex(0), Height(0), Some(newest.next())),
        (LeafIndex(last.0 + 1), Height(0), None),
        (LeafIndex(u64::MAX), Height(0), None),
    ] {
        let refused = world.store.receipt(leaf, trusted, at);
        assert!(matches!(refused, Err(StoreError::NotAvailable(_))), "{leaf:?} {refused:?}");
    }
}

#[test]
fn receipts_asked_for_between_commits_verify_against_every_size_of_a_growing_tile() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let trust = TrustRoot::from_genesis(&world.genesis);
    // Sizes around the borders of layers and tiles; each commit follows a receipt that warmed
    // the tiles at the size before.
    for count in [1, 1, 1, 4, 9, 15, 100, 124, 1, 1, 255, 3] {
        let tip = world.commit_anchors(count);
        let size = tip.log_size.0;
        for leaf in [0, size / 3, size / 2, size.saturating_sub(2), size - 1] {
            for at in (1..=tip.height.0).rev() {
                let (header, _) = world.store.header(Height(at)).unwrap().unwrap();
                if leaf >= header.log_size.0 {
                    continue;
                }
                let at = Some(Height(at));
                let receipt = world.store.receipt(LeafIndex(leaf), Height(0), at).unwrap();
                verify(&receipt, &trust).unwrap();
            }
        }
    }
}

#[test]
fn presence_and_absence_verify_at_every_served_height_and_pruned_ones_are_not_available() {
    let directory = tempdir().unwrap();
    let history = 4;
    let mut world = World::new(directory.path(), history);
    let trust = TrustRoot::from_genesis(&world.genesis);
    let (present, absent) = (state::validators_key(), b"no such key".to_vec());
    let mut hashes = Vec::new();
    for round in 0..12 {
        let votes = world.set_power(3, 2 + round % 3);
        hashes.push(world.commit(&votes).next_validators.hash());
        let newest = world.store.tip().height.0;
        for height in 1..=newest {
            let proof = world.store.state_proof(&present, Some(Height(height)), Height(0));
            if height + history < newest {
                assert!(
                    matches!(proof, Err(StoreError::NotAvailable(_))),
                    "height {height} of {newest}: {proof:?}"
                );
                continue;
            }
            let verified = verify_state(&proof.unwrap(), &trust).unwrap();
            let (header, _) = world.store.header(Height(height)).unwrap().unwrap();
            assert_eq!(verified.header, header);
            assert!(verified.value.is_some());
            let proof = world.store.state_proof(&absent, Some(Height(height)), Height(0)).unwrap();
            assert_eq!(verify_state(&proof, &trust).unwrap().value, None);
        }
    }
    let newest = world.store.state_proof(&present, None, Height(0)).unwrap();
    assert_eq!(verify_state(&newest, &trust).unwrap().header.height, world.store.tip().height);
    hashes.dedup();
    assert!(hashes.len() > 6, "the state did change");
}

#[test]
fn an_auditor_accepts_the_whole_chain_as_it_is_read_back() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let tip = world.store.tip();
    let mut auditor = Auditor::new(&world.genesis).unwrap();
    for height in 1..=tip.height.0 {
        auditor.block(&world.store.certified_block(Height(height)).unwrap().unwrap()).unwrap();
    }
    assert_eq!(auditor.newest(), tip.header.as_ref());
    assert_eq!(auditor.summary().transactions, tip.log_size.0);
    assert_eq!(auditor.summary().set_changes, 2);
    assert!(world.store.certified_block(Height(0)).unwrap().is_none());
    assert!(world.store.certified_block(tip.height.next()).unwrap().is_none());
}

#[test]
fn each_height_is_certified_by_the_set_that_the_header_before_names() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let world = world.reopen(directory.path());
    let tip = world.store.tip();
    let mut expected = world.genesis.validators().hash();
    for height in 1..=tip.height.0 {
        let set = world.store.validators(Height(height)).unwrap().unwrap();
        assert_eq!(set.hash(), expected, "height {height}");
        let (header, certificate) = world.store.header(Height(height)).unwrap().unwrap();
        certificate.verify(&header, &set).unwrap();
        expected = header.next_validators;
    }
    assert_eq!(world.store.validators(tip.height.next()).unwrap().unwrap().hash(), expected);
    assert!(world.store.validators(Height(0)).unwrap().is_none());
    assert!(world.store.validators(tip.height.next().next()).unwrap().is_none());
}

#[test]
fn set_changes_are_those_strictly_between_two_heights() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let mut named = world.genesis.validators().hash();
    let mut changed = Vec::new();
    for height in 1..=world.store.tip().height.0 {
        let (header, _) = world.store.header(Height(height)).unwrap().unwrap();
        if header.next_validators != named {
            changed.push(height);
            named = header.next_validators;
        }
    }
    assert_eq!(changed, [5, 7], "a vote takes effect with the block after it");
    for after in 0..10 {
        for before in 0..10 {
            let changes = world.store.set_changes(Height(after), Height(before)).unwrap();
            let heights: Vec<u64> =
                changes.iter().map(|change| change.header.as_ref().unwrap().height).collect();
            let between = |at: &u64| after < *at && *at < before;
            let expected: Vec<u64> = changed.iter().copied().filter(between).collect();
            assert_eq!(heights, expected, "between {after} and {before}");
        }
    }
}

#[test]
fn tiles_and_bundles_have_the_c2sp_form_at_every_width() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let leaves: Vec<Hash> =
        world.envelopes.iter().map(|bytes| transaction::leaf_hash(bytes)).collect();
    let size = leaves.len();
    assert!((257..512).contains(&size));
    let bytes_of = |hashes: &[Hash]| hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
    let partial = (size - 256) as u8;
    let tile = |level, index, width| world.store.tile(level, index, width).unwrap();
    assert_eq!(tile(Some(0), 0, 0).unwrap(), bytes_of(&leaves[..256]));
    assert_eq!(tile(Some(0), 0, 7).unwrap(), bytes_of(&leaves[..7]));
    assert_eq!(tile(Some(0), 1, partial).unwrap(), bytes_of(&leaves[256..]));
    let mut layer = leaves[..256].to_vec();
    while layer.len() > 1 {
        layer = layer.chunks(2).map(|pair| tree::node_hash(&pair[0], &pair[1])).collect();
    }
    assert_eq!(tile(Some(1), 0, 1).unwrap(), bytes_of(&layer));
    for (level, index, width) in [
        (Some(0), 1, 0),
        (Some(0), 1, partial + 1),
        (Some(0), 2, 1),
        (Some(1), 0, 2),
        (Some(2), 0, 1),
        (Some(255), u64::MAX, 1),
        (None, 1, 0),
        (None, u64::MAX, 1),
    ] {
        assert_eq!(tile(level, index, width), None, "{level:?} {index} {width}");
    }
    for (index, width, from, to) in [(0, 0, 0, 256), (0, 3, 0, 3), (1, partial, 256, size)] {
        let mut rest = tile(None, index, width).unwrap();
        for leaf in &leaves[from..to] {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            let entry: Vec<u8> = rest.drain(..2 + length).skip(2).collect();
            assert_eq!(tree::leaf_hash(&entry), *leaf);
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn a_certificate_gives_way_only_to_one_with_more_signatures() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let anchors = world.anchors(1);
    let block = world.propose(&anchors);
    let set = Arc::clone(&world.store.tip().next_validators);
    world.store.commit(&block, &certify(&block.header, &set, 3)).unwrap();
    let signatures = || world.store.header(Height(1)).unwrap().unwrap().1.signatures.len();
    let mut other = certify(&block.header, &set, 4);
    other.signatures.remove(0);
    world.store.finalize(Height(1), &other).unwrap();
    let kept = world.store.header(Height(1)).unwrap().unwrap().1;
    assert_eq!(kept, certify(&block.header, &set, 3), "as many are not more");
    world.store.finalize(Height(1), &certify(&block.header, &set, 4)).unwrap();
    assert_eq!(signatures(), 4);
    world.store.finalize(Height(1), &certify(&block.header, &set, 3)).unwrap();
    assert_eq!(signatures(), 4);
    let unknown = world.store.finalize(Height(2), &certify(&block.header, &set, 4));
    assert!(matches!(unknown, Err(StoreError::NotAvailable(_))));
}

#[test]
fn a_transaction_is_found_on_its_leaf_and_an_unknown_one_nowhere() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.commit_anchors(3);
    let anchors = world.anchors(2);
    assert_eq!(world.store.find(&anchors[1].id()).unwrap(), None);
    world.commit(&anchors);
    assert_eq!(world.store.find(&anchors[1].id()).unwrap(), Some(LeafIndex(4)));
    assert_eq!(world.store.height_of(LeafIndex(2)).unwrap(), Height(1));
    assert_eq!(world.store.height_of(LeafIndex(4)).unwrap(), Height(2));
}

#[test]
fn whoever_waits_is_told_the_leaf_by_the_commit_and_nobody_else_is_kept() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.commit_anchors(3);
    let anchors = world.anchors(2);
    let mut first = world.store.await_transaction(anchors[1].id());
    let mut second = world.store.await_transaction(anchors[1].id());
    let gone = world.store.await_transaction(anchors[0].id());
    let other = world.anchors(1);
    let mut never = world.store.await_transaction(other[0].id());
    drop(gone);
    assert_eq!(world.store.awaited_transactions(), 2);
    world.commit(&anchors);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        assert_eq!(first.committed().await, LeafIndex(4));
        assert_eq!(second.committed().await, LeafIndex(4));
        let silence = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(silence, first.committed()).await.is_err());
        assert!(tokio::time::timeout(silence, never.committed()).await.is_err());
    });
    drop((first, second));
    assert_eq!(world.store.awaited_transactions(), 1);
    drop(never);
    assert_eq!(world.store.awaited_transactions(), 0);
}

#[test]
fn what_is_kept_of_the_newest_block_is_what_the_disk_has() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let leaves = world.store.tip().log_size.0;
    let receipts = |store: &heatmark_store::Store| -> Vec<_> {
        let trusted = (0..9).map(Height);
        let of = |leaf| trusted.clone().map(move |height| (LeafIndex(leaf), height));
        (0..leaves)
            .flat_map(of)
            .map(|(leaf, trusted)| store.receipt(leaf, trusted, None).unwrap())
            .collect()
    };
    let warm = receipts(&world.store);
    let genesis = world.genesis.clone();
    drop(world);
    let options = heatmark_store::StoreOptions::default();
    let store = heatmark_store::Store::open(directory.path(), &genesis, &options).unwrap();
    assert_eq!(warm, receipts(&store));
}
