//! Certificate files as mills have them, openings, field proofs and values.

use crate::seeds;
use heatmark_fuzz::{Shape, Target};
use heatmark_records::{
    Decimal, FieldProof, Fields, Heading, MAX_FIELDS, Opening, Path, Secret, Value, forms,
};

const EN10168: &str = r#"{"RefSchemaUrl":
"https://schemas.materialidentity.org/en10168-schemas/v0.5.0/schema.json",
"Certificate": {"CertificateLanguages": ["EN"], "CommercialTransaction": {
"A01": {"Name": "Mill", "Street": ["S 1"], "ZipCode": "1", "City": "C", "Country": "AT"},
"A02": "3.1", "A03": "N-1", "A04": "mark", "A05": "QA", "A07": "PO-1",
"A06": {"Name": "Buyer", "Street": ["S 2"], "ZipCode": "2", "City": "D", "Country": "DE"}},
"ProductDescription": {"B01": "Tube", "B02": {"SteelDesignation": ["S355J2H"]},
"B07": ["L-1", "L-2"], "B08": 16,
"B09": {"Form": "Tube", "OuterDiameter": 60.3, "WallThickness": 5, "Unit": "mm"},
"B13": {"Property": "Actual mass", "Value": 5739.30, "Unit": "kg"}},
"Inspection": [{"C00": "H-77", "C03": "-20 Celsius", "ChemicalComposition": {"C70": "EAF",
"C71": {"Symbol": "C", "Actual": {"Value": "0.1500"},
"Maximum": {"Value": "0.22", "Operator": "<="}, "Unit": "%"},
"C78": {"Symbol": "Ni", "Actual": {"Value": "0.009", "Operator": "<"}, "Unit": "%"}},
"TensileTest": {"C12": {"Property": "Rm", "Value": 456.18, "Minimum": 430, "Unit": "MPa"}},
"NotchedBarImpactTest": {"C42": [{"Value": 71, "Unit": "J"}, {"Value": 84.5, "Unit": "J"}]}}],
"Validation": {"Z01": "We certify.", "Z02": "2026-10-23"}}}"#;

fn certificates() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(seeds::place("devnet/certificates")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut all: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    all.push(EN10168.as_bytes().to_vec());
    all
}

fn opening(fields: Fields) -> Opening {
    let heading = Heading {
        network: [1; 32],
        form: "Metals 0.1.1".to_owned(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: None,
    };
    Opening::seal(heading, fields, Secret::new([4; 32])).unwrap()
}

fn openings() -> Vec<Opening> {
    certificates().iter().map(|file| opening(forms::read(file).unwrap().fields)).collect()
}

#[test]
fn certificate_file() {
    let run = |input: &[u8]| match forms::read(input) {
        Ok(certificate) => {
            assert!((1..=MAX_FIELDS).contains(&certificate.fields.len()));
            let again = forms::read(input).unwrap();
            assert_eq!(again, certificate);
            for (_, value) in certificate.fields.iter() {
                assert_eq!(Value::decode(&value.encode()).as_ref(), Ok(value));
            }
            true
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            // A fault is told to people: short, whatever the file.
            for fault in &faults {
                let told = fault.to_string();
                assert!(told.len() < 2_000, "a fault of {} bytes", told.len());
            }
            false
        }
    };
    let target = Target::new("certificate-file", certificates(), run).of(Shape::Text);
    target.may_allocate(600, 1 << 20).fuzz();
}

#[test]
fn sealed_opening() {
    let seeds = openings().iter().map(|opening| opening.encode().to_vec()).collect();
    let run = |input: &[u8]| match Opening::decode(input) {
        Ok(opening) => {
            assert_eq!(opening.encode().as_slice(), input);
            assert!(opening.fields().len() <= MAX_FIELDS);
            let _ = opening.check();
            true
        }
        Err(_) => false,
    };
    // A tree has twice as many leaves as fields, and salts for all of them.
    Target::new("opening", seeds, run).may_allocate(200, 4 << 20).fuzz();
}

#[test]
fn field_proof() {
    let opening = openings().remove(0);
    let id = opening.check().unwrap();
    let tree = opening.tree().unwrap();
    let paths: Vec<Path> = opening.fields().iter().map(|(path, _)| path.clone()).collect();
    let mut proofs: Vec<_> = paths.iter().map(|path| tree.show(path).unwrap().encode()).collect();
    let absent = (0..).map(|n| Path::new(&format!("nothing/{n}")).unwrap());
    let absent = absent.take(50).filter_map(|path| tree.show(&path).ok());
    proofs.extend(absent.map(|proof| proof.encode()).take(3));
    let kept = openings().remove(0);
    let run = move |input: &[u8]| match FieldProof::decode(input) {
        Ok(proof) => {
            assert_eq!(proof.encode(), input);
            if proof.verify(&id).is_ok() {
                assert_eq!(
                    proof.value.as_ref(),
                    kept.fields().get(&proof.path),
                    "a value never sealed"
                );
            }
            true
        }
        Err(_) => false,
    };
    Target::new("field-proof", proofs, run).fuzz();
}

#[test]
fn value() {
    let openings = openings();
    let values = openings.iter().flat_map(|opening| opening.fields().iter());
    let mut seeds: Vec<_> = values.map(|(_, value)| value.encode()).collect();
    seeds.sort();
    seeds.dedup();
    let run = |input: &[u8]| match Value::decode(input) {
        Ok(value) => {
            assert_eq!(value.encode(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("value", seeds, run).of(Shape::Bytes).fuzz();
}

#[test]
fn decimal_and_path() {
    let run = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let path = Path::new(text).map(|path| assert_eq!(path.as_str(), text)).is_ok();
        let decimal = Decimal::parse(text).map(|decimal| {
            // What is written of it reads back as the same number of digits.
            assert_eq!(Decimal::parse(&decimal.to_string()), Ok(decimal));
        });
        path || decimal.is_ok()
    };
    let seeds = ["0.150", "-12.5", "999999999999999999999999999999", "chemistry/C", "a~1b/c~0"];
    let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    Target::new("decimal-path", seeds, run).of(Shape::Text).fuzz();
}
