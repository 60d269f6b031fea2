#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::stage::{AGENTS, OTHER, REGULATORS, Stage, free, member, network, priced};

fn refused(change: impl Fn(&mut Manifest)) {
    let mut manifest = Stage::under(free()).manifest;
    let digest = manifest.digest();
    change(&mut manifest);
    assert_ne!(manifest.digest(), digest, "nothing was changed");
    assert!(Manifest::read(&manifest.to_bytes(), &network()).is_err());
}

#[test]
fn a_manifest_is_read_back_in_its_one_encoding_only() {
    let manifest = Stage::under(free()).manifest;
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::read(&bytes, &network()).unwrap(), manifest);
    let surplus = [bytes.as_slice(), &[0xf8, 0x07, 0x01]].concat();
    assert_eq!(Manifest::read(&surplus, &network()), Err(EscrowError::NotCanonical));
    assert!(Manifest::read(&bytes[1..], &network()).is_err());
    assert!(Manifest::read(&bytes, &NetworkId::from([1; 32])).is_err());
    let long = vec![0; MAX_MANIFEST_BYTES + 1];
    assert_eq!(Manifest::read(&long, &network()), Err(EscrowError::TooLong));
}

#[test]
fn members_have_the_indices_of_their_places() {
    let manifest = Stage::under(free()).manifest;
    assert_eq!(manifest.index_of(&member(AGENTS[0])), Some(1));
    assert_eq!(manifest.agent(3), Some(member(AGENTS[2])));
    assert_eq!(manifest.agent(0), None);
    assert_eq!(manifest.agent(4), None);
    assert_eq!(manifest.index_of(&member(OTHER)), None);
    assert!(manifest.pinned_root(&member(REGULATORS[0])).is_some());
    assert_eq!(manifest.pinned_root(&member(OTHER)), None);
}

#[test]
fn refuses_five_of_five_dealt_as_three_of_five() {
    // The number of commitments is what a sharing really takes.
    refused(|manifest| manifest.threshold = 1);
    refused(|manifest| manifest.threshold = 3);
    refused(|manifest| manifest.sections[0].commitments.truncate(32));
    refused(|manifest| manifest.sections[0].commitments.extend([1; 32]));
    refused(|manifest| manifest.sections[0].commitments = vec![0; 64]);
}

#[test]
fn refuses_manifests_that_could_not_be_kept() {
    refused(|manifest| manifest.version = 2);
    refused(|manifest| manifest.salt = vec![]);
    refused(|manifest| manifest.epoch = 0);
    refused(|manifest| manifest.epoch = 2);
    refused(|manifest| manifest.previous = vec![1; 32]);
    refused(|manifest| manifest.threshold = 0);
    refused(|manifest| manifest.threshold = 4);
    refused(|manifest| manifest.agents.clear());
    refused(|manifest| manifest.agents[1].member = manifest.agents[0].member.clone());
    refused(|manifest| manifest.agents[0].country = "Germany".into());
    refused(|manifest| manifest.sections.clear());
    refused(|manifest| manifest.sections.swap(0, 1));
    refused(|manifest| manifest.sections[1].name = "assay".into());
    refused(|manifest| manifest.sections[0].bytes += 1 << 20);
    refused(|manifest| manifest.sections[0].bytes = 1);
    refused(|manifest| manifest.sections[0].pieces += 1);
    refused(|manifest| manifest.sections[0].fields.swap(0, 1));
    refused(|manifest| manifest.sections[0].fields[0] = "/".into());
    refused(|manifest| manifest.sections[0].documents[0].bytes = u64::MAX);
    refused(|manifest| manifest.sections[1].fields.clear());
    refused(|manifest| manifest.clauses.push(manifest.clauses[0].clone()));
    refused(|manifest| manifest.regulators.swap(0, 1));
    refused(|manifest| manifest.regulators[0].root_key = manifest.regulators[1].root_key.clone());
    refused(|manifest| manifest.quorum = 0);
    refused(|manifest| manifest.quorum = 4);
    refused(|manifest| manifest.regulators.clear());
}

#[test]
fn the_next_epoch_deposits_the_same() {
    let first = Stage::under(free()).manifest;
    let next = Manifest {
        epoch: 2,
        previous: first.digest().0.to_vec(),
        salt: vec![1; 32],
        ..first.clone()
    };
    next.check().unwrap();
    next.check_succeeds(&first).unwrap();
    let mut content = next.clone();
    content.sections[0].root = vec![1; 32];
    let others = [
        Manifest { epoch: 3, ..next.clone() },
        Manifest { previous: vec![1; 32], ..next.clone() },
        Manifest { owner: member(OTHER).to_vec(), ..next.clone() },
        Manifest { record: vec![1; 32], ..next },
        content,
    ];
    for other in others {
        assert!(matches!(other.check_succeeds(&first), Err(EscrowError::Succession(_))));
    }
}

#[test]
fn clauses_that_contradict_themselves_are_refused() {
    let cases: [&dyn Fn(&mut Clause); 14] = [
        &|clause| clause.salt = vec![],
        &|clause| clause.name = " ".into(),
        &|clause| clause.sections.clear(),
        &|clause| clause.sections.swap(0, 1),
        &|clause| clause.who_kind = 0,
        &|clause| clause.who_kind = 9,
        &|clause| clause.members = vec![vec![1; 32]],
        &|clause| clause.price_kind = 1,
        &|clause| clause.price_kind = 3,
        &|clause| clause.amount = 0,
        &|clause| clause.premium = 1,
        &|clause| clause.currency = "eur".into(),
        &|clause| clause.arbiters.clear(),
        &|clause| clause.purposes = vec!["b".into(), "a".into()],
    ];
    for change in cases {
        let mut clause = priced();
        clause.check().unwrap();
        change(&mut clause);
        assert!(Clause::read(&clause.to_bytes()).is_err());
    }
}
