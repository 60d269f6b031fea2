//! The watch's directories: what is complete, where it goes, and a kill at every step of a move.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::places::Places;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

fn open(directory: &Path) -> Places {
    Places::open(directory, Duration::ZERO).unwrap_or_else(|failure| panic!("{failure}"))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.') && name != "published" && name != "refused");
    names.sort();
    names
}

fn drop_in(directory: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

fn settled(places: &mut Places) -> Vec<String> {
    let seen = places.settled().unwrap();
    seen.iter().map(|s| s.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_file_is_taken_when_it_has_not_changed_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    drop_in(&directory, "a.json", "{");
    let mut places = Places::open(directory.path(), Duration::from_millis(150)).unwrap();
    assert!(settled(&mut places).is_empty(), "just seen");
    std::thread::sleep(Duration::from_millis(200));
    drop_in(&directory, "a.json", "{}");
    assert!(settled(&mut places).is_empty(), "changed since");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(settled(&mut places), ["a.json"]);
    drop_in(&directory, "a.json.heatmark.toml", "heat = \"1\"");
    assert!(settled(&mut places).is_empty(), "its notes came");
}

#[test]
fn hidden_unfinished_and_linked_files_and_notes_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.json", ".hidden", "b.json.part", "c.TMP", "d.json.heatmark.toml"] {
        drop_in(&directory, name, "x");
    }
    std::os::unix::fs::symlink("a.json", directory.path().join("link.json")).unwrap();
    assert_eq!(settled(&mut open(directory.path())), ["a.json"]);
}

#[test]
fn a_directory_is_watched_once() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path());
    assert!(Places::open(directory.path(), Duration::ZERO).is_err());
    drop(first);
    open(directory.path());
    assert!(Places::open(&directory.path().join("missing"), Duration::ZERO).is_err());
}

#[test]
fn files_move_with_their_notes_and_never_over_another() {
    let directory = tempfile::tempdir().unwrap();
    for round in ["one", "two"] {
        drop_in(&directory, "a.json", round);
        drop_in(&directory, "a.json.heatmark.toml", round);
        let mut places = open(directory.path());
        let seen = places.settled().unwrap();
        places.set_published(&seen[0], "{}").unwrap().unwrap();
    }
    drop_in(&directory, "bad.json", "{");
    let mut places = open(directory.path());
    let seen = places.settled().unwrap();
    places.set_refused(&seen[0], "line 1: not JSON\n").unwrap().unwrap();
    assert!(names(directory.path()).is_empty());
    assert_eq!(
        names(&directory.path().join("published")),
        [
            "2-a.json",
            "2-a.json.heatmark.toml",
            "2-a.json.record.json",
            "a.json",
            "a.json.heatmark.toml",
            "a.json.record.json"
        ]
    );
    assert_eq!(fs::read_to_string(directory.path().join("published/2-a.json")).unwrap(), "two");
    assert_eq!(names(&directory.path().join("refused")), ["bad.json", "bad.json.reason.txt"]);
}

#[test]
fn a_file_that_changed_while_it_was_published_stays() {
    let directory = tempfile::tempdir().unwrap();
    drop_in(&directory, "a.json", "one");
    let mut places = open(directory.path());
    let seen = places.settled().unwrap();
    drop_in(&directory, "a.json", "another");
    assert!(places.set_published(&seen[0], "{}").unwrap().is_none());
    assert_eq!(names(directory.path()), ["a.json"]);
}

#[test]
fn a_move_that_was_cut_off_is_finished_at_the_next_start() {
    for moved in 0..=2 {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        drop(open(directory.path()));
        drop_in(&directory, "a.json", "file");
        drop_in(&directory, "a.json.heatmark.toml", "notes");
        let planned = r#"{"from":"a.json","to":"2-a.json","folder":"published"}"#;
        fs::write(at(".heatmark-watch/move.json"), planned).unwrap();
        if moved > 0 {
            fs::rename(at("a.json.heatmark.toml"), at("published/2-a.json.heatmark.toml")).unwrap();
        }
        if moved > 1 {
            fs::rename(at("a.json"), at("published/2-a.json")).unwrap();
        }
        assert!(settled(&mut open(directory.path())).is_empty(), "after {moved} moves");
        assert_eq!(names(&at("published")), ["2-a.json", "2-a.json.heatmark.toml"]);
        assert!(!at(".heatmark-watch/move.json").exists());
    }
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let outside = tempfile::NamedTempFile::new().unwrap();
    let planned = format!(r#"{{"from":{:?},"to":"x","folder":"../.."}}"#, outside.path());
    fs::write(directory.path().join(".heatmark-watch/move.json"), planned).unwrap();
    drop(open(directory.path()));
    assert!(outside.path().exists(), "a journal cannot reach beyond the directory");
}
