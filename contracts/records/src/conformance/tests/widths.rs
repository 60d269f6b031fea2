//! Widths: which one a limit takes, that the number has no say in it, and that a proof of one width is none of another.

use super::*;
use crate::conformance::ranges::{Claim, failing};
use crate::conformance::statement::Statement;
use crate::range::Width;

/// Widths of the statements of one limit on a number of this unit and so many decimal places.
fn widths(unit: &str, places: u8, limits: &str, rounding: &str) -> Vec<usize> {
    let quantity = Quantity::Number(Relation::Equal, Decimal::new(0, places).unwrap());
    let text = format!("[[limit]]\nproperty = 'a/b'\nunit = '{unit}'\n{limits}\n");
    let specification = specification(rounding, &text);
    of(&record(&[("a/b", unit, quantity)]), &specification)
}

fn of(opening: &Opening, specification: &Specification) -> Vec<usize> {
    let bits = |statement: &Statement| statement.width.bits();
    claimed(opening, specification).iter().flatten().map(bits).collect()
}

fn said(opening: &Opening, specification: &Specification) -> BTreeMap<Path, Said> {
    let tree = opening.tree().unwrap();
    Prover::new(opening, &tree, specification).unwrap().said
}

fn claimed(opening: &Opening, specification: &Specification) -> Vec<Vec<Statement>> {
    let said = said(opening, specification);
    Conformance { context: CONTEXT, specification, said: &said }.statements().unwrap().0
}

#[test]
fn limits_on_both_sides_take_the_width_of_what_lies_between_them() {
    for (between, expected) in [
        ("65535", 16),
        ("65536", 32),
        ("4294967295", 32),
        ("4294967296", 64),
        ("99999999999999999999", 64),
    ] {
        let limits = format!("minimum = '0'\nmaximum = '{between}'");
        assert_eq!(widths("MPa", 0, &limits, "absolute"), [expected; 2], "{between}");
    }
    // Finer numbers make the grid finer, and rounding moves both limits by half of their last place.
    assert_eq!(widths("MPa", 1, "minimum = '0'\nmaximum = '6553'", "absolute"), [16, 16]);
    assert_eq!(widths("MPa", 1, "minimum = '0'\nmaximum = '6554'", "absolute"), [32, 32]);
    assert_eq!(widths("MPa", 0, "minimum = '0'\nmaximum = '6552'", "astm-e29"), [16, 16]);
    assert_eq!(widths("MPa", 0, "minimum = '0'\nmaximum = '6553'", "astm-e29"), [32, 32]);
    assert_eq!(widths("°C", 0, "minimum = '-40'\nmaximum = '65495'", "absolute"), [16, 16]);
    assert_eq!(widths("°C", 0, "minimum = '-41'\nmaximum = '65495'", "absolute"), [32, 32]);
}

#[test]
fn a_limit_on_one_side_takes_the_width_of_all_shares_and_the_widest_for_anything_else() {
    assert_eq!(widths("%", 3, "maximum = '0.030'", "absolute"), [16]);
    assert_eq!(widths("%", 3, "maximum = '65.535'", "absolute"), [16]);
    assert_eq!(widths("%", 3, "maximum = '65.536'", "absolute"), [32]);
    assert_eq!(widths("ppm", 1, "maximum = '2'", "absolute"), [16]);
    // Up to 10,000 % may lie above a minimum.
    assert_eq!(widths("%", 0, "minimum = '35'", "absolute"), [16]);
    assert_eq!(widths("%", 1, "minimum = '35'", "absolute"), [32]);
    assert_eq!(widths("%", 7, "minimum = '35'", "absolute"), [64]);
    assert_eq!(widths("MPa", 0, "minimum = '515'", "absolute"), [64]);
    assert_eq!(widths("HBW", 0, "maximum = '250'", "absolute"), [64]);
    // Another unit of one kind: 0 to 0.0002 % in tenths of a ppm, on the limit's grid.
    let opening = record(&[("chemistry/H", "ppm", is("1.8"))]);
    let hydrogen = specification("absolute", &limit("chemistry/H", "maximum = '0.0002'"));
    assert_eq!(of(&opening, &hydrogen), [16]);
}

#[test]
fn formulas_of_shares_reach_from_their_least_to_their_most() {
    let opening = record(&[("chemistry/Mn", "%", is("1.44")), ("chemistry/Cr", "%", is("0.05"))]);
    let formula = |formula: &str, limits: &str| {
        let limit = format!("[[limit]]\nname = 'F'\nunit = '%'\nformula = '{formula}'\n{limits}\n");
        of(&opening, &specification("absolute", &limit))
    };
    assert_eq!(formula("Mn + Cr", "maximum = '2'"), [16]);
    assert_eq!(formula("Mn + 5*Cr", "maximum = '655.35'"), [16]);
    assert_eq!(formula("Mn + 5*Cr", "maximum = '655.36'"), [32]);
    // Chromium counts downwards, and may be 10,000 %.
    assert_eq!(formula("Mn - Cr", "maximum = '2'"), [32]);
    assert_eq!(formula("Mn - Cr", "minimum = '-2'\nmaximum = '2'"), [16, 16]);
    // A constant moves the limit, not what lies between two.
    assert_eq!(formula("Mn + Cr + 700", "maximum = '702'"), [16]);
    assert_eq!(formula("Mn + Cr + 700", "minimum = '1'\nmaximum = '1000'"), [32, 16]);
}

#[test]
fn the_number_has_no_say_in_the_width() {
    let limits = "minimum = '0.05'\nmaximum = '0.90'";
    let text = limit("chemistry/C", limits) + &limit("chemistry/Si", "maximum = '0.75'");
    let specification = specification("absolute", &text);
    let mut seen = std::collections::BTreeSet::new();
    for (carbon, silicon) in [("0.050", "0.000"), ("0.900", "0.750"), ("0.400", "0.001")] {
        let opening =
            record(&[("chemistry/C", "%", is(carbon)), ("chemistry/Si", "%", is(silicon))]);
        let proved = prove(&opening, &specification).unwrap();
        assert_eq!(proved.verify(&specification), Ok(()));
        seen.insert(proved.proofs.iter().map(Vec::len).collect::<Vec<_>>());
    }
    assert_eq!(seen.len(), 1);
}

#[test]
fn what_is_further_from_a_limit_than_any_share_is_not_proved_and_outside_comes_first() {
    assert_eq!(within(is("-65534"), "maximum = '1'", "absolute"), Ok(()));
    assert_eq!(within(is("-65535"), "maximum = '1'", "absolute"), Err(Unprovable::TooFar));
    // Far above the minimum, since it is above the maximum.
    let both = "minimum = '0.1'\nmaximum = '0.9'";
    assert_eq!(within(is("70000"), both, "absolute"), Err(Unprovable::Outside));
    assert_eq!(within(is("-70000"), both, "absolute"), Err(Unprovable::Outside));
}

#[test]
fn a_number_that_leads_back_into_the_range_by_wrapping_is_outside() {
    for step in ["65536", "4294967296", "18446744073709551616"] {
        let (above, below) = (is(&format!("1{step}")), is(&format!("-{step}")));
        assert!(within(above, "minimum = '0'\nmaximum = '9'", "absolute").is_err(), "{step}");
        assert!(within(below, "minimum = '0'", "absolute").is_err(), "{step}");
    }
}

/// Four limits of one number, all statements of which are forced to a width.
fn forced(places: &str, width: Width) -> (Claim, Vec<Vec<(i128, crate::commitment::Blinding)>>) {
    let opening = record(&[("chemistry/C", "%", is(places))]);
    let text = limit("chemistry/C", "maximum = '6.5535'");
    let specification = specification("absolute", &text);
    let mut statements = claimed(&opening, &specification);
    statements.iter_mut().flatten().for_each(|statement| statement.width = width);
    let path = Path::new("chemistry/C").unwrap();
    let number = opening.fields.get(&path).unwrap().numbers()[0].mantissa();
    let blinding = opening.secret.salts(&opening.head.hash()).blindings(&path, 1);
    let claim = Claim::new(CONTEXT, &specification, &[], statements);
    (claim, vec![blinding.into_iter().map(|blinding| (number, blinding)).collect()])
}

#[test]
fn a_proof_of_one_width_is_none_of_another() {
    for made in Width::ALL {
        let (claim, witness) = forced("0.0300", made);
        let proofs = claim.prove(&[witness], &mut rand::rng()).unwrap();
        for asked in Width::ALL {
            let (claim, _) = forced("0.0300", asked);
            let shape = claim.check_shape(&proofs);
            assert_eq!(shape.is_ok(), made == asked, "by its length");
            // Even where no length is looked at.
            let refused = !failing(&[(0, claim, proofs.as_slice())]).is_empty();
            assert_eq!(refused, made != asked, "{made:?} as {asked:?}");
        }
    }
}

#[test]
fn a_narrow_proof_holds_no_number_that_only_a_wide_one_holds() {
    // 6.5535 + 1 = 75,535 units above the number, 2^16 and more.
    let (wide, witness) = forced("-1.0000", Width::Wide);
    let proofs = wide.prove(&[witness], &mut rand::rng()).unwrap();
    assert!(failing(&[(0, wide, proofs.as_slice())]).is_empty());
    let (narrow, witness) = forced("-1.0000", Width::Narrow);
    assert!(narrow.prove(&[witness], &mut rand::rng()).is_err());
    assert!(!failing(&[(0, narrow, proofs.as_slice())]).is_empty());
}

#[test]
fn proofs_of_several_widths_stand_the_narrowest_first_and_in_no_other_order() {
    // Two of 64 bits and eight of 16 bits, whose proofs have one length.
    let mut fields = vec![("mechanical/Rm", "MPa", is("520")), ("mechanical/Rp", "MPa", is("230"))];
    let mut limits = String::new();
    for path in ["mechanical/Rm", "mechanical/Rp"] {
        limits += &format!("[[limit]]\nproperty = '{path}'\nunit = 'MPa'\nminimum = '205'\n");
    }
    let paths: Vec<String> = (0..8).map(|n| format!("chemistry/E{n}")).collect();
    for path in &paths {
        fields.push((path, "%", is("0.010")));
        limits += &limit(path, "maximum = '0.030'");
    }
    let specification = specification("absolute", &limits);
    let mut proved = prove(&record(&fields), &specification).unwrap();
    assert_eq!(proved.proofs.iter().map(Vec::len).collect::<Vec<_>>(), [641, 641]);
    assert_eq!(proved.verify(&specification), Ok(()));
    proved.proofs.reverse();
    assert_eq!(proved.verify(&specification), Err(ConformanceError::Proof));
}
