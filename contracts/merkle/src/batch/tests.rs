//! Claims about the batch tree.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use super::*;
use crate::tree::tests::{naive_path, naive_root};

fn records(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|number| tag::hash("record", &[&number.to_be_bytes()])).collect()
}

#[test]
fn root_and_paths_equal_the_recursive_definition() {
    for count in (1..=100).chain([255, 256, 257, 1_000]) {
        let records = records(count);
        let leaves: Vec<Hash> = records.iter().map(leaf).collect();
        let tree = BatchTree::new(&records).unwrap();
        assert_eq!(tree.root(), naive_root(&leaves));
        assert_eq!(root(&records), Some(tree.root()));
        assert_eq!(tree.count(), count);
        for index in (0..count).step_by(1 + count / 60) {
            let path = tree.path(index as u32).unwrap();
            assert_eq!(path, naive_path(index, &leaves), "record {index} of {count}");
            assert_eq!(
                verify(&records[index], index as u32, count as u32, &path, &tree.root()),
                Ok(())
            );
        }
        assert_eq!(tree.path(count as u32), None);
        assert_eq!(tree.path(u32::MAX), None);
    }
}

#[test]
fn rejects_surplus_hash_that_rs_merkle_accepts() {
    let records = records(5);
    let tree = BatchTree::new(&records).unwrap();
    for index in 0..5u32 {
        let mut path = tree.path(index).unwrap();
        path.push(tree.root());
        let verdict = verify(&records[index as usize], index, 5, &path, &tree.root());
        assert_eq!(verdict, Err(ProofError::PathTooLong));
        path.truncate(path.len() - 2);
        assert!(verify(&records[index as usize], index, 5, &path, &tree.root()).is_err());
    }
}

#[test]
fn rejects_other_record_index_and_count() {
    let records = records(8);
    let tree = BatchTree::new(&records).unwrap();
    let path = tree.path(3).unwrap();
    assert!(verify(&records[4], 3, 8, &path, &tree.root()).is_err());
    assert!(verify(&records[3], 4, 8, &path, &tree.root()).is_err());
    assert!(verify(&records[3], 8, 8, &path, &tree.root()).is_err());
    assert!(verify(&records[3], 3, 0, &path, &tree.root()).is_err());
    assert!(verify(&records[3], 3, 9, &path, &tree.root()).is_err());
    // The leaf is the tagged record root, not the record root.
    assert!(
        tree::verify_inclusion(&records[3], LeafIndex(3), TreeSize(8), &path, &tree.root())
            .is_err()
    );
}

#[test]
fn refuses_empty_and_oversized_batches() {
    assert_eq!(root(&[]), None);
    assert_eq!(BatchTree::new(&[]).err(), Some(BatchError::Empty));
    let many = vec![Hash([0; 32]); MAX_RECORDS + 1];
    assert_eq!(BatchTree::new(&many).err(), Some(BatchError::TooMany(MAX_RECORDS + 1)));
}
