//! Rows of escrow: there after a reopening, found by what they are looked for, and gone for good where they were destroyed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::vault::tests::open;
use heatmark_merkle::Hash;
use std::fs;
use tempfile::TempDir;

fn deal(number: u8, role: DealRole) -> DealRow {
    DealRow {
        deal: vec![number; 32],
        role: role.into(),
        buyer: vec![9; 32],
        manifest: vec![8; 32],
        at_ms: 5,
        ..DealRow::default()
    }
}

#[test]
fn a_deal_is_kept_by_role_and_waits_until_nothing_is_left() {
    let home = TempDir::new().unwrap();
    let (first, second) = (deal(1, DealRole::Buyer), deal(1, DealRole::Agent));
    {
        let vault = open(home.path());
        let by = Actor::Node;
        let deed = Some(Deed::OpenDeal);
        vault.put_deal(&by, (&first, true), Some(b"keys"), deed).unwrap();
        vault.put_deal(&by, (&second, true), Some(b"others"), None).unwrap();
        vault.put_deal(&by, (&deal(2, DealRole::Owner), false), None, None).unwrap();
        let odd = DealRow { deal: vec![1], ..DealRow::default() };
        assert!(vault.put_deal(&by, (&odd, true), None, None).is_err());
    }
    let vault = open(home.path());
    assert_eq!(vault.deal(&[1; 32], DealRole::Buyer).unwrap(), Some(first.clone()));
    assert_eq!(vault.deal_roles(&[1; 32]).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(vault.deals_left().unwrap(), [first.clone(), second]);
    assert_eq!(vault.deals().unwrap().len(), 3);
    let secrets = |role| vault.escrow_secrets(SecretsOf::Deal(role), &[1; 32]).unwrap().unwrap();
    assert_eq!((secrets(0).as_slice(), secrets(1).as_slice()), (&b"keys"[..], &b"others"[..]));
    vault.put_deal(&Actor::Node, (&first, false), None, None).unwrap();
    assert_eq!(vault.deals_left().unwrap().len(), 1);
    assert!(vault.deal(&[2; 32], DealRole::Buyer).unwrap().is_none());
}

#[test]
fn pieces_are_missing_until_they_are_here() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let root = [3; 32];
    assert_eq!(vault.first_missing_piece(&root, (0, 3)).unwrap(), Some(0));
    vault.put_pieces(&root, 0, &[vec![1; 9]]).unwrap();
    vault.put_pieces(&root, 2, &[vec![2; 9]]).unwrap();
    assert_eq!(vault.first_missing_piece(&root, (0, 3)).unwrap(), Some(1));
    assert_eq!(vault.first_missing_piece(&root, (2, 3)).unwrap(), None);
    vault.put_pieces(&root, 1, &[vec![3; 9]]).unwrap();
    assert_eq!(vault.first_missing_piece(&root, (0, 3)).unwrap(), None);
    assert_eq!(vault.piece(&root, 1).unwrap().unwrap().as_slice(), [3; 9]);
    assert!(vault.piece(&[4; 32], 1).unwrap().is_none());
    vault.drop_pieces(&root, 3).unwrap();
    assert_eq!(vault.first_missing_piece(&root, (0, 3)).unwrap(), Some(0));
}

#[test]
fn a_piece_that_rotted_says_so_and_is_replaced() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let root = [3; 32];
    vault.put_pieces(&root, 0, &[vec![1; 9], vec![2; 9]]).unwrap();
    let place = piece_key(&root, 1);
    let mut sealed = vault.db.get(Family::Kept, &place).unwrap().unwrap().to_vec();
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    vault.db.rocks().put(&place, &sealed).unwrap();
    let rotten = vault.piece(&root, 1).unwrap_err();
    assert!(rotten.is_damage(), "{rotten}");
    assert!(!VaultError::TooLong.is_damage());
    assert_eq!(vault.piece(&root, 0).unwrap().unwrap().as_slice(), [1; 9]);
    vault.drop_piece(&root, 1).unwrap();
    assert_eq!(vault.first_missing_piece(&root, (0, 2)).unwrap(), Some(1));
    vault.put_pieces(&root, 1, &[vec![2; 9]]).unwrap();
    assert_eq!(vault.piece(&root, 1).unwrap().unwrap().as_slice(), [2; 9]);
}

#[test]
fn a_holding_takes_the_place_of_what_was_begun() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let begun =
        HoldingRow { digest: vec![1; 32], owner: vec![7; 32], bytes: 40, ..HoldingRow::default() };
    vault.put_holding(&begun, Some(b"seed"), None).unwrap();
    assert_eq!(vault.held_for(&[7; 32]).unwrap(), HeldFor { begun: 1, bytes: 40 });
    let row = HoldingRow {
        digest: vec![2; 32],
        manifest: vec![5],
        record: vec![6; 32],
        roots: vec![vec![3; 32]],
        ..begun.clone()
    };
    vault.put_holding(&row, Some(b"shares"), Some(&begun)).unwrap();
    assert_eq!(vault.holdings().unwrap(), std::slice::from_ref(&row));
    assert_eq!(vault.newest_holdings(0, 9).unwrap(), std::slice::from_ref(&row));
    assert_eq!(vault.holdings_of(&[6; 32]).unwrap(), std::slice::from_ref(&row));
    assert_eq!(vault.contents_of(&[3; 32]).unwrap(), [ContentOf::Holding([2; 32])]);
    assert_eq!(vault.held_for(&[7; 32]).unwrap(), HeldFor { begun: 0, bytes: 40 });
    assert!(vault.holding(&[1; 32]).unwrap().is_none());
    assert!(vault.escrow_secrets(SecretsOf::Holding, &[1; 32]).unwrap().is_none());
    assert_eq!(
        vault.escrow_secrets(SecretsOf::Holding, &[2; 32]).unwrap().unwrap().as_slice(),
        b"shares"
    );
}

#[test]
fn what_could_be_opened_is_found_by_its_record() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let row = OpenableRow { record: vec![6; 32], manifest: vec![1], ..OpenableRow::default() };
    vault.put_openable(&[1; 32], &row).unwrap();
    vault.put_openable(&[1; 32], &row).unwrap();
    assert_eq!(vault.openable(&Hash([6; 32])).unwrap(), [row]);
    assert!(vault.openable(&Hash([7; 32])).unwrap().is_empty());
    vault.note_opened(&Hash([6; 32]), &[9; 32]).unwrap();
    assert_eq!(vault.deals_that_opened(&Hash([6; 32])).unwrap(), [[9; 32]]);
    assert_eq!(vault.deals_read_through().unwrap(), 0);
    vault.note_deals_read(77).unwrap();
    assert_eq!(vault.deals_read_through().unwrap(), 77);
}

#[test]
fn destroyed_secrets_leave_the_files() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let mut row = deal(1, DealRole::Buyer);
    vault.put_deal(&Actor::Node, (&row, true), Some(b"the section's secret"), None).unwrap();
    let sealed = vault.db.get(Family::Erasable, &SecretsOf::Deal(0).key(&[1; 32])).unwrap();
    let sealed = sealed.unwrap();
    row.destroyed = true;
    assert!(vault.destroy_escrow(&Actor::Node, &Destroyed::Deal(&row)).unwrap());
    assert!(vault.escrow_secrets(SecretsOf::Deal(0), &[1; 32]).unwrap().is_none());
    assert!(vault.deal(&[1; 32], DealRole::Buyer).unwrap().unwrap().destroyed);
    drop(vault);
    let mut looked = 0;
    for file in fs::read_dir(home.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            looked += 1;
            let bytes = fs::read(&path).unwrap();
            let there = bytes.windows(24).any(|at| *at == sealed[..24]);
            assert!(!there, "{} holds what was destroyed", path.display());
        }
    }
    assert!(looked > 2, "{looked} files");
}

#[test]
fn deals_are_found_by_deposit_and_by_time() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    for number in 1..=5 {
        let row = DealRow {
            at_ms: u64::from(number),
            terms: vec![0; usize::from(number / 4)],
            manifest: vec![number / 4; 32],
            arbiter: if number == 5 { vec![7; 32] } else { Vec::new() },
            ..deal(number, DealRole::Agent)
        };
        vault.put_deal(&Actor::Node, (&row, true), None, None).unwrap();
    }
    let times = |rows: Vec<DealRow>| rows.iter().map(|row| row.at_ms).collect::<Vec<_>>();
    assert_eq!(times(vault.newest_deals(1, 2).unwrap()), [4, 3]);
    assert_eq!(times(vault.newest_deals(4, 9).unwrap()), [1]);
    assert!(vault.newest_deals(5, 9).unwrap().is_empty());
    let about = |manifest, party| vault.has_deal_about(&[manifest; 32], &[party; 32]).unwrap();
    assert!(about(1, 9) && about(1, 7) && !about(1, 6));
    assert!(!about(0, 9), "its terms have not come");
    assert_eq!(vault.deals_without_terms(&[9; 32]).unwrap(), 3);
    let second = vault.deal(&[2; 32], DealRole::Agent).unwrap().unwrap();
    vault.drop_deal(&second).unwrap();
    assert_eq!(times(vault.newest_deals(0, 9).unwrap()), [5, 4, 3, 1]);
    assert_eq!(vault.deals_without_terms(&[9; 32]).unwrap(), 2);
    assert_eq!(times(vault.deals_from(&[3, 3], 2).unwrap()), [3]);
}

#[test]
fn own_deposits_are_found_by_what_agents_answer_with() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let row = DepositRow {
        id: vec![1; 32],
        record: vec![2; 32],
        nonce: vec![3; 16],
        digest: vec![4; 32],
        roots: vec![vec![5; 32]],
        ..DepositRow::default()
    };
    vault.put_deposit(&Actor::Node, &row, None).unwrap();
    assert_eq!(vault.deposit_under(&[3; 16]).unwrap(), Some(row.clone()));
    assert_eq!(vault.deposit_of(&[4; 32]).unwrap(), Some(row.clone()));
    assert_eq!(vault.contents_of(&[5; 32]).unwrap(), [ContentOf::Deposit([1; 32])]);
    assert_eq!(vault.newest_deposits(0, 1).unwrap(), [row]);
    assert_eq!(vault.deposit_of(&[9; 32]).unwrap(), None);
    assert_eq!(vault.deposit_under(&[]).unwrap(), None);
}
