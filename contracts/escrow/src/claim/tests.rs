#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::stage::{Stage, free, reply};
use crate::{SectionHead, release};

const SALT: [u8; 32] = [4; 32];

fn releases(stage: &Stage, terms: &Terms) -> Releases {
    let of = |agent: usize| {
        let sections = terms.sections.iter();
        let seal = |name: &String| {
            release(&stage.shares[name][agent], terms, name, &mut rand::rng()).unwrap()
        };
        sections.map(seal).collect()
    };
    (1_u8..=2).zip(0..).map(|(index, agent)| (index, of(agent))).collect()
}

fn of_share(terms: &Terms, agent: u8, seed: u8) -> Claim {
    let seed = reply(seed).seed().to_vec();
    let share = ShareClaim { agent: agent.into(), section: "assay".into(), seed };
    Claim { deal: terms.deal.clone(), salt: SALT.to_vec(), share: Some(share), payload: None }
}

fn of_payload(terms: &Terms, first: u32, count: u32) -> Claim {
    let key = |index: u8| ClaimKey { agent: index.into(), seed: reply(index).seed().to_vec() };
    let keys = vec![key(1), key(2)];
    let payload = PayloadClaim { section: "assay".into(), keys, first, count };
    Claim { deal: terms.deal.clone(), salt: SALT.to_vec(), share: None, payload: Some(payload) }
}

/// What an arbiter finds that is given the true pieces.
fn judged(stage: &Stage, claim: &Claim) -> Result<Option<SectionFault>, ClaimRefusal> {
    let terms = stage.terms();
    let mut judge = PayloadJudge::new(claim, &stage.manifest, &terms, &releases(stage, &terms))?;
    let (tree, pieces) = stage.pieces("assay");
    while let Some(number) = judge.wants() {
        let proof = tree.prove(number).unwrap();
        if let Some(fault) = judge.take(&proof, pieces[usize::try_from(number).unwrap()])? {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

#[test]
fn a_good_share_founds_no_claim() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let releases = releases(&stage, &terms);
    let judged = |claim: &Claim| judge_share(claim, &stage.manifest, &terms, &releases);
    assert_eq!(judged(&of_share(&terms, 1, 1)), Err(ClaimRefusal::Unfounded));
    // Seeds of other keys would make any share look bad.
    assert_eq!(judged(&of_share(&terms, 1, 2)), Err(ClaimRefusal::WrongKey));
    assert_eq!(judged(&of_share(&terms, 1, 9)), Err(ClaimRefusal::WrongKey));
    assert_eq!(judged(&of_share(&terms, 3, 3)), Err(ClaimRefusal::NotReleased));
    assert_eq!(judged(&of_share(&terms, 7, 7)), Err(ClaimRefusal::NotOfTheDeal));
    assert_eq!(judged(&of_payload(&terms, 0, 1)), Err(ClaimRefusal::OtherKind));
    let other = of_share(&stage.terms_of(50), 1, 1);
    assert_eq!(judged(&other), Err(ClaimRefusal::NotOfTheDeal));
}

#[test]
fn a_bad_share_founds_one() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let mut releases = releases(&stage, &terms);
    let judged = |releases: &Releases| {
        judge_share(&of_share(&terms, 1, 1), &stage.manifest, &terms, releases)
    };
    releases.get_mut(&1).unwrap()[0][50] ^= 1;
    assert_eq!(judged(&releases), Ok(ShareFault::Envelope));
    releases.get_mut(&1).unwrap().clear();
    assert_eq!(judged(&releases), Ok(ShareFault::Missing));
    let second = releases[&2].clone();
    releases.insert(1, second);
    assert_eq!(judged(&releases), Ok(ShareFault::Envelope));
}

#[test]
fn a_true_content_founds_no_claim() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let pieces = stage.manifest.sections[0].pieces;
    for (first, count) in [(0, pieces), (0, 1), (1, pieces - 1), (pieces - 1, 1)] {
        assert_eq!(judged(&stage, &of_payload(&terms, first, count)), Ok(None));
    }
    let beyond = judged(&stage, &of_payload(&terms, 0, pieces + 1));
    assert_eq!(beyond, Err(ClaimRefusal::NotOfTheDeal));
}

#[test]
fn a_content_that_breaks_its_promise_founds_one() {
    let document = vec![7; 100_000];
    let cases: [(SectionFault, &dyn Fn(&mut SectionHead)); 5] = [
        (SectionFault::Head, &|head| head.version = 2),
        (SectionFault::Head, &|head| head.head = vec![]),
        (SectionFault::Fields, &|head| drop(head.fields.pop())),
        (SectionFault::Field, &|head| *head.fields[0].last_mut().unwrap() ^= 1),
        (SectionFault::Fields, &|head| head.documents.clear()),
    ];
    for (fault, spoil) in cases {
        let stage = Stage::of(free(), &document, |head| {
            if head.fields.len() > 1 {
                spoil(head);
            }
        });
        let claim = of_payload(&stage.terms(), 0, 1);
        assert_eq!(judged(&stage, &claim), Ok(Some(fault)));
        // Whoever looks at later pieces only sees that they decrypt.
        let later = of_payload(&stage.terms(), 1, 1);
        assert_eq!(judged(&stage, &later), Ok(None));
    }
}

#[test]
fn garbage_pieces_found_a_claim_by_one_of_them() {
    let mut stage = Stage::under(free());
    stage.contents.get_mut("assay").unwrap()[70_000] ^= 1;
    let (tree, _) = stage.pieces("assay");
    stage.manifest.sections[0].root = tree.id().root().0.to_vec();
    let claim = of_payload(&stage.terms(), 1, 1);
    assert_eq!(judged(&stage, &claim), Ok(Some(SectionFault::Piece(1))));
}

#[test]
fn an_arbiter_takes_no_other_pieces_than_the_manifests() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let releases = releases(&stage, &terms);
    let claim = of_payload(&terms, 0, 2);
    let mut judge = PayloadJudge::new(&claim, &stage.manifest, &terms, &releases).unwrap();
    let (tree, pieces) = stage.pieces("assay");
    let proof = |number: u32| tree.prove(number).unwrap();
    let mut changed = pieces[0].to_vec();
    changed[9] ^= 1;
    let refused = [
        judge.take(&proof(0), &changed),
        judge.take(&proof(0), pieces[1]),
        judge.take(&proof(1), pieces[1]),
        judge.take(&proof(0), &pieces[0][1..]),
    ];
    for refused in refused {
        assert_eq!(refused, Err(ClaimRefusal::OtherPiece));
    }
    assert_eq!(judge.take(&proof(0), pieces[0]), Ok(None));
}

#[test]
fn a_payload_claim_shows_enough_true_keys() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let mut releases = releases(&stage, &terms);
    let new = |claim: &Claim, releases: &Releases| {
        PayloadJudge::new(claim, &stage.manifest, &terms, releases).map(|_| ()).unwrap_err()
    };
    let change = |change: &dyn Fn(&mut PayloadClaim)| {
        let mut claim = of_payload(&terms, 0, 1);
        change(claim.payload.as_mut().unwrap());
        claim
    };
    let fewer = change(&|said| drop(said.keys.pop()));
    assert_eq!(new(&fewer, &releases), ClaimRefusal::Shares);
    let false_key = change(&|said| said.keys[0].seed = vec![1; 32]);
    assert_eq!(new(&false_key, &releases), ClaimRefusal::WrongKey);
    let other = change(&|said| said.section = "more".into());
    assert_eq!(new(&other, &releases), ClaimRefusal::NotOfTheDeal);
    let unreleased = change(&|said| {
        said.keys[1] = ClaimKey { agent: 3, seed: reply(3).seed().to_vec() };
    });
    assert_eq!(new(&unreleased, &releases), ClaimRefusal::NotReleased);
    releases.get_mut(&1).unwrap()[0][50] ^= 1;
    assert_eq!(new(&of_payload(&terms, 0, 1), &releases), ClaimRefusal::Shares);
}

#[test]
fn a_claim_says_one_thing_in_one_encoding() {
    let stage = Stage::under(free());
    let terms = stage.terms();
    let share = of_share(&terms, 1, 1);
    assert_eq!(Claim::read(&share.to_bytes()).unwrap(), share);
    let payload = of_payload(&terms, 0, 1);
    assert_eq!(Claim::read(&payload.to_bytes()).unwrap(), payload);
    let twice = |claim: &mut Claim| {
        let keys = &mut claim.payload.as_mut().unwrap().keys;
        keys[1] = keys[0].clone();
    };
    let mut same_key = payload.clone();
    twice(&mut same_key);
    let refused = [
        Claim { share: share.share.clone(), ..payload.clone() },
        Claim { payload: None, ..payload.clone() },
        Claim { salt: vec![], ..share.clone() },
        Claim { deal: vec![1], ..share.clone() },
        of_share(&terms, 0, 1),
        of_payload(&terms, 0, 0),
        of_payload(&terms, u32::MAX, 1),
        same_key,
    ];
    for claim in refused {
        assert!(Claim::read(&claim.to_bytes()).is_err());
    }
    assert!(Claim::read(&vec![0; MAX_CLAIM_BYTES + 1]).is_err());
    let resalted = Claim { salt: vec![5; 32], ..share.clone() };
    assert_ne!(resalted.digest(), share.digest());
}
