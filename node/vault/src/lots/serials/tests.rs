//! Serials in the vault: given once, bound to an event, free again when it lapses, across restarts.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail loudly")]

use super::*;
use crate::vault::tests::open;
use crate::{Actor, Beside, LotEventRow};
use tempfile::TempDir;

fn tree(number: u8, branches: &[&[&str]]) -> NewSerialTree {
    let serials = |branch: &&[&str]| branch.iter().map(|serial| (*serial).to_owned()).collect();
    NewSerialTree {
        root: [number; 32],
        secret: Zeroizing::new([number; 32]),
        branches: (0..branches.len()).map(|branch| [branch as u8; 32]).collect(),
        serials: branches.iter().map(serials).collect(),
    }
}

/// An event in which a tree begins.
fn bind(vault: &Vault, digest: u8, root: u8) -> Result<(), VaultError> {
    let event = LotEventRow {
        digest: [digest; 32],
        kind: 1,
        event: vec![digest],
        proofs: vec![],
        blinds: vec![],
        transaction_id: [digest; 32],
        envelope: vec![digest],
        inputs: vec![],
        outputs: vec![],
        origin: None,
        leaf_index: None,
        at_ms: 5,
    };
    let beside = Beside { trees: vec![[root; 32]], ..Beside::default() };
    vault.put_event_with(&Actor::Node, &event, &[], &beside)
}

#[test]
fn a_serial_is_given_once_and_found_again_after_a_restart() {
    let home = TempDir::new().unwrap();
    {
        let vault = open(home.path());
        vault.put_serials(&tree(1, &[&["a", "b"], &["c"]])).unwrap();
        // It is nobody's while no event has it.
        assert_eq!(vault.serial_place("c").unwrap(), None);
        bind(&vault, 100, 1).unwrap();
    }
    let vault = open(home.path());
    assert_eq!(vault.serial_place("c").unwrap(), Some(([1; 32], 2)));
    assert_eq!(vault.serial_place("d").unwrap(), None);
    assert_eq!(vault.serial_branch(&[1; 32], 0).unwrap(), ["a", "b"]);
    assert_eq!(vault.serial_branch(&[1; 32], 1).unwrap(), ["c"]);
    assert!(vault.serial_branch(&[1; 32], 2).is_err());
    let row = vault.serial_tree(&[1; 32]).unwrap().unwrap();
    assert_eq!((row.count, row.branches.len(), row.event), (3, 2, Some([100; 32])));
    let taken = |tree: NewSerialTree| match vault.put_serials(&tree) {
        Err(VaultError::SerialTaken(serial)) => serial,
        other => format!("{other:?}"),
    };
    assert_eq!(taken(tree(2, &[&["x", "y"], &["c"]])), "c");
    assert_eq!(taken(tree(2, &[&["x", "y"], &["x"]])), "x");
    assert_eq!(taken(tree(2, &[&["x", "x"]])), "x");
    assert!(matches!(bind(&vault, 101, 1), Err(VaultError::SerialsUnknown)));
    assert!(matches!(bind(&vault, 101, 9), Err(VaultError::SerialsUnknown)));
    assert_eq!(vault.serial_place("c").unwrap(), Some(([1; 32], 2)));
}

#[test]
fn serials_without_an_event_give_way() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    vault.put_serials(&tree(1, &[&["a", "b"]])).unwrap();
    vault.put_serials(&tree(2, &[&["b", "c"]])).unwrap();
    // The first tree lost a serial, and is gone with it.
    assert!(matches!(bind(&vault, 100, 1), Err(VaultError::SerialsUnknown)));
    bind(&vault, 100, 2).unwrap();
    assert_eq!(vault.serial_place("a").unwrap(), None);
    assert_eq!(vault.serial_place("b").unwrap(), Some(([2; 32], 0)));
    vault.event_lapsed(&[100; 32]).unwrap();
    assert_eq!(vault.serial_place("b").unwrap(), None);
    vault.put_serials(&tree(3, &[&["c"]])).unwrap();
    bind(&vault, 101, 3).unwrap();
    assert_eq!(vault.serial_place("c").unwrap(), Some(([3; 32], 0)));
    assert!(vault.serial_tree(&[2; 32]).unwrap().is_none());
}
