//! Lots in the vault: reserved once, there once their event stands, free again once it lapsed; across restarts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::vault::tests::{CANARY, open, vault_key};
use tempfile::TempDir;

fn lot(number: u8, name: &str) -> NewLot {
    NewLot {
        hash: [number; 32],
        name: name.to_owned(),
        open: Zeroizing::new(CANARY.as_bytes().to_vec()),
        description: Zeroizing::new(vec![number]),
        seal_index: number.into(),
        output: 0,
    }
}

fn event(number: u8, inputs: &[u8], outputs: &[u8]) -> LotEventRow {
    let hashes = |numbers: &[u8]| numbers.iter().map(|number| [*number; 32]).collect();
    LotEventRow {
        digest: [number; 32],
        kind: 2,
        event: vec![number],
        proofs: vec![],
        blinds: hashes(inputs),
        transaction_id: [number; 32],
        envelope: vec![number; 3],
        inputs: hashes(inputs),
        outputs: hashes(outputs),
        origin: None,
        leaf_index: None,
        at_ms: 5,
    }
}

fn states(vault: &Vault) -> Vec<(u8, LotState)> {
    vault.lots(None, 99).unwrap().iter().map(|lot| (lot.hash[0], lot.state)).collect()
}

/// A vault with lot 1 standing.
fn with_a_lot(home: &TempDir) -> Vault {
    let vault = open(home.path());
    vault.put_event(&Actor::Node, &event(100, &[], &[1]), &[lot(1, "billet")]).unwrap();
    vault.event_stands(&[100; 32], 7).unwrap();
    vault
}

#[test]
fn a_lot_comes_stands_leaves_and_is_used_across_restarts() {
    let home = TempDir::new().unwrap();
    {
        let vault = open(home.path());
        vault.put_event(&Actor::Node, &event(100, &[], &[1]), &[lot(1, "billet")]).unwrap();
        assert_eq!(states(&vault), [(1, LotState::Coming)]);
    }
    {
        let vault = open(home.path());
        assert_eq!(vault.waiting_events().unwrap(), [event(100, &[], &[1])]);
        vault.event_stands(&[100; 32], 7).unwrap();
        assert!(vault.waiting_events().unwrap().is_empty());
        assert_eq!(states(&vault), [(1, LotState::Standing)]);
        vault.put_event(&Actor::Node, &event(101, &[1], &[2]), &[lot(2, "ring")]).unwrap();
    }
    let vault = open(home.path());
    assert_eq!(states(&vault), [(1, LotState::Leaving), (2, LotState::Coming)]);
    vault.event_stands(&[101; 32], 8).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Used), (2, LotState::Standing)]);
    let ring = vault.lot_named("ring").unwrap().unwrap();
    assert_eq!((ring.leaf_index, ring.open.as_slice()), (Some(8), CANARY.as_bytes()));
    assert_eq!(vault.lot_event(&ring.event).unwrap().unwrap().leaf_index, Some(8));
    assert!(vault.lot_named("bloom").unwrap().is_none());
}

#[test]
fn a_lot_goes_into_one_event_and_is_free_again_when_that_lapsed() {
    let home = TempDir::new().unwrap();
    let vault = with_a_lot(&home);
    let put = |event: &LotEventRow, lots: &[NewLot]| vault.put_event(&Actor::Node, event, lots);
    put(&event(101, &[1], &[2]), &[lot(2, "ring")]).unwrap();
    let again = put(&event(102, &[1], &[3]), &[lot(3, "other ring")]);
    assert!(matches!(again, Err(VaultError::LotUsed(name)) if name == "billet"));
    let early = put(&event(102, &[2], &[3]), &[lot(3, "other ring")]);
    assert!(matches!(early, Err(VaultError::LotNotThere(name)) if name == "ring"));
    let unknown = put(&event(102, &[9], &[3]), &[lot(3, "other ring")]);
    assert!(matches!(unknown, Err(VaultError::UnknownLot)));
    assert!(vault.lot(&[3; 32]).unwrap().is_none());
    vault.event_lapsed(&[101; 32]).unwrap();
    assert_eq!(states(&vault), [(1, LotState::Standing)]);
    assert!(vault.lot_event(&[101; 32]).unwrap().is_none());
    // Its name and its input are free.
    put(&event(103, &[1], &[3]), &[lot(3, "ring")]).unwrap();
    assert!(vault.event_lapsed(&[101; 32]).is_err());
}

#[test]
fn names_are_plain_and_each_of_one_lot() {
    let home = TempDir::new().unwrap();
    let vault = with_a_lot(&home);
    let put = |lots: &[NewLot]| vault.put_event(&Actor::Node, &event(101, &[], &[2]), lots);
    assert!(matches!(put(&[lot(2, "billet")]), Err(VaultError::LotNameTaken(_))));
    assert!(matches!(put(&[lot(2, "a"), lot(3, "a")]), Err(VaultError::LotNameTaken(_))));
    let long = "x".repeat(129);
    for name in ["", " a", "a ", "a\nb", long.as_str()] {
        assert!(matches!(put(&[lot(2, name)]), Err(VaultError::LotName)), "{name:?}");
    }
    assert_eq!(states(&vault).len(), 1);
}

#[test]
fn a_certificate_is_commissioned_once_unless_that_lapsed() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let record = heatmark_merkle::Hash([5; 32]);
    let commission = |digest, number, name| {
        let event = LotEventRow { origin: Some(record), ..event(digest, &[], &[number]) };
        vault.put_event(&Actor::Node, &event, &[lot(number, name)])
    };
    commission(100, 1, "a").unwrap();
    assert!(matches!(commission(101, 2, "b"), Err(VaultError::Commissioned(_))));
    vault.event_lapsed(&[100; 32]).unwrap();
    commission(101, 2, "b").unwrap();
}

#[test]
fn seal_indices_are_given_once_and_skipped_by_a_restored_vault() {
    let (home, restored) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let vault = open(home.path());
    assert_eq!(vault.take_seal_indices(3).unwrap(), 0);
    assert_eq!(vault.take_seal_indices(1).unwrap(), 3);
    let mut copy = Vec::new();
    vault.backup(&Actor::Node, &mut copy).unwrap();
    let place = restored.path().join("vault");
    crate::restore(&place, &vault_key(1), &Actor::Node, &mut copy.as_slice()).unwrap();
    let next = open(&place).take_seal_indices(1).unwrap();
    assert!(next >= 1 << 32 && next.is_multiple_of(1 << 32), "{next}");
}

#[test]
fn lots_are_listed_page_by_page() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let lots: Vec<NewLot> = (1..=9).map(|number| lot(number, &number.to_string())).collect();
    let outputs: Vec<u8> = (1..=9).collect();
    vault.put_event(&Actor::Node, &event(100, &[], &outputs), &lots).unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = vault.lots(after.as_ref(), 4).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.hash);
        seen.extend(page.iter().map(|lot| lot.hash[0]));
    }
    assert_eq!(seen, outputs);
}
