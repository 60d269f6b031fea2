//! The faulty disk keeps what it promises, and the store on it opens at a whole write wherever the
//! log is cut.

use crate::dice::Dice;
use crate::disk::{Drive, Fault, Medium, Moment};
use crate::town::town;
use heatmark_store::{Batch, Disk, Durability, Family, Store, Walk};
use std::collections::BTreeMap;

fn family(name: &str) -> Family {
    Family::all().find(|family| family.name() == name).unwrap()
}

fn put(disk: &dyn Disk, entries: &[(&str, &str)], durability: Durability) -> bool {
    let mut batch = Batch::new();
    for (key, value) in entries {
        batch.put(family("state"), key, value);
    }
    disk.write(batch, durability).is_ok()
}

fn keys(disk: &dyn Disk, walk: Walk<'_>) -> Vec<String> {
    let entries = disk.walk(family("state"), walk);
    entries.map(|entry| String::from_utf8(entry.unwrap().0.into()).unwrap()).collect()
}

#[test]
fn a_crash_keeps_what_was_synced_and_a_prefix_of_the_rest_in_whole_batches() {
    let mut reached = [0; 4];
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let drive = Drive::new(Medium::default());
        let disk = drive.open().unwrap();
        assert!(put(&*disk, &[("a", "1")], Durability::Synced));
        for number in ["1", "2", "3"] {
            let entries = [("b", number), ("c", number)];
            assert!(put(&*disk, &entries, Durability::Buffered));
        }
        drive.crash(&mut dice);
        assert!(disk.get(family("state"), b"a").is_err(), "a dead process reads");
        let disk = drive.open().unwrap();
        let read = |key: &str| disk.get(family("state"), key.as_bytes()).unwrap();
        assert_eq!(read("a"), Some(b"1".to_vec()));
        assert_eq!(read("b"), read("c"), "half a batch");
        let last = read("b").map_or(0, |value| usize::from(value[0] - b'0'));
        reached[last] += 1;
    }
    assert!(reached.iter().all(|count| *count > 5), "{reached:?}");
}

#[test]
fn walks_see_tables_and_log_as_one_in_both_directions() {
    let drive = Drive::new(Medium::default());
    let disk = drive.open().unwrap();
    assert!(put(&*disk, &[("a", "1"), ("c", "1"), ("e", "1")], Durability::Synced));
    disk.flush().unwrap();
    assert!(put(&*disk, &[("b", "2"), ("c", "2"), ("f", "2")], Durability::Buffered));
    let mut batch = Batch::new();
    batch.delete(family("state"), "e");
    disk.write(batch, Durability::Buffered).unwrap();
    assert_eq!(keys(&*disk, Walk::First), ["a", "b", "c", "f"]);
    assert_eq!(keys(&*disk, Walk::Last), ["f", "c", "b", "a"]);
    assert_eq!(keys(&*disk, Walk::From(b"bb")), ["c", "f"]);
    assert_eq!(keys(&*disk, Walk::Before(b"e")), ["c", "b", "a"]);
    assert_eq!(keys(&*disk, Walk::Before(b"c")), ["c", "b", "a"]);
    assert_eq!(drive.dump(family("state")).len(), 4);
}

#[test]
fn a_flipped_bit_is_an_error_and_never_another_answer() {
    let entries = [("a", "first"), ("b", "second"), ("c", "third")];
    let (mut errors, mut right) = (0, 0);
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let drive = Drive::new(Medium::default());
        let disk = drive.open().unwrap();
        assert!(put(&*disk, &entries[..2], Durability::Synced));
        if dice.permille(500) {
            disk.flush().unwrap();
        }
        assert!(put(&*disk, &entries[2..], Durability::Synced));
        assert!(drive.flip(&mut dice));
        drive.crash(&mut dice);
        let Ok(disk) = drive.open() else {
            errors += 1;
            continue;
        };
        for (key, value) in entries {
            match disk.get(family("state"), key.as_bytes()) {
                Ok(read) => {
                    assert_eq!(read.as_deref(), Some(value.as_bytes()));
                    right += 1;
                }
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors >= 200 && right > 100, "{errors} errors, {right} right");
}

#[test]
fn after_a_failed_write_nothing_is_taken_until_the_next_opening() {
    for fault in [Fault::Full, Fault::SyncFailed] {
        let mut dice = Dice::new(1);
        let drive = Drive::new(Medium::default());
        let disk = drive.open().unwrap();
        drive.fail_write(1, fault);
        assert!(put(&*disk, &[("a", "1")], Durability::Synced));
        assert!(!put(&*disk, &[("b", "1")], Durability::Synced));
        assert!(!put(&*disk, &[("c", "1")], Durability::Synced));
        assert!(disk.flush().is_err());
        drive.crash(&mut dice);
        let disk = drive.open().unwrap();
        assert!(put(&*disk, &[("c", "1")], Durability::Synced));
        let found = keys(&*disk, Walk::First);
        assert!(found == ["a", "c"] || found == ["a", "b", "c"], "{found:?}");
    }
}

/// A store whose genesis is torn at every possible byte opens all the same, as new.
#[test]
fn a_store_torn_at_any_byte_of_its_first_write_opens_as_new() {
    let genesis = &town(0).genesis;
    let mut outcomes = BTreeMap::new();
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let drive = Drive::new(Medium::default());
        let moments = [Moment::Before, Moment::During, Moment::After];
        drive.fail_write(0, Fault::PowerCut(moments[dice.index(3)]));
        assert!(Store::open_on(drive.open().unwrap(), genesis).is_err());
        drive.crash(&mut dice);
        let written = drive.log_bytes().0 > 0;
        let store = Store::open_on(drive.open().unwrap(), genesis).unwrap();
        assert_eq!(store.tip().height.0, 0);
        assert_eq!(store.network(), genesis.network());
        *outcomes.entry(written).or_insert(0) += 1;
    }
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}
