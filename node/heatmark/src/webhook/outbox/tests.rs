#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tempfile::TempDir;

fn outbox() -> (TempDir, Outbox) {
    let place = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(place.path().join("outbox"));
    (place, outbox)
}

fn put(outbox: &Outbox, name: &str, second: u64) {
    fs::create_dir_all(&outbox.place).unwrap();
    let path = outbox.place.join(name);
    fs::write(&path, name).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
}

fn ids(outbox: &Outbox) -> Vec<String> {
    outbox.waiting().unwrap().iter().map(|waiting| waiting.id().to_owned()).collect()
}

#[test]
fn files_wait_in_the_order_in_which_they_came() {
    let (_place, outbox) = outbox();
    assert!(ids(&outbox).is_empty(), "there is none yet");
    let (first, second) = ("b".repeat(64), "a".repeat(64));
    put(&outbox, &format!("{first}-collect.json"), 10);
    put(&outbox, &format!("{second}-refund.json"), 20);
    put(&outbox, &format!("{second}-collect.json"), 20);
    put(&outbox, &format!("{first}-pay-out.json"), 30);
    let expected = [
        format!("{first}-collect"),
        format!("{second}-collect"),
        format!("{second}-refund"),
        format!("{first}-pay-out"),
    ];
    assert_eq!(ids(&outbox), expected);
    assert_eq!(outbox.waiting().unwrap()[0].deal(), first);
}

#[test]
fn only_files_of_the_desk_are_posted() {
    let (place, outbox) = outbox();
    let deal = "c".repeat(64);
    for name in [
        format!(".{deal}-collect.json"),
        format!("{deal}-collect.json.swp"),
        format!("{deal}-.json"),
        format!("{deal}.json"),
        format!("{deal}-Collect.json"),
        format!("{}-collect.json", "C".repeat(64)),
        format!("{}-collect.json", "c".repeat(63)),
        format!("{deal}-{}.json", "x".repeat(33)),
        "notes.json".to_owned(),
        "é".repeat(40),
    ] {
        put(&outbox, &name, 1);
    }
    fs::create_dir(outbox.place.join(format!("{deal}-refund.json"))).unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::write(&elsewhere, "{}").unwrap();
    std::os::unix::fs::symlink(&elsewhere, outbox.place.join(format!("{deal}-pay-out.json")))
        .unwrap();
    assert!(ids(&outbox).is_empty(), "{:?}", ids(&outbox));
}

#[test]
fn a_mark_outlives_a_start_and_goes_with_its_file() {
    let (_place, outbox) = outbox();
    let name = format!("{}-collect.json", "d".repeat(64));
    put(&outbox, &name, 1);
    let waiting = outbox.waiting().unwrap().remove(0);
    outbox.mark(&waiting).unwrap();
    let again = Outbox::new(outbox.place.clone());
    assert!(ids(&again).is_empty());
    assert_eq!(fs::read_to_string(outbox.place.join(&name)).unwrap(), name, "the file stays");
    let marks = outbox.place.join("delivered");
    assert_eq!(fs::metadata(&marks).unwrap().permissions().mode() & 0o777, 0o700);
    fs::remove_file(outbox.place.join(&name)).unwrap();
    assert!(ids(&outbox).is_empty());
    assert_eq!(fs::read_dir(&marks).unwrap().count(), 0);
    assert!(outbox.read(&waiting).unwrap().is_none());
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let (_place, outbox) = outbox();
    let name = format!("{}-collect.json", "e".repeat(64));
    put(&outbox, &name, 1);
    let waiting = outbox.waiting().unwrap().remove(0);
    fs::write(outbox.place.join(&name), vec![b' '; 64 * 1024 + 1]).unwrap();
    assert!(matches!(outbox.read(&waiting), Err(FileError::TooLarge { .. })));
}
