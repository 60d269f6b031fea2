#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use super::*;
use rocksdb::{DB, Options, WriteOptions};
use tempfile::TempDir;

/// A log that RocksDB itself wrote, with the offsets at which its writes ended.
fn written(sizes: &[usize]) -> (TempDir, PathBuf, Vec<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::default();
    options.create_if_missing(true);
    let db = DB::open(&options, directory.path()).unwrap();
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let log = || {
        let files = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|e| e == "log")).max().unwrap()
    };
    let mut ends = Vec::new();
    for (n, size) in sizes.iter().enumerate() {
        let value: Vec<u8> = (0..*size).map(|at| (at * 7 + n) as u8).collect();
        db.put_opt(n.to_be_bytes(), value, &synced).unwrap();
        ends.push(fs::metadata(log()).unwrap().len());
    }
    let (log, copy) = (log(), directory.path().join("copy"));
    fs::copy(&log, &copy).unwrap();
    drop(db);
    (directory, copy, ends)
}

#[test]
fn the_checksum_is_that_of_the_published_check_value() {
    assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283);
}

#[test]
fn a_log_cut_anywhere_ends_as_a_crash_leaves_it() {
    let (_directory, log, ends) = written(&[100, 3_000, 1, 500]);
    let bytes = fs::read(&log).unwrap();
    assert_eq!(ends.last().copied(), Some(bytes.len() as u64));
    for length in (0..bytes.len()).step_by(3) {
        fs::write(&log, &bytes[..length]).unwrap();
        assert_eq!(ending(&log).unwrap(), Ending::Crash, "cut at {length}");
    }
    let mut preallocated = bytes.clone();
    preallocated.resize(bytes.len() + 5_000, 0);
    fs::write(&log, &preallocated).unwrap();
    assert_eq!(ending(&log).unwrap(), Ending::Crash, "zeros that were allocated ahead");
}

#[test]
fn a_changed_byte_anywhere_in_a_synced_log_is_damage() {
    let (_directory, log, _) = written(&[100, 900, 1, 200]);
    let bytes = fs::read(&log).unwrap();
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            fs::write(&log, &changed).unwrap();
            let ending = ending(&log).unwrap();
            // The checksum and type of the very last record have nothing behind them, and RocksDB
            // itself refuses those: only a length makes it drop what follows in silence.
            let last = bytes.len() - 200 - 64;
            if at < last || is_length(&bytes, at) {
                assert!(matches!(ending, Ending::Damaged { .. }), "byte {at} bit {bit}");
            }
        }
    }
}

/// Whether a byte is one of the length of a record.
fn is_length(bytes: &[u8], at: usize) -> bool {
    let mut start = 0;
    while start + HEAD_BYTES <= bytes.len() {
        if at == start + 4 || at == start + 5 {
            return true;
        }
        start += record(&bytes[start..]).unwrap();
    }
    false
}

#[test]
fn damage_is_found_across_the_blocks_of_a_large_log() {
    let (_directory, log, _) = written(&[70_000, 10, 40_000, 10]);
    let bytes = fs::read(&log).unwrap();
    assert_eq!(ending(&log).unwrap(), Ending::Crash);
    for at in [4, 20_000, 40_000, 70_020, 90_000] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        fs::write(&log, &changed).unwrap();
        assert!(matches!(ending(&log).unwrap(), Ending::Damaged { .. }), "byte {at}");
    }
}
