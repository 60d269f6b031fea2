//! What is due of a record is written with it and outlives a crash; its documents are nowhere once it is made.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use tempfile::TempDir;

use super::*;
use crate::vault::tests::{holds, open, record};
use crate::{Actor, NewRecord, Stored};

const DOCUMENT: &[u8] = b"CANARY-report-CANARY";

fn due(class: &str) -> DueDeposit {
    let document = DueDocument { sha256: vec![7; 32], bytes: 20 };
    DueDeposit { class: class.to_owned(), documents: vec![document], ..DueDeposit::default() }
}

fn due_of(number: u8) -> NewRecord {
    NewRecord { due: vec![due("assays"), due("heats")], ..record(number) }
}

#[test]
fn what_is_due_is_written_with_the_record_and_once() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let (one, two, free) = (due_of(1), due_of(2), record(3));
    vault.put_pending(&Actor::Node, &[one.clone(), two.clone(), free.clone()]).unwrap();
    drop(vault);
    let vault = open(dir.path());
    let rows = vault.due_deposits(None, 9).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(vault.due_deposit(&one.id).unwrap().unwrap().deposits, one.due);
    assert_eq!(vault.due_deposit(&free.id).unwrap(), None);
    // Page by page each comes once.
    let first = vault.due_deposits(None, 1).unwrap().remove(0);
    let after = hash32(&first.record).map(heatmark_merkle::Hash).unwrap();
    assert_eq!(vault.due_deposits(Some(&after), 1).unwrap(), rows[1..]);
    // The same file again is no new record, and nothing is due anew.
    vault.settle_due(&DueRow { deposits: Vec::new(), ..first.clone() }, &[]).unwrap();
    let again = vault.put_pending(&Actor::Node, &[one, two]).unwrap();
    assert!(again.iter().all(|stored| matches!(stored, Stored::Already(_))));
    assert_eq!(vault.due_deposits(None, 9).unwrap(), rows[1..]);
}

#[test]
fn a_document_is_kept_sealed_and_destroyed_once_nothing_needs_it() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let record = due_of(1);
    vault.put_pending(&Actor::Node, std::slice::from_ref(&record)).unwrap();
    let long: Vec<u8> = DOCUMENT.iter().cycle().take(3 << 20).copied().collect();
    assert!(!vault.has_document(&record.id, &[7; 32]).unwrap());
    vault.keep_document(&record.id, &[7; 32], ("report.pdf", long.clone())).unwrap();
    // One that came twice is the first.
    vault.keep_document(&record.id, &[7; 32], ("other.pdf", Vec::new())).unwrap();
    drop(vault);
    let vault = open(dir.path());
    let kept = vault.kept_document(&record.id, &[7; 32]).unwrap();
    assert_eq!(kept, Some(("report.pdf".to_owned(), long)));
    assert_eq!(vault.kept_document(&record.id, &[8; 32]).unwrap(), None);
    let index = vault.document_index(&record.id.0, &[7; 32]);
    let sealed = vault.db.get(Family::Erasable, &[b"yk", &index[..]].concat()).unwrap().unwrap();
    let row = vault.due_deposit(&record.id).unwrap().unwrap();
    let left = DueRow { deposits: vec![due("heats")], ..row };
    vault.settle_due(&left, &due("assays").documents).unwrap();
    assert_eq!(vault.due_deposit(&record.id).unwrap(), Some(left));
    assert_eq!(vault.kept_document(&record.id, &[7; 32]).unwrap(), None);
    drop(vault);
    assert!(!holds(dir.path(), &sealed), "the document's key is in a file");
    assert!(!holds(dir.path(), DOCUMENT), "the document is in a file");
    assert!(!holds(dir.path(), b"report.pdf"), "its name is in a file");
}

#[test]
fn what_a_crash_left_of_a_document_is_no_document() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let record = due_of(1);
    let index = vault.document_index(&record.id.0, &[7; 32]);
    let _never_put = vault.keep_chunks(&index, &vec![1; 3 << 20]).unwrap();
    assert!(!vault.has_document(&record.id, &[7; 32]).unwrap());
    vault.keep_document(&record.id, &[7; 32], ("report.pdf", DOCUMENT.to_vec())).unwrap();
    let kept = vault.kept_document(&record.id, &[7; 32]).unwrap();
    assert_eq!(kept, Some(("report.pdf".to_owned(), DOCUMENT.to_vec())));
}
