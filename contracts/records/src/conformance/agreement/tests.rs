//! Agreement: what is proved, what cannot be, and every proof that must be refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use crate::opening::tests::{heading, measured, number};
use crate::{Fields, Opening, Secret};

const CARBON: &str = "chemistry/C";

fn side(secret: u8, values: &[(&str, &str, Quantity)]) -> Side {
    let mut fields = Fields::new();
    for (path, unit, quantity) in values {
        fields.insert(Path::new(path).unwrap(), measured(unit, quantity.clone())).unwrap();
    }
    let opening = Opening::seal(heading(), fields, Secret::new([secret; 32])).unwrap();
    let tree = opening.tree().unwrap();
    let paths: Vec<Path> = opening.fields().iter().map(|(path, _)| path.clone()).collect();
    paths.into_iter().map(|path| (path.clone(), tree.show(&path).unwrap().said)).collect()
}

fn is(text: &str) -> Quantity {
    Quantity::Number(Relation::Equal, number(text))
}

fn carbon(secret: u8, text: &str) -> Side {
    side(secret, &[(CARBON, "%", is(text))])
}

fn hidden(side: &Side) -> Side {
    side.iter().map(|(path, said)| (path.clone(), said.hidden())).collect()
}

fn within(tolerance: &str) -> Tolerances {
    let tolerance = Tolerance::parse(tolerance).unwrap();
    Tolerances::new(vec![(Path::new(CARBON).unwrap(), tolerance)]).unwrap()
}

/// Whether two results can be proved to agree; what is proved must verify without either number.
fn agrees(first: &Side, second: &Side, tolerance: &str) -> Result<(), Unprovable> {
    let tolerances = within(tolerance);
    let agreement =
        Agreement { context: b"for this receiver", tolerances: &tolerances, first, second };
    match agreement.prove(&mut rand::rng()) {
        Ok(proofs) => {
            let (first, second) = (&hidden(first), &hidden(second));
            let shown = Agreement { first, second, ..agreement };
            assert_eq!(shown.verify(&proofs), Ok(()));
            Ok(())
        }
        Err(ProveError::Limits(faults)) => Err(faults[0].1),
        Err(other) => unreachable!("{other}"),
    }
}

#[test]
fn what_differs_by_more_is_not_proved() {
    use Unprovable::Outside;
    for (first, second, tolerance, expected) in [
        ("0.021", "0.021", "0 %", Ok(())),
        ("0.021", "0.0210", "0 %", Ok(())),
        ("0.021", "0.023", "0.002 %", Ok(())),
        ("0.023", "0.021", "0.002 %", Ok(())),
        ("0.023", "0.021", "0.0019 %", Err(Outside)),
        ("0.021", "0.023", "0.0019 %", Err(Outside)),
        ("0.021", "0.023", "20 ppm", Ok(())),
        ("0.021", "0.023", "19 ppm", Err(Outside)),
        ("-40", "-38.5", "1.5 %", Ok(())),
        ("-40", "40", "79.99 %", Err(Outside)),
        ("100", "0", "1 %", Err(Outside)),
    ] {
        let (one, other) = (carbon(1, first), carbon(2, second));
        assert_eq!(agrees(&one, &other, tolerance), expected, "{first} {second} {tolerance}");
    }
    let ppm = side(2, &[(CARBON, "ppm", is("212"))]);
    assert_eq!(agrees(&carbon(1, "0.021"), &ppm, "0.0002 %"), Ok(()));
    assert_eq!(agrees(&carbon(1, "0.021"), &ppm, "0.0001 %"), Err(Outside));
}

#[test]
fn only_single_numbers_agree() {
    let exact = carbon(1, "0.021");
    for (quantity, expected) in [
        (Quantity::Number(Relation::Less, number("0.021")), Unprovable::Relation),
        (Quantity::Balance, Unprovable::NotANumber),
        (Quantity::Several(vec![(Relation::Equal, number("0.021"))]), Unprovable::NotANumber),
    ] {
        let other = side(2, &[(CARBON, "%", quantity)]);
        assert_eq!(agrees(&exact, &other, "1 %"), Err(expected));
        assert_eq!(agrees(&other, &exact, "1 %"), Err(expected));
    }
    let stress = side(2, &[(CARBON, "MPa", is("0.021"))]);
    assert_eq!(agrees(&exact, &stress, "1 %"), Err(Unprovable::Unit));
    assert_eq!(
        agrees(&exact, &side(2, &[("chemistry/S", "%", is("1"))]), "1 %"),
        Err(Unprovable::Absent)
    );
    // Who does not know a number proves nothing about it.
    assert_eq!(agrees(&exact, &hidden(&carbon(2, "0.021")), "1 %"), Err(Unprovable::Absent));
}

#[test]
fn refuses_a_proof_of_anything_else() {
    let (one, other) = (carbon(1, "0.021"), carbon(2, "0.023"));
    let tolerances = within("0.002 %");
    let made = Agreement { context: b"this", tolerances: &tolerances, first: &one, second: &other };
    let proofs = made.prove(&mut rand::rng()).unwrap();
    assert_eq!(made.verify(&proofs), Ok(()));
    let refused = Err(ConformanceError::Proof);
    assert_eq!(Agreement { context: b"that", ..made.clone() }.verify(&proofs), refused);
    let swapped = Agreement { first: &other, second: &one, ..made.clone() };
    assert_eq!(swapped.verify(&proofs), refused);
    for tolerance in ["0.001 %", "0.003 %", "0.0020 %", "20 ppm"] {
        let tolerances = within(tolerance);
        let bent = Agreement { tolerances: &tolerances, ..made.clone() };
        assert_eq!(bent.verify(&proofs), refused, "{tolerance}");
    }
    // The same numbers, hidden otherwise.
    for (first, second) in [(&carbon(3, "0.021"), &other), (&one, &carbon(3, "0.023"))] {
        assert_eq!(Agreement { first, second, ..made.clone() }.verify(&proofs), refused);
    }
    assert_eq!(made.verify(&[]), Err(ConformanceError::Count));
    let twice = [proofs[0].clone(), proofs[0].clone()];
    assert_eq!(made.verify(&twice), Err(ConformanceError::Count));
    let mut bent = proofs.clone();
    for at in 0..bent[0].len() {
        bent[0][at] ^= 1;
        assert_eq!(made.verify(&bent), refused, "byte {at}");
        bent[0][at] ^= 1;
    }
    let absent = Side::new();
    let missing = Agreement { second: &absent, ..made };
    assert_eq!(missing.verify(&proofs), Err(ConformanceError::Limit(Unprovable::Absent)));
}

#[test]
fn refuses_what_is_no_tolerance() {
    for text in ["", "%", "-0.02 %", "x %", "0.02 %\n%", ".5 %", "1.2.3 %"] {
        assert!(Tolerance::parse(text).is_err(), "{text}");
    }
    for (text, told) in [("0.02%", "0.02 %"), (" 5 MPa ", "5 MPa"), ("7", "7")] {
        assert_eq!(Tolerance::parse(text).unwrap().to_string(), told);
    }
    let tolerance = |text| Tolerance::parse(text).unwrap();
    for (narrow, wide, within) in [
        ("0.02 %", "0.02 %", true),
        ("0.020 %", "0.02 %", true),
        ("200 ppm", "0.02 %", true),
        ("201 ppm", "0.02 %", false),
        ("0.03 %", "0.02 %", false),
        ("0.01 MPa", "0.02 %", false),
    ] {
        assert_eq!(tolerance(narrow).is_within(&tolerance(wide)), within, "{narrow} {wide}");
    }
    let path = Path::new(CARBON).unwrap();
    assert_eq!(Tolerances::new(Vec::new()), Err(ToleranceError::Count));
    let twice = vec![(path.clone(), tolerance("1 %")), (path, tolerance("2 %"))];
    assert_eq!(Tolerances::new(twice), Err(ToleranceError::Count));
    let long = Path::new(&"x".repeat(511)).unwrap();
    assert_eq!(Tolerances::new(vec![(long, tolerance("1 %"))]), Err(ToleranceError::Path));
}
