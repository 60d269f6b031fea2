#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use super::*;

/// A journal as the engine itself writes it.
fn written(directory: &Path, height: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut log = wal::Log::open(directory.join(FILE)).unwrap();
    log.reset(height).unwrap();
    for entry in entries {
        log.append(entry).unwrap();
    }
    log.flush().unwrap();
    drop(log);
    fs::read(directory.join(FILE)).unwrap()
}

fn entries() -> Vec<Vec<u8>> {
    (0_u8..6).map(|n| (0..=(40 + n * 30)).map(|at| at ^ n.wrapping_mul(77)).collect()).collect()
}

#[test]
fn a_journal_that_the_engine_wrote_is_sound_and_names_its_height() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(journal(directory.path()).unwrap(), Journal::Missing);
    begin_journal(directory.path()).unwrap();
    assert_eq!(journal(directory.path()).unwrap(), Journal::Sound { height: 0 });
    written(directory.path(), 41, &entries());
    assert_eq!(journal(directory.path()).unwrap(), Journal::Sound { height: 41 });
}

#[test]
fn a_journal_cut_anywhere_after_its_head_is_what_a_crash_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = written(directory.path(), 7, &entries());
    for length in 12..=bytes.len() {
        assert_eq!(read(&bytes[..length]), Journal::Sound { height: 7 }, "cut at {length}");
    }
    for length in 1..12 {
        assert!(matches!(read(&bytes[..length]), Journal::Damaged(_)), "cut at {length}");
    }
}

#[test]
fn a_changed_byte_in_any_entry_is_never_taken_for_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = written(directory.path(), 7, &entries());
    for at in 12..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert!(matches!(read(&changed), Journal::Damaged(_)), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_journal_begun_anew_keeps_each_old_one_and_takes_none_from_a_running_engine() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(begin_journal(directory.path()).unwrap(), None);
    for height in [3, 4] {
        let bytes = written(directory.path(), height, &entries());
        let old = begin_journal(directory.path()).unwrap().unwrap();
        assert_eq!(fs::read(&old).unwrap(), bytes);
        assert_eq!(journal(directory.path()).unwrap(), Journal::Sound { height: 0 });
    }
    let engine = wal::Log::open(directory.path().join(FILE)).unwrap();
    let refused = begin_journal(directory.path()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    drop(engine);
    begin_journal(directory.path()).unwrap();
}
