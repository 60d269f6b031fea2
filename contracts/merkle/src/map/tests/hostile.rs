//! Claims about hostile proofs and damaged nodes: refused, and without panic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use super::*;

/// A map and one key of each kind of proof with at least one sibling.
fn sample() -> (Hash, MemoryNodes, Vec<Vec<u8>>) {
    let mut nodes = MemoryNodes::new();
    let root = step(&mut nodes, &mut Contents::new(), 0, &put(0..60));
    let kinds = [0u8, 1, 2].map(|kind| {
        (0..).map(key).find(|key| prove(&nodes, 0, key).unwrap().1.to_bytes()[0] == kind).unwrap()
    });
    (root, nodes, kinds.to_vec())
}

#[test]
fn rejects_every_proof_with_a_bit_flipped_a_byte_missing_or_a_byte_more() {
    let (root, nodes, keys) = sample();
    for key in &keys {
        let (value, proof) = prove(&nodes, 0, key).unwrap();
        let bytes = proof.to_bytes();
        assert_eq!(MapProof::from_bytes(&bytes), Ok(proof));
        let holds = |bytes: &[u8]| {
            MapProof::from_bytes(bytes)
                .is_ok_and(|proof| proof.verify(&root, key, value.as_deref()).is_ok())
        };
        assert!(holds(&bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&flipped), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(MapProof::from_bytes(&bytes[..cut]), Err(ProofError::Encoding));
        }
        for more in [1, 31, 32, 33] {
            let longer = [bytes.as_slice(), &vec![0; more]].concat();
            assert_eq!(MapProof::from_bytes(&longer), Err(ProofError::Encoding));
        }
    }
}

#[test]
fn rejects_proofs_for_other_keys_values_and_roots() {
    let (root, nodes, keys) = sample();
    for key in &keys {
        let (value, proof) = prove(&nodes, 0, key).unwrap();
        for other in (0..80).map(super::key).filter(|other| other != key) {
            assert!(proof.verify(&root, &other, Some(b"forged")).is_err());
            if prove(&nodes, 0, &other).unwrap().0.is_some() {
                assert!(proof.verify(&root, &other, None).is_err(), "hid a key that is there");
            }
        }
        assert!(proof.verify(&empty_root(), key, value.as_deref()).is_err());
        assert!(proof.verify(&root, key, Some(b"forged")).is_err());
        assert_eq!(proof.verify(&root, key, None).is_ok(), value.is_none());
    }
}

#[test]
fn rejects_absence_shown_by_an_unrelated_leaf() {
    let (root, nodes, keys) = sample();
    let (value, present) = prove(&nodes, 0, &keys[0]).unwrap();
    let value_hash: [u8; 32] = Sha256::digest(value.unwrap()).into();
    let bytes = present.to_bytes();
    // The leaf is there and its path leads to the root, but it excludes neither its own key nor one elsewhere.
    let forged = [&[2], key_hash(&keys[0]).as_slice(), value_hash.as_slice(), &bytes[1..]].concat();
    let forged = MapProof::from_bytes(&forged).unwrap();
    assert_eq!(forged.verify(&root, &keys[0], None), Err(ProofError::UnrelatedLeaf));
    let elsewhere =
        (0..60).map(super::key).find(|other| key_hash(other)[0] >> 7 != key_hash(&keys[0])[0] >> 7);
    assert_eq!(forged.verify(&root, &elsewhere.unwrap(), None), Err(ProofError::UnrelatedLeaf));
}

#[test]
fn bounds_the_number_of_siblings() {
    let full = |count: u16| {
        [&[0], count.to_be_bytes().as_slice(), &vec![0; usize::from(count).div_ceil(8)]].concat()
    };
    assert!(MapProof::from_bytes(&full(256)).is_ok());
    for count in [257, 264, 512, u16::MAX] {
        assert_eq!(MapProof::from_bytes(&full(count)), Err(ProofError::Encoding));
    }
    let longest = MapProof::other_leaf([1; 32], [2; 32], vec![Hash([3; 32]); MAX_SIBLINGS]);
    assert_eq!(longest.to_bytes().len(), MAX_PROOF_LEN);
    assert_eq!(MapProof::from_bytes(&longest.to_bytes()), Ok(longest.clone()));
    assert_eq!(longest.verify(&Hash([0; 32]), b"k", None), Err(ProofError::UnrelatedLeaf));
}

#[test]
fn refuses_a_second_spelling_of_an_empty_sibling() {
    let written = [&[1, 0, 1, 0x80], empty_root().as_ref()].concat();
    assert_eq!(MapProof::from_bytes(&written), Err(ProofError::Encoding));
    assert!(MapProof::from_bytes(&[1, 0, 1, 0]).is_ok());
    for padding in 1..128u8 {
        assert_eq!(MapProof::from_bytes(&[1, 0, 1, padding]), Err(ProofError::Encoding));
    }
    for kind in 3..=255 {
        assert_eq!(MapProof::from_bytes(&[kind, 0, 0]), Err(ProofError::Encoding));
    }
}

/// A map whose nodes all come back as `change` makes them.
struct Damaged<'a, F>(&'a MemoryNodes, F);

impl<F: Fn(Vec<u8>) -> Vec<u8>> NodeReader for Damaged<'_, F> {
    type Error = std::convert::Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(self.0.node(key)?.map(&self.1))
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Self::Error> {
        self.0.value(key_hash, max_version)
    }
}

#[test]
fn reports_nodes_cut_short_or_lengthened_as_corrupt() {
    let (_, nodes, keys) = sample();
    for cut in [1, 2, 40] {
        let damaged = Damaged(&nodes, |bytes: Vec<u8>| bytes[..bytes.len() - cut].to_vec());
        assert!(matches!(prove(&damaged, 0, &keys[0]), Err(MapError::Corrupt)));
        assert!(matches!(update(&damaged, 1, &put(0..5)), Err(MapError::Corrupt)));
    }
    let damaged = Damaged(&nodes, |bytes: Vec<u8>| [bytes.as_slice(), &[0]].concat());
    assert!(matches!(update(&damaged, 1, &put(0..5)), Err(MapError::Corrupt)));
}

#[derive(Debug, thiserror::Error)]
#[error("disk gone")]
struct DiskGone;

struct Failing;

impl NodeReader for Failing {
    type Error = DiskGone;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskGone> {
        // The root is an inner node with two inner children, which cannot be read.
        let child =
            [&[1], [7; 32].as_slice(), &0u64.to_le_bytes(), &[1], &2u64.to_le_bytes()].concat();
        let children = [vec![1], child.clone(), child, vec![0; 14]].concat();
        let root = [children, 2u64.to_le_bytes().to_vec(), 4u64.to_le_bytes().to_vec()].concat();
        if key.len() == 9 { Ok(Some(root)) } else { Err(DiskGone) }
    }

    fn value(&self, _: &[u8; 32], _: u64) -> Result<Option<Vec<u8>>, DiskGone> {
        Err(DiskGone)
    }
}

#[test]
fn failures_of_the_store_keep_their_cause() {
    let low = (0..).map(key).find(|key| key_hash(key)[0] < 0x20).unwrap();
    let cause = |error: MapError| std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause(prove(&Failing, 0, &low).unwrap_err()), "disk gone");
    let changes = Changes::from([(low, Some(Vec::new()))]);
    assert_eq!(cause(update(&Failing, 1, &changes).unwrap_err()), "disk gone");
}

#[test]
fn a_value_that_does_not_match_its_leaf_is_corrupt() {
    let (_, mut nodes, keys) = sample();
    let values = vec![(key_hash(&keys[0]), Some(b"swapped".to_vec()))];
    nodes.apply(Update {
        root: empty_root(),
        version: 0,
        nodes: Vec::new(),
        stale: Vec::new(),
        values,
    });
    assert!(matches!(prove(&nodes, 0, &keys[0]), Err(MapError::Corrupt)));
}

proptest! {
    #[test]
    fn any_bytes_are_the_one_encoding_of_a_proof_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = MapProof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
            prop_assert!(proof.verify(&Hash([0; 32]), b"key", None).is_err());
        }
    }

    #[test]
    fn any_proof_survives_its_encoding(
        kind in 0..3u8, leaf: ([u8; 32], [u8; 32]), siblings in prop::collection::vec(prop::option::of(any::<[u8; 32]>()), 0..=256),
    ) {
        let siblings = siblings.into_iter().map(|sibling| sibling.map_or(empty_root(), Hash)).collect();
        let proof = match kind {
            0 => MapProof::present(siblings),
            1 => MapProof::empty(siblings),
            _ => MapProof::other_leaf(leaf.0, leaf.1, siblings),
        };
        prop_assert_eq!(MapProof::from_bytes(&proof.to_bytes()), Ok(proof));
    }

    #[test]
    fn any_node_bytes_are_read_or_refused(tag in 0..4u8, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [vec![tag], bytes].concat();
        if let Ok(node) = Node::decode(&bytes, &NodePath::root()) {
            node.hash();
        }
    }

    #[test]
    fn damaged_nodes_never_make_a_proof_that_verifies_wrongly(
        number in 0..70u64, position: prop::sample::Index, mask in 1..=255u8,
    ) {
        let (root, nodes, _) = sample();
        let damaged = Damaged(&nodes, |mut bytes: Vec<u8>| {
            let at = position.index(bytes.len());
            bytes[at] ^= mask;
            bytes
        });
        let honest = prove(&nodes, 0, &key(number)).unwrap().0;
        if let Ok((value, proof)) = prove(&damaged, 0, &key(number))
            && proof.verify(&root, &key(number), value.as_deref()).is_ok()
        {
            prop_assert_eq!(value, honest);
        }
    }
}
