#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use super::*;
use ed25519_dalek::SigningKey;
use std::fs;

fn key(seed: u8) -> PublicKey {
    PublicKey::of(&SigningKey::from_bytes(&[seed; 32]))
}

#[test]
fn a_past_is_remembered_for_its_own_key_only() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    assert_eq!(past(&home, &key(1)).unwrap(), None);
    for what in [Past::NeverVoted, Past::Voted, Past::Forgotten] {
        remember(&home, &key(1), what).unwrap();
        assert_eq!(past(&home, &key(1)).unwrap(), Some(what));
        assert_eq!(past(&home, &key(2)).unwrap(), None);
    }
}

#[test]
fn a_damaged_record_tells_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    remember(&home, &key(1), Past::NeverVoted).unwrap();
    let text = fs::read(home.voting()).unwrap();
    for length in [0, 1, text.len() / 2] {
        fs::write(home.voting(), &text[..length]).unwrap();
        assert_eq!(past(&home, &key(1)).unwrap(), None);
    }
    fs::write(home.voting(), vec![b' '; 100_000]).unwrap();
    assert_eq!(past(&home, &key(1)).unwrap(), None);
}
