//! Backups: restored whole, or refused for the right reason with nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::vault::tests::{CANARY, open, placement, record, vault_key};
use crate::{
    AlertReason, Alerted, Operator, RestoreError, Role, Submission, check_backup, restore,
};

const NODE: Actor = Actor::Node;

fn backup(vault: &Vault) -> Vec<u8> {
    let mut bytes = Vec::new();
    vault.backup(&NODE, &mut bytes).unwrap();
    bytes
}

fn filled(dir: &Path, records: u8) -> Vault {
    let vault = open(dir);
    let records: Vec<_> = (0..records).map(record).collect();
    vault.put_pending(&NODE, &records).unwrap();
    for record in records.iter().skip(1) {
        vault.mark_anchored(&[(record.id, placement(8, 0))]).unwrap();
    }
    vault.take_alert_indices(7).unwrap();
    vault
}

fn entries(path: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(path).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_restored_vault_knows_all_that_the_old_one_did_and_repeats_no_alert_index() {
    let (dir, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let vault = filled(dir.path(), 200);
    let submission =
        Submission { transaction_id: [8; 32], envelope: vec![1], records: vec![record(0).id] };
    vault.put_submission(&submission).unwrap();
    let reason = AlertReason { reason: "crack".into(), salt: [4; 32] };
    vault.put_alert_reason(&NODE, (Alerted::Record(record(3).id), 3), &[3; 32], &reason).unwrap();
    vault.hold(&NODE, &record(4).id, "claim").unwrap();
    vault.erase(&NODE, &record(5).id).unwrap();
    let anna = Operator { key: [1; 32], name: "Anna".into(), roles: [Role::Alert].into() };
    vault.grant(&NODE, &anna).unwrap();
    let bytes = backup(&vault);
    assert!(bytes.len() > 2 * CHUNK_BYTES, "several chunks: {}", bytes.len());
    assert!(!bytes.windows(6).any(|window| window == b"CANARY"));
    // What came after the backup is not in it.
    vault.put_pending(&NODE, &[record(250)]).unwrap();
    let last = vault.next_alert_index().unwrap();
    let log = vault.log(0, 1_000).unwrap();
    drop(vault);

    let path = new.path().join("data/vault");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let user = Actor::User { name: "anna".into() };
    let restored = restore(&path, &vault_key(1), &user, &mut bytes.as_slice()).unwrap();
    assert_eq!(restored.backup.records, 200);
    assert_eq!(entries(path.parent().unwrap()), BTreeSet::from(["vault".to_owned()]));
    let vault = open(&path);
    for number in (0..200).filter(|number| *number != 5) {
        let record = record(number);
        assert_eq!(vault.record(&record.id).unwrap().unwrap().opening, record.opening);
        assert_eq!(vault.find_by_file(&record.file).unwrap(), Some(record.id));
    }
    assert!(matches!(vault.record(&record(5).id), Err(VaultError::Erased(_))));
    assert!(vault.record(&record(250).id).unwrap().is_none());
    assert_eq!(vault.submissions().unwrap(), [submission]);
    assert!(vault.alert_reason(&[3; 32]).unwrap() == Some(reason));
    assert!(vault.records(&record(4).id.0, 1).unwrap()[0].hold.is_some());
    assert_eq!(vault.operators(), [anna]);
    let next = vault.next_alert_index().unwrap();
    assert_eq!(next, restored.next_alert_index);
    assert!(next >= 1 << 32 && next.is_multiple_of(1 << 32), "{next}");
    assert!(next > last);
    let again = vault.log(0, 1_000).unwrap();
    let shared = again.len() - 1;
    assert_eq!(again[..shared], log[..shared]);
    let said = again.last().map(|entry| (entry.deed, entry.actor.clone(), entry.number));
    assert_eq!(said, Some((Deed::Restore, user, next)));
    vault.check_log().unwrap();
    // And once more, from the restored one.
    let second = TempDir::new().unwrap();
    let bytes = backup(&vault);
    let path = second.path().join("vault");
    let restored = restore(&path, &vault_key(1), &NODE, &mut bytes.as_slice()).unwrap();
    let after = restored.next_alert_index;
    assert!(after > next && after.is_multiple_of(1 << 32), "{after}");
}

#[test]
fn any_change_of_any_byte_is_refused() {
    let dir = TempDir::new().unwrap();
    let bytes = backup(&filled(dir.path(), 1));
    let check = |bytes: &[u8]| check_backup(&vault_key(1), &mut { bytes });
    assert_eq!(check(&bytes).unwrap().records, 1);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << bit;
            let refused = check(&bent).unwrap_err();
            let right = match at {
                0..24 => matches!(refused, RestoreError::NotABackup),
                24..162 => matches!(refused, RestoreError::Head | RestoreError::Truncated(_)),
                _ => matches!(refused, RestoreError::Changed(_)),
            };
            assert!(right, "byte {at} bit {bit}: {refused}");
        }
    }
    for length in 0..bytes.len() {
        let refused = check(&bytes[..length]).unwrap_err();
        let right = match length {
            0..24 => matches!(refused, RestoreError::NotABackup),
            24..=162 => matches!(refused, RestoreError::Truncated(_)),
            _ => matches!(refused, RestoreError::Changed(_)),
        };
        assert!(right, "{length} bytes: {refused}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(check(&longer).is_err());
}

#[test]
fn chunks_cut_off_moved_or_added_are_refused() {
    let dir = TempDir::new().unwrap();
    let bytes = backup(&filled(dir.path(), 200));
    let check = |bytes: &[u8]| check_backup(&vault_key(1), &mut { bytes });
    let (head, chunk) = (162, CHUNK_BYTES + TAG_BYTES);
    assert!(matches!(check(&bytes[..head + chunk]), Err(RestoreError::Truncated(_))));
    let mut swapped = bytes.clone();
    swapped[head..head + chunk].copy_from_slice(&bytes[head + chunk..head + 2 * chunk]);
    swapped[head + chunk..head + 2 * chunk].copy_from_slice(&bytes[head..head + chunk]);
    assert!(matches!(check(&swapped), Err(RestoreError::Changed(_))));
    let without = [&bytes[..head], &bytes[head + chunk..]].concat();
    assert!(matches!(check(&without), Err(RestoreError::Changed(_))));
    // The same vault's chunk of another backup.
    let other = backup(&open_again(dir.path()));
    let mixed = [&bytes[..head], &other[head..]].concat();
    assert!(matches!(check(&mixed), Err(RestoreError::Changed(_))));
}

fn open_again(dir: &Path) -> Vault {
    open(dir)
}

#[test]
fn a_refused_backup_leaves_nothing_and_overwrites_nothing() {
    let (dir, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let bytes = backup(&filled(dir.path(), 200));
    let path = new.path().join("vault");
    let attempt = |key: u8, mut bytes: &[u8]| restore(&path, &vault_key(key), &NODE, &mut bytes);
    assert!(matches!(attempt(2, &bytes), Err(RestoreError::OtherKey)));
    assert!(matches!(attempt(1, b"something else"), Err(RestoreError::NotABackup)));
    assert!(matches!(attempt(1, &bytes[..bytes.len() - 1]), Err(RestoreError::Changed(_))));
    let mut bent = bytes.clone();
    let late = bent.len() - 100;
    bent[late] ^= 1;
    assert!(matches!(attempt(1, &bent), Err(RestoreError::Changed(_))));
    assert_eq!(entries(new.path()), BTreeSet::new());
    // A crash left this behind.
    std::fs::create_dir(new.path().join(".vault.restoring")).unwrap();
    std::fs::write(new.path().join(".vault.restoring/CURRENT"), b"half").unwrap();
    attempt(1, &bytes).unwrap();
    assert_eq!(entries(new.path()), BTreeSet::from(["vault".to_owned()]));
    assert!(matches!(attempt(1, &bytes), Err(RestoreError::NotEmpty(_))));
    assert_eq!(open(&path).records(&[], 1_000).unwrap().len(), 200);
}

#[test]
fn nothing_of_a_certificate_can_be_read_in_a_backup() {
    let dir = TempDir::new().unwrap();
    let bytes = backup(&filled(dir.path(), 3));
    for secret in [CANARY.as_bytes(), b"CANARY-file-name", b"Metals", &[1; 32]] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[test]
fn two_restorations_from_one_backup_give_no_index_twice() {
    let home = tempfile::TempDir::new().unwrap();
    let vault = open(home.path());
    vault.take_seal_indices(5).unwrap();
    vault.take_alert_indices(7).unwrap();
    let draws: Vec<(u64, u64)> = (0..3)
        .map(|n| {
            let copy = tempfile::TempDir::new().unwrap();
            let vault = open(copy.path());
            vault.skip_seal_indices(5).unwrap();
            vault.skip_alert_indices(7).unwrap();
            let first = vault.forget_indices().unwrap();
            assert_eq!(first, vault.next_alert_index().unwrap(), "{n}");
            (first, vault.take_seal_indices(1).unwrap())
        })
        .collect();
    for (place, (alert, seal)) in draws.iter().enumerate() {
        assert!(*alert >= 1 << 32 && *seal >= 1 << 32);
        let others = draws.iter().skip(place + 1);
        assert!(others.into_iter().all(|other| other.0 != *alert && other.1 != *seal));
    }
    // Restored from what was restored before it goes on, hundreds of times, and then says that it cannot.
    for _ in 0..200 {
        vault.forget_indices().unwrap();
    }
    vault.skip_alert_indices(u64::MAX - 5).unwrap();
    assert!(matches!(vault.forget_indices(), Err(VaultError::NoAlertIndex)));
}
