//! Results whose numbers are told, compared with a limit as a proof about them would be: by the same statements, on the same
//! grid, with the same rounding, so that what is shown and what is proved are judged alike.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::Identity;

use super::Unprovable;
use super::statement::{Subject, statements};
use crate::specification::Rounding;
use crate::{Commitment, Committed, Decimal, Limit, Measured};

/// Whether results keep a limit: one result for each of its paths, in the order of [`crate::specification::Combination::paths`].
///
/// # Errors
/// Why they do not, or cannot be compared.
pub fn compare(limit: &Limit, rounding: Rounding, results: &[&Measured]) -> Result<(), Unprovable> {
    if results.len() != limit.of.paths().count() {
        return Err(Unprovable::Absent);
    }
    let hidden: Option<Vec<Committed>> =
        results.iter().map(|result| without_numbers(result)).collect();
    let hidden = hidden.ok_or(Unprovable::NotANumber)?;
    let subjects: Vec<Subject<'_>> = hidden.iter().map(Subject).collect();
    let numbers: Vec<Vec<i128>> = results
        .iter()
        .map(|result| result.quantity.figures().map(Decimal::mantissa).collect())
        .collect();
    for statement in statements(limit, rounding, &subjects)? {
        match statement.kept(&numbers) {
            // Too far for a proof, and within the limit all the same.
            Ok(_) | Err(Unprovable::TooFar) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// The shape of a result. Nothing is hidden here, so that any commitment will do.
fn without_numbers(result: &Measured) -> Option<Committed> {
    let nothing = Commitment::of(&RistrettoPoint::identity());
    let count = result.quantity.figures().count();
    result.committed(&vec![nothing; count]).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

    use super::*;
    use crate::{Quantity, Relation, Specification};

    fn result(relation: Relation, number: &str, unit: &str) -> Measured {
        let number = Decimal::parse(number).unwrap();
        Measured { unit: unit.to_owned(), quantity: Quantity::Number(relation, number) }
    }

    fn specification(rounding: &str, limits: &str) -> Specification {
        let text = format!("standard = 's'\nsample = 'heat'\nrounding = '{rounding}'\n{limits}");
        Specification::parse(&text).unwrap()
    }

    #[test]
    fn told_results_are_judged_as_proofs_are() {
        let limits = "[[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n";
        let judge = |rounding: &str, measured: &Measured| {
            let specification = specification(rounding, limits);
            compare(&specification.limits[0], specification.rounding, &[measured])
        };
        use Relation::{Equal, Greater, Less};
        for (relation, number, unit, expected) in [
            (Equal, "0.030", "%", Ok(())),
            (Equal, "300", "ppm", Ok(())),
            (Equal, "0.0301", "%", Err(Unprovable::Outside)),
            (Less, "0.030", "%", Ok(())),
            (Greater, "0.001", "%", Err(Unprovable::Relation)),
            (Equal, "0.021", "MPa", Err(Unprovable::Unit)),
            // Beyond what is compared.
            (Equal, "-100000000000000000", "%", Err(Unprovable::TooFine)),
        ] {
            let told = judge("absolute", &result(relation, number, unit));
            assert_eq!(told, expected, "{relation:?} {number} {unit}");
        }
        assert_eq!(judge("astm-e29", &result(Equal, "0.0304", "%")), Ok(()));
        let verdict = Measured { unit: String::new(), quantity: Quantity::Verdict(true) };
        assert_eq!(judge("absolute", &verdict), Err(Unprovable::NotANumber));
    }

    #[test]
    fn every_one_of_several_results_counts_and_a_formula_needs_all_its_terms() {
        let limits = "[[limit]]\nformula = 'Cu + 10*Sn'\nname = 'tramp'\nunit = '%'\nmaximum = '0.60'\n\
                      [[limit]]\nproperty = 'mechanical/R_m'\nunit = 'MPa'\nminimum = '500'\n";
        let specification = specification("absolute", limits);
        let [tramp, strength] = specification.limits.as_slice() else { unreachable!() };
        let (copper, tin) =
            (result(Relation::Equal, "0.30", "%"), result(Relation::Equal, "0.031", "%"));
        let rounding = specification.rounding;
        assert_eq!(compare(tramp, rounding, &[&copper, &tin]), Err(Unprovable::Outside));
        assert_eq!(compare(tramp, rounding, &[&copper]), Err(Unprovable::Absent));
        let number = |text| (Relation::Equal, Decimal::parse(text).unwrap());
        let several = |last| Measured {
            unit: "MPa".to_owned(),
            quantity: Quantity::Several(vec![number("520"), number(last)]),
        };
        assert_eq!(compare(strength, rounding, &[&several("500")]), Ok(()));
        assert_eq!(compare(strength, rounding, &[&several("499")]), Err(Unprovable::Outside));
    }
}
