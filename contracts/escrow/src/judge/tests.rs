#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod agents;
mod covered;
mod orders;

use super::*;
use crate::stage::{
    ARBITER, BUYER, HOUR, NOW, OTHER, OWNER, Stage, deal_key, entry, free, ids, member, network,
    premium_of, priced, sign, sign_as, signing, state,
};
use crate::{PartyRole, WhoKind};
use ed25519_dalek::SigningKey;
use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::ids::UnixMillis;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::{MemberStatus, Role};

/// Why a stage's terms are refused once they are changed and signed anew.
fn refused(stage: &Stage, change: impl Fn(&mut Terms)) -> TermsRefusal {
    let mut terms = stage.terms();
    judge(&stage.manifest, &terms, &stage.facts()).unwrap();
    change(&mut terms);
    judge(&stage.manifest, &sign(terms), &stage.facts()).unwrap_err()
}

#[test]
fn free_deal_by_rule_needs_nothing() {
    let stage = Stage::under(free());
    let needs = judge(&stage.manifest, &stage.terms(), &stage.facts()).unwrap();
    assert_eq!(needs, Needs { acceptance: false, payment: None });
}

#[test]
fn a_price_names_arbiter_and_amount() {
    let stage = Stage::under(Clause { by_hand: true, ..priced() });
    let needs = judge(&stage.manifest, &stage.terms(), &stage.facts()).unwrap();
    let payment = needs.payment.unwrap();
    assert!(needs.acceptance);
    assert_eq!((payment.arbiter, payment.due), (member(ARBITER), Due::Amount(25_000)));
    assert_eq!(payment.amount(&stage.terms(), None).unwrap(), 25_000);
    assert_eq!(payment.amount(&stage.terms(), Some(&stage.base())), Err(TermsRefusal::Base));
}

#[test]
fn a_premium_is_told_to_who_knows_its_base_and_rounded_up() {
    let stage = Stage::under(premium_of());
    let terms = stage.terms();
    let payment = judge(&stage.manifest, &terms, &stage.facts()).unwrap().payment.unwrap();
    // 3.2 % of 10,000.01 is 320.00032.
    assert_eq!(payment.amount(&terms, Some(&stage.base())).unwrap(), 32_001);
    let bases = [
        Base { amount: 1_000_000, ..stage.base() },
        Base { salt: vec![3; 32], ..stage.base() },
        Base { currency: "USD".into(), ..stage.base() },
    ];
    for base in bases {
        assert_eq!(payment.amount(&terms, Some(&base)), Err(TermsRefusal::Base));
    }
    assert_eq!(payment.amount(&terms, None), Err(TermsRefusal::Base));
    let other = stage.terms_of(50);
    assert_eq!(payment.amount(&other, Some(&stage.base())), Err(TermsRefusal::Base));
}

#[test]
fn a_premium_beyond_64_bits_is_refused() {
    assert_eq!(premium(u64::MAX, 10_000), Ok(u64::MAX));
    assert_eq!(premium(u64::MAX, 10_001), Err(TermsRefusal::Base));
    assert_eq!(premium(1, 1), Ok(1));
    assert_eq!(premium(10_000, 1), Ok(1));
    assert_eq!(premium(10_001, 1), Ok(2));
}

#[test]
fn terms_hide_what_a_premium_is_a_share_of() {
    let stage = Stage::under(premium_of());
    let bytes = prost::Message::encode_to_vec(&stage.terms());
    let base = prost::Message::encode_to_vec(&crate::Base { salt: vec![], ..stage.base() });
    assert!(!bytes.windows(base.len()).any(|window| window == base));
    assert_eq!(refused(&stage, |terms| terms.amount = 32_001), TermsRefusal::Price);
    assert_eq!(refused(&stage, |terms| terms.base = vec![]), TermsRefusal::Base);
    assert_eq!(refused(&stage, |terms| terms.currency = "USD".into()), TermsRefusal::Price);
}

#[test]
fn refuses_terms_about_something_else() {
    let stage = Stage::under(free());
    let other = Stage::under(Clause { salt: vec![1; 32], ..free() });
    let cases: [(TermsRefusal, &dyn Fn(&mut Terms)); 5] = [
        (TermsRefusal::WrongDeal, &|terms| terms.deal = vec![1; 32]),
        (TermsRefusal::WrongDeal, &|terms| terms.buyer_key = deal_key(9)),
        (TermsRefusal::WrongManifest, &|terms| {
            terms.manifest = other.manifest.digest().0.to_vec();
        }),
        (TermsRefusal::WrongClause, &|terms| terms.clause = other.clause.to_bytes()),
        (TermsRefusal::NotCanonical, &|terms| terms.clause = vec![1, 2, 3]),
    ];
    for (refusal, change) in cases {
        assert_eq!(refused(&stage, change), refusal);
    }
    let mut manifest = stage.manifest.clone();
    manifest.network = vec![1; 32];
    let answer = judge(&manifest, &stage.terms(), &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::WrongNetwork));
}

#[test]
fn a_clause_with_one_word_changed_is_none_of_the_manifests() {
    let stage = Stage::under(priced());
    let cheaper = Clause { amount: 1, ..priced() };
    let answer = refused(&stage, |terms| {
        terms.clause = cheaper.to_bytes();
        terms.amount = 1;
    });
    assert_eq!(answer, TermsRefusal::WrongClause);
}

#[test]
fn refuses_sections_outside_clause_or_manifest() {
    let assay = Stage::under(Clause { sections: vec!["assay".into()], ..free() });
    let wider = |terms: &mut Terms| terms.sections = vec!["assay".into(), "labour".into()];
    assert_eq!(refused(&assay, wider), TermsRefusal::Section);
    let stage = Stage::under(Clause { sections: vec!["assay".into(), "more".into()], ..free() });
    let answer = judge(&stage.manifest, &stage.terms(), &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::Section));
    let fewer = Stage::under(free());
    let mut terms = fewer.terms();
    terms.sections.pop();
    judge(&fewer.manifest, &sign(terms), &fewer.facts()).unwrap();
}

#[test]
fn refuses_terms_that_the_buyer_has_not_signed() {
    let mut stage = Stage::under(free());
    let terms = stage.terms();
    let by_another = sign_as(terms.clone(), &signing(OTHER));
    let unknown = sign_as(terms.clone(), &SigningKey::from_bytes(&[99; 32]));
    let changed = Terms { purpose: "another".into(), ..terms.clone() };
    let unsigned = Terms { signature: vec![], ..terms.clone() };
    for terms in [by_another, unknown, changed, unsigned] {
        let answer = judge(&stage.manifest, &terms, &stage.facts());
        assert_eq!(answer, Err(TermsRefusal::Signature));
    }
    let key = signing(BUYER);
    let mut stolen = crate::stage::key_state(BUYER, &key);
    stolen.compromised_since_height = 5;
    stage.registry.insert_key(PublicKey::of(&key).id(), stolen);
    let answer = judge(&stage.manifest, &terms, &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::Signature));
}

#[test]
fn refuses_buyers_that_the_clause_does_not_let_in() {
    let cases = [
        Clause { who_kind: WhoKind::Members.into(), members: ids(&[OTHER]), ..free() },
        Clause { who_kind: WhoKind::Roles.into(), roles: vec![Role::Lab.into()], ..free() },
    ];
    for clause in cases {
        let stage = Stage::under(clause);
        let answer = judge(&stage.manifest, &stage.terms(), &stage.facts());
        assert_eq!(answer, Err(TermsRefusal::NotEntitled));
    }
    let let_in = [
        Clause { who_kind: WhoKind::Members.into(), members: ids(&[BUYER, OTHER]), ..free() },
        Clause { who_kind: WhoKind::Roles.into(), roles: vec![Role::Assembler.into()], ..free() },
    ];
    for clause in let_in {
        let stage = Stage::under(clause);
        judge(&stage.manifest, &stage.terms(), &stage.facts()).unwrap();
    }
}

#[test]
fn refuses_buyers_of_other_countries_and_those_who_are_suspended_or_gone() {
    let stage = Stage::under(Clause { countries: vec!["CH".into(), "FR".into()], ..free() });
    let answer = judge(&stage.manifest, &stage.terms(), &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::Country));
    for status in [MemberStatus::Suspended, MemberStatus::Left, MemberStatus::Unspecified] {
        let mut stage = Stage::under(free());
        let root = PublicKey::of(&SigningKey::from_bytes(&[BUYER; 32]));
        let entry = entry(Role::Assembler, "DE", &root);
        stage.registry.insert_member(member(BUYER), state(entry, status));
        let answer = judge(&stage.manifest, &stage.terms(), &stage.facts());
        assert_eq!(answer, Err(TermsRefusal::Standing));
    }
}

#[test]
fn refuses_another_agreement_purpose_or_time() {
    let clause = Clause {
        nda: vec![1; 32],
        purposes: vec!["audit".into(), "recall".into()],
        until_ms: NOW + 1,
        retention_days: 30,
        ..free()
    };
    let stage = Stage::under(clause);
    let latest = NOW + 30 * 24 * HOUR;
    let cases: [(TermsRefusal, &dyn Fn(&mut Terms)); 7] = [
        (TermsRefusal::Agreement, &|terms| terms.nda = vec![]),
        (TermsRefusal::Agreement, &|terms| terms.nda = vec![2; 32]),
        (TermsRefusal::Purpose, &|terms| terms.purpose = "curiosity".into()),
        (TermsRefusal::Purpose, &|terms| terms.purpose = "Audit".into()),
        (TermsRefusal::Retention, &|terms| terms.retain_until_ms = 0),
        (TermsRefusal::Retention, &|terms| terms.retain_until_ms = latest + 1),
        (TermsRefusal::Retention, &|terms| terms.retain_until_ms = u64::MAX),
    ];
    for (refusal, change) in cases {
        assert_eq!(refused(&stage, change), refusal);
    }
    let late = Facts { at: UnixMillis(NOW + 1), ..stage.facts() };
    assert_eq!(judge(&stage.manifest, &stage.terms(), &late), Err(TermsRefusal::Ended));
    let unasked = Stage::under(free());
    assert_eq!(refused(&unasked, |terms| terms.nda = vec![1; 32]), TermsRefusal::Agreement);
}

#[test]
fn refuses_another_price_or_arbiter() {
    let stage = Stage::under(priced());
    let by_other = stage.quote(OTHER, PartyRole::Arbiter, &deal_key(3));
    let cases: [(TermsRefusal, &dyn Fn(&mut Terms)); 8] = [
        (TermsRefusal::Price, &|terms| terms.amount = 24_999),
        (TermsRefusal::Price, &|terms| terms.amount = 0),
        (TermsRefusal::Price, &|terms| terms.currency = "USD".into()),
        (TermsRefusal::Price, &|terms| terms.base = vec![1; 32]),
        (TermsRefusal::Arbiter, &|terms| terms.arbiter = None),
        (TermsRefusal::Arbiter, &|terms| {
            let arbiter = terms.arbiter.as_mut().unwrap();
            arbiter.member = member(OTHER).to_vec();
            arbiter.quote.clone_from(&by_other);
        }),
        // The buyer as its own arbiter, in the arbiter's name.
        (TermsRefusal::Quote, &|terms| terms.arbiter.as_mut().unwrap().key = deal_key(8)),
        (TermsRefusal::Quote, &|terms| terms.arbiter.as_mut().unwrap().quote.clone_from(&by_other)),
    ];
    for (refusal, change) in cases {
        assert_eq!(refused(&stage, change), refusal);
    }
    let unpaid = Stage::under(free());
    assert_eq!(refused(&unpaid, |terms| terms.amount = 1), TermsRefusal::Price);
    let paid_anyway = refused(&unpaid, |terms| terms.arbiter = stage.terms().arbiter);
    assert_eq!(paid_anyway, TermsRefusal::Arbiter);
}

#[test]
fn refuses_an_arbiter_that_is_suspended() {
    let mut stage = Stage::under(priced());
    let root = PublicKey::of(&SigningKey::from_bytes(&[ARBITER; 32]));
    let entry = entry(Role::Assembler, "DE", &root);
    stage.registry.insert_member(member(ARBITER), state(entry, MemberStatus::Suspended));
    let answer = judge(&stage.manifest, &stage.terms(), &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::Arbiter));
}

#[test]
fn refuses_by_hand_without_the_owner_and_by_rule_with_it() {
    let by_hand = Stage::under(Clause { by_hand: true, ..free() });
    let cases: [(TermsRefusal, &dyn Fn(&mut Terms)); 3] = [
        (TermsRefusal::Acceptance, &|terms| {
            (terms.owner, terms.accept_by_ms) = (None, 0);
        }),
        (TermsRefusal::Acceptance, &|terms| {
            terms.owner.as_mut().unwrap().member = member(OTHER).to_vec();
        }),
        (TermsRefusal::Quote, &|terms| {
            terms.owner.as_mut().unwrap().quote =
                by_hand.quote(OWNER, PartyRole::Arbiter, &deal_key(2));
        }),
    ];
    for (refusal, change) in cases {
        assert_eq!(refused(&by_hand, change), refusal);
    }
    let by_rule = Stage::under(free());
    let with = refused(&by_rule, |terms| terms.owner = by_hand.terms().owner);
    assert_eq!(with, TermsRefusal::Acceptance);
}

#[test]
fn refuses_deadlines_that_the_log_would_refuse() {
    let stage = Stage::under(priced());
    let cases: [&dyn Fn(&mut Terms); 6] = [
        &|terms| terms.release_by_ms = terms.ready_by_ms,
        &|terms| terms.fund_by_ms = 0,
        &|terms| terms.rule_by_ms = 0,
        &|terms| terms.ready_by_ms = 0,
        &|terms| terms.accept_by_ms = NOW + 1,
        &|terms| terms.confirm_by_ms = terms.release_by_ms - 1,
    ];
    for change in cases {
        assert_eq!(refused(&stage, change), TermsRefusal::Deadlines);
    }
}

#[test]
fn what_stands_on_the_log_is_what_the_terms_say() {
    let stage = Stage::under(Clause { by_hand: true, ..priced() });
    let terms = stage.terms();
    let open = terms.opening(2);
    check_open(&terms, 2, &open).unwrap();
    let key = || vec![1; 32];
    let cases: [(&str, &dyn Fn(&mut heatmark_ledger::messages::DealOpen)); 12] = [
        ("terms", &|open| open.terms_digest = key()),
        ("buyer", &|open| open.buyer_key = key()),
        ("owner", &|open| open.owner_key = vec![]),
        ("arbiter", &|open| open.arbiter_key = key()),
        ("agents", &|open| open.agent_keys.swap(0, 1)),
        ("agents", &|open| drop(open.agent_keys.pop())),
        ("threshold", &|open| open.threshold = 1),
        ("threshold", &|open| open.threshold = 3),
        ("deadlines", &|open| open.accept_by_ms += 1),
        ("deadlines", &|open| open.fund_by_ms += 1),
        ("deadlines", &|open| open.release_by_ms -= 1),
        ("deadlines", &|open| open.rule_by_ms = 0),
    ];
    for (what, change) in cases {
        let mut open = open.clone();
        change(&mut open);
        assert_eq!(check_open(&terms, 2, &open), Err(TermsRefusal::OpenDiffers(what)));
    }
    assert!(check_open(&terms, 3, &open).is_err());
    let resalted = sign(Terms { salt: vec![7; 32], ..terms });
    assert_eq!(check_open(&resalted, 2, &open), Err(TermsRefusal::OpenDiffers("terms")));
}

#[test]
fn terms_are_read_back_in_their_one_encoding_only() {
    let stage = Stage::under(Clause { by_hand: true, ..priced() });
    let bytes = prost::Message::encode_to_vec(&stage.terms());
    Terms::read(&bytes, &network()).unwrap();
    let mut longer = bytes.clone();
    longer.extend([0xf8, 0x07, 0x01]);
    assert!(Terms::read(&longer, &network()).is_err());
    assert!(Terms::read(&bytes, &NetworkId::from([8; 32])).is_err());
    let twice = |terms: &mut Terms| terms.agents.swap(0, 1);
    let mut terms = stage.terms();
    twice(&mut terms);
    let bytes = terms.signed(&network(), &signing(BUYER));
    assert!(Terms::read(&bytes, &network()).is_err());
}
