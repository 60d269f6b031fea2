//! Honest events of every kind verify, and what each kind keeps cannot change.

use super::cheats::uncertified_blend;
use super::*;
use crate::class::{assembly_class, blend_class};

/// A lot of the same content under another seal.
fn moved(lot: &OpenLot, seal: u8) -> OpenLot {
    lot.moved_to(lot.lot().sealed_anew(hash(seal), &mut rand::rng())).unwrap()
}

/// The same quantities with other terms.
fn changed(lot: &OpenLot, seal: u8, change: impl FnOnce(&mut Terms)) -> OpenLot {
    let content = lot.lot().content.clone();
    let mut terms = Terms {
        class: content.class,
        description: content.description,
        serials: content.serials,
        expires_ms: content.expires_ms,
        seal: hash(seal),
    };
    change(&mut terms);
    OpenLot::seal(lot.mass().clone(), lot.pieces().clone(), terms, &mut rand::rng())
}

fn refused(case: &Case) -> LotError {
    match case.try_prove() {
        Err(MakeError::Rule(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transfer_keeps_everything_but_the_seal_and_needs_no_proof() {
    let lots = [lot(1_000, 10, 10), lot(2_000, 20, 11)];
    let outputs = vec![moved(&lots[0], 12), moved(&lots[1], 13)];
    for kind in [Kind::Transfer, Kind::Return, Kind::Service, Kind::Relabel] {
        let case = Case::new(kind, lots.to_vec(), outputs.clone()).prove();
        assert_eq!(case.proofs.encode(), Vec::<u8>::new());
        assert_eq!(case.verify(), Ok(()));
    }
    let transfer = |output| refused(&Case::new(Kind::Transfer, lots[..1].to_vec(), vec![output]));
    assert_eq!(transfer(lot(1_000, 10, 12)), LotError::Changed);
    assert_eq!(transfer(moved(&lots[1], 12)), LotError::Changed);
    let bent = [
        changed(&lots[0], 12, |terms| terms.class = hash(2)),
        changed(&lots[0], 12, |terms| terms.description = hash(2)),
        changed(&lots[0], 12, |terms| terms.expires_ms = 2),
    ];
    for output in bent {
        assert_eq!(transfer(output), LotError::Changed);
    }
    let swapped = vec![outputs[1].clone(), outputs[0].clone()];
    let case = Case::new(Kind::Transfer, lots.to_vec(), swapped);
    assert_eq!(refused(&case), LotError::Changed);
}

#[test]
fn a_pair_is_judged_without_the_other_pairs_of_its_transfer() {
    let lots = [lot(1_000, 10, 10), lot(2_000, 20, 11)];
    let case =
        Case::new(Kind::Transfer, lots.to_vec(), vec![moved(&lots[0], 12), moved(&lots[1], 13)]);
    let event = &case.event;
    let judge = |input: &OpenLot| {
        let inputs = [None, Some(input.lot())];
        let facts = Facts { network: &NETWORK, event, inputs: &inputs, certified: None };
        facts.claim().map(|_| ())
    };
    assert_eq!(judge(&lots[1]), Ok(()));
    assert_eq!(judge(&lots[0]), Err(LotError::Changed));
    let rework = rework();
    let facts = Facts { network: &NETWORK, event: &rework.event, inputs: &[None], certified: None };
    assert_eq!(facts.claim().unwrap_err(), LotError::InputMissing);
}

#[test]
fn a_transform_balances_masses_and_makes_pieces() {
    let rings: Vec<OpenLot> = (20..25).map(|seal| lot(150, 4, seal)).collect();
    let case = Case::new(Kind::Transform, vec![lot(1_000, 1, 10)], rings).scrap(250, None).prove();
    assert_eq!(case.verify(), Ok(()));
    let case = case.scrap(250, Some(1));
    assert_eq!(refused(&case), LotError::WrongPart);
}

#[test]
fn split_and_merge_lose_nothing_and_keep_the_description() {
    let (whole, parts) = (lot(1_000, 10, 10), vec![lot(400, 4, 11), lot(600, 6, 12)]);
    let split = Case::new(Kind::Split, vec![whole.clone()], parts.clone());
    assert_eq!(split.clone().prove().verify(), Ok(()));
    assert_eq!(refused(&split.scrap(0, Some(0))), LotError::WrongPart);
    let merged = Case::new(Kind::Merge, parts.clone(), vec![lot(1_000, 10, 13)]);
    assert_eq!(merged.prove().verify(), Ok(()));
    let described = |lot: &OpenLot, seal| changed(lot, seal, |terms| terms.description = hash(3));
    let merge = Case::new(Kind::Merge, parts.clone(), vec![described(&whole, 13)]);
    assert_eq!(refused(&merge), LotError::Changed);
    let better = vec![parts[0].clone(), described(&parts[1], 12)];
    assert_eq!(refused(&Case::new(Kind::Merge, better, vec![whole])), LotError::Changed);
}

#[test]
fn nothing_lasts_longer_than_what_it_is_made_of() {
    let until = |lot: &OpenLot, seal, when| changed(lot, seal, |terms| terms.expires_ms = when);
    let (short, long) = (until(&lot(500, 5, 10), 10, 100), until(&lot(500, 5, 11), 11, 200));
    let merge = |expires| {
        let out = until(&lot(1_000, 10, 12), 12, expires);
        Case::new(Kind::Merge, vec![short.clone(), long.clone()], vec![out])
    };
    assert_eq!(merge(100).prove().verify(), Ok(()));
    assert_eq!(merge(99).prove().verify(), Ok(()));
    assert_eq!(refused(&merge(101)), LotError::Expiry);
    assert_eq!(refused(&merge(0)), LotError::Expiry);
    let longer = until(&short, 12, 300);
    let service = Case::new(Kind::Service, vec![short.clone()], vec![longer.clone()]);
    assert_eq!(service.prove().verify(), Ok(()));
    let relabel = Case::new(Kind::Relabel, vec![short], vec![longer]);
    assert_eq!(refused(&relabel), LotError::Changed);
}

#[test]
fn a_blend_is_of_a_class_of_its_own() {
    let other = OpenLot::fresh(500, 5, terms(hash(2), 15), &mut rand::rng());
    let class = blend_class(&NETWORK, &[9; 32], [hash(2), hash(1), hash(2)].into_iter());
    let out = OpenLot::fresh(990, 7, terms(class, 11), &mut rand::rng());
    let blend = Case::new(Kind::Blend, vec![lot(500, 5, 10), other], vec![out]).scrap(10, None);
    assert_eq!(blend.prove().verify(), Ok(()));
    assert_eq!(uncertified_blend(1).prove().verify(), Ok(()));
    // Its class says that something uncertified went in, which it must then declare.
    let mut silent = uncertified_blend(100);
    silent.witness.uncertified = None;
    silent.witness.describe(&mut silent.event);
    assert_eq!(refused(&silent), LotError::Class);
}

#[test]
fn a_repair_keeps_pieces_and_an_adjustment_counts_them() {
    let before = lot(1_000, 1, 10);
    let content = before.lot().content.clone();
    let terms = terms(content.class, 11);
    let after =
        OpenLot::seal(amount(1_010), before.pieces().clone(), terms.clone(), &mut rand::rng());
    let repair = Case::new(Kind::Repair, vec![before.clone()], vec![after]);
    let repair = repair.scrap(40, None).uncertified(50, None).prove();
    assert_eq!(repair.verify(), Ok(()));
    assert_eq!(repair.event.uncertified.unwrap().permille, 50);
    let recounted = OpenLot::seal(amount(1_000), amount(1), terms, &mut rand::rng());
    let repair = Case::new(Kind::Repair, vec![before], vec![recounted]);
    assert_eq!(refused(&repair), LotError::Changed);
    let adjust = Case::new(Kind::Adjust, vec![lot(1_000, 10, 10)], vec![lot(1_003, 11, 11)]);
    let adjust = adjust.gain(3).uncertified(0, Some(1)).prove();
    assert_eq!(adjust.verify(), Ok(()));
}

#[test]
fn disposal_leaves_nothing() {
    let case = Case::new(Kind::Dispose, vec![lot(1_000, 10, 10)], Vec::new()).prove();
    assert_eq!(case.verify(), Ok(()));
    let case = Case::new(Kind::Dispose, vec![lot(1_000, 10, 10)], vec![lot(1, 1, 11)]);
    assert_eq!(refused(&case), LotError::Shape);
}

/// A container of two lots, or a product of a host and a component.
fn assembly(kind: Kind, parts: &[OpenLot]) -> OpenLot {
    let contents: Vec<_> = parts.iter().map(|lot| lot.lot().content.hash(&NETWORK)).collect();
    let product = kind == Kind::Install;
    let class = assembly_class(product, &NETWORK, &[9; 32], &contents);
    let mass = OpenAmount::total(parts.iter().map(OpenLot::mass)).unwrap();
    let pieces = if product {
        parts[0].pieces().clone()
    } else {
        OpenAmount::total(parts.iter().map(OpenLot::pieces)).unwrap()
    };
    OpenLot::seal(mass, pieces, terms(class, 30), &mut rand::rng())
}

fn taken_apart(kind: Kind, whole: OpenLot, parts: &[OpenLot], outputs: Vec<OpenLot>) -> Case {
    let mut case = Case::new(kind, vec![whole], outputs);
    case.event.components = parts.iter().map(|lot| lot.lot().content.clone()).collect();
    case.event.component_salt = Some([9; 32]);
    case
}

#[test]
fn a_container_gives_back_what_went_in() {
    let parts = [lot(1_000, 10, 10), OpenLot::fresh(7, 1, terms(hash(2), 11), &mut rand::rng())];
    let whole = assembly(Kind::Aggregate, &parts);
    assert_eq!((whole.mass().number, whole.pieces().number), (1_007, 11));
    let case = Case::new(Kind::Aggregate, parts.to_vec(), vec![whole.clone()]).prove();
    assert_eq!(case.verify(), Ok(()));
    let mut other = case.clone();
    other.event.salt = [8; 32];
    assert_eq!(other.verify(), Err(LotError::Class));
    let back = vec![moved(&parts[0], 31), moved(&parts[1], 32)];
    let apart = taken_apart(Kind::Disaggregate, whole.clone(), &parts, back.clone());
    assert_eq!(apart.prove().verify(), Ok(()));
    let swapped = vec![back[1].clone(), back[0].clone()];
    let apart = taken_apart(Kind::Disaggregate, whole.clone(), &parts, swapped);
    assert_eq!(refused(&apart), LotError::Components);
    let apart = taken_apart(Kind::Disaggregate, whole.clone(), &parts, back[..1].to_vec());
    assert_eq!(refused(&apart), LotError::Components);
    let richer = vec![moved(&parts[0], 31), lot(7, 1, 32)];
    let apart =
        taken_apart(Kind::Disaggregate, whole.clone(), &[parts[0].clone(), lot(7, 1, 1)], richer);
    assert_eq!(refused(&apart), LotError::Class);
    // A part of the container's mass is split off, and the rest pretends to be the container.
    let class = whole.lot().content.class;
    let halves = [500, 507].map(|mass| OpenLot::fresh(mass, 5, terms(class, 40), &mut rand::rng()));
    let apart = taken_apart(Kind::Disaggregate, halves[1].clone(), &parts, back);
    assert_eq!(refused(&apart), LotError::Components);
}

#[test]
fn what_is_installed_comes_out_as_it_was() {
    let parts = [lot(1_000, 1, 10), lot(70, 1, 11), lot(5, 1, 12)];
    let product = assembly(Kind::Install, &parts);
    assert_eq!((product.mass().number, product.pieces().number), (1_075, 1));
    let install = Case::new(Kind::Install, parts.to_vec(), vec![product.clone()]).prove();
    assert_eq!(install.verify(), Ok(()));
    let left = [parts[0].clone(), parts[2].clone()];
    let rest = changed(&assembly(Kind::Install, &left), 31, |_| {});
    let remove = |removed: &[u8], outputs| {
        let mut case = taken_apart(Kind::Remove, product.clone(), &parts, outputs);
        case.event.removed = removed.to_vec();
        case
    };
    let outputs = vec![moved(&parts[1], 32), rest];
    assert_eq!(remove(&[1], outputs.clone()).prove().verify(), Ok(()));
    for wrong in [&[2][..], &[0], &[1, 1], &[2, 1], &[1, 2], &[7]] {
        assert_eq!(refused(&remove(wrong, outputs.clone())), LotError::Components, "{wrong:?}");
    }
    let all = vec![moved(&parts[1], 32), moved(&parts[2], 33), moved(&parts[0], 34)];
    assert_eq!(remove(&[1, 2], all).prove().verify(), Ok(()));
    let kept = vec![moved(&parts[1], 32), changed(&product, 31, |_| {})];
    assert_eq!(refused(&remove(&[1], kept)), LotError::Class);
}

#[test]
fn every_unit_of_mass_and_scale_commissions_what_it_says() {
    for (text, unit, mg) in [
        ("1.5", "kg", 1_500_000),
        ("0.001500", "t", 1_500_000),
        ("1500.0000", "g", 1_500_000),
        ("12", "mg", 12),
        // 10.5 lb are 4,762,719.885 mg, rounded down.
        ("10.5", "lb", 4_762_719),
        ("0.0000015", "kg", 1),
    ] {
        let exact = commission(text, unit, &[mg]).prove();
        assert_eq!(exact.verify(), Ok(()), "{text} {unit}");
        let over = commission(text, unit, &[mg + 1]);
        assert_eq!(over.try_prove(), Err(MakeError::TooMuch), "{text} {unit}");
    }
    let mut uncertified = commission("1", "kg", &[5]);
    uncertified.event.origin = None;
    uncertified.certified = None;
    assert_eq!(refused(&uncertified), LotError::Class);
    let class = uncertified_class(&NETWORK, &[9; 32]);
    let out = OpenLot::fresh(5, 1, terms(class, 20), &mut rand::rng());
    let case = Case::new(Kind::Commission, Vec::new(), vec![out]).prove();
    assert_eq!(case.verify(), Ok(()));
}

#[test]
fn many_outputs_take_as_many_range_proofs_as_they_need() {
    let outputs: Vec<OpenLot> = (11..40).map(|seal| lot(10, 1, seal)).collect();
    let case = Case::new(Kind::Split, vec![lot(290, 29, 10)], outputs).prove();
    assert_eq!(case.proofs.ranges.len(), 8);
    assert_eq!(case.verify(), Ok(()));
}
