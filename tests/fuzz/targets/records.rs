//! Certificate files as mills have them, openings, field proofs, values, specifications and disclosures.

use crate::seeds;
use heatmark_evidence::{Agreement, Disclosure, Policy, verify_agreement};
use heatmark_fuzz::{Shape, Target};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_records::{
    Committed, Decimal, FieldProof, Fields, Head, Heading, MAX_FIELDS, Opening, Path, Said, Secret,
    Specification, Value, forms,
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
    proofs.extend(paths.iter().map(|path| tree.show_committed(path).unwrap().encode()));
    let absent = (0..).map(|n| Path::new(&format!("nothing/{n}")).unwrap());
    let absent = absent.take(50).filter_map(|path| tree.show(&path).ok());
    proofs.extend(absent.map(|proof| proof.encode()).take(3));
    let kept = openings().remove(0);
    let run = move |input: &[u8]| match FieldProof::decode(input) {
        Ok(proof) => {
            assert_eq!(proof.encode(), input);
            if proof.verify(kept.head(), &id).is_ok() {
                let sealed = kept.fields().get(&proof.path);
                match &proof.said {
                    Said::Shown { value, .. } => assert_eq!(Some(value), sealed, "never sealed"),
                    Said::Committed(_) => assert!(sealed.is_some(), "never sealed"),
                    Said::Absent => assert_eq!(sealed, None, "sealed"),
                }
            }
            true
        }
        Err(_) => false,
    };
    Target::new("field-proof", proofs, run).fuzz();
}

#[test]
fn committed_value() {
    let opening = openings().remove(0);
    let tree = opening.tree().unwrap();
    let committed = opening.fields().iter().filter_map(|(path, _)| {
        match tree.show_committed(path).unwrap().said {
            Said::Committed(committed) => Some(committed.encode()),
            Said::Shown { .. } | Said::Absent => None,
        }
    });
    let run = |input: &[u8]| match Committed::decode(input) {
        Ok(committed) => {
            assert_eq!(committed.encode(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("committed-value", committed.collect(), run).of(Shape::Bytes).fuzz();
}

#[test]
fn record_head() {
    let seeds = openings().iter().map(|opening| opening.head().encode()).collect();
    let run = |input: &[u8]| match Head::decode(input) {
        Ok(head) => {
            assert_eq!(head.encode(), input);
            true
        }
        Err(_) => false,
    };
    Target::new("record-head", seeds, run).fuzz();
}

#[test]
fn disclosure() {
    let golden = seeds::disclosures();
    let seeds = seeds::list(&golden["cases"]).iter().filter(|case| case["expect"] == "ok");
    let seeds = seeds.map(|case| seeds::bytes(&case["disclosure"])).collect();
    let genesis = Genesis::parse(golden["trust"].as_str().unwrap().as_bytes()).unwrap();
    let trust = TrustRoot::from_genesis(&genesis);
    let run = move |input: &[u8]| {
        let decoded = Disclosure::decode(input).is_ok();
        assert!(heatmark_evidence::verify(input, &trust, None).is_err() || decoded);
        decoded
    };
    Target::new("disclosure", seeds, run).may_allocate(200, 1 << 20).fuzz();
}

#[test]
fn agreement() {
    let golden = seeds::agreements();
    let seeds = seeds::list(&golden["cases"]).iter().filter(|case| case["expect"] == "ok");
    let seeds = seeds.map(|case| seeds::bytes(&case["agreement"])).collect();
    let genesis = Genesis::parse(golden["trust"].as_str().unwrap().as_bytes()).unwrap();
    let trust = TrustRoot::from_genesis(&genesis);
    let run = move |input: &[u8]| {
        let decoded = Agreement::decode(input).is_ok();
        assert!(verify_agreement(input, &trust, None).is_err() || decoded);
        decoded
    };
    Target::new("agreement", seeds, run).may_allocate(200, 1 << 20).fuzz();
}

#[test]
fn specification_and_policy() {
    let directory = seeds::place("contracts/records/specifications");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut seeds: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    seeds.push(b"standard = 's'\nsample = 'product'\nrounding = 'absolute'\n[[limit]]\nname = 'f'\nformula = 'C + (Mn - 2*{melt/x})/6'\nmaximum = '0.4'\nover = '0.1'\n".to_vec());
    seeds.push(
        b"own_limits = true\n[[require]]\nproperty = 'chemistry/*'\nas = 'proved'\n".to_vec(),
    );
    seeds.push(
        b"[[require]]\nproperty = 'heat'\nas = 'attested'\nattested_by = ['lab']\nwithin = '0.02 %'\n"
            .to_vec(),
    );
    let run = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let specification = Specification::parse(text);
        if let Ok(specification) = &specification {
            assert_eq!(Specification::parse(specification.text()).as_ref(), Ok(specification));
            assert!(!specification.paths().is_empty());
        }
        specification.is_ok() || Policy::parse(text).is_ok()
    };
    Target::new("specification", seeds, run).of(Shape::Text).may_allocate(2_000, 1 << 20).fuzz();
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
