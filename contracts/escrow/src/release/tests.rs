#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::judge;
use crate::stage::{AGENTS, OTHER, Stage, free, member, reply, sign};

/// What an agent releases for both sections.
fn released(stage: &Stage, terms: &Terms, agent: usize) -> Vec<Vec<u8>> {
    let sections = terms.sections.iter();
    let seal = |section: &String| {
        release(&stage.shares[section][agent], terms, section, &mut rand::rng()).unwrap()
    };
    sections.map(seal).collect()
}

fn opened(
    stage: &Stage,
    terms: &Terms,
    index: u8,
    envelopes: &[Vec<u8>],
) -> Result<Share, ShareFault> {
    open_release(&reply(index), &stage.manifest, terms, (index, "assay"), envelopes)
}

#[test]
fn a_released_share_opens_by_the_key_of_its_agent() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    for (agent, index) in (0..3).zip(1..) {
        let envelopes = released(&stage, &terms, agent);
        assert!(envelopes.iter().all(|envelope| envelope.len() <= 2_048));
        let share = opened(&stage, &terms, index, &envelopes).unwrap();
        assert!(share == stage.shares["assay"][agent]);
    }
}

#[test]
fn a_share_is_of_no_use_in_another_deal_section_or_place() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let first = released(&stage, &terms, 0);
    // The same keys for replies in another deal of the same buyer.
    let other = stage.terms_of(50);
    assert_eq!(opened(&stage, &other, 1, &first), Err(ShareFault::Envelope));
    let swapped: Vec<Vec<u8>> = first.iter().rev().cloned().collect();
    assert_eq!(opened(&stage, &terms, 1, &swapped), Err(ShareFault::Envelope));
    // Another agent puts it into its own release.
    assert_eq!(opened(&stage, &terms, 2, &first), Err(ShareFault::Envelope));
    assert_eq!(opened(&stage, &terms, 1, &[]), Err(ShareFault::Missing));
    let mut changed = first.clone();
    changed[0][40] ^= 1;
    assert_eq!(opened(&stage, &terms, 1, &changed), Err(ShareFault::Envelope));
    changed[0] = vec![0, 9];
    assert_eq!(opened(&stage, &terms, 1, &changed), Err(ShareFault::Envelope));
}

#[test]
fn an_envelope_rewrapped_to_another_key_does_not_open() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    // An agent's share on its way to another buyer's key: the terms differ, and so does what it is bound to.
    let mut other = terms.clone();
    other.buyer = member(OTHER).to_vec();
    let envelopes = released(&stage, &other, 0);
    assert_eq!(opened(&stage, &terms, 1, &envelopes), Err(ShareFault::Envelope));
    let mut elsewhere = terms.clone();
    elsewhere.agents[0].reply = reply(9).sealing_key().as_bytes().to_vec();
    let envelopes = released(&stage, &elsewhere, 0);
    assert_eq!(opened(&stage, &terms, 1, &envelopes), Err(ShareFault::Envelope));
    let wrong = open_release(
        &reply(9),
        &stage.manifest,
        &terms,
        (1, "assay"),
        &released(&stage, &terms, 0),
    );
    assert_eq!(wrong, Err(ShareFault::WrongKey));
}

#[test]
fn a_share_that_is_none_or_anothers_is_told_apart() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let bound = |index: u8| bound(&terms, terms.agent_of(index).unwrap(), "assay").unwrap();
    let to = |index: u8| reply(index).sealing_key();
    let seal = |index: u8, content: &[u8]| {
        vec![bound(index).seal(&to(index), content, &mut rand::rng()).unwrap()]
    };
    let none = seal(1, b"no share at all");
    assert_eq!(opened(&stage, &terms, 1, &none), Err(ShareFault::NotAShare));
    let second = stage.shares["assay"][1].encode();
    assert_eq!(opened(&stage, &terms, 1, &seal(1, &*second)), Err(ShareFault::OtherIndex));
    let mut bad = *stage.shares["assay"][0].encode();
    bad[1] ^= 1;
    assert_eq!(opened(&stage, &terms, 1, &seal(1, &bad)), Err(ShareFault::Mismatch));
    let of_labour = stage.shares["labour"][0].encode();
    assert_eq!(opened(&stage, &terms, 1, &seal(1, &*of_labour)), Err(ShareFault::Mismatch));
}

#[test]
fn what_the_deal_does_not_have_is_not_released() {
    let stage = Stage::under(free());
    let mut terms = stage.terms();
    let share = &stage.shares["assay"][0];
    assert!(release(share, &terms, "more", &mut rand::rng()).is_err());
    terms.agents.remove(0);
    terms.sections.pop();
    let terms = sign(terms);
    judge(&stage.manifest, &terms, &stage.facts()).unwrap();
    assert!(release(share, &terms, "assay", &mut rand::rng()).is_err());
    let second = &stage.shares["labour"][1];
    assert!(release(second, &terms, "labour", &mut rand::rng()).is_err());
    assert_eq!(opened(&stage, &terms, 1, &[]), Err(ShareFault::NotOfTheDeal));
    let other = Stage::under(crate::Clause { salt: vec![1; 32], ..free() });
    assert_eq!(opened(&other, &terms, 2, &[]), Err(ShareFault::NotOfTheDeal));
}

#[test]
fn a_deposited_share_is_for_one_agent_section_and_manifest() {
    let stage = Stage::under(free());
    let share = &stage.shares["assay"][0];
    let key = reply(1);
    let sealed =
        seal_deposit(share, &stage.manifest, "assay", &key.sealing_key(), &mut rand::rng())
            .unwrap();
    let open = |manifest: &Manifest, section: &str, who: u8, sealed: &[u8]| {
        open_deposit(&key, manifest, section, &member(who), sealed)
    };
    assert!(open(&stage.manifest, "assay", AGENTS[0], &sealed).unwrap() == *share);
    let refused = [
        open(&stage.manifest, "labour", AGENTS[0], &sealed),
        open(&stage.manifest, "assay", AGENTS[1], &sealed),
        open(
            &Manifest { salt: vec![1; 32], ..stage.manifest.clone() },
            "assay",
            AGENTS[0],
            &sealed,
        ),
        open(&Manifest { epoch: 2, ..stage.manifest.clone() }, "assay", AGENTS[0], &sealed),
        open(&stage.manifest, "assay", AGENTS[0], &sealed[1..]),
    ];
    for refused in refused {
        assert_eq!(refused, Err(ShareFault::Envelope));
    }
    let stranger = open(&stage.manifest, "assay", OTHER, &sealed);
    assert_eq!(stranger, Err(ShareFault::NotOfTheDeal));
    // An owner that deals other shares than it published commitments for.
    let mut manifest = stage.manifest.clone();
    manifest.sections[0].commitments = stage.manifest.sections[1].commitments.clone();
    assert_eq!(open(&manifest, "assay", AGENTS[0], &sealed), Err(ShareFault::Mismatch));
}
