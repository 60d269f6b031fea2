//! Forms: what each sample gives, what is kept exactly, and every kind of fault.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests fail loudly, and read sample files"
)]

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value as J, json};

use super::*;
use crate::{Decimal, Document, Measured, Path, Quantity, RecordError, Relation, Value};

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: PathBuf) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn shared(folder: &str) -> Vec<(String, Vec<u8>)> {
    files(workspace().join("../shared/data/certificates").join(folder))
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(workspace().join("devnet/certificates").join(name)).unwrap()
}

pub(super) fn field(certificate: &Certificate, path: &str) -> Value {
    let found = certificate.fields.get(&Path::new(path).unwrap());
    found.cloned().unwrap_or_else(|| {
        panic!(
            "no field {path} among {:#?}",
            certificate.fields.iter().map(|(p, _)| p.as_str()).collect::<Vec<_>>()
        )
    })
}

fn number(relation: Relation, text: &str, unit: &str) -> Value {
    let quantity = Quantity::Number(relation, Decimal::parse(text).unwrap());
    Value::Measured(Measured { unit: unit.into(), quantity })
}

pub(super) fn equal(text: &str, unit: &str) -> Value {
    number(Relation::Equal, text, unit)
}

pub(super) fn lines(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn our_five_certificates_read() {
    let own = files(workspace().join("devnet/certificates"));
    assert_eq!(own.len(), 5);
    for (name, bytes) in own {
        let certificate =
            read(&bytes).unwrap_or_else(|faults| panic!("{name}: {:#?}", lines(&faults)));
        assert_eq!(certificate.form.to_string(), "Metals 0.1.1", "{name}");
        for path in [
            "heat",
            "certificate/number",
            "product/mass",
            "product/name",
            "manufacturer/name",
            "melt/process",
        ] {
            field(&certificate, path);
        }
        eprintln!("{name}: {} fields", certificate.fields.len());
    }
}

#[test]
fn published_samples_read_or_are_refused_for_a_stated_reason() {
    for folder in ["metals-0.1.1", "en10168-0.5.0"] {
        for (name, bytes) in shared(folder) {
            match read(&bytes) {
                Ok(certificate) => {
                    field(&certificate, "certificate/number");
                    eprintln!(
                        "{folder}/{name}: {}, {} fields",
                        certificate.form,
                        certificate.fields.len()
                    );
                }
                Err(faults) => {
                    // Its carbon is 150.5 %: more than everything.
                    assert_eq!(
                        (folder, name.as_str()),
                        ("en10168-0.5.0", "valid_certificate_1.json"),
                        "{:#?}",
                        lines(&faults)
                    );
                    assert_eq!(faults.len(), 1);
                    assert_eq!(faults[0].what, What::ContentAboveWhole);
                    assert_eq!(faults[0].place, "Inspection/ChemicalComposition/C71/Actual");
                }
            }
        }
    }
}

#[test]
fn invalid_samples_are_refused_with_the_place() {
    for (name, bytes) in shared("invalid") {
        let faults = lines(&read(&bytes).unwrap_err());
        eprintln!("{name}: {faults:#?}");
        let expected: &[&str] = match name.as_str() {
            "en10168-0.4.1-invalid.json" => &[
                "CertificateLanguages: required, and missing",
                "Inspection/ChemicalComposition/C71: a content without a symbol: of which element is not said",
                "Inspection/ChemicalComposition/C72/Actual: must be a number written as text",
            ],
            _ => &["CommercialTransaction/A04: the embedded document is malformed or cut off"],
        };
        for line in expected {
            assert!(faults.iter().any(|fault| fault == line), "{name} lacks {line}: {faults:#?}");
        }
    }
}

#[test]
fn metals_fields_have_short_paths_units_and_exact_values() {
    let billet = read(&sample("inconel-718-billet.json")).unwrap();
    assert_eq!(field(&billet, "heat"), Value::Text("V26-2031".into()));
    assert_eq!(field(&billet, "product/mass"), equal("1764.5", "kg"));
    assert_eq!(field(&billet, "product/shape/Diameter"), equal("200", "mm"));
    assert_eq!(field(&billet, "chemistry/Ni"), equal("53.62", "%"));
    assert_eq!(field(&billet, "chemistry/Ni/minimum"), equal("50", "%"));
    assert_eq!(field(&billet, "chemistry/S"), number(Relation::Less, "0.0005", "%"));
    assert_eq!(field(&billet, "chemistry/Nb+Ta/maximum"), equal("5.5", "%"));
    let balance = Value::Measured(Measured { unit: "%".into(), quantity: Quantity::Balance });
    assert_eq!(field(&billet, "chemistry/Fe"), balance);
    let Value::Measured(rm) = field(&billet, "mechanical/Rm") else { panic!("a result") };
    assert!(matches!(rm.quantity, Quantity::Several(values) if values.len() == 3));
    assert!(matches!(field(&billet, "certificate/issued"), Value::Moment(_)));
    let unit_field = Path::new("product/WeightUnit").unwrap();
    assert_eq!(billet.fields.get(&unit_field), None, "a unit stands with its number");
}

pub(super) fn en10168() -> J {
    json!({
        "RefSchemaUrl": "https://schemas.materialidentity.org/en10168-schemas/v0.5.0/schema.json",
        "Certificate": {
            "CertificateLanguages": ["EN"],
            "CommercialTransaction": {
                "A01": {"Name": "Mill", "Street": ["S 1"], "ZipCode": "1", "City": "C", "Country": "AT"},
                "A02": "3.1", "A03": "N-1", "A04": "mark", "A05": "QA", "A07": "PO-1",
                "A06": {"Name": "Buyer", "Street": ["S 2"], "ZipCode": "2", "City": "D", "Country": "DE"}
            },
            "ProductDescription": {
                "B01": "Tube", "B02": {"SteelDesignation": ["S355J2H"]}, "B07": ["L-1", "L-2"], "B08": 16,
                "B09": {"Form": "Tube", "OuterDiameter": 60.3, "WallThickness": 5, "Unit": "mm"},
                "B13": {"Property": "Actual mass", "Value": 5739.30, "Unit": "kg"},
                "SupplementaryInformation": {"B14": {"Key": "CO2", "Value": "0.9990", "Unit": "t/t", "Type": "number"}}
            },
            "Inspection": [{
                "C00": "H-77", "C03": "-20 Celsius",
                "ChemicalComposition": {
                    "C70": "EAF",
                    "C71": {"Symbol": "C", "Actual": {"Value": "0.1500"}, "Maximum": {"Value": "0.22", "Operator": "<="}, "Unit": "%"},
                    "C78": {"Symbol": "Ni", "Actual": {"Value": "0.009", "Operator": "<"}, "Unit": "%"},
                    "C92": {"Symbol": "CEV", "Actual": {"Value": "0.327"}, "Formula": "C+Mn/6"}
                },
                "TensileTest": {"C12": {"Property": "Rm", "Value": 456.18, "Minimum": 430, "Unit": "MPa"}},
                "NotchedBarImpactTest": {"C42": [{"Value": 71, "Unit": "J"}, {"Value": 84.5, "Unit": "J"}], "C43": {"Value": 78, "Unit": "J"}}
            }],
            "Validation": {"Z01": "We certify.", "Z02": "2026-10-23"}
        }
    })
}

pub(super) fn metals() -> J {
    serde_json::from_slice(&sample("316l-plate.json")).unwrap()
}

fn faults_of(file: &J) -> Vec<String> {
    read(file.to_string().as_bytes()).map_or_else(|faults| lines(&faults), |_| Vec::new())
}

pub(super) fn with(mut file: J, pointer: &str, value: J) -> J {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap() {
        J::Object(members) => drop(members.insert(name.into(), value)),
        J::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => panic!("{parent} holds nothing"),
    }
    file
}

pub(super) fn without(mut file: J, pointer: &str) -> J {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    file
}

#[test]
fn file_of_tens_of_thousands_of_units_or_of_endless_names_costs_little() {
    let wide: String = (0..24_000).map(|n| format!(r#","N{n}":{n},"N{n}Unit":"kg""#)).collect();
    let mut file = metals().to_string();
    file.insert_str(file.len() - 1, &format!(r#","Wide":{{"A":1{wide}}}"#));
    let faults = read(file.as_bytes()).unwrap_err();
    assert!(faults.iter().any(|f| f.what == What::Field(RecordError::TooManyFields)));
    let named = |bytes: usize| {
        let mut file = metals().to_string();
        file.insert_str(file.len() - 1, &format!(r#","{}":"x""#, "n".repeat(bytes)));
        file
    };
    read(named(500).as_bytes()).unwrap();
    let faults = read(named(1 << 20).as_bytes()).unwrap_err();
    assert_eq!(faults[0].what, What::Field(RecordError::BadPath));
    assert!(faults[0].place.starts_with("line 1, column "));
    let deep =
        (0..60).fold("true".to_owned(), |inner, _| format!(r#"{{"{}":{inner}}}"#, "n".repeat(500)));
    let mut file = metals().to_string();
    file.insert_str(file.len() - 1, &format!(r#","D":{deep}"#));
    let told = faults_of(&serde_json::from_str(&file).unwrap());
    assert!(!told.is_empty() && told.iter().all(|fault| fault.len() < 2_000));
}

#[test]
fn en10168_fields_have_the_same_short_paths() {
    let certificate =
        read(en10168().to_string().as_bytes()).unwrap_or_else(|f| panic!("{:#?}", lines(&f)));
    assert_eq!(certificate.form.to_string(), "EN10168 0.5.0");
    assert_eq!(field(&certificate, "heat"), Value::Text("H-77".into()));
    assert_eq!(field(&certificate, "certificate/number"), Value::Text("N-1".into()));
    assert_eq!(field(&certificate, "manufacturer/name"), Value::Text("Mill".into()));
    assert_eq!(field(&certificate, "customer/name"), Value::Text("Buyer".into()));
    assert_eq!(field(&certificate, "chemistry/C"), equal("0.1500", "%"));
    assert_eq!(
        field(&certificate, "chemistry/C/maximum"),
        number(Relation::LessOrEqual, "0.22", "%")
    );
    assert_eq!(field(&certificate, "chemistry/Ni"), number(Relation::Less, "0.009", "%"));
    assert_eq!(field(&certificate, "mechanical/Rm"), equal("456.18", "MPa"));
    assert_eq!(field(&certificate, "mechanical/Rm/minimum"), equal("430", "MPa"));
    assert_eq!(field(&certificate, "mechanical/KV/mean"), equal("78", "J"));
    assert_eq!(field(&certificate, "product/batch/1"), Value::Text("L-2".into()));
    assert_eq!(
        field(&certificate, "ProductDescription/SupplementaryInformation/B14"),
        equal("0.9990", "t/t")
    );
    assert!(matches!(field(&certificate, "product/mass"), Value::Measured(m) if m.unit == "kg"));
}

#[test]
fn hundredths_of_a_number_are_not_lost_on_the_way() {
    let text = en10168().to_string().replace("5739.3", "5739.30");
    let certificate = read(text.as_bytes()).unwrap();
    assert_eq!(field(&certificate, "product/mass"), equal("5739.30", "kg"));
}

#[test]
fn version_0_4_1_has_plain_contents() {
    let mut file = en10168();
    file["RefSchemaUrl"] = json!("https://schemas.s1seven.com/en10168-schemas/v0.4.1/schema.json");
    let file = with(
        file,
        "/Certificate/Inspection/0/ChemicalComposition/C71",
        json!({"Symbol": "C", "Actual": "0.15"}),
    );
    let file = with(
        file,
        "/Certificate/CommercialTransaction/A01",
        json!({"CompanyName": "M", "Street": "S", "ZipCode": "1", "City": "C", "Country": "AT"}),
    );
    let certificate =
        read(file.to_string().as_bytes()).unwrap_or_else(|f| panic!("{:#?}", lines(&f)));
    assert_eq!(certificate.form.to_string(), "EN10168 0.4.1");
    assert_eq!(field(&certificate, "chemistry/C"), equal("0.15", ""));
    assert_eq!(field(&certificate, "manufacturer/name"), Value::Text("M".into()));
}

#[test]
fn each_fault_is_one_line_with_its_place() {
    let dmp = "/DigitalMaterialPassport";
    let element = format!("{dmp}/ChemicalAnalysis/Elements/0");
    let cases: Vec<(J, &str)> = vec![
        (with(metals(), &format!("{dmp}/Id"), json!(" ")), "Id: required, and missing"),
        (
            with(metals(), &format!("{dmp}/Product/Weight"), json!(0)),
            "Product/Weight: must be above zero",
        ),
        (
            with(metals(), &format!("{dmp}/Product/Weight"), json!("12")),
            "Product/Weight: must be a number",
        ),
        (
            with(metals(), &format!("{dmp}/IssueDate"), json!("2026-02-30")),
            "IssueDate: not a date (YYYY-MM-DD) or an RFC 3339 time",
        ),
        (
            with(metals(), &format!("{dmp}/IssueDate"), json!("30.03.2026")),
            "IssueDate: not a date (YYYY-MM-DD) or an RFC 3339 time",
        ),
        (
            with(metals(), &format!("{element}/Actual/Value"), json!(100.1)),
            "ChemicalAnalysis/Elements/0/Actual: a content cannot be above 100 % (1,000,000 ppm)",
        ),
        (
            with(metals(), &format!("{element}/Actual/Value"), json!(-0.001)),
            "ChemicalAnalysis/Elements/0/Actual: a content cannot be below zero",
        ),
        (
            with(
                metals(),
                &format!("{element}/Minimum"),
                json!({"ResultType": "numeric", "Value": 0.5}),
            ),
            "ChemicalAnalysis/Elements/0: the minimum is above the maximum",
        ),
        (
            without(metals(), &format!("{element}/Actual")),
            "ChemicalAnalysis/Elements/0/Actual: required, and missing",
        ),
        (
            with(metals(), &format!("{element}/Actual/ResultType"), json!("guess")),
            "ChemicalAnalysis/Elements/0/Actual: not a result of a known type",
        ),
        (
            with(metals(), &format!("{element}/Actual/Operator"), json!("~")),
            "ChemicalAnalysis/Elements/0/Actual/Operator: not one of =, <, <=, >, >=",
        ),
        (
            with(
                metals(),
                &format!("{dmp}/TransactionData/Parties/Customer/Country"),
                json!("Germany"),
            ),
            "TransactionData/Parties/Customer/Country: not a two-letter country code",
        ),
        (
            with(
                metals(),
                &format!("{dmp}/Product/Logo"),
                json!("data:image/png;base64,iVBORw0KGgo="),
            ),
            "Product/Logo: the embedded document is malformed or cut off",
        ),
        (with(metals(), &format!("{dmp}/Validation"), json!([])), "Validation: must be an object"),
        (with(metals(), dmp, json!(5)), "must be an object"),
        (
            with(metals(), "/RefSchemaUrl", json!("https://x/metals-schemas/v0.2.0/schema.json")),
            "this version of the form is not supported (Metals 0.1.x, EN10168 0.4.1 or 0.5.0 are)",
        ),
        (
            json!({"a": 1}),
            "not a certificate of a known form (Metals 0.1.x, EN10168 0.4.1 or 0.5.0, Heatmark 1); other files need a mapping or a template",
        ),
        (
            with(en10168(), "/Certificate/Validation/Z02", json!("2026-13-01")),
            "Validation/Z02: not a date (YYYY-MM-DD) or an RFC 3339 time",
        ),
        (
            with(
                en10168(),
                "/Certificate/Inspection/0/ChemicalComposition/C71/Actual/Value",
                json!("150.5"),
            ),
            "Inspection/0/ChemicalComposition/C71/Actual: a content cannot be above 100 % (1,000,000 ppm)",
        ),
        (
            with(
                en10168(),
                "/Certificate/Inspection/0/ChemicalComposition/C71/Actual/Value",
                json!(0.15),
            ),
            "Inspection/0/ChemicalComposition/C71/Actual/Value: must be a number written as text",
        ),
        (
            with(en10168(), "/Certificate/Inspection/0/TensileTest/C12/Maximum", json!(1)),
            "Inspection/0/TensileTest/C12: the minimum is above the maximum",
        ),
        (
            with(
                en10168(),
                "/Certificate/Attachments",
                json!([{"Hash": {"Algorithm": "SHA256", "Encoding": "hex", "Value": "00"}, "FileName": "a", "MIME-Type": "text/plain", "Encoding": "base64", "Data": "aGk="}]),
            ),
            "Attachments/0/Data: the attachment does not have the hash that is stated for it",
        ),
    ];
    for (file, line) in cases {
        let faults = faults_of(&file);
        assert!(faults.iter().any(|fault| fault == line), "expected {line:?} among {faults:#?}");
    }
}

#[test]
fn elongation_may_exceed_a_hundred_percent() {
    let file = with(
        metals(),
        "/DigitalMaterialPassport/MechanicalProperties/3/Actual",
        json!({"ResultType": "numeric", "Value": 120}),
    );
    assert_eq!(faults_of(&file), Vec::<String>::new());
}

#[test]
fn refuses_more_than_a_thousand_fields_in_one_line() {
    let many: serde_json::Map<String, J> =
        (0..1001).map(|n| (format!("k{n}"), json!("v"))).collect();
    let file = with(metals(), "/DigitalMaterialPassport/Product/Many", J::Object(many));
    assert_eq!(faults_of(&file), ["a record has at most 1000 fields"]);
}

#[test]
fn a_second_result_of_one_name_keeps_its_own_path() {
    let mut file = metals();
    let elements = file
        .pointer_mut("/DigitalMaterialPassport/ChemicalAnalysis/Elements")
        .unwrap()
        .as_array_mut()
        .unwrap();
    let mut again = elements[0].clone();
    again["Actual"]["Value"] = json!(0.022);
    elements.push(again);
    let certificate = read(file.to_string().as_bytes()).unwrap();
    assert_eq!(field(&certificate, "chemistry/C"), equal("0.021", "%"));
    assert_eq!(field(&certificate, "chemistry/C#2"), equal("0.022", "%"));
}

#[test]
fn a_cast_number_is_the_heat_of_a_light_metal() {
    let analysis = "/DigitalMaterialPassport/ChemicalAnalysis";
    let file = without(metals(), &format!("{analysis}/HeatNumber"));
    let file = with(file, &format!("{analysis}/CastNumber"), json!("DC-0417"));
    let certificate = read(file.to_string().as_bytes()).unwrap();
    assert_eq!(field(&certificate, "heat"), Value::Text("DC-0417".into()));
    assert_eq!(field(&certificate, "chemical-analysis/CastNumber"), Value::Text("DC-0417".into()));
}

#[test]
fn an_attachment_becomes_its_digest() {
    let hash = "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4";
    let attachment = json!([{"Hash": {"Algorithm": "SHA256", "Encoding": "hex", "Value": hash}, "FileName": "a.txt",
        "MIME-Type": "text/plain", "Encoding": "base64", "Data": "aGk="}]);
    let certificate =
        read(with(en10168(), "/Certificate/Attachments", attachment).to_string().as_bytes())
            .unwrap();
    let Value::Document(Document { sha256, length_bytes, media_type }) =
        field(&certificate, "attachment/0")
    else {
        panic!()
    };
    assert_eq!(
        (hex::encode(sha256).as_str(), length_bytes, media_type.as_str()),
        (hash, 2, "text/plain")
    );
}

#[test]
fn faults_never_repeat_what_the_file_says() {
    let canary = "CANARY-7731";
    let file = with(metals(), "/DigitalMaterialPassport/IssueDate", json!(canary));
    let file = with(file, "/DigitalMaterialPassport/Product/Weight", json!(canary));
    let faults = faults_of(&file);
    assert_eq!(faults.len(), 2);
    assert!(faults.iter().all(|fault| !fault.contains(canary)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_bent_certificate_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = sample("inconel-718-billet.json");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Err(faults) = read(&bytes) {
            prop_assert!(!faults.is_empty());
        }
    }
}
