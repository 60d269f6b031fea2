//! Claims about the state map, against a recursive definition of the tree and against the proofs of `jmt` itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use jmt::proof::SparseMerkleProof;
use proptest::prelude::*;

use super::*;
use crate::ProofError;

mod hostile;

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Root of the specification's tree, by definition.
fn naive_root(contents: &Contents) -> Hash {
    let leaves: BTreeMap<[u8; 32], [u8; 32]> =
        contents.iter().map(|(key, value)| (key_hash(key), Sha256::digest(value).into())).collect();
    naive_subtree(&leaves.into_iter().collect::<Vec<_>>(), 0)
}

fn naive_subtree(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> Hash {
    match leaves {
        [] => empty_root(),
        [(key, value)] => tagged(b"JMT::LeafNode", key, value),
        _ => {
            let middle =
                leaves.partition_point(|(key, _)| key[depth / 8] & (128 >> (depth % 8)) == 0);
            let (left, right) = leaves.split_at(middle);
            tagged(
                b"JMT::IntrnalNode",
                &naive_subtree(left, depth + 1).0,
                &naive_subtree(right, depth + 1).0,
            )
        }
    }
}

fn tagged(tag: &[u8], left: &[u8; 32], right: &[u8; 32]) -> Hash {
    Hash(Sha256::digest([tag, left, right].concat()).into())
}

fn key(number: u64) -> Vec<u8> {
    [b"member/".as_slice(), &key_hash(&number.to_be_bytes())].concat()
}

fn put(numbers: impl IntoIterator<Item = u64>) -> Changes {
    numbers.into_iter().map(|number| (key(number), Some(number.to_le_bytes().to_vec()))).collect()
}

/// Applies one version to the store and to the plain map beside it, and compares the roots.
fn step(nodes: &mut MemoryNodes, contents: &mut Contents, version: u64, changes: &Changes) -> Hash {
    for (key, value) in changes {
        match value {
            Some(value) => contents.insert(key.clone(), value.clone()),
            None => contents.remove(key),
        };
    }
    let update = update(nodes, version, changes).unwrap();
    let new_root = update.root;
    nodes.apply(update);
    assert_eq!(new_root, naive_root(contents), "version {version}");
    assert_eq!(root(nodes, version).unwrap(), Some(new_root));
    new_root
}

fn jmt_proof(nodes: &MemoryNodes, version: u64, key: &[u8]) -> SparseMerkleProof<JmtHasher> {
    let reader = Nodes::new(nodes);
    let tree = JellyfishMerkleTree::<_, JmtHasher>::new(&reader);
    tree.get_with_proof(jmt::KeyHash(key_hash(key)), version).unwrap().1
}

/// A proof of `jmt` as ours about a key; theirs leaves it to the verifier which key it is about.
fn translated(theirs: &SparseMerkleProof<JmtHasher>, key: &[u8]) -> MapProof {
    let bytes = borsh::to_vec(theirs).unwrap();
    let (leaf, mut rest) = match bytes[0] {
        0 => (None, &bytes[1..]),
        _ => (Some((fixed(&bytes[1..]), fixed(&bytes[33..]))), &bytes[65..]),
    };
    let count = u32::from_le_bytes(rest[..4].try_into().unwrap());
    rest = &rest[4..];
    let mut siblings = Vec::new();
    for _ in 0..count {
        let (tag, fields) = rest.split_first().unwrap();
        let sibling = match tag {
            0 => empty_root(),
            1 => tagged(b"JMT::IntrnalNode", &fixed(fields), &fixed(&fields[32..])),
            _ => tagged(b"JMT::LeafNode", &fixed(fields), &fixed(&fields[32..])),
        };
        siblings.push(sibling);
        rest = if *tag == 0 { fields } else { &fields[64..] };
    }
    assert!(rest.is_empty());
    siblings.reverse();
    match leaf {
        None => MapProof::empty(siblings),
        Some((found, _)) if found == key_hash(key) => MapProof::present(siblings),
        Some((found, value_hash)) => MapProof::other_leaf(found, value_hash, siblings),
    }
}

fn fixed(bytes: &[u8]) -> [u8; 32] {
    bytes[..32].try_into().unwrap()
}

#[test]
fn empty_map_has_the_placeholder_root_and_proves_absence() {
    let mut nodes = MemoryNodes::new();
    let root = step(&mut nodes, &mut Contents::new(), 0, &Changes::new());
    assert_eq!(root, empty_root());
    assert_eq!(root.0, *b"SPARSE_MERKLE_PLACEHOLDER_HASH__");
    let (value, proof) = prove(&nodes, 0, b"member/x").unwrap();
    assert_eq!(value, None);
    assert_eq!(proof.to_bytes(), [1, 0, 0]);
    assert_eq!(proof.verify(&root, b"member/x", None), Ok(()));
    assert_eq!(proof.verify(&root, b"member/x", Some(b"")), Err(ProofError::WrongKind));
}

#[test]
fn one_key_is_its_own_root() {
    let mut nodes = MemoryNodes::new();
    let changes = Changes::from([(b"parameters".to_vec(), Some(b"p".to_vec()))]);
    let root = step(&mut nodes, &mut Contents::new(), 0, &changes);
    let (value, proof) = prove(&nodes, 0, b"parameters").unwrap();
    assert_eq!(value.as_deref(), Some(b"p".as_slice()));
    assert_eq!(proof.to_bytes(), [0, 0, 0]);
    assert_eq!(proof.verify(&root, b"parameters", Some(b"p")), Ok(()));
    let (_, absent) = prove(&nodes, 0, b"absent").unwrap();
    assert_eq!(absent.to_bytes().len(), 67);
    assert_eq!(absent.verify(&root, b"absent", None), Ok(()));
}

#[test]
fn absent_and_empty_differ() {
    let mut nodes = MemoryNodes::new();
    let changes = Changes::from([(b"a".to_vec(), Some(Vec::new()))]);
    let root = step(&mut nodes, &mut Contents::new(), 0, &changes);
    let (value, proof) = prove(&nodes, 0, b"a").unwrap();
    assert_eq!(value, Some(Vec::new()));
    assert_eq!(proof.verify(&root, b"a", Some(b"")), Ok(()));
    assert_eq!(proof.verify(&root, b"a", None), Err(ProofError::WrongKind));
}

#[test]
fn roots_and_proofs_hold_with_thousands_of_keys() {
    let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
    step(&mut nodes, &mut contents, 0, &put(0..3000));
    let root = step(&mut nodes, &mut contents, 1, &put(2500..4000));
    for number in (0..8000).step_by(13) {
        let (value, proof) = prove(&nodes, 1, &key(number)).unwrap();
        assert_eq!(value.as_ref(), contents.get(&key(number)));
        assert_eq!(proof.verify(&root, &key(number), value.as_deref()), Ok(()));
        assert_eq!(proof, translated(&jmt_proof(&nodes, 1, &key(number)), &key(number)));
        assert!(proof.to_bytes().len() < 1300);
    }
}

#[test]
fn deleting_everything_leads_back_to_the_empty_root() {
    let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
    let filled = step(&mut nodes, &mut contents, 0, &put(0..50));
    let gone: Changes = contents.keys().map(|key| (key.clone(), None)).collect();
    assert_eq!(step(&mut nodes, &mut contents, 1, &gone), empty_root());
    assert_eq!(step(&mut nodes, &mut contents, 2, &gone), empty_root());
    assert_eq!(step(&mut nodes, &mut contents, 3, &put(0..50)), filled);
    let (value, proof) = prove(&nodes, 2, &key(7)).unwrap();
    assert_eq!((value, proof.verify(&empty_root(), &key(7), None)), (None, Ok(())));
}

#[test]
fn versions_that_change_nothing_can_be_built_on() {
    let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
    let first = step(&mut nodes, &mut contents, 0, &put(0..10));
    for version in 1..5 {
        assert_eq!(step(&mut nodes, &mut contents, version, &Changes::new()), first);
    }
    let absent = Changes::from([(b"absent".to_vec(), None)]);
    assert_eq!(step(&mut nodes, &mut contents, 5, &absent), first);
    step(&mut nodes, &mut contents, 6, &put(10..12));
    nodes.prune(6);
    let fresh = update(&MemoryNodes::new(), 0, &put(0..12)).unwrap();
    assert_eq!(
        nodes.node_count(),
        fresh.nodes.len(),
        "pruning left nodes that no kept version uses"
    );
}

#[test]
fn refuses_versions_that_are_not_stored() {
    let mut nodes = MemoryNodes::new();
    let early = update(&nodes, 1, &put(0..3));
    assert!(matches!(early, Err(MapError::MissingVersion { version: 0 })));
    nodes.apply(update(&nodes, 0, &put(0..3)).unwrap());
    assert!(matches!(update(&nodes, 2, &put(0..3)), Err(MapError::MissingVersion { version: 1 })));
    assert!(matches!(prove(&nodes, 1, b"x"), Err(MapError::MissingVersion { version: 1 })));
    nodes.apply(update(&nodes, 1, &put(3..5)).unwrap());
    nodes.prune(1);
    assert!(matches!(prove(&nodes, 0, b"x"), Err(MapError::MissingVersion { version: 0 })));
    assert!(prove(&nodes, 1, b"x").is_ok());
}

#[test]
fn node_keys_are_version_length_and_packed_nibbles() {
    assert_eq!(NodePath::root().key(258), [0, 0, 0, 0, 0, 0, 1, 2, 0]);
    let path = NodePath::root().child(0xa).unwrap().child(0xb).unwrap().child(0xc).unwrap();
    assert_eq!(path.key(1), [0, 0, 0, 0, 0, 0, 0, 1, 3, 0xab, 0xc0]);
}

fn versions() -> impl Strategy<Value = Vec<Changes>> {
    let change = (0..30u64, prop::option::of(prop::collection::vec(any::<u8>(), 0..5)));
    let changes = prop::collection::btree_map(
        (0..30u64).prop_map(key),
        change.prop_map(|(_, value)| value),
        0..12,
    );
    prop::collection::vec(changes, 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_has_the_defined_root_and_proofs_equal_to_those_of_jmt(history in versions()) {
        let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
        let mut states = Vec::new();
        for (version, changes) in (0..).zip(&history) {
            let root = step(&mut nodes, &mut contents, version, changes);
            states.push((root, contents.clone()));
        }
        for (version, (root, contents)) in (0..).zip(&states) {
            for key in (0..34).map(key) {
                let (value, proof) = prove(&nodes, version, &key).unwrap();
                prop_assert_eq!(value.as_ref(), contents.get(&key));
                prop_assert_eq!(proof.verify(root, &key, value.as_deref()), Ok(()));
                let theirs = jmt_proof(&nodes, version, &key);
                prop_assert_eq!(&proof, &translated(&theirs, &key));
                prop_assert!(theirs.verify(jmt::RootHash(root.0), jmt::KeyHash(key_hash(&key)), value).is_ok());
            }
        }
    }

    #[test]
    fn verdicts_equal_those_of_jmt_on_every_key_value_and_root(history in versions()) {
        let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
        let mut states = Vec::new();
        for (version, changes) in (0..).zip(&history) {
            let root = step(&mut nodes, &mut contents, version, changes);
            states.push((root, contents.clone()));
        }
        let last = states.len() as u64 - 1;
        for proven in (0..32).map(key) {
            let theirs = jmt_proof(&nodes, last, &proven);
            for asked in (0..32).step_by(5).map(key).chain([proven.clone()]) {
                let ours = translated(&theirs, &asked);
                for value in [None, contents.get(&asked), contents.get(&proven), Some(&Vec::new())] {
                    for (root, then) in &states {
                        let (root_hash, asked_hash) = (jmt::RootHash(root.0), jmt::KeyHash(key_hash(&asked)));
                        let verdict = theirs.verify(root_hash, asked_hash, value).is_ok();
                        let our_verdict = ours.verify(root, &asked, value.map(Vec::as_slice)).is_ok();
                        // jmt's proof names the value's hash, ours does not: at a root where the key
                        // had another value, on the same path, ours proves that one too.
                        let was_so = value.is_some() && then.get(&asked) == value;
                        prop_assert!(our_verdict == verdict || (our_verdict && was_so));
                    }
                }
            }
        }
    }

    #[test]
    fn pruning_keeps_exactly_the_newest_version(history in versions()) {
        let (mut nodes, mut contents) = (MemoryNodes::new(), Contents::new());
        for (version, changes) in (0..).zip(&history) {
            step(&mut nodes, &mut contents, version, changes);
        }
        let last = history.len() as u64 - 1;
        nodes.prune(last);
        let all: Changes = contents.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
        prop_assert_eq!(nodes.node_count(), update(&MemoryNodes::new(), 0, &all).unwrap().nodes.len());
        for key in (0..34).map(key) {
            let (value, _) = prove(&nodes, last, &key).unwrap();
            prop_assert_eq!(value.as_ref(), contents.get(&key));
        }
    }
}
