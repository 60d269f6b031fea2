//! Files that people hand over or a disk gives back: key files, settings, registry entries, and the
//! vault's rows.

use heatmark::config::{Config, Mode, commented_default};
use heatmark::keys::{self, KeyKind, PassphraseSource, SecretKey};
use heatmark::{Home, keys::key_path};
use heatmark_fuzz::{Shape, Target};
use heatmark_ledger::genesis::Founder;
use heatmark_vault::{Actor, Vault, VaultKey, decoders};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Rewrites a private file in place.
fn put(path: &Path, bytes: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn key_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut seeds = Vec::new();
    for (name, mut passphrase) in
        [("plain", PassphraseSource::none()), ("sealed", PassphraseSource::given("open it"))]
    {
        let home = Home::new(directory.path().join(name));
        let key = SecretKey::generate(KeyKind::Signing).unwrap();
        keys::write_all(&home, &[key], &mut passphrase).unwrap();
        seeds.push(std::fs::read(key_path(&home, KeyKind::Signing)).unwrap());
    }
    let file = directory.path().join("key");
    let run = move |input: &[u8]| {
        put(&file, input);
        let described = keys::describe(&file);
        if let Ok(key) = keys::load(&file, KeyKind::Signing, &mut PassphraseSource::none()) {
            let public = described.as_ref().unwrap().public;
            assert_eq!(key.public(), public, "a public key that is not the secret's");
        }
        described.is_ok()
    };
    let target = Target::new("key-file", seeds, run).of(Shape::Text);
    target.may_allocate(200, 256 << 10).fuzz();
}

#[test]
fn settings() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    let seed = commented_default("mill", Mode::Validator).into_bytes();
    let file = directory.path().join("heatmark.toml");
    let run = move |input: &[u8]| {
        put(&file, input);
        Config::load(&home, &[]).is_ok()
    };
    let target = Target::new("settings", vec![seed], run).of(Shape::Text);
    target.may_allocate(400, 1 << 20).fuzz();
}

#[test]
fn registry_entry() {
    let (genesis, _) = crate::seeds::chain();
    let founders = genesis.document().founders.iter();
    let seeds = founders.map(|founder| serde_json::to_vec(founder).unwrap()).collect();
    let run = |input: &[u8]| match serde_json::from_slice::<Founder>(input) {
        Ok(founder) => {
            let text = serde_json::to_vec(&founder).unwrap();
            assert_eq!(serde_json::from_slice::<Founder>(&text).unwrap(), founder);
            true
        }
        Err(_) => false,
    };
    Target::new("entry", seeds, run).of(Shape::Text).may_allocate(100, 256 << 10).fuzz();
}

#[test]
fn vault_value() {
    let key = VaultKey::new([7; 32]);
    let sealed = decoders::seal(&key, b"place", b"what is kept");
    let original = sealed.clone();
    let run = move |input: &[u8]| match decoders::open(&key, b"place", input) {
        Some(value) => {
            assert_eq!((input, value.as_slice()), (original.as_slice(), &b"what is kept"[..]));
            assert!(decoders::open(&key, b"elsewhere", input).is_none());
            true
        }
        None => false,
    };
    Target::new("vault-value", vec![sealed], run).of(Shape::Bytes).fuzz();
}

#[test]
fn vault_rows() {
    use crate::seeds::Field::{Bytes as B, Number as N};
    use crate::seeds::written;
    let placement = written(&[
        B(1, vec![1; 32]),
        N(2, 9),
        N(3, 1),
        N(4, 5),
        B(5, vec![2; 32]),
        B(5, vec![3; 32]),
    ]);
    let hold = written(&[B(1, b"claim".to_vec()), N(2, 9)]);
    let row = [N(4, 2), B(5, vec![4; 32]), B(6, placement), N(7, 8), B(8, hold), N(9, 10)];
    let private =
        [B(1, b"plate.json".to_vec()), B(2, b"Metals 0.1.1".to_vec()), N(3, 80), B(4, vec![4; 32])];
    let entry = [
        N(1, 1),
        N(2, 9),
        N(3, 2),
        B(4, vec![5; 32]),
        B(5, b"Anna".to_vec()),
        N(6, 2),
        B(7, vec![6; 32]),
        N(8, 3),
        B(9, vec![7; 32]),
    ];
    let seeds = vec![
        written(&row),
        written(&private),
        written(&entry),
        written(&[B(1, b"Anna".to_vec()), N(2, 5)]),
        written(&[B(1, vec![1; 300]), B(2, vec![1; 32]), B(2, vec![2; 32])]),
        written(&[B(1, b"crack".to_vec()), B(2, vec![1; 32])]),
    ];
    let run = |input: &[u8]| {
        type Decoder = fn(&[u8]) -> Option<Vec<u8>>;
        let decoders: [Decoder; 6] = [
            decoders::row,
            decoders::private,
            decoders::entry,
            decoders::operator,
            decoders::submission,
            decoders::reason,
        ];
        let read: Vec<Vec<u8>> = decoders.iter().filter_map(|decode| decode(input)).collect();
        // The vault's values are its own, and encrypted: read in any encoding, written in one.
        for again in &read {
            let read = decoders.iter().filter_map(|decode| decode(again));
            assert!({ read }.any(|third| third == *again));
        }
        !read.is_empty()
    };
    Target::new("vault-rows", seeds, run).may_allocate(400, 64 << 10).fuzz();
}

#[test]
fn vault_backup() {
    let place = tempfile::tempdir().unwrap();
    let key = VaultKey::new([7; 32]);
    let vault = Vault::open(&place.path().join("vault"), &key).unwrap();
    let mut made = Vec::new();
    vault.backup(&Actor::Node, &mut made).unwrap();
    let original = made.clone();
    let run = move |mut input: &[u8]| {
        let whole = input == original;
        let read = heatmark_vault::check_backup(&key, &mut input).is_ok();
        assert_eq!(read, whole, "only what was written is read");
        read
    };
    Target::new("vault-backup", vec![made], run).of(Shape::Bytes).may_allocate(4, 512 << 10).fuzz();
}
