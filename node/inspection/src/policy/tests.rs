#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;

const LIMITS: &str = "standard = 'works standard 7'\nsample = 'heat'\nrounding = 'absolute'\n\
                      [[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n";

fn parse(text: &str) -> Result<Demands, InputError> {
    let mut load = |name: &str| match name {
        "7.toml" => Ok(LIMITS.to_owned()),
        "bad.toml" => Ok("standard = 7".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    Demands::parse(text.as_bytes(), &mut load)
}

#[test]
fn all_that_a_receiver_demands_is_read() {
    let member = "ab".repeat(32);
    let text = format!(
        "issuers = ['{member}']\nspecifications = ['7.toml']\ntranscribed = true\nmax_age_hours = 4\n\
         depth = 'item'\nconcerns = ['{member}']\nattested_by = ['{member}']\ndisclosers = ['{member}']\n\
         certified_permille = 900\ngain_permille = 0\n\
         [origin]\nmelt_country = ['DE', 'SE']\nmelt_shop = ['Witten 2']\nremelt = ['VAR']\n\
         [[claim]]\nfield = 'product/country'\none_of = ['DE']\n\
         [[require]]\nproperty = 'chemistry/C'\nas = 'proved'\n\
         [[limits]]\nspecification = '7.toml'\nas = 'shown'\n\
         [readings]\nrequired = ['chemistry/Cr']\n\
         [[readings.within]]\nproperty = 'chemistry/*'\ntolerance = '0.5 %'\n"
    );
    let demands = parse(&text).unwrap();
    let acceptance = demands.acceptance(UnixMillis(7), Mine::default());
    let claims: Vec<_> = acceptance.claims.iter().map(|claim| claim.path.to_string()).collect();
    assert_eq!(claims, ["melt/country", "melt/shop", "melt/remelt", "product/country"]);
    assert_eq!(acceptance.max_age_ms, 4 * 3_600_000);
    assert_eq!(acceptance.depth, Depth::Item);
    assert_eq!((acceptance.certified_permille, acceptance.gain_permille), (900, 0));
    assert!(acceptance.transcribed && acceptance.limits[0].shown);
    assert!(acceptance.policy.unwrap().takes_proofs());
    assert_eq!((demands.measure.len(), demands.within.len()), (1, 1));
}

#[test]
fn nothing_demanded_is_the_standard_and_never_less() {
    let demands = parse("").unwrap();
    assert_eq!(demands, Demands::default());
    let acceptance = demands.acceptance(UnixMillis(7), Mine::default());
    let standard = Acceptance::at(UnixMillis(7));
    assert_eq!(acceptance.certified_permille, standard.certified_permille);
    assert_eq!(acceptance.gain_permille, standard.gain_permille);
    assert_eq!(acceptance.max_age_ms, standard.max_age_ms);
    assert!(!acceptance.transcribed && acceptance.policy.is_none());
}

#[test]
fn a_mistyped_demand_is_no_demand_that_is_met() {
    for text in [
        "isuers = []",
        "max_age = 4",
        "[origin]\nmelt_contry = ['DE']",
        "[[limits]]\nspecification = '7.toml'\nas = 'attested'",
        "[[limits]]\nspecification = 'none.toml'\nas = 'shown'",
        "[[limits]]\nspecification = 'bad.toml'\nas = 'shown'",
        "[[require]]\nproperty = 'heat'\nas = 'show'",
        "[[require]]\nproperty = 'heat'\nas = 'proved'",
        "concerns = ['somebody']",
        "certified_permille = 1001",
        "depth = 'deep'",
        "[[claim]]\nfield = '/heat'\none_of = []",
        "[[readings.within]]\nproperty = 'x'\ntolerance = 'little'",
        "specifications = [7]",
        "a = ",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
    let long = "#".repeat(crate::tree::MAX_INPUT_BYTES + 1);
    assert_eq!(parse(&long), Err(InputError::TooLong(crate::tree::MAX_INPUT_BYTES)));
}
