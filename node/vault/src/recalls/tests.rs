//! Alerts in the vault: the newest counts, an old one that is read again changes nothing, across restarts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::vault::tests::open;
use tempfile::TempDir;

fn row(subject: u8, concern_of: Option<u8>, sequence: u64, level: u32) -> RecallRow {
    RecallRow {
        subject: [subject; 32],
        concern_of: concern_of.map(|member| [member; 32]),
        level,
        sequence,
        leaf: sequence,
        height: 3,
        found_ms: 0,
        changed_ms: 0,
    }
}

#[test]
fn the_newest_alert_on_a_subject_counts_and_reading_the_log_again_changes_nothing() {
    let home = TempDir::new().unwrap();
    {
        let vault = open(home.path());
        assert_eq!(vault.alerts_read_through().unwrap(), 0);
        vault.put_recalls(&[row(1, None, 1, 4), row(1, Some(7), 1, 3)], Some(40)).unwrap();
        vault.put_recalls(&[row(1, None, 2, 1)], Some(50)).unwrap();
    }
    let vault = open(home.path());
    let first = vault.recalls().unwrap();
    vault.put_recalls(&[row(1, None, 1, 4), row(1, None, 2, 5)], None).unwrap();
    let again = vault.recalls().unwrap();
    assert_eq!(again, first);
    assert_eq!(again.len(), 2);
    assert_eq!((again[0].sequence, again[0].level, again[0].concern_of), (2, 1, None));
    assert!(again[0].found_ms > 0 && again[0].changed_ms >= again[0].found_ms);
    assert_eq!(vault.alerts_read_through().unwrap(), 50);
}

#[test]
fn the_last_word_of_a_customer_stays_and_no_book() {
    let home = TempDir::new().unwrap();
    let vault = open(home.path());
    let (subject, other) = ([1; 32], [2; 32]);
    vault.put_holder(&subject, &[7; 32], b"ten").unwrap();
    vault.put_holder(&subject, &[7; 32], b"nine").unwrap();
    vault.put_holder(&other, &[8; 32], b"one").unwrap();
    let book = vec![0; MAX_HOLDER_BYTES + 1];
    assert!(matches!(vault.put_holder(&subject, &[9; 32], &book), Err(VaultError::TooLong)));
    assert_eq!(vault.holders(&subject).unwrap(), [([7; 32], b"nine".to_vec())]);
    vault.put_notified((&subject, &[7; 32]), 4).unwrap();
    assert_eq!(vault.notified(&subject).unwrap(), [([7; 32], 4)]);
    assert!(vault.notified(&other).unwrap().is_empty());
}
