#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

fn home() -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::new(dir.path().join("home"));
    (dir, home)
}

fn all_kinds() -> Vec<SecretKey> {
    KeyKind::ALL.into_iter().map(|kind| SecretKey::generate(kind).unwrap()).collect()
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keys_are_files_of_mode_0600_in_a_directory_of_mode_0700() {
    let (_dir, home) = home();
    assert!(!write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap());
    assert_eq!(mode(&home.keys()), 0o700);
    assert_eq!(mode(home.path()), 0o700);
    for kind in KeyKind::ALL {
        assert_eq!(mode(&key_path(&home, kind)), 0o600, "{kind}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no temporary is left");
}

#[test]
fn what_was_written_is_what_loads() {
    let (_dir, home) = home();
    let made = all_kinds();
    write_all(&home, &made, &mut PassphraseSource::none()).unwrap();
    let keys = Keys::load(&home, &mut PassphraseSource::none()).unwrap();
    let secret = |kind| made.iter().find(|key| key.kind() == kind).unwrap();
    assert_eq!(&keys.signing.to_bytes(), secret(KeyKind::Signing).bytes());
    assert_eq!(&keys.p2p.to_bytes(), secret(KeyKind::P2p).bytes());
    assert_eq!(&keys.consensus.as_ref().unwrap().to_bytes(), secret(KeyKind::Consensus).bytes());
    assert_eq!(keys.envelope.bytes(), secret(KeyKind::Envelope).bytes());
    assert_eq!(keys.seed.bytes(), secret(KeyKind::Seed).bytes());
}

#[test]
fn a_node_loads_without_root_and_consensus_keys_and_with_no_other_one_missing() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    fs::remove_file(key_path(&home, KeyKind::Root)).unwrap();
    fs::remove_file(key_path(&home, KeyKind::Consensus)).unwrap();
    assert!(Keys::load(&home, &mut PassphraseSource::none()).unwrap().consensus.is_none());
    for kind in [KeyKind::Signing, KeyKind::P2p, KeyKind::Envelope, KeyKind::Seed] {
        let (path, aside) = (key_path(&home, kind), home.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        let refused = Keys::load(&home, &mut PassphraseSource::none()).unwrap_err();
        assert!(matches!(refused, KeysError::File(file) if file.is_missing()), "{kind}");
        fs::rename(&aside, &path).unwrap();
    }
}

#[test]
fn refuses_a_key_that_others_may_read() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    let path = key_path(&home, KeyKind::Signing);
    for bits in [0o640, 0o604, 0o660, 0o644, 0o610] {
        fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
        let refused = load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap_err();
        assert!(
            matches!(&refused, KeysError::File(FileError::Exposed { mode, .. }) if *mode == bits)
        );
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap();
}

#[test]
fn never_overwrites_keys() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    let before = fs::read(key_path(&home, KeyKind::Root)).unwrap();
    let refused = write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap_err();
    assert!(matches!(refused, KeysError::File(FileError::Exists(_))));
    assert_eq!(fs::read(key_path(&home, KeyKind::Root)).unwrap(), before);
}

#[test]
fn opens_with_its_passphrase_and_with_no_other() {
    let (_dir, home) = home();
    let made = [SecretKey::generate(KeyKind::Signing).unwrap()];
    assert!(write_all(&home, &made, &mut PassphraseSource::given("Thomasmehl")).unwrap());
    let path = key_path(&home, KeyKind::Signing);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&hex::encode(made[0].bytes())), "the secret is not in the file");
    let mut right = PassphraseSource::given("Thomasmehl");
    assert_eq!(load(&path, KeyKind::Signing, &mut right).unwrap().bytes(), made[0].bytes());
    let mut wrong = PassphraseSource::given("thomasmehl");
    let refused = load(&path, KeyKind::Signing, &mut wrong).unwrap_err();
    assert!(matches!(refused, KeysError::DoesNotOpen(_)));
    let refused = load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap_err();
    assert!(matches!(refused, KeysError::PassphraseNeeded(_)));
}

/// Replaces `field = …` by another value in a file of mode 0600.
fn tamper(path: &std::path::Path, field: &str, value: &str) -> String {
    let before = fs::read_to_string(path).unwrap();
    let lines: Vec<String> = before
        .lines()
        .map(|line| {
            if line.starts_with(&format!("{field} =")) {
                format!("{field} = {value}")
            } else {
                line.to_owned()
            }
        })
        .collect();
    let after = lines.join("\n");
    assert_ne!(before.trim_end(), after, "{field} stands in the file");
    fs::write(path, after).unwrap();
    before
}

#[test]
fn refuses_a_key_file_that_was_changed_in_any_field() {
    let (_dir, home) = home();
    let made = [SecretKey::generate(KeyKind::Signing).unwrap()];
    write_all(&home, &made, &mut PassphraseSource::given("pass")).unwrap();
    let path = key_path(&home, KeyKind::Signing);
    let other = hex::encode(SecretKey::generate(KeyKind::Signing).unwrap().public().unwrap());
    let changes = [
        ("format", "\"heatmark-key-v2\"".to_owned()),
        ("role", "\"consensus\"".to_owned()),
        ("algorithm", "\"x25519\"".to_owned()),
        ("public", format!("\"{other}\"")),
        ("kdf", "\"scrypt\"".to_owned()),
        ("memory_kib", "65537".to_owned()),
        ("memory_kib", "8".to_owned()),
        ("memory_kib", "4000000".to_owned()),
        ("passes", "2".to_owned()),
        ("passes", "1000000".to_owned()),
        ("lanes", "1".to_owned()),
        ("lanes", "100".to_owned()),
        ("salt", format!("\"{}\"", "00".repeat(16))),
        ("salt", format!("\"{}\"", "00".repeat(15))),
        ("cipher", "\"aes-256-gcm\"".to_owned()),
        ("nonce", format!("\"{}\"", "00".repeat(24))),
        ("ciphertext", format!("\"{}\"", "00".repeat(48))),
        ("ciphertext", "\"\"".to_owned()),
    ];
    for (field, value) in changes {
        let before = tamper(&path, field, &value);
        let opened = load(&path, KeyKind::Signing, &mut PassphraseSource::given("pass"));
        assert!(opened.is_err(), "{field} = {value}");
        fs::write(&path, before).unwrap();
    }
    load(&path, KeyKind::Signing, &mut PassphraseSource::given("pass")).unwrap();
}

#[test]
fn refuses_a_plain_key_whose_public_half_is_anothers() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    for kind in [KeyKind::Root, KeyKind::Envelope, KeyKind::Consensus] {
        let path = key_path(&home, kind);
        let other = hex::encode(SecretKey::generate(kind).unwrap().public().unwrap());
        tamper(&path, "public", &format!("\"{other}\""));
        let refused = load(&path, kind, &mut PassphraseSource::none()).unwrap_err();
        assert!(matches!(refused, KeysError::Mismatch(_)), "{kind}");
    }
}

#[test]
fn refuses_a_key_of_another_kind_and_files_that_are_none() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    let path = key_path(&home, KeyKind::Signing);
    let refused = load(&path, KeyKind::Consensus, &mut PassphraseSource::none()).unwrap_err();
    assert!(matches!(refused, KeysError::WrongKind { .. }));
    for text in ["", "format = 1", "not toml at all", "format = \"heatmark-key-v1\"\nextra = 1"] {
        fs::write(&path, text).unwrap();
        let refused = load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap_err();
        assert!(matches!(refused, KeysError::NotAKey { .. }), "{text:?}");
    }
    fs::write(&path, vec![b'#'; 20_000]).unwrap();
    let refused = load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap_err();
    assert!(matches!(refused, KeysError::File(FileError::TooLarge { .. })));
}

#[test]
fn no_error_or_debug_text_holds_the_secret() {
    let (_dir, home) = home();
    let made = [SecretKey::generate(KeyKind::Signing).unwrap()];
    write_all(&home, &made, &mut PassphraseSource::none()).unwrap();
    let path = key_path(&home, KeyKind::Signing);
    let secret = hex::encode(made[0].bytes());
    assert!(!format!("{:?}", made[0]).contains(&secret));
    // A parser would quote the line that it cannot read.
    let text = fs::read_to_string(&path).unwrap().replace("secret = \"", "secret = \"\\x");
    fs::write(&path, text).unwrap();
    let refused = load(&path, KeyKind::Signing, &mut PassphraseSource::none()).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains(&secret));
}

#[test]
fn a_backup_brings_all_keys_back() {
    for passphrase in [None, Some("long passphrase")] {
        let source = || passphrase.map_or_else(PassphraseSource::none, PassphraseSource::given);
        let (dir, home) = home();
        write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
        fs::write(home.entry(), "{}\n").unwrap();
        let file = dir.path().join("keys.backup");
        let summary = backup(&home, &file, &mut source(), &mut source()).unwrap();
        assert_eq!(summary.kinds, KeyKind::ALL);
        assert_eq!(summary.sealed, passphrase.is_some());
        assert_eq!(mode(&file), 0o600);
        let seed = load(&key_path(&home, KeyKind::Seed), KeyKind::Seed, &mut source()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.contains(&hex::encode(seed.bytes())), passphrase.is_none());

        let again = Home::new(dir.path().join("again"));
        restore(&again, &file, &mut source(), &mut source()).unwrap();
        assert_eq!(fs::read_to_string(again.entry()).unwrap(), "{}\n");
        for kind in KeyKind::ALL {
            let before = load(&key_path(&home, kind), kind, &mut source()).unwrap();
            let after = load(&key_path(&again, kind), kind, &mut source()).unwrap();
            assert_eq!(before.bytes(), after.bytes(), "{kind}");
        }
        let refused = restore(&again, &file, &mut source(), &mut source()).unwrap_err();
        assert!(matches!(refused, KeysError::File(FileError::Exists(_))));
        let refused = backup(&home, &file, &mut source(), &mut source()).unwrap_err();
        assert!(matches!(refused, KeysError::File(FileError::Exists(_))));
    }
}

#[test]
fn a_passphrase_file_that_others_may_read_is_refused() {
    let (dir, home) = home();
    let file = dir.path().join("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut source = PassphraseSource::new(Some(file.clone()));
    let refused = write_all(&home, &all_kinds(), &mut source).unwrap_err();
    assert!(matches!(refused, KeysError::File(FileError::Exposed { .. })));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let made = [SecretKey::generate(KeyKind::Seed).unwrap()];
    assert!(write_all(&home, &made, &mut PassphraseSource::new(Some(file))).unwrap());
    let mut given = PassphraseSource::given("correct horse");
    load(&key_path(&home, KeyKind::Seed), KeyKind::Seed, &mut given).unwrap();
}

#[test]
fn the_vault_key_is_hkdf_sha256_of_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seed.key");
    let seed: Vec<u8> = (0..32).collect();
    let text = format!(
        "format = \"heatmark-key-v1\"\nrole = \"seed\"\nalgorithm = \"hkdf-sha256\"\nsecret = \"{}\"\n",
        hex::encode(seed)
    );
    files::create(&path, text.as_bytes(), files::PRIVATE).unwrap();
    let seed = Seed::new(load(&path, KeyKind::Seed, &mut PassphraseSource::none()).unwrap());
    // Computed with Python's hmac and hashlib.
    let expected = "550b2cfc57604c6c6d2a443de2e5a054325d37d6f0a3dfa9e67d1b1325d3ebe3";
    assert_eq!(hex::encode(*seed.vault_key()), expected);
}

#[test]
fn an_x25519_public_key_is_that_of_rfc_7748() {
    // Section 5.2, after one iteration: the scalar and the base point both read 9.
    let mut secret = [0_u8; 32];
    secret[0] = 9;
    let public = KeyKind::Envelope.public_of(&secret).unwrap();
    let expected = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
    assert_eq!(hex::encode(public), expected);
}

#[test]
fn a_peer_id_is_that_of_the_keypair_libp2p_uses() {
    let (_dir, home) = home();
    write_all(&home, &all_kinds(), &mut PassphraseSource::none()).unwrap();
    let keys = Keys::load(&home, &mut PassphraseSource::none()).unwrap();
    let peer = peer_id(&keys.p2p.verifying_key().to_bytes()).unwrap();
    assert_eq!(peer, keys.p2p_keypair().public().to_peer_id());
    assert!(peer.to_string().starts_with("12D3KooW"));
}
