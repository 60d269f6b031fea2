//! Retention, holds and destruction: what must be kept is, and what is destroyed is nowhere any more.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use std::io::{self, Write};

use tempfile::TempDir;

use super::*;
use crate::database::Database;
use crate::vault::tests::{holds, open, placement, record, vault_key};
use crate::{NewRecord, Stored};

const NODE: Actor = Actor::Node;

fn anchored(vault: &Vault, record: &NewRecord) {
    vault.put_pending(&NODE, std::slice::from_ref(record)).unwrap();
    vault.mark_anchored(&[(record.id, placement(8, 0))]).unwrap();
}

/// The sealed data key as it stands on disk, and the sealed opening and crown.
fn on_disk(vault: &Vault, id: &RecordId) -> [Option<Vec<u8>>; 3] {
    let data_key = vault.db.get(Family::Erasable, &key(DATA_KEY, &id.0)).unwrap();
    let kept = |kind| vault.db.get(Family::Kept, &key(kind, &id.0)).unwrap();
    [data_key, kept(OPENING), kept(CROWN)]
}

#[test]
fn a_destroyed_record_is_gone_from_every_file_and_alerts_remain() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let (gone, stays) = (record(1), record(2));
    anchored(&vault, &gone);
    anchored(&vault, &stays);
    let [Some(data_key), Some(_), Some(_)] = on_disk(&vault, &gone.id) else {
        panic!("it is there")
    };
    // Once in the log, once in a table, as after months of use.
    vault.db.flush().unwrap();
    drop(vault);
    let vault = open(dir.path());
    anchored(&vault, &record(3));
    assert!(holds(dir.path(), &data_key), "the test looks for the right bytes");
    let erased = vault.erase(&NODE, &gone.id).unwrap();
    assert_eq!(erased, Erasure { records: vec![gone.id], purged: true });
    assert!(!holds(dir.path(), &data_key[..NONCE_BYTES]));
    assert_eq!(on_disk(&vault, &gone.id), [None, None, None]);
    for vault in [vault].into_iter().chain(std::iter::once_with(|| open(dir.path()))) {
        assert!(matches!(vault.record(&gone.id), Err(VaultError::Erased(_))));
        assert_eq!(vault.find_by_file(&gone.file).unwrap(), None);
        let row = &vault.records(&gone.id.0, 1).unwrap()[0];
        assert_eq!((row.file_name.as_str(), row.form.as_str(), row.fields), ("", "", 0));
        assert_eq!((row.alert_index, row.alert_subject), (1, [1; 32]));
        assert!(row.erased_at_ms.is_some() && row.placement.is_some());
        assert!(matches!(vault.erase(&NODE, &gone.id), Err(VaultError::Erased(_))));
        assert_eq!(vault.record(&stays.id).unwrap().unwrap().opening, stays.opening);
        assert_eq!(vault.record(&record(3).id).unwrap().unwrap().opening, record(3).opening);
    }
    let vault = open(dir.path());
    let again = record(4);
    let again = NewRecord { file: gone.file, ..again };
    let stored = vault.put_pending(&NODE, std::slice::from_ref(&again)).unwrap();
    assert_eq!(stored, [Stored::New(again.id)], "the file may be published anew");
}

#[test]
fn a_key_that_was_only_in_the_write_ahead_log_is_gone_as_well() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let gone = record(1);
    anchored(&vault, &gone);
    let [Some(data_key), ..] = on_disk(&vault, &gone.id) else { panic!("it is there") };
    assert!(vault.erase(&NODE, &gone.id).unwrap().purged);
    assert!(!holds(dir.path(), &data_key[..NONCE_BYTES]));
}

#[test]
fn what_is_on_hold_to_be_kept_or_not_anchored_is_not_destroyed() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let (one, pending) = (record(1), record(2));
    anchored(&vault, &one);
    vault.put_pending(&NODE, std::slice::from_ref(&pending)).unwrap();
    let erase = |id| vault.erase(&NODE, id).map(|erasure| erasure.records.len());
    assert!(matches!(erase(&pending.id), Err(VaultError::NotAnchored(_))));
    vault.retain(&NODE, &one.id, Some(u64::MAX)).unwrap();
    assert!(matches!(erase(&one.id), Err(VaultError::Retained { until_ms: u64::MAX, .. })));
    vault.retain(&NODE, &one.id, Some(10)).unwrap();
    vault.hold(&NODE, &one.id, "claim").unwrap();
    assert!(matches!(erase(&one.id), Err(VaultError::OnHold(_))));
    assert_eq!(vault.erase_due(&NODE, 11).unwrap().records, []);
    let row = &vault.records(&one.id.0, 1).unwrap()[0];
    assert_eq!(row.hold.as_ref().unwrap().reason, "claim");
    assert!(matches!(
        vault.hold(&NODE, &one.id, &"x".repeat(5_000)),
        Err(VaultError::ReasonTooLong)
    ));
    assert!(vault.release(&NODE, &one.id).unwrap());
    assert!(!vault.release(&NODE, &one.id).unwrap());
    assert_eq!(vault.erase_due(&NODE, 9).unwrap().records, []);
    assert_eq!(vault.erase_due(&NODE, 10).unwrap().records, [one.id]);
    assert!(matches!(erase(&one.id), Err(VaultError::Erased(_))));
    assert!(matches!(erase(&record(9).id), Err(VaultError::UnknownRecord(_))));
    assert!(vault.record(&pending.id).unwrap().is_some());
}

#[test]
fn the_last_date_counts_and_the_default_is_the_settings() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path()).retaining(Some(Duration::from_secs(86_400)));
    let (dated, moved, kept) = (record(1), record(2), record(3));
    let before = now_ms();
    anchored(&vault, &dated);
    anchored(&vault, &moved);
    anchored(&vault, &kept);
    let until = vault.records(&dated.id.0, 1).unwrap()[0].retain_until_ms.unwrap();
    assert!((before + 86_400_000..=now_ms() + 86_400_000).contains(&until));
    vault.retain(&NODE, &moved.id, Some(until + 1_000_000)).unwrap();
    vault.retain(&NODE, &kept.id, None).unwrap();
    let mut due = vault.erase_due(&NODE, until + 100_000).unwrap().records;
    assert_eq!(due, [dated.id]);
    due = vault.erase_due(&NODE, u64::MAX).unwrap().records;
    assert_eq!(due, [moved.id]);
    assert!(vault.record(&kept.id).unwrap().is_some());
}

#[test]
fn a_crash_before_the_purge_is_made_good_at_the_next_start() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let gone = record(1);
    anchored(&vault, &gone);
    let [Some(data_key), ..] = on_disk(&vault, &gone.id) else { panic!("it is there") };
    let mut write = vault.begin().unwrap();
    let row = vault.living(&gone.id).unwrap();
    vault.destroy(&mut write, &NODE, &gone.id, row).unwrap();
    write.commit().unwrap();
    // The power fails here.
    drop(vault);
    assert!(holds(dir.path(), &data_key[..NONCE_BYTES]));
    let vault = open(dir.path());
    assert!(!holds(dir.path(), &data_key[..NONCE_BYTES]));
    assert!(vault.get(PURGE).unwrap().is_none());
}

/// Destroys something while a backup is being written.
struct Meanwhile<'v>(&'v Vault, RecordId, Option<Erasure>);

impl Write for Meanwhile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.2.is_none() {
            self.2 = Some(self.0.erase(&NODE, &self.1).unwrap());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_destroyed_during_a_backup_leaves_the_disk_after_it() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let gone = record(1);
    anchored(&vault, &gone);
    let [Some(data_key), ..] = on_disk(&vault, &gone.id) else { panic!("it is there") };
    let mut out = Meanwhile(&vault, gone.id, None);
    vault.backup(&NODE, &mut out).unwrap();
    assert_eq!(out.2, Some(Erasure { records: vec![gone.id], purged: false }));
    assert!(vault.erase_due(&NODE, 0).unwrap().purged);
    assert!(!holds(dir.path(), &data_key[..NONCE_BYTES]));
}

#[test]
fn a_vault_of_another_key_destroys_nothing() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    anchored(&vault, &record(1));
    vault.retain(&NODE, &record(1).id, Some(1)).unwrap();
    drop(vault);
    assert!(matches!(Vault::open(dir.path(), &vault_key(2)), Err(VaultError::WrongKey)));
    let database = Database::open(dir.path()).unwrap();
    assert!(database.get(Family::Erasable, &key(DATA_KEY, &record(1).id.0)).unwrap().is_some());
}
