//! What a mill may and may not say: limits and concessions, units, masses, what stands beside a file, transcribing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use proptest::prelude::*;
use serde_json::{Value as J, json};

use super::tests::{en10168, equal, field, lines, metals, with, without};
use super::*;
use crate::{Decimal, Measured, Path, Quantity, Relation};

const DMP: &str = "/DigitalMaterialPassport";

fn told(file: &J, beside: &J) -> Vec<String> {
    let beside = if beside.is_null() { String::new() } else { beside.to_string() };
    match read_with(file.to_string().as_bytes(), beside.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(faults) => lines(&faults),
    }
}

fn certificate(file: &J, beside: &J) -> Certificate {
    let beside = if beside.is_null() { String::new() } else { beside.to_string() };
    read_with(file.to_string().as_bytes(), beside.as_bytes())
        .unwrap_or_else(|faults| panic!("{:#?}", lines(&faults)))
}

fn numeric(value: &str) -> J {
    json!({"ResultType": "numeric", "Value": serde_json::from_str::<J>(value).unwrap()})
}

/// A certificate whose carbon has this result and these limits.
fn carbon(actual: J, minimum: Option<&str>, maximum: Option<&str>) -> J {
    let mut element = json!({"PropertySymbol": "C", "Unit": "%", "Actual": actual});
    for (name, limit) in [("Minimum", minimum), ("Maximum", maximum)] {
        if let Some(limit) = limit {
            element[name] = numeric(limit);
        }
    }
    with(metals(), &format!("{DMP}/ChemicalAnalysis/Elements"), json!([element]))
}

const OUTSIDE: &str =
    "ChemicalAnalysis/Elements/0: outside the limits stated beside it, and no concession is named";

#[test]
fn a_result_outside_its_own_limits_needs_a_concession() {
    let signed = |sign: &str, value: &str| {
        let mut result = numeric(value);
        result["Operator"] = json!(sign);
        result
    };
    let several = |values: &[&str]| {
        let values: Vec<J> = values.iter().map(|value| numeric(value)).collect();
        json!({"ResultType": "multiValue", "Values": values})
    };
    let range =
        |low: f64, high: f64| json!({"ResultType": "range", "Minimum": low, "Maximum": high});
    for (actual, minimum, maximum, outside) in [
        (numeric("0.03"), None, Some("0.03"), false),
        (numeric("0.030"), None, Some("0.03"), false),
        (numeric("0.0300001"), None, Some("0.03"), true),
        (numeric("0.02"), Some("0.02"), Some("0.03"), false),
        (numeric("0.0199"), Some("0.02"), None, true),
        (signed("<", "0.03"), None, Some("0.03"), false),
        (signed("<", "0.04"), None, Some("0.03"), true),
        (signed("<", "0.02"), Some("0.02"), None, true),
        (signed("<=", "0.02"), Some("0.02"), None, false),
        (signed(">", "0.03"), None, Some("0.03"), true),
        (signed(">", "0.02"), Some("0.02"), None, false),
        (several(&["0.01", "0.02", "0.03"]), None, Some("0.03"), false),
        (several(&["0.01", "0.02", "0.031"]), None, Some("0.03"), true),
        (range(0.01, 0.03), Some("0.01"), Some("0.03"), false),
        (range(0.01, 0.031), Some("0.01"), Some("0.03"), true),
        (json!({"ResultType": "string", "Value": "balance"}), Some("0.5"), None, false),
    ] {
        let expected = if outside { vec![OUTSIDE] } else { vec![] };
        let file = carbon(actual.clone(), minimum, maximum);
        assert_eq!(told(&file, &J::Null), expected, "{actual} in {minimum:?} to {maximum:?}");
    }
    let mut strict = carbon(numeric("0.03"), None, Some("0.03"));
    *strict.pointer_mut(&format!("{DMP}/ChemicalAnalysis/Elements/0/Maximum")).unwrap() =
        signed("<", "0.03");
    assert_eq!(told(&strict, &J::Null), [OUTSIDE], "a limit that may not be reached");
    let declared = with(
        carbon(numeric("0.01"), None, None),
        &format!("{DMP}/ChemicalAnalysis/Elements/0/Interpretation"),
        json!("Out of Specification"),
    );
    assert_eq!(told(&declared, &J::Null), [OUTSIDE]);
}

#[test]
fn a_concession_is_found_where_the_forms_can_carry_one() {
    let outside = carbon(numeric("0.04"), None, Some("0.03"));
    let statement = |text: &str, confirmed: bool| {
        let result = json!({"ResultType": "boolean", "Value": confirmed});
        with(
            outside.clone(),
            &format!("{DMP}/Validation/ValidationStatement/IndividualStatements"),
            json!([{"StatementId": "S1", "StatementText": text, "Confirmed": result}]),
        )
    };
    let conceded =
        certificate(&statement("Delivered under concession QN-2026-114.", true), &J::Null);
    assert_eq!(
        field(&conceded, "concession"),
        Value::Text("Delivered under concession QN-2026-114.".into())
    );
    assert_eq!(
        told(&statement("Delivered under concession QN-2026-114.", false), &J::Null),
        [OUTSIDE]
    );
    assert_eq!(told(&statement("Free of mercury", true), &J::Null), [OUTSIDE]);
    assert_eq!(told(&outside, &json!({"chemistry/C/concession": "QN-1"})), Vec::<String>::new());
    assert_eq!(
        told(&outside, &json!({"chemistry": {"C": {"concession": "QN-1"}}})),
        Vec::<String>::new()
    );
    assert_eq!(told(&outside, &json!({"chemistry/Si/concession": "QN-1"})), [OUTSIDE]);
    assert_eq!(told(&outside, &json!({"concession": " "})), ["concession: required, and missing"]);

    let c71 = "/Certificate/Inspection/0/ChemicalComposition/C71/Actual/Value";
    let outside = with(en10168(), c71, json!("0.23"));
    let line = "Inspection/0/ChemicalComposition/C71: outside the limits stated beside it, and no concession is named";
    assert_eq!(told(&outside, &J::Null), [line]);
    let noted = |key: &str, value: &str| {
        let note = json!({"Z05": {"Key": key, "Value": value, "Type": "string"}});
        with(outside.clone(), "/Certificate/Validation/SupplementaryInformation", note)
    };
    assert_eq!(told(&noted("Sonderfreigabe Nr.", "SF 4711"), &J::Null), Vec::<String>::new());
    assert_eq!(told(&noted("Concession", "none"), &J::Null), [line]);
    assert_eq!(told(&noted("Telephone", "4711"), &J::Null), [line]);
}

#[test]
fn hydrogen_in_ppm_and_in_percent_is_the_same_quantity() {
    let share = |number: &str, unit: &str| {
        let number = Quantity::Number(Relation::Equal, Decimal::parse(number).unwrap());
        Measured { unit: unit.into(), quantity: number }.share().unwrap().1
    };
    for (a, b) in [
        (("120", "ppm"), ("0.012", "%")),
        (("1.4", "mg/kg"), ("0.00014", "wt%")),
        (("2", "‰"), ("0.2", "%")),
    ] {
        assert!(share(a.0, a.1).cmp_quantity(&share(b.0, b.1)).is_eq(), "{a:?} {b:?}");
    }
    assert!(share("121", "ppm").cmp_quantity(&share("0.012", "%")).is_gt());
    let hydrogen = |value: &str, maximum: &str| json!({"chemistry": {"H": {"value": value, "maximum": maximum}}});
    let own = |more: &J| {
        let mut file = own_form();
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        file
    };
    assert_eq!(told(&own(&hydrogen("120 ppm", "0.012 %")), &J::Null), Vec::<String>::new());
    assert_eq!(
        told(&own(&hydrogen("121 ppm", "0.012 %")), &J::Null),
        ["chemistry/H: outside the limits stated beside it, and no concession is named"]
    );
    assert_eq!(told(&own(&hydrogen("1000001 ppm", "2000000 ppm")), &J::Null).len(), 2);
    assert_eq!(
        told(&own(&hydrogen("120 ppm", "12 MPa")), &J::Null),
        ["chemistry/H/maximum: the limit's unit cannot be compared with the result's"]
    );
}

#[test]
fn what_a_property_cannot_be_is_refused_and_elongation_may_exceed_a_hundred() {
    for (symbol, value, unit, expected) in [
        ("A", "120", "%", None),
        ("A5", "-1", "%", Some("this property cannot be below zero")),
        ("Z", "100.1", "%", Some("this property cannot be above 100 %")),
        ("Z", "100", "%", None),
        ("Rm", "600", "J", Some("this unit does not belong to this property")),
        ("Rp0.2", "-5", "MPa", Some("this property cannot be below zero")),
        ("KV", "71", "MPa", Some("this unit does not belong to this property")),
        ("KV2", "71", "ft-lbf", None),
        ("HBW", "-200", "", Some("this property cannot be below zero")),
        ("FATT50", "-40", "°C", None),
        ("Re/Rm", "0.83", "", None),
        ("T", "-300", "°C", Some("colder than absolute zero")),
    ] {
        let result = json!([{"PropertySymbol": symbol, "Unit": unit, "Actual": numeric(value)}]);
        let faults =
            told(&with(metals(), &format!("{DMP}/MechanicalProperties"), result), &J::Null);
        assert_eq!(faults.len(), usize::from(expected.is_some()), "{symbol} {value}: {faults:?}");
        assert!(faults.iter().all(|f| f.ends_with(expected.unwrap_or_default())), "{faults:?}");
    }
    let unit = with(
        carbon(numeric("0.02"), None, None),
        &format!("{DMP}/ChemicalAnalysis/Elements/0/Unit"),
        json!("MPa"),
    );
    assert_eq!(
        told(&unit, &J::Null),
        ["ChemicalAnalysis/Elements/0/Unit: this unit does not belong to this property"]
    );
}

#[test]
fn actual_mass_counts_before_theoretical_in_every_unit() {
    let mass = |value: &str, unit: &str| mass_mg(&Decimal::parse(value).unwrap(), unit);
    assert_eq!(mass("1.5", "t"), Some(1_500_000_000));
    assert_eq!(mass("1912", "kg"), Some(1_912_000_000));
    assert_eq!(mass("1", "lb"), Some(453_592), "rounded down from 453,592.37");
    assert_eq!(mass("100", "lbs"), Some(45_359_237));
    assert_eq!(mass("0.5", "g"), Some(500));
    assert_eq!(mass("1", "ton"), None, "either of two masses");
    assert_eq!(mass("-1", "kg"), None);
    assert_eq!(mass("9223372036854.775807", "kg"), Some((1 << 63) - 1));
    assert_eq!(mass("9223372036854.775808", "kg"), None);
    assert_eq!(mass("999999999999999999999999999999", "t"), None);

    let product = "/Certificate/ProductDescription";
    let both = with(en10168(), &format!("{product}/B12"), json!({"Value": 5700, "Unit": "kg"}));
    let read = |file: &J| certificate(file, &J::Null).origin();
    assert_eq!(read(&both), Ok(Origin { mass_mg: 5_739_300_000, theoretical: false }));
    let calculated = without(both, &format!("{product}/B13"));
    assert_eq!(read(&calculated), Ok(Origin { mass_mg: 5_700_000_000, theoretical: true }));
    let neither = without(calculated, &format!("{product}/B12"));
    assert_eq!(read(&neither), Err(NoOrigin::NoMass));
    let no_unit = with(en10168(), &format!("{product}/B13"), json!({"Value": 5700}));
    assert_eq!(
        told(&no_unit, &J::Null),
        ["ProductDescription/B13/Unit: a mass needs its unit: t, kg, g or lb"]
    );
    let no_unit = without(metals(), &format!("{DMP}/Product/WeightUnit"));
    assert_eq!(
        read(&no_unit),
        Ok(Origin { mass_mg: 1_912_000_000, theoretical: false }),
        "kg by the schema"
    );
}

#[test]
fn without_heat_or_mass_a_certificate_reads_and_commissions_nothing() {
    let no_heat = without(metals(), &format!("{DMP}/ChemicalAnalysis/HeatNumber"));
    assert_eq!(certificate(&no_heat, &J::Null).origin(), Err(NoOrigin::NoHeat));
    let blank = with(metals(), &format!("{DMP}/ChemicalAnalysis/HeatNumber"), json!(" "));
    assert_eq!(certificate(&blank, &J::Null).origin(), Err(NoOrigin::NoHeat));
    let no_mass = without(metals(), &format!("{DMP}/Product/Weight"));
    assert_eq!(certificate(&no_mass, &J::Null).origin(), Err(NoOrigin::NoMass));
    let beside = json!({"heat": "553908"});
    assert!(certificate(&no_heat, &beside).origin().is_ok(), "the heat may stand beside");
}

#[test]
fn what_no_public_form_has_stands_beside_and_contradicts_nothing() {
    let beside = json!({
        "melt": {"shop": "Witten 2", "smelter": "CID002567", "country": "DE",
            "time": "2026-09-11T04:30:00+02:00", "remelt": "VAR", "ingot": "7"},
        "heat": "553908",
    });
    let read = certificate(&metals(), &beside);
    assert_eq!(field(&read, "melt/smelter"), Value::Text("CID002567".into()));
    assert!(matches!(field(&read, "melt/time"), Value::Moment(_)));
    assert_eq!(read.form_name(), "Metals 0.1.1");
    for (beside, line) in [
        (json!({"heat": "553909"}), "beside/heat: the certificate itself says otherwise"),
        (
            json!({"melt": {"smelter": "2567"}}),
            "melt/smelter: not a smelter id (CID and six digits)",
        ),
        (json!({"melt": {"country": "Germany"}}), "melt/country: not a two-letter country code"),
        (
            json!({"melt": {"time": "11.9.2026"}}),
            "melt/time: not a date (YYYY-MM-DD) or an RFC 3339 time",
        ),
        (
            json!({"certificate": {"supersedes": "abc"}}),
            "certificate/supersedes: not the id of a record (64 hex digits)",
        ),
        (
            json!({"product": {"mass/theoretical": "12 mm"}}),
            "beside/product/mass/theoretical: a mass needs its unit: t, kg, g or lb",
        ),
        (json!({"product": {"mass/theoretical": "heavy"}}), "beside/product/mass/theoretical: not"),
        (json!({"chemistry": {"Xx": "101 %"}}), "beside/chemistry/Xx: a content cannot be above"),
        (
            json!({"chemistry": {"C": {"maximum": "0.01 %"}}}),
            "beside/chemistry/C/maximum: the certificate itself says otherwise",
        ),
        (
            json!({"chemistry": {"C": {"minimum": "0.022 %"}}}),
            "beside/chemistry/C/minimum: outside the limits",
        ),
        (json!({"a": {"sha256": "00"}}), "beside/a: not understood"),
        (json!(["heat"]), "beside: must be an object"),
    ] {
        let faults = told(&metals(), &beside);
        let short = line.strip_suffix("not").unwrap_or(line);
        assert!(faults.iter().any(|fault| fault.starts_with(short)), "{line}: {faults:?}");
    }
    assert_eq!(
        lines(&read_with(metals().to_string().as_bytes(), b"{").unwrap_err()),
        ["beside: line 1, column 2: not JSON: the file is cut off or mistyped here"]
    );
    let long = vec![b' '; MAX_BESIDE_BYTES + 1];
    assert!(read_with(metals().to_string().as_bytes(), &long).is_err());
}

#[test]
fn a_transcribed_certificate_says_so_in_its_head_and_commissions_nothing() {
    let beside = json!({"transcribed/from": "Norra Stål AB"});
    let read = certificate(&metals(), &beside);
    assert_eq!(read.form_name(), "transcribed Metals 0.1.1");
    assert_eq!(field(&read, "transcribed/from"), Value::Text("Norra Stål AB".into()));
    assert_eq!(read.origin(), Err(NoOrigin::Transcribed));
    assert_eq!(
        told(&metals(), &json!({"transcribed/from": ""})),
        ["transcribed/from: required, and missing"]
    );
    let id = "ab".repeat(32);
    let read = certificate(&metals(), &json!({"certificate/supersedes": id}));
    assert_eq!(read.supersedes(), Some(id.as_str()));
}

fn own_form() -> J {
    json!({
        "Heatmark": "1",
        "certificate": {"number": "P-1", "issued": "2026-10-06"},
        "manufacturer": {"name": "Mill"}, "product": {"name": "Plate", "mass": "1.2 t"}, "heat": "H-1",
    })
}

#[test]
fn our_own_form_reads_numbers_with_their_units_and_says_what_is_missing() {
    let mut file = own_form();
    file["chemistry"] = json!({"C": "0,021 %", "Mn": {"value": "1,234", "unit": "%"}, "Fe": "balance", "S": "<0.002%"});
    file["mechanical"] = json!({"Rm": ["598 MPa", "604 MPa"], "KV": {"values": ["71", "<80"], "unit": "J", "minimum": "45"}});
    file["tests"] = json!({"ultrasonic": true});
    let read = certificate(&file, &J::Null);
    assert_eq!(field(&read, "chemistry/C"), equal("0.021", "%"));
    assert_eq!(field(&read, "chemistry/Mn"), equal("1.234", "%"));
    assert!(
        matches!(field(&read, "mechanical/Rm"), Value::Measured(Measured { unit, quantity: Quantity::Several(all) }) if unit == "MPa" && all.len() == 2)
    );
    assert!(
        matches!(field(&read, "mechanical/KV"), Value::Measured(Measured { quantity: Quantity::Several(all), .. }) if all[1].0 == Relation::Less)
    );
    assert_eq!(read.origin(), Ok(Origin { mass_mg: 1_200_000_000, theoretical: false }));
    let empty = told(&json!({"Heatmark": "1"}), &J::Null);
    assert_eq!(empty.len(), 5, "{empty:?}");
    assert_eq!(
        told(&json!({"Heatmark": "2"}), &J::Null),
        ["this version of the form is not supported (Metals 0.1.x, EN10168 0.4.1 or 0.5.0 are)"]
    );
}

#[test]
fn numbers_as_people_write_them_are_read_and_thousands_are_not_guessed() {
    let c71 = "/Certificate/Inspection/0/ChemicalComposition/C71/Actual/Value";
    for (written, read) in
        [("0,15", "0.15"), (".150", "0.150"), ("+0.15", "0.15"), ("0,150", "0.150")]
    {
        let file = certificate(&with(en10168(), c71, json!(written)), &J::Null);
        assert_eq!(field(&file, "chemistry/C"), equal(read, "%"), "{written}");
    }
    let b14 = "/Certificate/ProductDescription/SupplementaryInformation/B14/Value";
    assert_eq!(
        told(&with(en10168(), b14, json!("1,234")), &J::Null),
        ["ProductDescription/SupplementaryInformation/B14/Value: must be a number written as text"]
    );
}

#[test]
fn single_values_keep_their_own_limits_and_units() {
    let c42 = "/Certificate/Inspection/0/NotchedBarImpactTest/C42";
    let alike = json!([{"Value": 71, "Unit": "J", "Minimum": 40}, {"Value": 84, "Unit": "J", "Minimum": 40}]);
    let read = certificate(&with(en10168(), c42, alike), &J::Null);
    assert!(
        matches!(field(&read, "mechanical/KV"), Value::Measured(Measured { quantity: Quantity::Several(all), .. }) if all.len() == 2)
    );
    assert_eq!(field(&read, "mechanical/KV/minimum"), equal("40", "J"));
    let different =
        json!([{"Value": 71, "Unit": "J", "Minimum": 40}, {"Value": 52, "Unit": "ft-lbf"}]);
    let read = certificate(&with(en10168(), c42, different), &J::Null);
    assert_eq!(field(&read, "mechanical/KV#2"), equal("52", "ft-lbf"));
    let low = json!([{"Value": 71, "Minimum": 40}, {"Value": 39, "Minimum": 40}]);
    assert_eq!(told(&with(en10168(), c42, low), &J::Null).len(), 1);
    assert_eq!(told(&with(en10168(), c42, json!([])), &J::Null), Vec::<String>::new());
}

#[test]
fn images_without_a_data_uri_and_very_long_texts_become_digests() {
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let logo = format!("{DMP}/TransactionData/Parties/Manufacturer/Logo");
    let read = certificate(&with(metals(), &logo, json!(png)), &J::Null);
    assert!(
        matches!(field(&read, "manufacturer/Logo"), Value::Document(d) if d.media_type == "image/png")
    );
    let cut = &png[..80];
    assert_eq!(
        told(&with(metals(), &logo, json!(cut)), &J::Null),
        [
            "TransactionData/Parties/Manufacturer/Logo: the embedded document is malformed or cut off"
        ]
    );
    let long = with(metals(), &format!("{DMP}/Validation/Disclaimer"), json!("x".repeat(20_000)));
    assert!(matches!(
        field(&certificate(&long, &J::Null), "validation/Disclaimer"),
        Value::Document(_)
    ));
}

#[test]
fn a_beside_is_kept_out_of_faults() {
    let faults =
        told(&metals(), &json!({"melt": {"smelter": "CANARY-7731", "country": "CANARY-7731"}}));
    assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.contains("CANARY")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_bent_beside_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut beside = br#"{"melt":{"time":"2026-01-01","country":"DE"},"chemistry":{"H":{"value":"1.4 ppm","maximum":"2"}},"product/mass":[1,"2 t"]}"#.to_vec();
        let at = at.index(beside.len());
        beside[at] = byte;
        if let Err(faults) = read_with(own_form().to_string().as_bytes(), &beside) {
            prop_assert!(!faults.is_empty());
        }
    }

    #[test]
    fn limits_agree_with_whole_numbers(actual in -50_i32..50, minimum in -50_i32..0, maximum in 0_i32..50) {
        let decimal = |n: i32| Decimal::new(n.into(), 1).unwrap();
        let limit = |n| Some(super::limits::Limit { number: decimal(n), exclusive: false });
        let limits = super::limits::Limits { minimum: limit(minimum), maximum: limit(maximum) };
        let quantity = Quantity::Number(Relation::Equal, decimal(actual));
        prop_assert_eq!(limits.are_left_by(&quantity), actual < minimum || actual > maximum);
    }
}

#[test]
fn several_certificates_of_one_heat_are_several_records() {
    let other = with(metals(), &format!("{DMP}/Id"), json!("KB-2026-05103"));
    let (a, b) = (certificate(&metals(), &J::Null), certificate(&other, &J::Null));
    assert_eq!(field(&a, "heat"), field(&b, "heat"));
    assert_ne!(a, b);
    assert!(a.fields.get(&Path::new("concession").unwrap()).is_none());
}
