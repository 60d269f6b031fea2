//! Everything that must be refused: proofs are made by a cheater who leaves out the maker's own checks.

use super::*;
use crate::sums::{Known, Slot};

/// Range proofs of an honest event put beside a balance of a dishonest one.
fn with_balance_of(honest: &Case, cheat: &mut Case) {
    cheat.proofs.ranges = honest.proofs.ranges.clone();
    cheat.proofs.balances = honest.proofs.balances.clone();
}

#[test]
fn more_out_than_in_cannot_be_proved_and_honest_proofs_do_not_fit_it() {
    let mut cheat = rework();
    cheat.witness.outputs[0] = lot(601, 6, 11);
    cheat.witness.describe(&mut cheat.event);
    assert_eq!(cheat.try_prove(), Err(MakeError::Unbalanced));
    assert_eq!(cheat.verify(), Err(LotError::Balance));
    with_balance_of(&rework(), &mut cheat);
    assert_eq!(cheat.verify(), Err(LotError::Balance));
}

#[test]
fn a_negative_output_is_out_of_range_although_the_balance_verifies() {
    // The balance proofs are honestly made for a body with a negative output: what is left to refuse it is its range.
    let (input, big) = (lot(1_000, 10, 10), lot(1_500, 6, 11));
    let mut case = Case::new(Kind::Rework, vec![input], vec![big, lot(0, 4, 12)]);
    let five_hundred = amount(500);
    let minus = -five_hundred.amount().point();
    case.event.outputs[1].content.mass = crate::lot::Amount::of(minus);
    let blinding = -five_hundred.blinding.scalar();
    let claim = case.claim_on(&NETWORK).unwrap();
    let small = Case::new(Kind::Rework, vec![lot(9, 9, 10)], vec![lot(5, 5, 11), lot(4, 4, 12)]);
    let ranges = small.prove().proofs.ranges;
    let mut numbers = case.witness.numbers();
    numbers.insert(Slot::OutputMass(1), Known { number: -500, blinding });
    // A maker who keeps to the proof system cannot prove it.
    let own = claim.prove(&numbers, &[], &mut rand::rng());
    assert_eq!(own, Err(MakeError::TooMuch));
    case.proofs = claim.prove_balances(ranges, &numbers, &[], &mut rand::rng()).unwrap();
    assert_eq!(case.verify(), Err(LotError::Range));
}

#[test]
fn a_sum_that_wraps_at_64_bits_does_not_balance() {
    let half = 1_u64 << 63;
    let outputs = vec![lot(half, 6, 11), lot(half, 4, 12)];
    let case = Case::new(Kind::Rework, vec![lot(0, 10, 10)], outputs);
    assert_eq!(case.try_prove(), Err(MakeError::Unbalanced));
    let whole = lot(u64::MAX, 10, 10);
    let outputs = vec![lot(u64::MAX, 6, 11), lot(1, 4, 12)];
    assert_eq!(
        Case::new(Kind::Rework, vec![whole], outputs).try_prove(),
        Err(MakeError::Unbalanced)
    );
}

#[test]
fn pieces_are_not_mass() {
    // 10 pieces fewer and 10 mg more: the sums of both together would balance.
    let outputs = vec![lot(1_005, 3, 11), lot(5, 2, 12)];
    let case = Case::new(Kind::Rework, vec![lot(1_000, 15, 10)], outputs);
    assert_eq!(case.try_prove(), Err(MakeError::Unbalanced));
    // Both proofs exchanged.
    let mut case = rework();
    case.proofs.balances.swap(0, 1);
    assert_eq!(case.verify(), Err(LotError::Balance));
}

#[test]
fn proofs_serve_one_event_of_one_kind_on_one_network() {
    let case = rework();
    assert_eq!(case.verify(), Ok(()));
    assert_eq!(case.verify_on(&[8; 32]), Err(LotError::Balance));
    let mut other = case.clone();
    other.event.salt = [10; 32];
    assert_eq!(other.verify(), Err(LotError::Balance));
    let mut other = case.clone();
    other.event.inputs[0].output = 1;
    assert_eq!(other.verify(), Err(LotError::Balance));
    let mut other = case.clone();
    other.event.kind = Kind::Transform;
    assert_eq!(other.verify(), Err(LotError::WrongPart));
    let whole = Case::new(Kind::Rework, vec![lot(9, 9, 10)], vec![lot(5, 5, 11), lot(4, 4, 12)]);
    let mut other = whole.prove();
    other.event.kind = Kind::Split;
    assert_eq!(other.verify(), Err(LotError::Balance));
    let mut other = case;
    let twin = rework().proofs;
    other.proofs.ranges = twin.ranges;
    assert_eq!(other.verify(), Err(LotError::Balance));
}

#[test]
fn counts_and_lengths_of_proofs_are_exact() {
    let case = rework();
    let check = |change: fn(&mut Proofs)| {
        let mut case = case.clone();
        change(&mut case.proofs);
        case.verify()
    };
    let count = Err(LotError::ProofCount);
    assert_eq!(check(|proofs| proofs.ranges.clear()), count);
    assert_eq!(check(|proofs| proofs.ranges.push(proofs.ranges[0].clone())), count);
    assert_eq!(check(|proofs| proofs.ranges[0].truncate(1)), count);
    assert_eq!(check(|proofs| proofs.balances.truncate(1)), count);
    assert_eq!(check(|proofs| proofs.balances.push(vec![0; 64])), count);
    assert_eq!(check(|proofs| proofs.balances[0].push(0)), count);
    assert_eq!(check(|proofs| proofs.serials.push(vec![0; 32])), count);
}

#[test]
fn scalars_and_points_in_another_encoding_are_refused() {
    // The group's order, little-endian: s + order is the same scalar in another encoding.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut case = rework();
    let mut carry = 0;
    for (byte, add) in case.proofs.balances[0][32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert_eq!(case.verify(), Err(LotError::BadCommitment));
    let mut case = rework();
    case.proofs.balances[0][..32].fill(0xff);
    assert_eq!(case.verify(), Err(LotError::BadCommitment));
    let mut encoded = rework().event.outputs[0].encode();
    let at = encoded.windows(2).position(|pair| pair == [0x0a, 0x20]).unwrap() + 2;
    encoded[at..at + 32].fill(0xff);
    assert_eq!(Lot::decode(&encoded), Err(LotError::BadCommitment));
}

#[test]
fn any_flipped_bit_of_an_event_or_its_proofs_is_refused() {
    let case = rework();
    let inputs = [Some(case.witness.inputs[0].lot())];
    let judge = |event: &[u8], proofs: &[u8]| -> Result<(), LotError> {
        let (event, proofs) = (Event::decode(event)?, Proofs::decode(proofs)?);
        let facts = Facts { network: &NETWORK, event: &event, inputs: &inputs, certified: None };
        verify_all(&[(&facts.claim()?, &proofs)]).remove(0)
    };
    let (event, proofs) = (case.event.encode(), case.proofs.encode());
    assert_eq!(judge(&event, &proofs), Ok(()));
    for at in 0..event.len() {
        let mut bent = event.clone();
        bent[at] ^= 1 << (at % 8);
        assert!(judge(&bent, &proofs).is_err(), "byte {at} of the event");
    }
    for at in 0..proofs.len() {
        let mut bent = proofs.clone();
        bent[at] ^= 1 << (at % 8);
        assert!(judge(&event, &bent).is_err(), "byte {at} of the proofs");
    }
}

#[test]
fn another_input_than_the_one_that_was_proved_is_refused() {
    let mut case = rework();
    let same_quantities = case.witness.inputs[0].clone();
    case.witness.inputs[0] = lot(1_000, 10, 10);
    assert_eq!(case.verify(), Err(LotError::Balance));
    case.witness.inputs[0] = same_quantities;
    assert_eq!(case.verify(), Ok(()));
}

#[test]
fn materials_do_not_mix_but_in_a_blend_of_their_classes() {
    let cheap = OpenLot::fresh(500, 5, terms(hash(2), 15), &mut rand::rng());
    let merge =
        Case::new(Kind::Merge, vec![lot(500, 5, 10), cheap.clone()], vec![lot(1_000, 10, 11)]);
    assert_eq!(merge.try_prove(), Err(LotError::Class.into()));
    let dearer = Case::new(Kind::Transform, vec![cheap.clone()], vec![lot(500, 5, 11)]);
    assert_eq!(dearer.try_prove(), Err(LotError::Class.into()));
    let blend = Case::new(Kind::Blend, vec![lot(500, 5, 10), cheap], vec![lot(1_000, 10, 11)]);
    assert_eq!(blend.try_prove(), Err(LotError::Class.into()));
}

#[test]
fn a_correction_never_raises_and_needs_its_loss_and_reason() {
    let more = Case::new(Kind::Correct, vec![lot(1_000, 10, 10)], vec![lot(1_001, 10, 11)]);
    assert_eq!(more.try_prove(), Err(LotError::WrongPart.into()));
    assert_eq!(more.scrap(0, Some(0)).try_prove(), Err(MakeError::Unbalanced));
    let more = Case::new(Kind::Correct, vec![lot(1_000, 10, 10)], vec![lot(1_001, 10, 11)]);
    assert_eq!(more.gain(1).try_prove(), Err(LotError::WrongPart.into()));
    let less = Case::new(Kind::Correct, vec![lot(1_000, 10, 10)], vec![lot(900, 9, 11)]);
    let mut less = less.scrap(100, Some(1)).prove();
    assert_eq!(less.verify(), Ok(()));
    less.event.reason.clear();
    assert_eq!(less.try_prove(), Err(LotError::WrongPart.into()));
}

#[test]
fn a_gain_stays_within_what_is_shown_of_it() {
    let adjusted = Case::new(Kind::Adjust, vec![lot(100_000, 10, 10)], vec![lot(100_450, 10, 11)]);
    let mut adjusted = adjusted.gain(450).prove();
    assert_eq!(adjusted.event.gain.as_ref().unwrap().permille, 5);
    assert_eq!(adjusted.verify(), Ok(()));
    adjusted.event.gain.as_mut().unwrap().permille = 4;
    assert_eq!(adjusted.try_prove(), Err(MakeError::TooMuch));
    assert_eq!(adjusted.verify(), Err(LotError::Balance));
    for permille in [0, 1_001] {
        adjusted.event.gain.as_mut().unwrap().permille = permille;
        assert_eq!(adjusted.try_prove(), Err(LotError::WrongPart.into()));
    }
}

#[test]
fn uncertified_material_cannot_be_shown_as_less_than_it_is() {
    let mixed = uncertified_blend(100);
    assert_eq!(mixed.event.uncertified.as_ref().unwrap().permille, 100);
    let mut mixed = mixed.prove();
    assert_eq!(mixed.verify(), Ok(()));
    mixed.event.uncertified.as_mut().unwrap().permille = 99;
    assert_eq!(mixed.try_prove(), Err(MakeError::TooMuch));
    assert_eq!(mixed.verify(), Err(LotError::Balance));
    let hidden = Case::new(Kind::Transform, vec![lot(900, 1, 10)], vec![lot(1_000, 1, 11)]);
    assert_eq!(hidden.uncertified(100, None).try_prove(), Err(LotError::WrongPart.into()));
}

#[test]
fn what_is_cut_off_may_all_have_been_certified() {
    let before = lot(100_000, 1, 10);
    let terms = terms(before.lot().content.class, 11);
    let after = OpenLot::seal(amount(100_000), before.pieces().clone(), terms, &mut rand::rng());
    let repair = Case::new(Kind::Repair, vec![before], vec![after]);
    let mut repair = repair.scrap(90_000, None).uncertified(90_000, None).prove();
    assert_eq!(repair.verify(), Ok(()));
    assert_eq!(repair.event.uncertified.as_ref().unwrap().permille, 900);
    // Of all that went in, it was less than half.
    for permille in [474, 899] {
        repair.event.uncertified.as_mut().unwrap().permille = permille;
        assert_eq!(repair.try_prove(), Err(MakeError::TooMuch));
        assert_eq!(repair.verify(), Err(LotError::Balance));
    }
}

#[test]
fn a_gain_counts_against_what_is_left() {
    let adjust = Case::new(Kind::Adjust, vec![lot(1_000, 10, 10)], vec![lot(10, 1, 11)]);
    let mut adjust = adjust.scrap(995, Some(9)).gain(5).prove();
    assert_eq!(adjust.verify(), Ok(()));
    assert_eq!(adjust.event.gain.as_ref().unwrap().permille, 1_000);
    adjust.event.gain.as_mut().unwrap().permille = 5;
    assert_eq!(adjust.try_prove(), Err(MakeError::TooMuch));
    // More than half of what comes out cannot be a gain.
    let most = Case::new(Kind::Adjust, vec![lot(1_000, 10, 10)], vec![lot(10, 1, 11)]);
    let most = most.scrap(996, Some(9)).gain(6);
    assert_eq!(most.try_prove(), Err(MakeError::TooMuch));
}

/// 900 mg of a certificate with so much that has none.
pub(super) fn uncertified_blend(mass: u64) -> Case {
    let classes = [hash(1), uncertified_class(&NETWORK, &[9; 32])];
    let class = crate::class::blend_class(&NETWORK, &[9; 32], classes.into_iter());
    let out = OpenLot::fresh(900 + mass, 1, terms(class, 11), &mut rand::rng());
    Case::new(Kind::Blend, vec![lot(900, 1, 10)], vec![out]).uncertified(mass, None)
}

#[test]
fn a_commission_does_not_exceed_its_certificate() {
    let exact = commission("1.5", "kg", &[1_000_000, 500_000]).prove();
    assert_eq!(exact.verify(), Ok(()));
    let over = commission("1.5", "kg", &[1_000_000, 500_001]);
    assert_eq!(over.try_prove(), Err(MakeError::TooMuch));
    // The proofs of a larger certificate do not serve a smaller one.
    let mut cheat = commission("2.5", "kg", &[1_000_000, 500_001]).prove();
    cheat.certified = Some(certificate("1.5", "kg").0);
    assert_eq!(cheat.verify(), Err(LotError::Range));
    // Another unit or scale of the same number.
    let mut cheat = commission("1.5", "t", &[1_500_000]).prove();
    cheat.certified = Some(certificate("1.5", "kg").0);
    assert_eq!(cheat.verify(), Err(LotError::Range));
    assert_eq!(commission("0", "kg", &[1]).try_prove(), Err(MakeError::TooMuch));
    assert_eq!(commission("-1", "kg", &[1]).try_prove(), Err(MakeError::TooMuch));
    // Certified, without a certificate.
    let mut none = commission("1.5", "kg", &[1]);
    none.certified = None;
    assert_eq!(none.try_prove(), Err(LotError::NoCertifiedMass.into()));
    // Another certificate's class.
    let mut other = commission("1.5", "kg", &[1]);
    other.event.origin = Some(hash(78));
    assert_eq!(other.try_prove(), Err(LotError::Class.into()));
}

#[test]
fn a_batch_names_the_event_that_does_not_verify() {
    let cases: Vec<Case> = (0..3).map(|_| rework()).collect();
    let claims: Vec<Claim> = cases.iter().map(|case| case.claim_on(&NETWORK).unwrap()).collect();
    let mut proofs: Vec<Proofs> = cases.iter().map(|case| case.proofs.clone()).collect();
    let together = |proofs: &[Proofs]| {
        let pairs: Vec<(&Claim, &Proofs)> = claims.iter().zip(proofs).collect();
        verify_all(&pairs)
    };
    assert_eq!(together(&proofs), vec![Ok(()); 3]);
    // A range proof of the event itself, made anew and not the one that its balance absorbed.
    let claim = &claims[1];
    let (ranges, numbers) = (cases[0].proofs.ranges.clone(), cases[1].witness.numbers());
    let bent = claim.prove_balances(ranges, &numbers, &[], &mut rand::rng()).unwrap();
    proofs[1] = bent;
    assert_eq!(together(&proofs), vec![Ok(()), Err(LotError::Range), Ok(())]);
}

#[test]
fn shares_of_a_large_batch_name_the_events_that_do_not_verify() {
    let sound = rework();
    let mut wrong = sound.clone();
    wrong.proofs.balances[0][40] ^= 1;
    let mut out_of_range = sound.clone();
    out_of_range.proofs.ranges[0][70] ^= 1;
    let at = |place: usize| match place {
        3 | 190 => &wrong,
        150 => &out_of_range,
        _ => &sound,
    };
    let claims: Vec<Claim> = (0..200).map(|n| at(n).claim_on(&NETWORK).unwrap()).collect();
    let pairs: Vec<(&Claim, &Proofs)> =
        claims.iter().enumerate().map(|(n, claim)| (claim, &at(n).proofs)).collect();
    let failing: Vec<usize> = verify_all(&pairs)
        .iter()
        .enumerate()
        .filter(|(_, result)| result.is_err())
        .map(|(place, _)| place)
        .collect();
    assert_eq!(failing, [3, 150, 190]);
    assert!(verify_all(&[]).is_empty());
}
