//! What the store keeps across stops, crashes and damage, and what it refuses to write or open.

use crate::world::{World, certify, genesis};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::block::Block;
use heatmark_ledger::ids::{Height, Round};
use heatmark_store::{Store, StoreError, StoreOptions, UndecidedBlock};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn options() -> StoreOptions {
    StoreOptions::default()
}

/// The same end of the chain: header, log, state and validators.
fn assert_same_end(left: &Store, right: &Store) {
    let (left, right) = (left.tip(), right.tip());
    assert_eq!(left.height, right.height);
    assert_eq!(left.header, right.header);
    assert_eq!(left.time, right.time);
    assert_eq!(left.log_size, right.log_size);
    assert_eq!(left.next_validators.hash(), right.next_validators.hash());
    assert_eq!(left.chain.hash, right.chain.hash);
    assert_eq!(left.chain.frontier.root(), right.chain.frontier.root());
    assert_eq!(left.chain.state_root, right.chain.state_root);
    assert_eq!(left.chain.map_version, right.chain.map_version);
}

/// The write-ahead log written last.
fn newest_log(at: &Path) -> PathBuf {
    let mut logs: Vec<PathBuf> = fs::read_dir(at).unwrap().map(|f| f.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    logs.pop().unwrap()
}

/// The files as a power cut leaves them: no clean close, only what was written.
fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "LOCK" {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[test]
fn a_reopened_store_ends_where_it_ended_at_every_height() {
    let (directory, other) = (tempdir().unwrap(), tempdir().unwrap());
    let mut world = World::new(directory.path(), 1_000);
    let mut uninterrupted = World::new(other.path(), 1_000);
    world = world.reopen(directory.path());
    assert_same_end(&world.store, &uninterrupted.store);
    for count in [0, 1, 300, 0, 2] {
        world.commit_anchors(count);
        uninterrupted.commit_anchors(count);
        world = world.reopen(directory.path());
        assert_same_end(&world.store, &uninterrupted.store);
    }
    let (votes, same) = (world.set_power(3, 2), uninterrupted.set_power(3, 2));
    world.commit(&votes);
    uninterrupted.commit(&same);
    world = world.reopen(directory.path());
    assert_same_end(&world.store, &uninterrupted.store);
    world.store.flush().unwrap();
    world = world.reopen(directory.path());
    assert_same_end(&world.store, &uninterrupted.store);
}

#[test]
fn a_crash_between_commits_loses_nothing_that_was_committed() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    for count in [0, 1, 300, 2] {
        world.commit_anchors(count);
        let crashed = tempdir().unwrap();
        copy_files(directory.path(), crashed.path());
        let recovered = Store::open(crashed.path(), &world.genesis, &options()).unwrap();
        assert_same_end(&recovered, &world.store);
        for leaf in 0..world.envelopes.len() {
            let entry = recovered.entry(LeafIndex(leaf as u64)).unwrap();
            assert_eq!(entry.as_ref(), Some(&world.envelopes[leaf]));
        }
    }
}

#[test]
fn a_write_ahead_log_torn_anywhere_opens_at_a_whole_block() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let mut ends = vec![world.store.tip().chain.hash];
    for count in [1, 3, 2] {
        ends.push(world.commit_anchors(count).chain.hash);
    }
    let length = fs::metadata(newest_log(directory.path())).unwrap().len();
    let mut reached = Vec::new();
    for tenth in 0..=10 {
        let crashed = tempdir().unwrap();
        copy_files(directory.path(), crashed.path());
        let log = fs::OpenOptions::new().write(true).open(newest_log(crashed.path())).unwrap();
        log.set_len(length * tenth / 10).unwrap();
        drop(log);
        let recovered = Store::open(crashed.path(), &world.genesis, &options()).unwrap();
        let end = recovered.tip();
        assert_eq!(end.chain.hash, ends[end.height.0 as usize], "torn at {tenth} tenths");
        reached.push(end.height.0);
    }
    assert!(reached.is_sorted());
    assert_eq!((reached.first(), reached.last()), (Some(&0), Some(&3)));
}

#[test]
fn a_flipped_byte_in_the_write_ahead_log_never_undoes_a_block() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    for count in [1, 3, 2] {
        world.commit_anchors(count);
    }
    let length = fs::metadata(newest_log(directory.path())).unwrap().len();
    let mut refused = 0;
    for tenth in 1..10 {
        let damaged = tempdir().unwrap();
        copy_files(directory.path(), damaged.path());
        let log = newest_log(damaged.path());
        let mut bytes = fs::read(&log).unwrap();
        bytes[(length * tenth / 10) as usize] ^= 1;
        fs::write(&log, bytes).unwrap();
        match Store::open(damaged.path(), &world.genesis, &options()) {
            Ok(opened) => assert_same_end(&opened, &world.store),
            Err(StoreError::Database(_)) => refused += 1,
            Err(other) => panic!("{tenth} tenths: {other}"),
        }
    }
    assert!(refused >= 5, "{refused} of 9 refused");
}

#[test]
fn a_flipped_byte_in_any_table_gives_an_error_or_the_right_answer_and_never_another() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    world.store.flush().unwrap();
    let end = world.store.tip();
    let blocks: Vec<_> =
        (1..=end.height.0).map(|at| world.store.certified_block(Height(at)).unwrap()).collect();
    let receipts: Vec<_> = (0..end.log_size.0)
        .map(|leaf| world.store.receipt(LeafIndex(leaf), Height(0), None).unwrap())
        .collect();
    let World { genesis, store, .. } = world;
    drop(store);
    let mut errors = 0;
    let mut tables = 0;
    for file in fs::read_dir(directory.path()).unwrap() {
        let name = file.unwrap().file_name();
        if Path::new(&name).extension().is_none_or(|extension| extension != "sst") {
            continue;
        }
        tables += 1;
        let damaged = tempdir().unwrap();
        copy_files(directory.path(), damaged.path());
        let path = damaged.path().join(&name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        let Ok(store) = Store::open(damaged.path(), &genesis, &options()) else {
            errors += 1;
            continue;
        };
        assert_eq!(store.tip().header, end.header);
        for (height, block) in (1..).zip(&blocks) {
            match store.certified_block(Height(height)) {
                Ok(read) => assert_eq!(read, *block),
                Err(_) => errors += 1,
            }
        }
        for (leaf, receipt) in (0..).zip(&receipts) {
            match store.receipt(LeafIndex(leaf), Height(0), None) {
                Ok(read) => assert_eq!(read, *receipt),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(tables >= 8, "{tables} tables");
    assert!(errors >= 5, "{errors} errors");
}

#[test]
fn a_block_that_is_not_the_next_one_is_refused_and_nothing_of_it_is_written() {
    let (directory, other) = (tempdir().unwrap(), tempdir().unwrap());
    let mut world = World::new(directory.path(), 1_000);
    let mut stranger = World::new(other.path(), 1_000);
    let anchors = world.anchors(2);
    let first = world.propose(&anchors);
    let set = world.store.tip().next_validators;
    let certificate = certify(&first.header, &set, 4);
    world.store.commit(&first, &certificate).unwrap();
    stranger.commit(&[]);
    let fork_anchors = stranger.anchors(1);
    let fork = stranger.propose(&fork_anchors);
    let early = {
        stranger.commit_anchors(1);
        let anchors = stranger.anchors(1);
        stranger.propose(&anchors)
    };
    let again = world.store.commit(&first, &certificate);
    assert!(matches!(again, Err(StoreError::NotNext { given: Height(1), tip: Height(1) })));
    let skipped = world.store.commit(&early, &certify(&early.header, &set, 4));
    assert!(matches!(skipped, Err(StoreError::NotNext { given: Height(3), tip: Height(1) })));
    let forked = world.store.commit(&fork, &certify(&fork.header, &set, 4));
    assert!(matches!(forked, Err(StoreError::OtherParent)));
    assert_eq!(world.store.tip().height, Height(1));
    let world = world.reopen(directory.path());
    assert_eq!(world.store.tip().header, Some(first.header));
    assert_eq!(world.store.entry(LeafIndex(2)).unwrap(), None);
    assert_eq!(world.store.find(&fork.transactions[0].id()).unwrap(), None);
    assert!(world.store.header(Height(2)).unwrap().is_none());
}

#[test]
fn the_database_of_another_network_is_refused() {
    let directory = tempdir().unwrap();
    let world = World::new(directory.path(), 1_000);
    let found = world.genesis.network();
    drop(world);
    let other = genesis("Village", 1_000);
    let refused = Store::open(directory.path(), &other, &options());
    let Err(StoreError::OtherNetwork { found: held, expected }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((held, expected), (found, other.network()));
}

#[test]
fn a_database_in_use_is_not_opened_twice() {
    let directory = tempdir().unwrap();
    let world = World::new(directory.path(), 1_000);
    let second = Store::open(directory.path(), &world.genesis, &options());
    assert!(matches!(second, Err(StoreError::Database(_))), "{second:?}");
}

#[test]
fn undecided_blocks_survive_a_reopen_and_vanish_once_their_height_is_decided() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let mut kept = Vec::new();
    for height in 1..=3 {
        for round in 0..2 {
            let anchors = world.anchors(1);
            let block = world.propose(&anchors);
            let undecided = UndecidedBlock {
                round: Round(round),
                proposer: [7; 32],
                header_hash: block.header.hash(),
                block: Block::encode(&block.header, &block.transactions).into(),
            };
            world.store.put_undecided(Height(height), &undecided, round == 1).unwrap();
            kept.push((Height(height), undecided));
        }
    }
    for decided in 0..=3 {
        world = world.reopen(directory.path());
        for (height, block) in &kept {
            let expected = (height.0 > decided).then(|| block.clone());
            let own = expected.clone().filter(|block| block.round == Round(1));
            assert_eq!(world.store.undecided(*height, &block.header_hash).unwrap(), expected);
            assert_eq!(world.store.proposed(*height, Round(0)).unwrap(), None);
            if block.round == Round(1) {
                assert_eq!(world.store.proposed(*height, Round(1)).unwrap(), own);
            }
            let count = if height.0 > decided { 2 } else { 0 };
            assert_eq!(world.store.undecided_at(*height).unwrap().len(), count);
        }
        world.commit_anchors(1);
    }
}

#[test]
fn an_undecided_block_that_comes_too_late_goes_at_the_next_start() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let block = world.propose(&[]);
    world.commit_anchors(1);
    let late = UndecidedBlock {
        round: Round(0),
        proposer: [7; 32],
        header_hash: block.header.hash(),
        block: Block::encode(&block.header, &[]).into(),
    };
    world.store.put_undecided(Height(1), &late, true).unwrap();
    world = world.reopen(directory.path());
    world.commit_anchors(1);
    assert_eq!(world.store.undecided_at(Height(1)).unwrap(), []);
    assert_eq!(world.store.proposed(Height(1), Round(0)).unwrap(), None);
}

#[test]
fn whoever_follows_the_tip_hears_of_a_block_after_it_is_readable() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let mut tips = world.store.subscribe();
    assert!(!tips.has_changed().unwrap());
    world.commit_anchors(1);
    assert!(tips.has_changed().unwrap());
    let height = tips.borrow_and_update().height;
    assert_eq!(height, Height(1));
    assert!(world.store.certified_block(height).unwrap().is_some());
}
