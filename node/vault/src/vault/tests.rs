//! The vault: what survives a kill, what a wrong key or a changed byte gives, and that its files give nothing away.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::print_stderr,
    reason = "tests fail loudly"
)]

use std::collections::BTreeSet;
use std::process::Command;

use heatmark_merkle::Hash;
use heatmark_records::{Fields, Heading, Path as FieldPath, Secret, Value};
use rocksdb::{DB, Options};
use tempfile::TempDir;

use super::*;
use crate::{Placement, Submission};

pub(crate) const CANARY: &str = "CANARY-heat-991-CANARY";
const CANARY_NAME: &str = "CANARY-file-name.json";

pub(crate) fn vault_key(byte: u8) -> VaultKey {
    VaultKey::new([byte; 32])
}

pub(crate) fn open(dir: &Path) -> Vault {
    Vault::open(dir, &vault_key(1)).unwrap()
}

pub(crate) fn record(number: u8) -> NewRecord {
    let heading = Heading {
        network: [1; 32],
        form: "Metals 0.1.1".into(),
        issuer: [2; 32],
        alert_subject: [number; 32],
        origin_seal: None,
    };
    let mut fields = Fields::new();
    fields
        .insert(FieldPath::new("heat").unwrap(), Value::Text(format!("{CANARY} {number}")))
        .unwrap();
    let opening = Opening::seal(heading, fields, Secret::new([number; 32])).unwrap();
    let file = FileDigest::of(&[number]);
    NewRecord::of(opening, file, CANARY_NAME.into(), u64::from(number)).unwrap()
}

pub(crate) fn placement(transaction: u8, position: u32) -> Placement {
    Placement {
        transaction_id: [transaction; 32],
        leaf_index: 41,
        position,
        count: 2,
        path: vec![Hash([6; 32])],
    }
}

#[test]
fn keeps_openings_across_reopening() {
    let dir = TempDir::new().unwrap();
    let record = record(5);
    assert_eq!(
        open(dir.path()).put_pending(&Actor::Node, std::slice::from_ref(&record)).unwrap(),
        [Stored::New(record.id)]
    );
    let vault = open(dir.path());
    let stored = vault.record(&record.id).unwrap().unwrap();
    assert_eq!(stored.opening, record.opening);
    assert_eq!(stored.opening.check().unwrap(), record.id);
    assert_eq!(
        (stored.row.file_name.as_str(), stored.row.form.as_str()),
        (CANARY_NAME, "Metals 0.1.1")
    );
    assert_eq!(
        (stored.row.alert_index, stored.row.alert_subject, stored.row.fields),
        (5, [5; 32], 1)
    );
    assert_eq!(stored.row.placement, None);
}

#[test]
fn the_same_file_twice_is_one_record() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let (first, second) = (record(1), record(2));
    let mut again = record(3);
    again.file = first.file;
    let stored =
        vault.put_pending(&Actor::Node, &[first.clone(), again.clone(), second.clone()]).unwrap();
    assert_eq!(stored, [Stored::New(first.id), Stored::Already(first.id), Stored::New(second.id)]);
    assert_eq!(
        vault.put_pending(&Actor::Node, std::slice::from_ref(&again)).unwrap(),
        [Stored::Already(first.id)]
    );
    assert_eq!(vault.find_by_file(&first.file).unwrap(), Some(first.id));
    assert_eq!(vault.find_by_file(&FileDigest::of(b"another")).unwrap(), None);
    assert!(vault.record(&again.id).unwrap().is_none());
}

#[test]
fn follows_a_record_from_pending_to_its_place() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let (first, second) = (record(1), record(2));
    vault.put_pending(&Actor::Node, &[first.clone(), second.clone()]).unwrap();
    let mut ids = [first.id, second.id];
    ids.sort();
    assert_eq!(vault.pending(10).unwrap(), ids);
    assert_eq!(vault.pending(1).unwrap(), ids[..1]);
    let submission = Submission {
        transaction_id: [8; 32],
        envelope: vec![1, 2, 3],
        records: vec![first.id, second.id],
    };
    vault.put_submission(&submission).unwrap();
    assert_eq!(vault.pending(10).unwrap(), []);
    drop(vault);
    let vault = open(dir.path());
    assert_eq!(vault.submissions().unwrap(), [submission]);
    vault.mark_anchored(&[(first.id, placement(8, 0)), (second.id, placement(8, 1))]).unwrap();
    assert_eq!(vault.submissions().unwrap(), []);
    assert_eq!(vault.pending(10).unwrap(), []);
    let row = vault.record(&second.id).unwrap().unwrap().row;
    assert_eq!(row.placement, Some(placement(8, 1)));
    vault.mark_anchored(&[(second.id, placement(9, 0))]).unwrap();
    assert_eq!(vault.record(&second.id).unwrap().unwrap().row.placement, Some(placement(8, 1)));
}

#[test]
fn a_dropped_submission_leaves_its_records_pending() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let record = record(1);
    vault.put_pending(&Actor::Node, std::slice::from_ref(&record)).unwrap();
    let submission =
        Submission { transaction_id: [8; 32], envelope: vec![1], records: vec![record.id] };
    vault.put_submission(&submission).unwrap();
    vault.drop_submission(&[8; 32]).unwrap();
    assert_eq!(
        (vault.submissions().unwrap(), vault.pending(9).unwrap()),
        (vec![], vec![record.id])
    );
}

#[test]
fn refuses_to_place_a_record_it_does_not_have() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let known = record(1);
    vault.put_pending(&Actor::Node, std::slice::from_ref(&known)).unwrap();
    let both = [(known.id, placement(8, 0)), (Hash([0; 32]), placement(8, 1))];
    assert!(matches!(vault.mark_anchored(&both), Err(VaultError::UnknownRecord(_))));
    assert_eq!(vault.record(&known.id).unwrap().unwrap().row.placement, None);
    let submission =
        Submission { transaction_id: [8; 32], envelope: vec![1], records: vec![Hash([0; 32])] };
    assert!(matches!(vault.put_submission(&submission), Err(VaultError::UnknownRecord(_))));
}

#[test]
fn lists_records_by_prefix_in_order_up_to_a_limit() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let records: Vec<NewRecord> = (1..=20).map(record).collect();
    vault.put_pending(&Actor::Node, &records).unwrap();
    let all = vault.records(&[], 100).unwrap();
    assert_eq!(all.len(), 20);
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert_eq!(vault.records(&[], 7).unwrap(), all[..7]);
    assert_eq!(vault.records(&[], 0).unwrap(), []);
    let id = all[3].id;
    assert_eq!(vault.records(&id.0, 100).unwrap(), all[3..4]);
    assert_eq!(vault.records(&id.0[..4], 100).unwrap(), all[3..4]);
    assert_eq!(vault.records(&[0; 33], 100).unwrap(), []);
}

#[test]
fn no_alert_index_is_given_twice() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    assert_eq!((vault.next_alert_index().unwrap(), vault.take_alert_indices(3).unwrap()), (0, 1));
    drop(vault);
    let vault = open(dir.path());
    assert_eq!(vault.next_alert_index().unwrap(), 4);
    vault.skip_alert_indices(1000).unwrap();
    vault.skip_alert_indices(7).unwrap();
    assert_eq!(vault.next_alert_index().unwrap(), 1000);
    vault.skip_alert_indices(u64::MAX).unwrap();
    assert!(matches!(vault.next_alert_index(), Err(VaultError::NoAlertIndex)));
}

#[test]
fn alert_indices_are_distinct_across_threads() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let taken = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..10).for_each(|_| {
                    assert!(taken.lock().unwrap().insert(vault.next_alert_index().unwrap()))
                })
            });
        }
    });
    assert_eq!(taken.into_inner().unwrap().len(), 40);
}

#[test]
fn keeps_alert_reasons() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let reason = AlertReason { reason: "wrong heat treatment".into(), salt: [4; 32] };
    vault
        .put_alert_reason(&Actor::Node, (Alerted::Subject([1; 32]), 3), &[3; 32], &reason)
        .unwrap();
    assert!(vault.alert_reason(&[3; 32]).unwrap() == Some(reason));
    assert!(vault.alert_reason(&[4; 32]).unwrap().is_none());
}

#[test]
fn refuses_a_wrong_key_and_a_directory_of_something_else() {
    let dir = TempDir::new().unwrap();
    open(dir.path()).put_pending(&Actor::Node, &[record(1)]).unwrap();
    assert!(matches!(Vault::open(dir.path(), &vault_key(2)), Err(VaultError::WrongKey)));
    assert!(
        open(dir.path()).record(&record(1).id).unwrap().is_some(),
        "a wrong key changes nothing"
    );
    let other = TempDir::new().unwrap();
    let mut plain = Options::default();
    plain.create_if_missing(true);
    DB::open(&plain, other.path()).unwrap().put(b"key", b"value").unwrap();
    assert!(matches!(Vault::open(other.path(), &vault_key(1)), Err(VaultError::NotAVault)));
}

#[test]
fn refuses_values_changed_or_moved_on_disk() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (record(1), record(2));
    open(dir.path()).put_pending(&Actor::Node, &[first.clone(), second.clone()]).unwrap();
    let raw = |change: &dyn Fn(&DB)| change(Database::open(dir.path()).unwrap().rocks());
    let opening_key = |record: &NewRecord| key(OPENING, &record.id.0);
    raw(&|db| {
        let other = db.get(opening_key(&second)).unwrap().unwrap();
        db.put(opening_key(&first), other).unwrap();
    });
    assert!(
        matches!(open(dir.path()).record(&first.id), Err(VaultError::Damaged)),
        "another's opening"
    );
    raw(&|db| {
        let mut value = db.get(key(ROW, &second.id.0)).unwrap().unwrap();
        value[30] ^= 1;
        db.put(key(ROW, &second.id.0), value).unwrap();
    });
    let vault = open(dir.path());
    assert!(matches!(vault.record(&second.id), Err(VaultError::Damaged)), "a flipped bit");
    assert!(
        matches!(vault.records(&second.id.0, 9), Err(VaultError::Damaged)),
        "a flipped bit, listed"
    );
}

#[test]
fn a_record_is_shown_from_its_crown_without_one_from_its_opening_and_from_no_other() {
    let dir = TempDir::new().unwrap();
    let (first, second) = (record(1), record(2));
    open(dir.path()).put_pending(&Actor::Node, &[first.clone(), second.clone()]).unwrap();
    let heat = FieldPath::new("heat").unwrap();
    let shown = |vault: &Vault| {
        let stored = vault.record(&first.id).unwrap().unwrap();
        let tree = stored.tree().unwrap();
        let shown = tree.show(&heat).unwrap();
        assert_eq!(shown.verify(stored.opening.head(), &first.id), Ok(()));
        (stored.crown.is_some(), shown)
    };
    let (kept, by_crown) = shown(&open(dir.path()));
    assert!(kept);
    let raw = |change: &dyn Fn(&DB)| change(Database::open(dir.path()).unwrap().rocks());
    raw(&|db| db.delete(key(CROWN, &first.id.0)).unwrap());
    assert_eq!(shown(&open(dir.path())), (false, by_crown));
    // Another record's crown, sealed for this place as only this vault can.
    let vault = open(dir.path());
    let sealer = vault.data_key(&first.id).unwrap().unwrap().sealer();
    let place = key(CROWN, &first.id.0);
    let foreign = sealer.seal(&place, &second.crown.encode());
    drop(vault);
    raw(&|db| db.put(&place, &foreign).unwrap());
    let stored = open(dir.path()).record(&first.id).unwrap().unwrap();
    assert!(matches!(stored.tree(), Err(VaultError::Damaged)));
}

#[test]
fn a_flipped_byte_in_the_write_ahead_log_never_forgets_an_opening() {
    let dir = TempDir::new().unwrap();
    let records: Vec<NewRecord> = (0..20).map(record).collect();
    let vault = open(dir.path());
    for record in &records {
        vault.put_pending(&Actor::Node, std::slice::from_ref(record)).unwrap();
    }
    drop(vault);
    let is_log = |path: &std::path::PathBuf| path.extension().is_some_and(|e| e == "log");
    let paths = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    let log = paths.filter(is_log).max().unwrap();
    let whole = std::fs::read(&log).unwrap();
    let mut refused = 0;
    for tenth in 1..10 {
        let damaged = TempDir::new().unwrap();
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap();
            if file.file_name() != "LOCK" {
                std::fs::copy(file.path(), damaged.path().join(file.file_name())).unwrap();
            }
        }
        let mut bytes = whole.clone();
        bytes[whole.len() * tenth / 10] ^= 1;
        std::fs::write(damaged.path().join(log.file_name().unwrap()), bytes).unwrap();
        match Vault::open(damaged.path(), &vault_key(1)) {
            Ok(opened) => {
                for record in &records {
                    assert!(opened.record(&record.id).unwrap().is_some(), "{tenth} tenths");
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused >= 5, "{refused} of 9 refused");
}

#[test]
fn a_changed_length_in_the_write_ahead_log_is_no_crash() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    vault.put_pending(&Actor::Node, &[record(1)]).unwrap();
    drop(vault);
    // Opening it again put the first records into a table; the log begins with what follows.
    let vault = open(dir.path());
    (2..6).for_each(|n| {
        vault.put_pending(&Actor::Node, &[record(n)]).unwrap();
    });
    drop(vault);
    let log = heatmark_wal::files(dir.path()).unwrap().pop().unwrap();
    let mut bytes = std::fs::read(&log).unwrap();
    // The high byte of the first record's length: RocksDB alone would read on as after a crash.
    bytes[5] ^= 0x40;
    std::fs::write(&log, bytes).unwrap();
    let refused = Vault::open(dir.path(), &vault_key(1)).unwrap_err();
    assert!(matches!(refused, VaultError::JournalChanged { offset: 0, .. }), "{refused}");
}

#[test]
fn a_new_vault_key_opens_and_the_old_one_finds_nothing_even_in_old_files() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    vault.put_pending(&Actor::Node, &[record(1)]).unwrap();
    let before = vault.db.get(Family::Erasable, MASTER).unwrap().unwrap();
    assert!(holds(dir.path(), &before));
    vault.rekey(&Actor::User { name: "anna".into() }, &vault_key(2)).unwrap();
    assert!(!holds(dir.path(), &before[..24]));
    drop(vault);
    assert!(matches!(Vault::open(dir.path(), &vault_key(1)), Err(VaultError::WrongKey)));
    let vault = Vault::open(dir.path(), &vault_key(2)).unwrap();
    assert_eq!(vault.record(&record(1).id).unwrap().unwrap().opening, record(1).opening);
    assert_eq!(vault.log(0, 9).unwrap().last().unwrap().deed, Deed::Rekey);
}

/// Whether a file of the directory holds these bytes.
pub(crate) fn holds(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).unwrap().any(|file| {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn only_this_user_may_read_the_directory() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("vault");
    open(&path);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn its_files_contain_no_canary_and_no_file_digest() {
    let dir = TempDir::new().unwrap();
    let record = record(7);
    let vault = open(dir.path());
    vault.put_pending(&Actor::Node, std::slice::from_ref(&record)).unwrap();
    vault
        .put_alert_reason(
            &Actor::Node,
            (Alerted::Record(record.id), 3),
            &[3; 32],
            &AlertReason { reason: CANARY.into(), salt: [0x5a; 32] },
        )
        .unwrap();
    vault.mark_anchored(&[(record.id, placement(8, 0))]).unwrap();
    vault.hold(&Actor::User { name: "Anna Berg".into() }, &record.id, CANARY).unwrap();
    vault.db.flush().unwrap();
    drop(vault);
    let digest = FileDigest::of(&[7]).bytes();
    let name = b"Anna Berg".as_slice();
    let secrets: [&[u8]; 6] = [b"CANARY", b"Metals", &[7; 32], &[0x5a; 32], &digest, name];
    let mut seen = 0_usize;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        seen += bytes.len();
        for secret in secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
    assert!(seen > 1000, "the database was searched");
}

/// Run by the next test in a process of its own, which it kills.
#[test]
fn writes_until_killed() {
    let Ok(dir) = std::env::var("HEATMARK_VAULT_TEST_DIR") else { return };
    let vault = open(Path::new(&dir));
    for number in 0..=u8::MAX {
        vault.put_pending(&Actor::Node, &[record(number)]).unwrap();
        std::fs::write(Path::new(&dir).with_extension(format!("wrote-{number}")), []).unwrap();
    }
}

#[test]
fn what_was_put_is_there_after_a_kill() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("vault");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "vault::tests::writes_until_killed"])
        .env("HEATMARK_VAULT_TEST_DIR", &dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let acknowledged = |number: u8| dir.with_extension(format!("wrote-{number}")).exists();
    while !acknowledged(20) && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let written: Vec<u8> = (0..=u8::MAX).take_while(|number| acknowledged(*number)).collect();
    assert!(written.len() > 20, "the child wrote {} records before it ended", written.len());
    let vault = open(&dir);
    for number in written {
        let record = record(number);
        assert_eq!(vault.find_by_file(&record.file).unwrap(), Some(record.id), "record {number}");
        assert_eq!(vault.record(&record.id).unwrap().unwrap().opening, record.opening);
    }
}

#[test]
fn a_field_is_proved_to_agree_within_one_tolerance_and_with_few_others() {
    let dir = tempfile::tempdir().unwrap();
    let key = VaultKey::new([1; 32]);
    let carbon = FieldPath::new("chemistry/C").unwrap();
    let sulphur = FieldPath::new("chemistry/S").unwrap();
    let record = RecordId::from([1; 32]);
    let agree = |vault: &Vault, receiver: u8, other: u8, tolerances: &[(&FieldPath, u8)]| {
        let tolerances = tolerances.iter().map(|(path, by)| (*path, [*by; 32]));
        vault.agree_within(&record, (&[receiver; 32], &RecordId::from([other; 32])), tolerances)
    };
    let vault = Vault::open(dir.path(), &key).unwrap();
    agree(&vault, 7, 2, &[(&carbon, 1)]).unwrap();
    drop(vault);
    let vault = Vault::open(dir.path(), &key).unwrap();
    for other in [2, 3] {
        let refused = agree(&vault, 7, other, &[(&sulphur, 1), (&carbon, 2)]);
        assert!(matches!(refused, Err(VaultError::OtherTolerance(path)) if path == carbon));
    }
    // Nothing of what was refused is agreed.
    agree(&vault, 7, 2, &[(&sulphur, 2)]).unwrap();
    agree(&vault, 8, 2, &[(&carbon, 2)]).unwrap();
    for other in [2, 3, 4, 2] {
        agree(&vault, 7, other, &[(&carbon, 1)]).unwrap();
    }
    let refused = agree(&vault, 7, 5, &[(&carbon, 1)]);
    assert!(matches!(refused, Err(VaultError::AgreedWithOthers(path)) if path == carbon));
    // What is agreed within a tolerance is not what is proved by a specification.
    vault.agree(&record, &[7; 32], [&carbon].into_iter(), &[9; 32]).unwrap();
}

#[test]
fn a_field_is_proved_to_a_receiver_by_one_specification_only() {
    let dir = tempfile::tempdir().unwrap();
    let key = VaultKey::new([1; 32]);
    let path = |text: &str| FieldPath::new(text).unwrap();
    let (carbon, sulphur) = (path("chemistry/C"), path("chemistry/S"));
    let (record, other) = (RecordId::from([1; 32]), RecordId::from([2; 32]));
    let vault = Vault::open(dir.path(), &key).unwrap();
    let agree = |vault: &Vault, record: &RecordId, receiver: u8, paths: &[&FieldPath], by: u8| {
        vault.agree(record, &[receiver; 32], paths.iter().copied(), &[by; 32])
    };
    agree(&vault, &record, 7, &[&carbon], 1).unwrap();
    agree(&vault, &record, 7, &[&carbon], 1).unwrap();
    drop(vault);
    let vault = Vault::open(dir.path(), &key).unwrap();
    let refused = agree(&vault, &record, 7, &[&sulphur, &carbon], 2);
    assert!(matches!(refused, Err(VaultError::AgreedOtherwise(path)) if path == carbon));
    // Nothing of what was refused is agreed.
    agree(&vault, &record, 7, &[&sulphur], 3).unwrap();
    agree(&vault, &record, 8, &[&carbon], 2).unwrap();
    agree(&vault, &other, 7, &[&carbon], 2).unwrap();
}

#[test]
fn no_two_kinds_of_values_share_a_place() {
    use crate::{escrow, lots, outlines, parcels, post, recalls, upstream};
    let records = [OPENING, CROWN, ROW, PRIVATE, PENDING, DUE, SUBMISSION, REASON, LOG, OPERATOR];
    let more = [DATA_KEY, FILE, AGREED, SUPERSEDED];
    let serials = [lots::serials::TREE, lots::serials::BRANCH, lots::serials::PLACE];
    let besides = [lots::beside::BESIDE, lots::beside::PARTS, lots::waivers::WAIVER];
    let parcels = [parcels::OFFERED, parcels::STRANGER, parcels::SHIPMENT, parcels::PARCEL];
    let parcels = [&parcels[..], &[parcels::CONTENT, parcels::OPEN, lots::AT_LEAF]].concat();
    let upstream =
        [upstream::UPSTREAM_EVENT, upstream::UPSTREAM_RECORD, upstream::ATTESTS, upstream::NAMED];
    let lots = [lots::LOT, lots::NAME, lots::EVENT, lots::WAITING, lots::COMMISSIONED];
    let letters = [post::SENT, post::SENT_CONTENT, post::ARRIVED, post::ARRIVED_CONTENT];
    let traced = [outlines::OUTLINE, outlines::UNOUTLINED, outlines::UNREAD];
    let recalled = [recalls::RECALL, recalls::HOLDER, recalls::NOTIFIED];
    let escrow = [escrow::DEPOSIT, escrow::HOLDING, escrow::PIECE, escrow::OPENABLE];
    let escrow =
        [&escrow[..], &[escrow::DEAL, escrow::DEAL_LEFT, escrow::DEALS_READ, escrow::FOUND_BY]]
            .concat();
    let later = [&traced[..], &recalled, &escrow, &[escrow::SECRETS, escrow::OPENED]].concat();
    let mut all =
        [&records[..], &more, &lots, &besides, &serials, &parcels, &upstream, &letters, &later]
            .concat();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
