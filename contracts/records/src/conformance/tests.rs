//! Conformance: what is proved, what cannot be, and every proof that must be refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod widths;

use super::*;
use crate::opening::tests::{heading, measured, number};
use crate::{Fields, Quantity, Relation, Secret};

const CONTEXT: &[u8] = b"for this receiver";

fn record(values: &[(&str, &str, Quantity)]) -> Opening {
    let mut fields = Fields::new();
    for (path, unit, quantity) in values {
        fields.insert(Path::new(path).unwrap(), measured(unit, quantity.clone())).unwrap();
    }
    Opening::seal(heading(), fields, Secret::new([5; 32])).unwrap()
}

fn is(text: &str) -> Quantity {
    Quantity::Number(Relation::Equal, number(text))
}

fn related(relation: Relation, text: &str) -> Quantity {
    Quantity::Number(relation, number(text))
}

fn specification(rounding: &str, limits: &str) -> Specification {
    let text = format!("standard = 'S'\nsample = 'heat'\nrounding = '{rounding}'\n{limits}");
    Specification::parse(&text).unwrap()
}

fn limit(path: &str, limits: &str) -> String {
    format!("[[limit]]\nproperty = '{path}'\nunit = '%'\n{limits}\n")
}

struct Proved {
    said: BTreeMap<Path, Said>,
    proofs: Vec<Vec<u8>>,
}

impl Proved {
    fn verify(&self, specification: &Specification) -> Result<(), ConformanceError> {
        self.verify_for(specification, CONTEXT)
    }

    fn verify_for(
        &self,
        specification: &Specification,
        context: &[u8],
    ) -> Result<(), ConformanceError> {
        Conformance { context, specification, said: &self.said }.verify(&self.proofs).map(|_| ())
    }
}

fn prove(opening: &Opening, specification: &Specification) -> Result<Proved, ProveError> {
    let tree = opening.tree().unwrap();
    let prover = Prover::new(opening, &tree, specification).unwrap();
    let proofs = prover.prove(CONTEXT, specification, &mut rand::rng())?;
    Ok(Proved { said: prover.said, proofs })
}

/// Whether a single value can be proved within limits; what is proved must verify.
fn within(value: Quantity, limits: &str, rounding: &str) -> Result<(), Unprovable> {
    let opening = record(&[("chemistry/C", "%", value)]);
    let specification = specification(rounding, &limit("chemistry/C", limits));
    match prove(&opening, &specification) {
        Ok(proved) => {
            assert_eq!(proved.verify(&specification), Ok(()));
            Ok(())
        }
        Err(ProveError::Limits(faults)) => {
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].0, "chemistry/C");
            Err(faults[0].1)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_is_outside_its_limits_is_not_proved() {
    use Unprovable::Outside;
    let both = "minimum = '0.10'\nmaximum = '0.20'";
    for (value, expected) in [
        ("0.099", Err(Outside)),
        ("0.10", Ok(())),
        ("0.1", Ok(())),
        ("0.15", Ok(())),
        ("0.2000", Ok(())),
        ("0.2001", Err(Outside)),
        ("-0.15", Err(Outside)),
        ("0", Err(Outside)),
    ] {
        assert_eq!(within(is(value), both, "absolute"), expected, "{value}");
    }
    assert_eq!(within(is("-40"), "maximum = '-20'", "absolute"), Ok(()));
    assert_eq!(within(is("-19"), "maximum = '-20'", "absolute"), Err(Outside));
    assert_eq!(within(is("-40"), "minimum = '-40.0'", "absolute"), Ok(()));
    assert_eq!(within(is("-41"), "minimum = '-40.0'", "absolute"), Err(Outside));
}

#[test]
fn a_result_below_a_number_proves_no_minimum_and_one_above_no_maximum() {
    let less = || related(Relation::Less, "0.001");
    assert_eq!(within(less(), "maximum = '0.001'", "absolute"), Ok(()));
    assert_eq!(within(less(), "maximum = '0.0009'", "absolute"), Err(Unprovable::Outside));
    assert_eq!(within(less(), "minimum = '0'", "absolute"), Err(Unprovable::Relation));
    let more = || related(Relation::GreaterOrEqual, "35");
    assert_eq!(within(more(), "minimum = '35'", "absolute"), Ok(()));
    assert_eq!(within(more(), "maximum = '100'", "absolute"), Err(Unprovable::Relation));
}

#[test]
fn every_one_of_several_results_and_both_ends_of_a_range_keep_the_limit() {
    let several = |last: &str| {
        let equal = |text| (Relation::Equal, number(text));
        Quantity::Several(vec![equal("71"), equal("84.5"), equal(last)])
    };
    assert_eq!(within(several("27"), "minimum = '27'", "absolute"), Ok(()));
    assert_eq!(within(several("26.9"), "minimum = '27'", "absolute"), Err(Unprovable::Outside));
    let range = || Quantity::Range { low: number("180"), high: number("200"), inclusive: true };
    assert_eq!(within(range(), "minimum = '180'\nmaximum = '200'", "absolute"), Ok(()));
    assert_eq!(within(range(), "maximum = '199'", "absolute"), Err(Unprovable::Outside));
    assert_eq!(within(range(), "minimum = '181'", "absolute"), Err(Unprovable::Outside));
    assert_eq!(within(Quantity::Balance, "minimum = '0'", "absolute"), Err(Unprovable::NotANumber));
    let passed = Quantity::Verdict(true);
    assert_eq!(within(passed, "minimum = '0'", "absolute"), Err(Unprovable::NotANumber));
}

#[test]
fn rounds_to_the_limits_last_place_half_to_even_where_the_specification_says_so() {
    use Unprovable::Outside;
    for (value, limits, expected) in [
        // 0.030 ends in an even digit: its half rounds back to it.
        ("0.0305", "maximum = '0.030'", Ok(())),
        ("0.03051", "maximum = '0.030'", Err(Outside)),
        // 0.045 ends in an odd digit: its half rounds up to 0.046.
        ("0.0455", "maximum = '0.045'", Err(Outside)),
        ("0.04549", "maximum = '0.045'", Ok(())),
        ("15.95", "minimum = '16.0'", Ok(())),
        ("15.9499", "minimum = '16.0'", Err(Outside)),
        ("16.05", "minimum = '16.1'", Err(Outside)),
        ("16.051", "minimum = '16.1'", Ok(())),
        ("0.031", "maximum = '0.030'", Err(Outside)),
        ("-0.5", "maximum = '-1'", Err(Outside)),
        ("-0.51", "maximum = '-1'", Ok(())),
        ("-1.5", "minimum = '-1'", Err(Outside)),
        ("-2.5", "minimum = '-2'", Ok(())),
    ] {
        assert_eq!(within(is(value), limits, "astm-e29"), expected, "{value} {limits}");
    }
    assert_eq!(within(is("0.0305"), "maximum = '0.030'", "absolute"), Err(Outside));
}

#[test]
fn units_of_one_kind_are_compared_as_quantities() {
    let opening =
        record(&[("chemistry/H", "ppm", is("1.8")), ("mechanical/Rm", "N/mm²", is("515"))]);
    let limits = |hydrogen: &str| {
        let limits = format!(
            "{}[[limit]]\nproperty = 'mechanical/Rm'\nunit = 'MPa'\nminimum = '515'\n",
            limit("chemistry/H", &format!("maximum = '{hydrogen}'"))
        );
        specification("absolute", &limits)
    };
    let good = limits("0.0002");
    assert_eq!(prove(&opening, &good).unwrap().verify(&good), Ok(()));
    let Err(ProveError::Limits(faults)) = prove(&opening, &limits("0.00017")) else {
        panic!("1.8 ppm are more than 0.00017 %")
    };
    assert_eq!(faults, [("chemistry/H".to_owned(), Unprovable::Outside)]);
    let unit = specification(
        "absolute",
        "[[limit]]\nproperty = 'chemistry/H'\nunit = 'MPa'\nmaximum = '1'\n",
    );
    assert!(
        matches!(prove(&opening, &unit), Err(ProveError::Limits(faults)) if faults[0].1 == Unprovable::Unit)
    );
}

#[test]
fn linear_formulas_are_proved_on_the_combined_commitment() {
    let analysis = |manganese: &str| {
        record(&[
            ("chemistry/C", "%", is("0.17")),
            ("chemistry/Mn", "%", is(manganese)),
            ("chemistry/Cr", "%", related(Relation::Less, "0.05")),
            ("chemistry/Mo", "%", is("0.010")),
            ("chemistry/H", "ppm", is("2")),
        ])
    };
    let formula = |formula: &str, limits: &str, rounding: &str| {
        specification(
            rounding,
            &format!("[[limit]]\nname = 'CEV'\nunit = '%'\nformula = '{formula}'\n{limits}\n"),
        )
    };
    let fault =
        |opening: &Opening, specification: &Specification| match prove(opening, specification) {
            Ok(proved) => {
                assert_eq!(proved.verify(specification), Ok(()));
                None
            }
            Err(ProveError::Limits(faults)) => Some(faults[0].1),
            Err(other) => panic!("{other}"),
        };
    // 0.17 + 1.44/6 + 0.06/5 = 0.422
    let cev = "C + Mn/6 + (Cr+Mo)/5";
    assert_eq!(fault(&analysis("1.44"), &formula(cev, "maximum = '0.422'", "absolute")), None);
    assert_eq!(
        fault(&analysis("1.45"), &formula(cev, "maximum = '0.422'", "absolute")),
        Some(Unprovable::Outside)
    );
    assert_eq!(fault(&analysis("1.44"), &formula(cev, "maximum = '0.42'", "astm-e29")), None);
    assert_eq!(
        fault(&analysis("1.60"), &formula(cev, "maximum = '0.42'", "astm-e29")),
        Some(Unprovable::Outside)
    );
    // Below 0.05 is no number from below.
    assert_eq!(
        fault(&analysis("1.44"), &formula(cev, "minimum = '0.1'", "absolute")),
        Some(Unprovable::Relation)
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn - 2*Cr", "maximum = '2'", "absolute")),
        Some(Unprovable::Relation)
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn - 2*Cr", "minimum = '1.34'", "absolute")),
        None
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn - 2*Cr", "minimum = '1.35'", "absolute")),
        Some(Unprovable::Outside)
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn + 10*H - 1", "maximum = '0.442'", "absolute")),
        None
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn + 10*H - 1", "maximum = '0.441'", "absolute")),
        Some(Unprovable::Outside)
    );
    assert_eq!(
        fault(&analysis("1.44"), &formula("Mn + Nb", "maximum = '2'", "absolute")),
        Some(Unprovable::Absent)
    );
}

#[test]
fn every_limit_that_cannot_be_proved_is_named_and_nothing_is_made() {
    let opening = record(&[("chemistry/C", "%", is("0.05")), ("chemistry/S", "%", is("0.010"))]);
    let limits = [
        limit("chemistry/C", "maximum = '0.03'"),
        limit("chemistry/S", "maximum = '0.03'"),
        limit("chemistry/P", "maximum = '0.03'"),
    ];
    let Err(ProveError::Limits(faults)) =
        prove(&opening, &specification("absolute", &limits.concat()))
    else {
        panic!("two of three cannot be proved")
    };
    let named: Vec<_> = faults.iter().map(|(name, fault)| (name.as_str(), *fault)).collect();
    assert_eq!(named, [("chemistry/C", Unprovable::Outside), ("chemistry/P", Unprovable::Absent)]);
}

#[test]
fn an_optional_property_may_be_absent_and_counts_when_it_is_there() {
    let limits = limit("chemistry/C", "maximum = '0.03'")
        + &limit("chemistry/Nb", "maximum = '0.1'\noptional = true");
    let specification = specification("absolute", &limits);
    let without = prove(&record(&[("chemistry/C", "%", is("0.02"))]), &specification).unwrap();
    let conformance =
        Conformance { context: CONTEXT, specification: &specification, said: &without.said };
    let standing = conformance.verify(&without.proofs).unwrap();
    assert_eq!(standing[1], ("chemistry/Nb".to_owned(), Standing::Absent));
    let with = record(&[("chemistry/C", "%", is("0.02")), ("chemistry/Nb", "%", is("0.2"))]);
    assert!(
        matches!(prove(&with, &specification), Err(ProveError::Limits(faults)) if faults[0].1 == Unprovable::Outside)
    );
    // Hiding the field does not hide its commitment from the proof.
    let mut hidden = prove(
        &record(&[("chemistry/C", "%", is("0.02")), ("chemistry/Nb", "%", is("0.05"))]),
        &specification,
    )
    .unwrap();
    hidden.said.insert(Path::new("chemistry/Nb").unwrap(), Said::Absent);
    assert!(hidden.verify(&specification).is_err());
}

fn analysis(elements: usize) -> (Opening, Specification) {
    let mut values = Vec::new();
    let mut limits = String::new();
    let paths: Vec<String> = (0..elements).map(|n| format!("chemistry/E{n}")).collect();
    for (n, path) in paths.iter().enumerate() {
        values.push((path.as_str(), "%", is(&format!("0.{:03}", 100 + n))));
        limits += &limit(path, "minimum = '0.050'\nmaximum = '0.900'");
    }
    (record(&values), specification("absolute", &limits))
}

#[test]
fn refuses_a_proof_replayed_to_another_context_specification_record_or_place() {
    let (opening, specification) = analysis(5);
    let proved = prove(&opening, &specification).unwrap();
    assert_eq!(proved.verify(&specification), Ok(()));
    assert_eq!(proved.proofs.len(), 2);
    assert_eq!(
        proved.verify_for(&specification, b"for another receiver"),
        Err(ConformanceError::Proof)
    );
    // The same limits in other words are another specification.
    let reworded = Specification::parse(&format!("{}\n", specification.text())).unwrap();
    assert_eq!(proved.verify(&reworded), Err(ConformanceError::Proof));
    let narrower = Specification::parse(&specification.text().replace("0.900", "0.104")).unwrap();
    assert_eq!(proved.verify(&narrower), Err(ConformanceError::Proof));
    let other = Opening::seal(heading(), opening.fields().clone(), Secret::new([6; 32])).unwrap();
    let other = prove(&other, &specification).unwrap();
    let crossed = Proved { said: other.said, proofs: proved.proofs.clone() };
    assert_eq!(crossed.verify(&specification), Err(ConformanceError::Proof));
    let mut swapped = Proved { said: proved.said.clone(), proofs: proved.proofs.clone() };
    let (one, two) = (Path::new("chemistry/E0").unwrap(), Path::new("chemistry/E1").unwrap());
    let (a, b) = (swapped.said[&one].clone(), swapped.said[&two].clone());
    swapped.said.insert(one, b);
    swapped.said.insert(two, a);
    assert_eq!(swapped.verify(&specification), Err(ConformanceError::Proof));
}

#[test]
fn refuses_missing_surplus_shortened_reordered_and_bent_proofs() {
    let (opening, specification) = analysis(8);
    let mut proved = prove(&opening, &specification).unwrap();
    let good = proved.proofs.clone();
    assert_eq!(good.iter().map(Vec::len).collect::<Vec<_>>(), [641, 641]);
    for proofs in [
        vec![],
        vec![good[0].clone()],
        [good.clone(), vec![good[1].clone()]].concat(),
        vec![good[0].clone(), good[1][..640].to_vec()],
        vec![good[0].clone(), [good[1].as_slice(), &[0]].concat()],
    ] {
        proved.proofs = proofs;
        assert_eq!(proved.verify(&specification), Err(ConformanceError::Count));
    }
    proved.proofs = vec![good[1].clone(), good[0].clone()];
    assert_eq!(proved.verify(&specification), Err(ConformanceError::Proof));
    // One bit of every byte: the extension degree, scalars, and points.
    for at in (0..641).step_by(24).chain([0, 1, 32, 33, 640]) {
        proved.proofs = good.clone();
        proved.proofs[0][at] ^= 1 << (at % 8);
        assert_eq!(proved.verify(&specification), Err(ConformanceError::Proof), "byte {at}");
    }
}

#[test]
fn a_batch_names_the_culprit_and_no_other() {
    let (opening, specification) = analysis(3);
    let proved: Vec<Proved> = (0..4).map(|_| prove(&opening, &specification).unwrap()).collect();
    let mut proofs: Vec<Vec<Vec<u8>>> = proved.iter().map(|proved| proved.proofs.clone()).collect();
    proofs[2][0][40] ^= 1;
    let jobs: Vec<_> = proved
        .iter()
        .zip(&proofs)
        .map(|(proved, proofs)| {
            let conformance =
                Conformance { context: CONTEXT, specification: &specification, said: &proved.said };
            (conformance, proofs.as_slice())
        })
        .collect();
    let results = verify_all(&jobs);
    let refused: Vec<bool> = results.iter().map(Result::is_err).collect();
    assert_eq!(refused, [false, false, true, false]);
}

#[test]
fn two_proofs_of_one_thing_differ_and_tell_nothing_of_the_number() {
    let (opening, specification) = analysis(1);
    let (one, two) =
        (prove(&opening, &specification).unwrap(), prove(&opening, &specification).unwrap());
    assert_ne!(one.proofs, two.proofs);
    assert_eq!(one.proofs[0].len(), two.proofs[0].len());
}

#[test]
fn digits_beyond_any_proof_are_said_to_be_so() {
    let long = "123456789012345678901234567890";
    let force = |value: &str, limits: &str| {
        let opening = record(&[("mechanical/F", "kN", is(value))]);
        let text = format!("[[limit]]\nproperty = 'mechanical/F'\nunit = 'kN'\n{limits}\n");
        let specification = specification("absolute", &text);
        match prove(&opening, &specification) {
            Ok(proved) => {
                assert_eq!(proved.verify(&specification), Ok(()));
                Ok(())
            }
            Err(ProveError::Limits(faults)) => Err(faults[0].1),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(force(long, "minimum = '0'"), Err(Unprovable::TooFine));
    assert_eq!(force("18446744073709551615", "minimum = '0'"), Ok(()));
    assert_eq!(force("18446744073709551616", "minimum = '0'"), Err(Unprovable::TooFine));
    assert_eq!(force("0.000000000000000000000000000001", "minimum = '0'"), Ok(()));
    assert_eq!(force("1", "maximum = '2.00000000000000000000000000001'"), Err(Unprovable::TooFine));
}
