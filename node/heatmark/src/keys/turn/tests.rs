//! Keys that take each other's places, and crashes in between.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use crate::keys::write_all;
use tempfile::{TempDir, tempdir};

fn home(passphrase: Option<&str>) -> (TempDir, Home) {
    let directory = tempdir().unwrap();
    let home = Home::new(directory.path().join("mill"));
    let keys: Vec<SecretKey> =
        KeyKind::ALL.into_iter().map(|kind| SecretKey::generate(kind).unwrap()).collect();
    write_all(&home, &keys, &mut source(passphrase)).unwrap();
    (directory, home)
}

fn source(passphrase: Option<&str>) -> PassphraseSource {
    passphrase.map_or_else(PassphraseSource::none, PassphraseSource::given)
}

fn public(home: &Home, kind: KeyKind) -> [u8; 32] {
    describe(&key_path(home, kind)).unwrap().public.unwrap()
}

#[test]
fn the_next_key_is_made_once_and_changes_nothing_yet() {
    let (_directory, home) = home(None);
    let before = public(&home, KeyKind::Signing);
    let first = make_next(&home, KeyKind::Signing, &mut source(None)).unwrap();
    let again = make_next(&home, KeyKind::Signing, &mut source(None)).unwrap();
    assert_eq!(first.bytes(), again.bytes(), "a second try registers the same key");
    assert_eq!(next_public(&home, KeyKind::Signing).unwrap(), first.public());
    assert_eq!(public(&home, KeyKind::Signing), before);
    let keys = KeyRing::new(home.clone(), source(None)).load(|_, _| false).unwrap();
    assert_eq!(keys.signing.verifying_key().to_bytes(), before);
}

#[test]
fn a_key_that_stands_takes_its_place_and_the_old_one_is_kept() {
    for kind in KeyKind::ROTATED {
        let (_directory, home) = home(None);
        let before = public(&home, kind);
        let next = make_next(&home, kind, &mut source(None)).unwrap();
        let stands = |found: KeyKind, key: &[u8; 32]| {
            assert_eq!((found, Some(*key)), (kind, next.public()));
            true
        };
        KeyRing::new(home.clone(), source(None)).load(stands).unwrap();
        assert_eq!(Some(public(&home, kind)), next.public());
        assert_eq!(next_public(&home, kind).unwrap(), None);
        let kept = home.keys().join("retired");
        let kept: Vec<_> = fs::read_dir(kept).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(load(&kept[0], kind, &mut source(None)).unwrap().public(), Some(before));
    }
}

/// As a crash leaves it after the old key was kept and before the new one took its place.
#[test]
fn a_crash_between_the_two_steps_loses_neither_key() {
    let (_directory, home) = home(None);
    let before = public(&home, KeyKind::Consensus);
    let next = make_next(&home, KeyKind::Consensus, &mut source(None)).unwrap();
    let retired = home.keys().join("retired");
    fs::create_dir(&retired).unwrap();
    let name = format!("consensus-{}.key", &hex::encode(before)[..16]);
    fs::hard_link(key_path(&home, KeyKind::Consensus), retired.join(&name)).unwrap();
    let mut ring = KeyRing::new(home.clone(), source(None));
    let keys = ring.load(|_, _| false).unwrap();
    assert_eq!(keys.consensus.unwrap().verifying_key().to_bytes(), before, "it still stands");
    let keys = ring.load(|_, _| true).unwrap();
    assert_eq!(Some(keys.consensus.unwrap().verifying_key().to_bytes()), next.public());
    let kept = load(&retired.join(&name), KeyKind::Consensus, &mut source(None)).unwrap();
    assert_eq!(kept.public(), Some(before));
}

#[test]
fn the_next_key_is_encrypted_as_the_one_in_use() {
    let (_directory, home) = home(Some("correct horse"));
    let refused = make_next(&home, KeyKind::Signing, &mut source(Some("wrong")));
    assert!(matches!(refused, Err(KeysError::DoesNotOpen(_))), "{refused:?}");
    assert_eq!(next_public(&home, KeyKind::Signing).unwrap(), None);
    make_next(&home, KeyKind::Signing, &mut source(Some("correct horse"))).unwrap();
    assert!(describe(&next_path(&home, KeyKind::Signing)).unwrap().sealed);
    let mut ring = KeyRing::new(home, source(Some("correct horse")));
    ring.load(|_, _| true).unwrap();
}

#[test]
fn rejects_a_next_key_of_another_kind() {
    let (_directory, home) = home(None);
    fs::copy(key_path(&home, KeyKind::P2p), next_path(&home, KeyKind::Signing)).unwrap();
    assert!(matches!(
        next_public(&home, KeyKind::Signing),
        Err(KeysError::WrongKind { found: KeyKind::P2p, .. })
    ));
}
