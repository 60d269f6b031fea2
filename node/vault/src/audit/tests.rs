//! The log of deeds: what is in it, and that nothing of it can be changed unnoticed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use tempfile::TempDir;

use super::*;
use crate::vault::tests::{open, placement, record, vault_key};
use crate::{AlertReason, Alerted, VaultKey};

fn anna() -> Actor {
    Actor::Client { key: [5; 32], name: "Anna Berg".into() }
}

fn with_deeds(vault: &Vault) {
    let one = record(1);
    vault.put_pending(&anna(), &[one.clone(), record(2)]).unwrap();
    vault.mark_anchored(&[(one.id, placement(8, 0))]).unwrap();
    vault.record_for(&anna(), Deed::Show, &one.id, 3).unwrap().unwrap();
    let reason = AlertReason { reason: "crack".into(), salt: [1; 32] };
    vault.put_alert_reason(&anna(), (Alerted::Record(one.id), 4), &[2; 32], &reason).unwrap();
    let subject = Alerted::Subject([9; 32]);
    vault.put_alert_reason(&Actor::Node, (subject, 3), &[3; 32], &reason).unwrap();
    vault.erase(&anna(), &one.id).unwrap();
}

#[test]
fn every_deed_is_in_the_log_with_who_and_which_record() {
    let dir = TempDir::new().unwrap();
    with_deeds(&open(dir.path()));
    let vault = open(dir.path());
    let log = vault.log(0, 100).unwrap();
    let said: Vec<_> =
        log.iter().map(|entry| (entry.deed, entry.about.unwrap(), entry.number)).collect();
    let (one, two) = (record(1).id.0, record(2).id.0);
    let expected = [
        (Deed::Publish, one, 0),
        (Deed::Publish, two, 0),
        (Deed::Show, one, 3),
        (Deed::Alert, one, 4),
        (Deed::Concern, [9; 32], 3),
        (Deed::Destroy, one, 0),
    ];
    assert_eq!(said, expected);
    assert_eq!((&log[0].actor, &log[4].actor), (&anna(), &Actor::Node));
    assert_eq!(vault.log(2, 2).unwrap(), log[2..4]);
    assert_eq!(vault.log(6, 2).unwrap(), []);
    assert_eq!(vault.log(u64::MAX, 2).unwrap(), []);
    assert_eq!(vault.check_log().unwrap().hash, log[5].hash());
}

#[test]
fn what_is_not_there_is_not_shown_and_not_logged() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    assert!(vault.record_for(&anna(), Deed::Show, &record(1).id, 1).unwrap().is_none());
    assert!(vault.retain(&anna(), &record(1).id, None).is_err());
    assert_eq!(vault.log_head().unwrap(), LogHead::default());
}

#[test]
fn an_entry_that_was_changed_removed_or_put_in_is_found_even_if_the_key_was_known() {
    let rewrite = |change: &dyn Fn(&Vault)| {
        let dir = TempDir::new().unwrap();
        with_deeds(&open(dir.path()));
        // Whoever has the key can write whatever they like, and goes round the head in memory.
        change(&open(dir.path()));
        Vault::open(dir.path(), &vault_key(1)).and_then(|vault| vault.check_log())
    };
    assert_eq!(rewrite(&|_| ()).unwrap().entries, 6);
    let put = |vault: &Vault, at: u64, entry: &LogEntry| {
        let mut write = vault.begin().unwrap();
        write.put(&log_key(at), &entry.encode());
        write.commit().unwrap();
    };
    let delete = |vault: &Vault, at: u64| {
        let mut write = vault.begin().unwrap();
        write.delete(&log_key(at));
        write.commit().unwrap();
    };
    for at in 0..6 {
        let changed = rewrite(&|vault| {
            let mut entry = vault.log(at, 1).unwrap().remove(0);
            entry.actor = Actor::Node;
            entry.number = 77;
            put(vault, at, &entry);
        });
        assert!(matches!(changed, Err(VaultError::LogChanged(_))), "changed {at}: {changed:?}");
        let removed = rewrite(&|vault| delete(vault, at));
        assert!(matches!(removed, Err(VaultError::LogChanged(_))), "removed {at}: {removed:?}");
    }
    let longer = rewrite(&|vault| {
        let mut entry = vault.log(5, 1).unwrap().remove(0);
        (entry.previous, entry.sequence) = (entry.hash(), 6);
        put(vault, 6, &entry);
    });
    assert!(matches!(longer, Err(VaultError::LogChanged(6))), "{longer:?}");
    let swapped = rewrite(&|vault| {
        let entries = vault.log(1, 2).unwrap();
        put(vault, 1, &entries[1]);
        put(vault, 2, &entries[0]);
    });
    assert!(matches!(swapped, Err(VaultError::LogChanged(_))), "{swapped:?}");
}

#[test]
fn a_value_of_another_vault_is_no_entry() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    with_deeds(&open(dir.path()));
    let foreign = Vault::open(other.path(), &VaultKey::new([2; 32])).unwrap();
    with_deeds(&foreign);
    let vault = open(dir.path());
    let place = log_key(1);
    let sealed = foreign.db.rocks().get(&place).unwrap().unwrap();
    vault.db.rocks().put(&place, sealed).unwrap();
    assert!(matches!(vault.log(0, 9), Err(VaultError::Damaged)));
}
