//! Proofs of the log, of batches and of the state map, tiles and their names, and stored nodes.

use crate::seeds::{self, bytes, list};
use heatmark_fuzz::{Shape, Target};
use heatmark_merkle::map::{self, MapProof, NodeReader};
use heatmark_merkle::tiles::{self, TileId};
use heatmark_merkle::tree::{self, Frontier, HashReader};
use heatmark_merkle::{Hash, LeafIndex, TreeSize, batch};
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;

fn hash(value: &Value) -> Hash {
    Hash::try_from(bytes(value).as_slice()).unwrap()
}

fn path_bytes(path: &Value) -> Vec<u8> {
    list(path).iter().flat_map(bytes).collect()
}

fn path_of(input: &[u8]) -> Vec<Hash> {
    input.chunks_exact(32).map(|hash| Hash::try_from(hash).unwrap()).collect()
}

fn good(golden: &Value, kind: &str) -> Vec<Value> {
    list(&golden[kind]).iter().filter(|case| case["ok"] == true).cloned().collect()
}

/// Two numbers and a path.
fn numbered(first: u64, second: u64, path: &Value) -> Vec<u8> {
    [&first.to_be_bytes()[..], &second.to_be_bytes()[..], &path_bytes(path)[..]].concat()
}

fn split(input: &[u8]) -> Option<(u64, u64, Vec<Hash>)> {
    let (first, rest) = input.split_first_chunk::<8>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*first), u64::from_be_bytes(*second), path_of(rest)))
}

/// A proof of the golden file: two numbers, a path, and what it leads from and to.
struct Known {
    numbers: (u64, u64),
    path: Vec<Hash>,
    from: Hash,
    to: Hash,
}

fn known(kind: &str, names: [&str; 4]) -> (Vec<Vec<u8>>, Vec<Known>) {
    let [first, second, from, to] = names;
    let all = good(&seeds::tree(), kind).into_iter().map(|case| {
        let numbers = (case[first].as_u64().unwrap(), case[second].as_u64().unwrap());
        let path = path_of(&path_bytes(&case["path"]));
        let known = Known { numbers, path, from: hash(&case[from]), to: hash(&case[to]) };
        (numbered(numbers.0, numbers.1, &case["path"]), known)
    });
    all.unzip()
}

/// A root does not say how many leaves it has, a header does: for the true size there is one proof
/// and one place. For another size the same hashes may lead to the same root.
fn check_place(known: &Known, (index, size): (u64, u64), path: &[Hash]) {
    if size == known.numbers.1 {
        assert_eq!(index, known.numbers.0, "a leaf where it does not stand");
        assert_eq!(path, known.path, "a second proof of one place");
    }
}

#[test]
fn inclusion_proof() {
    let (seeds, known) = known("inclusion", ["index", "size", "leaf", "root"]);
    let run = move |input: &[u8]| {
        let Some((index, size, path)) = split(input) else { return false };
        let proves = |known: &&Known| {
            let (at, of) = (LeafIndex(index), TreeSize(size));
            tree::verify_inclusion(&known.from, at, of, &path, &known.to).is_ok()
        };
        known.iter().filter(proves).inspect(|k| check_place(k, (index, size), &path)).count() > 0
    };
    Target::new("inclusion", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn consistency_proof() {
    let (seeds, known) = known("consistency", ["old", "new", "old_root", "new_root"]);
    let run = move |input: &[u8]| {
        let Some((old, new, path)) = split(input) else { return false };
        let mut any = false;
        for known in &known {
            let (old, new) = (TreeSize(old), TreeSize(new));
            let proved = tree::verify_consistency(old, &known.from, new, &known.to, &path).is_ok();
            if proved && (old.0, new.0) == known.numbers {
                assert_eq!(path, known.path, "a second proof of one growth");
            }
            any |= proved;
        }
        any
    };
    Target::new("consistency", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn batch_proof() {
    let (seeds, known) = known("batch", ["index", "count", "record_root", "root"]);
    let run = move |input: &[u8]| {
        let Some((index, count, path)) = split(input) else { return false };
        let (Ok(at), Ok(of)) = (u32::try_from(index), u32::try_from(count)) else {
            return false;
        };
        let proves = |known: &&Known| batch::verify(&known.from, at, of, &path, &known.to).is_ok();
        known.iter().filter(proves).inspect(|k| check_place(k, (index, count), &path)).count() > 0
    };
    Target::new("batch-proof", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn map_proof() {
    let golden = seeds::map();
    let cases = good(&golden, "proofs");
    let seeds = cases.iter().map(|case| bytes(&case["proof"])).collect();
    type Known = (Vec<u8>, Option<Vec<u8>>, Hash);
    let known: Vec<Known> = cases
        .iter()
        .map(|case| {
            let value = case["value"].as_str().map(|value| hex::decode(value).unwrap());
            (bytes(&case["key"]), value, hash(&case["root"]))
        })
        .collect();
    let run = move |input: &[u8]| {
        let Ok(proof) = MapProof::from_bytes(input) else { return false };
        assert_eq!(proof.to_bytes(), input);
        for (key, value, root) in &known {
            let _ = proof.verify(root, key, value.as_deref());
            assert!(proof.verify(root, key, Some(b"never written")).is_err());
            // What is there is not absent, and what is absent is not there.
            let other = if value.is_some() { None } else { Some(&b""[..]) };
            assert!(proof.verify(root, key, other).is_err());
        }
        true
    };
    Target::new("map-proof", seeds, run).of(Shape::Bytes).may_allocate(2_000, 1 << 20).fuzz();
}

/// A store whose every node is this, and every value.
struct Same<'i>(&'i [u8]);

impl NodeReader for Same<'_> {
    type Error = Infallible;

    fn node(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(Some(self.0.to_vec()))
    }

    fn value(&self, _: &[u8; 32], _: u64) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(Some(self.0.to_vec()))
    }
}

#[test]
fn stored_node_of_the_map() {
    let changes: BTreeMap<_, _> =
        (0..40_u8).map(|n| (vec![n], Some(vec![n; usize::from(n)]))).collect();
    let update = map::update(&map::MemoryNodes::new(), 0, &changes).unwrap();
    let mut seeds: Vec<Vec<u8>> = update.nodes.into_iter().map(|(_, node)| node).collect();
    // Leaves stand where only their own path leads; the root and inner nodes are read anywhere.
    seeds.retain(|node| map::root(&Same(node), 0).is_ok_and(|root| root.is_some()));
    let run = |input: &[u8]| {
        let root = map::root(&Same(input), 7);
        for key in [&b"a"[..], b"key 2", b""] {
            if let Ok((value, proof)) = map::prove(&Same(input), 7, key) {
                let again = MapProof::from_bytes(&proof.to_bytes()).unwrap();
                let _ = again.verify(&map::empty_root(), key, value.as_deref());
            }
        }
        let changes = BTreeMap::from([(b"a".to_vec(), Some(vec![1])), (b"b".to_vec(), None)]);
        let _ = map::update(&Same(input), 8, &changes);
        root.is_ok_and(|root| root.is_some())
    };
    // One node is read 64 times on the way down.
    let target = Target::new("map-node", seeds, run).of(Shape::Bytes);
    target.may_allocate(2_000, 1 << 20).fuzz();
}

struct SameTile<'i>(&'i [u8]);

impl HashReader for SameTile<'_> {
    type Error = Infallible;

    fn tile(&self, _: TileId, _: u16) -> Result<Vec<u8>, Infallible> {
        Ok(self.0.to_vec())
    }
}

#[test]
fn stored_tile() {
    let seeds = vec![[&300_u64.to_be_bytes()[..], &[7; 256 * 32][..]].concat()];
    let run = |input: &[u8]| {
        let Some((size, tile)) = input.split_first_chunk::<8>() else { return false };
        let size = TreeSize(u64::from_be_bytes(*size));
        let reader = SameTile(tile);
        let frontier = Frontier::from_tiles(size, &reader);
        if let Ok(frontier) = &frontier {
            assert_eq!(frontier.size(), size);
            let _ = frontier.root();
        }
        let _ = tree::inclusion_path(LeafIndex(size.0 / 3), size, &reader);
        let _ = tree::consistency_path(TreeSize(size.0 / 2), size, &reader);
        let _ = tiles::appended(size, &[Hash([1; 32]); 3], &reader);
        frontier.is_ok()
    };
    // A path over a log of any length reads eight tiles, for each of its hashes at worst.
    let target = Target::new("tile", seeds, run).of(Shape::Bytes);
    target.may_allocate(1_000, 1 << 20).fuzz();
}

#[test]
fn tile_path() {
    let seeds =
        ["tile/0/000", "tile/3/x001/x234/067.p/5", "tile/entries/x123/456", "tile/7/000.p/1"];
    let run = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let tile = tiles::parse(text).map(|(tile, width)| tiles::path(tile, width) == text);
        let bundle = tiles::parse_bundle(text)
            .map(|(index, width)| tiles::bundle_path(index, width) == text);
        assert!(tile.unwrap_or(true) && bundle.unwrap_or(true), "two spellings of one tile");
        tiles::parse(text).is_ok() || tiles::parse_bundle(text).is_ok()
    };
    let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    Target::new("tile-path", seeds, run).of(Shape::Text).fuzz();
}
