//! Specifications: what is read of them, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests fail loudly, and read the specifications that the project has"
)]

use super::*;
use proptest::prelude::*;

const HEAD: &str = "standard = 'EN 10025-2'\nsample = 'product'\nrounding = 'absolute'\n";

fn with(limit: &str) -> Result<Specification, SpecificationError> {
    Specification::parse(&format!("{HEAD}[[limit]]\n{limit}\n"))
}

fn fault(limit: &str) -> LimitFault {
    match with(limit) {
        Err(SpecificationError::Limit { fault, .. }) => fault,
        other => panic!("{limit}: {other:?}"),
    }
}

#[test]
fn refuses_limits_that_limit_nothing_or_contradict_themselves() {
    assert_eq!(fault("property = 'chemistry/C'"), LimitFault::Nothing);
    assert_eq!(fault("maximum = '1'"), LimitFault::Subject);
    assert_eq!(fault("property = 'a'\nformula = 'C'\nmaximum = '1'"), LimitFault::Subject);
    assert_eq!(fault("formula = 'C+Mn'\nmaximum = '1'"), LimitFault::Unnamed);
    assert_eq!(fault("property = 'a'\nminimum = '2'\nmaximum = '1.99'"), LimitFault::Empty);
    assert_eq!(fault("property = 'a'\nmaximum = '1,5'"), LimitFault::Number);
    assert_eq!(fault("property = '/a'\nmaximum = '1'"), LimitFault::Path);
    assert_eq!(fault("property = 'a'\nmaximum = '1'\nover = '-0.1'"), LimitFault::Tolerance);
    assert_eq!(fault("property = 'a'\nmaximum = '1'\nunder = '0.1'"), LimitFault::Tolerance);
    let twice = "property = 'a'\nmaximum = '1'\n[[limit]]\nproperty = 'a'\nminimum = '1'";
    assert_eq!(fault(twice), LimitFault::Twice);
}

#[test]
fn refuses_formulas_that_are_not_linear_or_do_not_end() {
    for formula in [
        "",
        "C*Mn",
        "C/Mn",
        "1/0",
        "C +",
        "(C",
        "C)",
        "C Mn",
        "2",
        "C - C",
        "((((((((((C))))))))))",
        "{a//b}",
        "{a",
        "1e3*C",
        "C^2",
        "C;",
        "0.0000000000001*C",
        "9999999999999*C",
    ] {
        let limit = format!("name = 'f'\nformula = '{formula}'\nmaximum = '1'");
        assert_eq!(fault(&limit), LimitFault::Formula, "{formula:?}");
    }
}

#[test]
fn refuses_what_it_does_not_know() {
    assert!(matches!(with("property = 'a'\nmaximum = 1"), Err(SpecificationError::Text(_))));
    assert!(matches!(with("property = 'a'\nmax = '1'"), Err(SpecificationError::Text(_))));
    assert_eq!(Specification::parse(HEAD), Err(SpecificationError::Count));
    assert_eq!(Specification::parse(&" ".repeat(65_537)), Err(SpecificationError::TooLong));
    let used = format!("used_by = ['abc']\n{HEAD}[[limit]]\nproperty = 'a'\nmaximum = '1'");
    assert_eq!(Specification::parse(&used), Err(SpecificationError::UsedBy));
    let many = "[[limit]]\nproperty = 'a'\nmaximum = '1'\n".repeat(257);
    assert_eq!(Specification::parse(&format!("{HEAD}{many}")), Err(SpecificationError::Count));
}

#[test]
fn reads_formulas_exactly() {
    let read = with("name = 'CEV'\nformula = 'C + Mn/6 + (Cr+Mo+V)/5 + (Ni + Cu)/15 - 0.5*{melt/x} - 2'\nmaximum = '0.45'").unwrap();
    let of = &read.limits[0].of;
    let terms: Vec<(&str, i128, i128)> = of
        .terms()
        .map(|(path, ratio)| (path.as_str(), ratio.numerator(), ratio.denominator()))
        .collect();
    assert_eq!(
        terms,
        [
            ("chemistry/C", 1, 1),
            ("chemistry/Cr", 1, 5),
            ("chemistry/Cu", 1, 15),
            ("chemistry/Mn", 1, 6),
            ("chemistry/Mo", 1, 5),
            ("chemistry/Ni", 1, 15),
            ("chemistry/V", 1, 5),
            ("melt/x", -1, 2),
        ]
    );
    assert_eq!((of.constant().numerator(), of.constant().denominator()), (-2, 1));
}

#[test]
fn tolerances_widen_the_limits_of_product_samples_only() {
    let limit = "[[limit]]\nproperty = 'chemistry/C'\nminimum = '0.10'\nmaximum = '0.22'\nunder = '0.01'\nover = '0.025'\n";
    let limits = |head: &str| {
        let limit = Specification::parse(&format!("{head}{limit}")).unwrap().limits.remove(0);
        [limit.minimum, limit.maximum].map(|limit| limit.unwrap().to_string())
    };
    assert_eq!(limits(HEAD), ["0.09", "0.245"]);
    assert_eq!(limits(&HEAD.replace("product", "heat")), ["0.10", "0.22"]);
}

#[test]
fn the_specifications_of_the_project_are_read() {
    let mut count = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/specifications")).unwrap()
    {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let read = Specification::parse(&text);
        assert!(read.is_ok(), "{}: {read:?}", path.display());
        assert!(text.contains("source = "), "{} names its source", path.display());
        count += 1;
    }
    assert!(count >= 5);
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", formula in "[-CMn0-9+*/(){} .]{0,40}") {
        let _ = Specification::parse(&text);
        let _ = with(&format!("name = 'f'\nformula = '{formula}'\nmaximum = '1'"));
    }
}
