//! Golden files under `tests/vectors`: every encoding, hash and proof, for implementations in any
//! language. `HEATMARK_BLESS=1` writes them anew; otherwise they must be what the rules give.

use crate::cases;
use crate::equivocation;
use crate::evidence::{self, Case, Evidence, Trust};
use crate::town::{self, Town, bytes32, hash, key, public};
use heatmark_ledger::block::Block;
use heatmark_ledger::certificate::{VoteKind, proposal_preimage, vote_preimage};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Height, Round};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages::KeyAlgorithm;
use heatmark_ledger::{Hash, LeafIndex, TreeSize, transaction};
use heatmark_merkle::map::{self, MapProof, MemoryNodes};
use heatmark_merkle::tiles::{MemoryTiles, appended};
use heatmark_merkle::{ProofError, batch, tag, tree};
use prost::Message;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the golden files stand.
pub(crate) fn vectors_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

pub(crate) fn golden(name: &str, value: &Value) {
    let path = vectors_directory().join(name);
    let text = pretty(value);
    assert!(text.len() < 400_000, "{name} has {} bytes", text.len());
    if std::env::var_os("HEATMARK_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    if let Some((line, (ours, theirs))) =
        text.lines().zip(committed.lines()).enumerate().find(|(_, (a, b))| a != b)
    {
        panic!("{name}, line {}: the rules give\n{ours}\nthe file says\n{theirs}", line + 1);
    }
    assert_eq!(text.len(), committed.len(), "{name} is longer or shorter than the rules give");
}

pub(crate) fn hexed(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(bytes)
}

#[test]
fn encodings_are_golden() {
    let town = Town::with_two_set_changes();
    let network = town.tip.network;
    let preimages: Vec<Value> = [
        ("network", vec![]),
        ("network", vec![b"a".to_vec()]),
        ("network", vec![vec![]]),
        ("header", vec![vec![], vec![]]),
        ("batch-leaf", vec![vec![7; 32]]),
        ("transaction", vec![vec![1; 300]]),
    ]
    .into_iter()
    .map(|(what, parts)| {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let hexes: Vec<String> = parts.iter().map(hexed).collect();
        json!({ "what": what, "parts": hexes, "preimage": hexed(tag::preimage(what, &slices)),
            "hash": hexed(tag::hash(what, &slices).0) })
    })
    .collect();
    let keys: Vec<Value> = town
        .members
        .iter()
        .map(|member| {
            let root = PublicKey::of(&member.root);
            let signing = PublicKey::of(&member.signing);
            let envelope = bytes32(&format!("{} envelope", member.name));
            json!({ "root": hexed(root.to_bytes()), "root_key_id": hexed(root.id().as_bytes()),
                "member_id": hexed(member.id.as_bytes()),
                "alert_subject": hexed(signing.alert_subject().as_bytes()),
                "alert_key": hexed(signing.to_bytes()), "x25519": hexed(envelope),
                "x25519_key_id": hexed(keys::key_id(KeyAlgorithm::X25519, &envelope).as_bytes()) })
        })
        .collect();
    let headers: Vec<Value> = (1..=6)
        .map(|height| {
            let message = town.header(height);
            let header = Header::from_proto(&message).unwrap();
            json!({ "encoding": hexed(message.encode_to_vec()), "hash": hexed(header.hash().as_bytes()) })
        })
        .collect();
    let voter = PublicKey::of(&town.members[0].consensus).to_bytes();
    let value = Header::from_proto(&town.header(3)).unwrap().hash();
    let at = (Height(3), Round(1));
    let vote = |kind, value| hexed(vote_preimage(&network, kind, at, value, &voter));
    let proposal = |lock| hexed(proposal_preimage(&network, at, lock, &value, &voter));
    let set = |set: &heatmark_ledger::validators::ValidatorSet| json!({ "encoding": hexed(set.to_proto().encode_to_vec()), "hash": hexed(set.hash().0) });
    let transactions: Vec<Value> = town
        .envelopes
        .iter()
        .map(|envelope| {
            let transaction = town.decode(envelope).unwrap();
            json!({ "envelope": hexed(envelope), "signer": hexed(transaction.signer().as_bytes()),
                "transaction_id": hexed(transaction.id().as_bytes()),
                "leaf_hash": hexed(transaction.leaf_hash().0) })
        })
        .collect();
    let first = &town.envelopes[0];
    let block = town.blocks[5].block.as_ref().unwrap().encode_to_vec();
    assert!(Block::decode(&block).is_ok());
    golden(
        "encodings.json",
        &json!({
            "about": "proto/README.md, sections 1 to 3 and 6. Hexadecimal throughout.",
            "preimages": preimages,
            "network": hexed(network.as_bytes()),
            "keys": keys,
            "headers": headers,
            "votes": {
                "validator": hexed(voter), "height": 3, "round": 1, "value": hexed(value.as_bytes()),
                "prevote": vote(VoteKind::Prevote, Some(&value)),
                "precommit": vote(VoteKind::Precommit, Some(&value)),
                "prevote_nil": vote(VoteKind::Prevote, None),
                "precommit_nil": vote(VoteKind::Precommit, None),
                "proposal": proposal(None),
                "proposal_locked_in_round_0": proposal(Some(Round(0))),
            },
            "validator_sets": [set(town.genesis.validators()), set(&town.tip.validators)],
            "transactions": transactions,
            "leaf_data": { "envelope": hexed(first), "leaf_data": hexed(transaction::leaf_data(first)) },
            "block": hexed(block),
        }),
    );
}

/// The edge cases stand in the project's shared data; the answers stand here.
#[test]
fn ed25519_edge_cases_are_golden() {
    let shared = vectors_directory().join("../../../shared/data/vectors/ed25519-edge-cases.json");
    let Ok(text) = std::fs::read_to_string(&shared) else {
        println!("SKIPPED: the Ed25519 edge cases are not here");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(cases.len(), 914);
    let field = |case: &Value, name: &str| case[name].as_str().unwrap().to_owned();
    let (mut acceptable_keys, mut accepted) = (Vec::new(), Vec::new());
    for case in &cases {
        let key = PublicKey::from_bytes(&hex::decode(field(case, "key")).unwrap());
        let signature = hex::decode(field(case, "sig")).unwrap();
        let verified =
            key.is_ok_and(|key| key.verify(field(case, "msg").as_bytes(), &signature).is_ok());
        let flags: Vec<&str> = case["flags"]
            .as_array()
            .map_or(vec![], |f| f.iter().filter_map(Value::as_str).collect());
        let forbidden = [
            "low_order_A",
            "low_order_component_A",
            "low_order_R",
            "non_canonical_A",
            "non_canonical_R",
            "low_order_residue",
        ];
        assert!(
            !(verified && flags.iter().any(|flag| forbidden.contains(flag))),
            "case {} is accepted in spite of {flags:?}",
            case["number"]
        );
        if key.is_ok() {
            acceptable_keys.push(case["number"].clone());
        }
        if verified {
            accepted.push(case["number"].clone());
        }
    }
    assert!(accepted.len() < cases.len() / 2);
    golden(
        "ed25519.json",
        &json!({
            "about": "Of C2SP's 914 Ed25519 edge cases, by number: whose key is acceptable, and whose \
                signature is accepted as well. All others are refused. proto/README.md, section 2.",
            "cases": cases.len(),
            "acceptable_keys": one_line(&acceptable_keys),
            "accepted": one_line(&accepted),
        }),
    );
}

fn one_line(numbers: &[Value]) -> String {
    numbers.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}

/// The format that the second verifier reads; codes are left out where only verdicts count.
pub(crate) fn receipts_json(cases: &[Case], with_codes: bool) -> String {
    let all: Vec<Value> = cases
        .iter()
        .map(|case| {
            let expect = match case.expect {
                "ok" | "input" => case.expect,
                "older-than-trust" => "cannot-tell",
                _ => "refused",
            };
            let mut object = json!({ "name": case.name, "expect": expect });
            if with_codes && !matches!(case.expect, "ok" | "input") {
                object["error"] = case.expect.into();
            }
            let (kind, trust) = match &case.trust {
                Trust::Genesis(text) => ("genesis", text.clone()),
                Trust::Pinned(bytes) => ("pinned", hexed(bytes)),
            };
            object["trust_kind"] = kind.into();
            object["trust"] = trust.into();
            match &case.evidence {
                Evidence::Receipt(bytes) => object["receipt"] = hexed(bytes).into(),
                Evidence::State(bytes) => object["state_proof"] = hexed(bytes).into(),
            }
            object
        })
        .collect();
    pretty(&json!({ "cases": all }))
}

#[test]
fn receipts_are_golden() {
    let text = receipts_json(&evidence::cases(), true);
    golden("receipts.json", &serde_json::from_str(&text).unwrap());
}

#[test]
fn restarts_are_golden() {
    let text = receipts_json(&evidence::restart_cases(), true);
    golden("restarts.json", &serde_json::from_str(&text).unwrap());
}

#[test]
fn evidence_is_golden() {
    let all: Vec<Value> = equivocation::cases()
        .into_iter()
        .map(|case| {
            let expect = match case.expect {
                "ok" | "input" => case.expect,
                "older-than-trust" => "cannot-tell",
                _ => "refused",
            };
            let (kind, trust) = match &case.trust {
                Trust::Genesis(text) => ("genesis", text.clone()),
                Trust::Pinned(bytes) => ("pinned", hexed(bytes)),
            };
            let mut object = json!({ "name": case.name, "expect": expect, "trust_kind": kind,
                "trust": trust, "evidence": hexed(case.evidence) });
            if !matches!(case.expect, "ok" | "input") {
                object["error"] = case.expect.into();
            }
            object
        })
        .collect();
    golden("evidence.json", &json!({ "cases": all }));
}

fn result(found: Result<(), ProofError>) -> Value {
    found.is_ok().into()
}

fn hashes(all: &[Hash]) -> Vec<String> {
    all.iter().map(|hash| hexed(hash.0)).collect()
}

/// Mutations of a path, of which none may verify.
fn wrong_paths(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut wrong = vec![[path, &[hash("surplus")]].concat()];
    if let Some((_, shorter)) = path.split_last() {
        wrong.push(shorter.to_vec());
        let mut flipped = path.to_vec();
        flipped[0].0[0] ^= 1;
        wrong.push(flipped);
    }
    if path.len() > 1 {
        wrong.push(path.iter().rev().copied().collect());
    }
    wrong
}

#[test]
fn the_tree_is_golden() {
    let data: Vec<Vec<u8>> = (0..20_u8).map(|n| vec![n; usize::from(n)]).collect();
    let leaves: Vec<Hash> = data.iter().map(|data| tree::leaf_hash(data)).collect();
    let (mut tiles, mut frontier) = (MemoryTiles::new(), tree::Frontier::new());
    tiles.apply(appended(TreeSize(0), &leaves, &tiles).unwrap());
    let mut roots = vec![frontier.root()];
    for leaf in &leaves {
        frontier.push(*leaf);
        roots.push(frontier.root());
    }
    let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
    for size in [1_u64, 2, 3, 5, 8, 13, 20] {
        for index in [0, size / 2, size - 1] {
            let sound = tree::inclusion_path(LeafIndex(index), TreeSize(size), &tiles).unwrap();
            let root = roots[size as usize];
            let mut case = |index: u64, leaf: &Hash, path: &[Hash], root: &Hash| {
                let found =
                    tree::verify_inclusion(leaf, LeafIndex(index), TreeSize(size), path, root);
                inclusion.push(json!({ "leaf": hexed(leaf.0), "index": index, "size": size,
                    "path": hashes(path), "root": hexed(root.0), "ok": result(found) }));
                found.is_ok()
            };
            let leaf = leaves[index as usize];
            assert!(case(index, &leaf, &sound, &root));
            for path in wrong_paths(&sound) {
                // A path upside down that is its own mirror does not occur: siblings differ.
                assert!(!case(index, &leaf, &path, &root));
            }
            assert!(!case(size, &leaf, &sound, &root));
            assert!(!case(index, &hash("other"), &sound, &root));
            assert!(!case(index, &leaf, &sound, &hash("other")));
        }
    }
    for (old, new) in [(0, 0), (0, 5), (1, 1), (1, 2), (3, 7), (4, 8), (6, 8), (7, 20), (20, 20)] {
        let sound = tree::consistency_path(TreeSize(old), TreeSize(new), &tiles).unwrap();
        let (first, second) = (roots[old as usize], roots[new as usize]);
        let mut case = |old: u64, first: &Hash, second: &Hash, path: &[Hash]| {
            let found = tree::verify_consistency(TreeSize(old), first, TreeSize(new), second, path);
            consistency.push(json!({ "old": old, "old_root": hexed(first.0), "new": new,
                "new_root": hexed(second.0), "path": hashes(path), "ok": result(found) }));
            found.is_ok()
        };
        assert!(case(old, &first, &second, &sound));
        for path in wrong_paths(&sound) {
            assert!(!case(old, &first, &second, &path));
        }
        assert!(!case(new + 1, &first, &second, &sound));
        assert!(!case(old, &hash("other"), &second, &sound));
    }
    let records: Vec<Hash> = (0..7).map(|n| hash(&format!("record {n}"))).collect();
    let batch = batch::BatchTree::new(&records).unwrap();
    let mut in_batch = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let index = index as u32;
        let sound = batch.path(index).unwrap();
        let mut case = |record: &Hash, index: u32, count: u32, path: &[Hash]| {
            let found = batch::verify(record, index, count, path, &batch.root());
            in_batch.push(json!({ "record_root": hexed(record.0), "index": index, "count": count,
                "path": hashes(path), "root": hexed(batch.root().0), "ok": result(found) }));
            found.is_ok()
        };
        assert!(case(record, index, 7, &sound));
        assert!(!case(&hash("other"), index, 7, &sound));
        assert!(!case(record, index ^ 1, 7, &sound));
        assert!(!case(record, index, 70, &sound));
        assert!(!case(record, index, 0, &sound));
    }
    let leaf_data: Vec<String> = data.iter().map(hexed).collect();
    golden(
        "tree.json",
        &json!({ "about": "proto/README.md, section 4. `roots` begins with the empty tree's.",
            "leaf_data": leaf_data, "leaf_hashes": hashes(&leaves), "roots": hashes(&roots),
            "inclusion": inclusion, "consistency": consistency, "batch": in_batch }),
    );
}

#[test]
fn the_map_is_golden() {
    let mut entries: map_entries::Entries = (0..24_u8)
        .map(|n| (format!("key {n}").into_bytes(), Some(vec![n; usize::from(n % 5)])))
        .collect();
    let mut nodes = MemoryNodes::new();
    let mut roots = vec![json!({ "keys": 0, "root": hexed(map::empty_root().0) })];
    let first = entries.split_off(b"key 2".as_slice());
    for (version, part) in [entries.clone(), first.clone()].iter().enumerate() {
        let update = map::update(&nodes, version as u64, part).unwrap();
        roots.push(json!({ "keys": if version == 0 { entries.len() } else { 24 },
            "root": hexed(update.root.0) }));
        nodes.apply(update);
    }
    entries.extend(first);
    let root = map::root(&nodes, 1).unwrap().unwrap();
    let mut proofs = Vec::new();
    let absent: Vec<Vec<u8>> = (0..12).map(|n| format!("nobody {n}").into_bytes()).collect();
    for key in entries.keys().step_by(3).chain(&absent) {
        let (value, proof) = map::prove(&nodes, 1, key).unwrap();
        let sound = proof.to_bytes();
        let mut case = |key: &[u8], value: Option<&[u8]>, root: &Hash, proof: &[u8]| {
            let found = MapProof::from_bytes(proof).and_then(|p| p.verify(root, key, value));
            proofs.push(json!({ "key": hexed(key), "value": value.map(hexed),
                "root": hexed(root.0), "proof": hexed(proof), "ok": result(found) }));
            found.is_ok()
        };
        let held = value.as_deref();
        assert!(case(key, held, &root, &sound));
        let opposite = if held.is_some() { None } else { Some(b"x".as_slice()) };
        assert!(!case(key, opposite, &root, &sound));
        assert!(!case(b"another key", held, &root, &sound));
        assert!(!case(key, held, &hash("other"), &sound));
        assert!(!case(key, held, &root, &sound[..sound.len() - 1]));
        assert!(!case(key, held, &root, &[sound.as_slice(), &[0]].concat()));
        for at in [0, sound.len() / 2, sound.len() - 1] {
            let mut flipped = sound.clone();
            flipped[at] ^= 1;
            assert!(!case(key, held, &root, &flipped));
        }
    }
    let written: Vec<Value> = entries
        .iter()
        .map(|(key, value)| json!({ "key": hexed(key), "value": value.as_ref().map(hexed) }))
        .collect();
    golden(
        "map.json",
        &json!({ "about": "proto/README.md, section 5. `roots`: of no key, of those before `key 2`, of all.",
            "entries": written, "roots": roots, "proofs": proofs }),
    );
}

mod map_entries {
    pub(super) type Entries = std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>;
}

#[test]
fn genesis_texts_are_golden() {
    let cases: Vec<Value> = crate::genesis::cases()
        .into_iter()
        .map(|case| {
            let read = Genesis::parse(case.text.as_bytes()).ok();
            let network = read.as_ref().map(|genesis| hexed(genesis.network().as_bytes()));
            let validators = read.as_ref().map(|genesis| hexed(genesis.validators().hash().0));
            let state_root = read.as_ref().map(|genesis| {
                let (_, tip) = heatmark_ledger::audit::MemoryLedger::new(genesis).unwrap();
                hexed(tip.state_root.0)
            });
            json!({ "name": case.name, "parses": case.parses, "signed_by_all": case.signed,
                "network": network, "validators": validators, "state_root": state_root,
                "text": case.text })
        })
        .collect();
    golden("genesis.json", &json!({ "about": "proto/README.md, section 6.", "cases": cases }));
}

#[test]
fn transactions_are_golden() {
    let (town, all) = cases::all();
    let blocks: Vec<String> = town.blocks.iter().map(|b| hexed(b.encode_to_vec())).collect();
    let cases: Vec<Value> = all
        .iter()
        .filter(|case| case.envelope.len() < 60_000)
        .map(|case| {
            let code = town.refusal(&case.envelope, case.time_ms).err().map(|r| r.code());
            json!({ "name": case.name, "time_ms": case.time_ms, "refused": code,
                "envelope": hexed(&case.envelope) })
        })
        .collect();
    golden(
        "transactions.json",
        &json!({ "about": "proto/README.md, section 3. After `blocks`, each transaction alone in the \
            next block, at its time: null where it takes effect, else why it is refused.",
            "genesis": town.text(), "blocks": blocks,
            "next_height": town.tip.height.0 + 1, "cases": cases }),
    );
}

#[test]
fn the_towns_keys_are_acceptable() {
    for name in ["Mill root", "Forge signing", "Lab consensus"] {
        assert!(PublicKey::from_bytes(&public(&key(name))).is_ok());
    }
    assert_eq!(town::document().founders.len(), 4);
}
