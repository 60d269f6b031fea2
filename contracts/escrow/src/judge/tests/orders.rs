//! Regulators' orders, and majorities that would like to be regulators.

use super::*;
use crate::Order;
use crate::stage::{REGULATORS, key_state, on_order};

fn with(stage: &Stage, orders: &[(u8, Order)]) -> Result<Needs, TermsRefusal> {
    let signed = orders.iter().map(|(by, order)| order.clone().signed(&network(), &signing(*by)));
    let terms = Terms { orders: signed.collect(), ..stage.terms() };
    judge(&stage.manifest, &sign(terms), &stage.facts())
}

fn by(stage: &Stage, regulators: &[u8]) -> Result<Needs, TermsRefusal> {
    let orders: Vec<(u8, Order)> = regulators.iter().map(|who| (*who, stage.order(*who))).collect();
    with(stage, &orders)
}

#[test]
fn a_quorum_of_named_regulators_opens() {
    let stage = Stage::under(on_order());
    by(&stage, &REGULATORS[..2]).unwrap();
    by(&stage, &REGULATORS).unwrap();
    by(&stage, &[REGULATORS[2], REGULATORS[0]]).unwrap();
}

#[test]
fn fewer_than_the_quorum_open_nothing() {
    let stage = Stage::under(on_order());
    assert_eq!(by(&stage, &[]), Err(TermsRefusal::OrderMissing));
    assert_eq!(by(&stage, &REGULATORS[..1]), Err(TermsRefusal::OrderMissing));
    let twice = [REGULATORS[0], REGULATORS[0]];
    assert_eq!(by(&stage, &twice), Err(TermsRefusal::OrderTwice));
}

#[test]
fn without_regulators_nothing_opens_on_order() {
    let mut stage = Stage::under(on_order());
    (stage.manifest.regulators, stage.manifest.quorum) = (vec![], 0);
    assert_eq!(by(&stage, &[]), Err(TermsRefusal::OrderMissing));
}

#[test]
fn orders_are_refused_where_the_clause_asks_for_none() {
    let stage = Stage::under(free());
    assert_eq!(by(&stage, &REGULATORS), Err(TermsRefusal::OrderNotAsked));
}

#[test]
fn a_majority_that_votes_in_false_regulators_opens_nothing() {
    let mut stage = Stage::under(on_order());
    for who in [OTHER, ARBITER] {
        let root = PublicKey::of(&SigningKey::from_bytes(&[who; 32]));
        let entry = entry(Role::Regulator, "DE", &root);
        stage.registry.insert_member(member(who), state(entry, MemberStatus::Active));
    }
    assert_eq!(by(&stage, &[OTHER, ARBITER]), Err(TermsRefusal::OrderRegulator));
    assert_eq!(by(&stage, &[REGULATORS[0], OTHER]), Err(TermsRefusal::OrderRegulator));
}

#[test]
fn a_majority_that_replaces_a_root_key_opens_nothing() {
    let mut stage = Stage::under(on_order());
    let (root, false_key) = (SigningKey::from_bytes(&[77; 32]), SigningKey::from_bytes(&[78; 32]));
    let entry = entry(Role::Regulator, "DE", &PublicKey::of(&root));
    stage.registry.insert_member(member(REGULATORS[0]), state(entry, MemberStatus::Active));
    // The false root has let in a false signing key, which the registry now knows.
    let id = PublicKey::of(&false_key).id();
    stage.registry.insert_key(id, key_state(REGULATORS[0], &false_key));
    let forged = stage.order(REGULATORS[0]).signed(&network(), &false_key);
    let true_one = stage.order(REGULATORS[1]).signed(&network(), &signing(REGULATORS[1]));
    let terms = sign(Terms { orders: vec![forged, true_one], ..stage.terms() });
    let answer = judge(&stage.manifest, &terms, &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::OrderRootKey));
    // Not even by the key that it signed with before.
    assert_eq!(by(&stage, &REGULATORS[..2]), Err(TermsRefusal::OrderRootKey));
}

#[test]
fn a_suspended_or_unknown_regulator_orders_nothing() {
    for status in [MemberStatus::Suspended, MemberStatus::Left] {
        let mut stage = Stage::under(on_order());
        let root = PublicKey::of(&SigningKey::from_bytes(&[REGULATORS[1]; 32]));
        let entry = entry(Role::Regulator, "DE", &root);
        stage.registry.insert_member(member(REGULATORS[1]), state(entry, status));
        assert_eq!(by(&stage, &REGULATORS[..2]), Err(TermsRefusal::OrderStanding));
    }
}

#[test]
fn an_order_is_signed_by_whom_it_names() {
    let stage = Stage::under(on_order());
    let (one, two) = (REGULATORS[0], REGULATORS[1]);
    let forged = with(&stage, &[(OTHER, stage.order(one)), (two, stage.order(two))]);
    assert_eq!(forged, Err(TermsRefusal::OrderSignature));
    let swapped = with(&stage, &[(two, stage.order(one)), (one, stage.order(two))]);
    assert_eq!(swapped, Err(TermsRefusal::OrderSignature));
    let none = Terms { orders: vec![vec![1; 40]; 2], ..stage.terms() };
    let answer = judge(&stage.manifest, &sign(none), &stage.facts());
    assert_eq!(answer, Err(TermsRefusal::OrderSignature));
    let mut stage = stage;
    let key = signing(one);
    let mut stolen = key_state(one, &key);
    stolen.compromised_since_height = 1;
    stage.registry.insert_key(PublicKey::of(&key).id(), stolen);
    assert_eq!(by(&stage, &REGULATORS[..2]), Err(TermsRefusal::OrderSignature));
}

#[test]
fn an_order_is_for_one_record_buyer_purpose_and_time() {
    let stage = Stage::under(on_order());
    let order = |who: u8| stage.order(who);
    let cases: [(TermsRefusal, Order); 5] = [
        (TermsRefusal::OrderDiffers, Order { record: vec![1; 32], ..order(REGULATORS[0]) }),
        (TermsRefusal::OrderDiffers, Order { to: member(OTHER).to_vec(), ..order(REGULATORS[0]) }),
        (TermsRefusal::OrderDiffers, Order { purpose: "other".into(), ..order(REGULATORS[0]) }),
        (
            TermsRefusal::OrderDiffers,
            Order { sections: vec!["assay".into()], ..order(REGULATORS[0]) },
        ),
        (TermsRefusal::OrderEnded, Order { until_ms: NOW, ..order(REGULATORS[0]) }),
    ];
    for (refusal, changed) in cases {
        let orders = [(REGULATORS[0], changed), (REGULATORS[1], order(REGULATORS[1]))];
        assert_eq!(with(&stage, &orders), Err(refusal));
    }
}
