//! What an attestation has to say, and what follows from it of each result.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::super::{Certificate, NoOrigin, read_attesting, read_with};
use super::*;
use serde_json::{Value as J, json};

const RECORD_ID: &str = "9f41aa00112233445566778899aabbccddeeff00112233445566778899aabbcc";

fn report() -> J {
    json!({
        "Heatmark": "1",
        "certificate": {"number": "P-2026-88", "issued": "2026-05-12"},
        "attests/record": RECORD_ID,
        "sample": {"id": "S-1", "type": "product"},
        "test": {"method": "ASTM E415-21", "date": "2026-05-10"},
        "accreditation": {
            "body": "DAkkS", "number": "D-PL-11111-01",
            "valid-from": "2024-01-01", "valid-until": "2026-05-10",
            "scope": [{"method": "astm  e415-21", "property": "chemistry/*"}, {"property": "mechanical/Rm"}],
        },
        "chemistry": {"C": "0.021 %", "Cr": {"value": "16.7", "unit": "%", "maximum": "18.0"}},
    })
}

fn with(at: &str, value: J) -> J {
    let mut report = report();
    let (parent, name) = at.rsplit_once('/').unwrap();
    let parent = report.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(name).unwrap();
    } else {
        parent.insert(name.to_owned(), value);
    }
    report
}

fn read(report: &J) -> Result<Certificate, Vec<String>> {
    let read = read_with(report.to_string().as_bytes(), b"");
    read.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn standing(report: &J, property: &str) -> Accreditation {
    let certificate = read(report).unwrap();
    certificate.attests().unwrap().accreditation(property)
}

#[test]
fn what_an_attestation_lacks_is_named() {
    let missing = "required, and missing";
    for (at, value, fault) in [
        ("/sample/id", J::Null, format!("sample/id: {missing}")),
        ("/sample/id", json!(" "), format!("sample/id: {missing}")),
        ("/sample/type", J::Null, format!("sample/type: {missing}")),
        ("/sample/type", json!("coil"), "sample/type: must be \"heat\" or \"product\"".into()),
        ("/certificate/number", J::Null, format!("certificate/number: {missing}")),
        (
            "/attests/record",
            json!("9f41"),
            "attests/record: not the id of a record (64 hex digits)".into(),
        ),
        (
            "/attests/confirmed/heat",
            json!("no"),
            "attests/confirmed/heat: not the hash of a field's leaf (64 hex digits)".into(),
        ),
        (
            "/attests/measured/chemistry/S",
            json!("00".repeat(32)),
            "attests/measured/chemistry/S: its result is missing".into(),
        ),
        (
            "/attests/confirmed/chemistry/C",
            json!("00".repeat(32)),
            "attests/confirmed/chemistry/C: a result of it stands here".into(),
        ),
        (
            "/attests/other",
            json!("x"),
            "attests/other: an attestation names a record and leaves, and nothing else here".into(),
        ),
        ("/test/date", json!("yesterday"), "test/date: not a date".into()),
        ("/test/method", json!(" "), format!("test/method: {missing}")),
        ("/test/method", json!(15350), "test/method: must be text".into()),
        ("/accreditation/number", J::Null, format!("accreditation/number: {missing}")),
        ("/accreditation/scope", J::Null, format!("accreditation/scope: {missing}")),
        ("/accreditation/scope", json!([{"note": "x"}]), format!("accreditation/scope: {missing}")),
        (
            "/accreditation/valid-from",
            json!("2026-06-01"),
            "accreditation/valid-until: ends before it begins".into(),
        ),
        (
            "/transcribed/from",
            json!("Norra AB"),
            "transcribed/from: a copy of another company's certificate attests nothing".into(),
        ),
    ] {
        let mut report = report();
        let name = at.trim_start_matches('/');
        if report.pointer(at).is_some() || name.starts_with("accreditation") {
            report = with(at, value);
        } else {
            report.as_object_mut().unwrap().insert(name.to_owned(), value);
        }
        let faults = read(&report).unwrap_err();
        assert!(faults.iter().any(|told| told.starts_with(&fault)), "{at}: {faults:?}");
    }
    let without_record = {
        let mut report = report();
        let all = report.as_object_mut().unwrap();
        all.remove("attests/record").unwrap();
        all.insert("attests/confirmed/heat".into(), json!("00".repeat(32)));
        report
    };
    assert_eq!(read(&without_record).unwrap_err(), ["attests/record: required, and missing"]);
}

#[test]
fn attests_something_with_a_method_and_a_date() {
    let mut nothing = with("/chemistry", J::Null);
    assert_eq!(
        read(&nothing).unwrap_err(),
        ["attests nothing: give results, or name what was shown and is confirmed"]
    );
    // An inspector confirms what it was shown, and gives no result of its own.
    let entries = nothing.as_object_mut().unwrap();
    entries.insert("attests/confirmed/heat".into(), json!("ab".repeat(32)));
    let certificate = read(&nothing).unwrap();
    let attestation = certificate.attests().unwrap();
    assert_eq!(attestation.properties(), [("heat", How::Confirmed)]);
    assert_eq!(attestation.leaf("heat", How::Confirmed).unwrap().to_string(), "ab".repeat(32));

    let both = with("/chemistry/Cr/method", json!("ASTM E1086"));
    let faults = read(&both).unwrap_err();
    assert!(faults[0].starts_with("chemistry/Cr/method: stands for all results"), "{faults:?}");
    let neither = with("/test/method", J::Null);
    assert_eq!(read(&neither).unwrap_err().len(), 2);
    let mut each = with("/chemistry/Cr/method", json!("ASTM E1086"));
    each["test"].as_object_mut().unwrap().remove("method");
    each["chemistry"]["C"] = json!({"value": "0.021", "unit": "%", "method": "ISO 15350"});
    let certificate = read(&each).unwrap();
    let attestation = certificate.attests().unwrap();
    assert_eq!(attestation.method("chemistry/C"), Some("ISO 15350"));
    assert_eq!(attestation.method("chemistry/Cr"), Some("ASTM E1086"));
    assert_eq!(attestation.date("chemistry/Cr"), Some("2026-05-10"));
}

#[test]
fn reads_as_an_attestation_that_commissions_nothing() {
    let mut report = report();
    report["heat"] = json!("553908");
    report["product/mass"] = json!("2 t");
    let certificate = read(&report).unwrap();
    assert_eq!(certificate.form_name(), "attestation Heatmark 1");
    assert_eq!(certificate.origin(), Err(NoOrigin::Attestation));
    let attestation = certificate.attests().unwrap();
    assert_eq!(attestation.record().to_string(), RECORD_ID);
    // A limit beside a result is none.
    let measured = How::Measured;
    assert_eq!(attestation.properties(), [("chemistry/C", measured), ("chemistry/Cr", measured)]);
    assert_eq!(attestation.sample_type(), Some("product"));
}

#[test]
fn out_of_accreditation_by_date_or_scope() {
    assert_eq!(standing(&report(), "chemistry/C"), Accreditation::InForce);
    for (at, value, expected) in [
        ("/test/date", json!("2026-05-11"), Accreditation::NotInForce),
        ("/test/date", json!("2026-05-10T23:59:00+02:00"), Accreditation::InForce),
        ("/test/date", json!("2024-01-01"), Accreditation::InForce),
        ("/test/date", json!("2023-12-31"), Accreditation::NotInForce),
        ("/test/method", json!("ASTM E415"), Accreditation::OutOfScope),
        ("/test/method", json!("ASTM E1086"), Accreditation::OutOfScope),
        ("/accreditation", J::Null, Accreditation::None),
        ("/accreditation/scope", json!([{"property": "mechanical/*"}]), Accreditation::OutOfScope),
        ("/accreditation/scope", json!([{"method": "ASTM E415-21"}]), Accreditation::InForce),
        ("/accreditation/scope", json!([{"property": "chemistry/C"}]), Accreditation::InForce),
    ] {
        let report = with(at, value);
        assert_eq!(standing(&report, "chemistry/C"), expected, "{at}");
        let certificate = read(&report).unwrap();
        let warned = !certificate.attests().unwrap().warnings().is_empty();
        let some_out = standing(&report, "chemistry/Cr") != Accreditation::InForce;
        assert_eq!(warned, some_out || expected != Accreditation::InForce, "{at}");
    }
}

#[test]
fn what_is_not_shown_of_an_accreditation_is_untold() {
    let certificate = read(&report()).unwrap();
    for hidden in [
        "test/date",
        "test/method",
        "accreditation/body",
        "accreditation/number",
        "accreditation/valid-from",
        "accreditation/valid-until",
    ] {
        let shown = certificate.fields.iter().filter(|(path, _)| path.as_str() != hidden);
        let attestation = Attestation::of(shown).unwrap();
        assert_eq!(attestation.accreditation("chemistry/C"), Accreditation::Untold, "{hidden}");
    }
    let shown = |but: &'static str| {
        certificate.fields.iter().filter(move |(p, _)| !p.as_str().starts_with(but))
    };
    let attestation = Attestation::of(shown(SCOPE)).unwrap();
    assert_eq!(attestation.accreditation("chemistry/C"), Accreditation::OutOfScope);
    assert!(Attestation::of(shown(ATTESTS)).is_none());
}

#[test]
fn hiding_a_result_leaves_no_confirmation() {
    let mut bound = report();
    bound["attests/measured/chemistry/C"] = json!("00".repeat(32));
    let certificate = read(&bound).unwrap();
    let shown = certificate.fields.iter().filter(|(path, _)| path.as_str() != "chemistry/C");
    let attestation = Attestation::of(shown).unwrap();
    assert_eq!(attestation.properties(), [("chemistry/Cr", How::Measured)]);
    let hidden = Path::new("chemistry/C").unwrap();
    let attestation = attestation.with_hidden([&hidden].into_iter());
    assert_eq!(attestation.properties().first(), Some(&("chemistry/C", How::Measured)));
}

#[test]
fn binds_what_is_given_beside_and_contradicts_nothing() {
    let mut file = report();
    file.as_object_mut().unwrap().remove("attests/record");
    let path = |text: &str| Path::new(text).unwrap();
    let leaf = |text: &str, byte| (path(text), Hash([byte; 32]));
    let leaves = [leaf("chemistry/C", 5), leaf("heat", 6), leaf("chemistry/S", 7)];
    let attests = Attests {
        record: RECORD_ID.parse().unwrap(),
        leaves: leaves.into_iter().collect(),
        confirms: [path("chemistry/C"), path("heat"), path("grade")].into_iter().collect(),
    };
    let read = |file: &J, attests: &Attests| {
        read_attesting(file.to_string().as_bytes(), b"", Some(attests))
    };
    let certificate = read(&file, &attests).unwrap();
    let attestation = certificate.attests().unwrap();
    assert_eq!(attestation.record(), &attests.record);
    assert_eq!(attestation.leaf("chemistry/C", How::Measured), Some(Hash([5; 32])));
    assert_eq!(attestation.leaf("chemistry/C", How::Confirmed), None);
    assert_eq!(attestation.leaf("heat", How::Confirmed), Some(Hash([6; 32])));
    assert_eq!(attestation.properties()[0], ("chemistry/C", How::Measured));
    assert!(read(&report(), &attests).is_ok());
    let bound: Vec<&str> = attestation.bound().into_keys().collect();
    assert_eq!(bound, ["chemistry/C", "heat"]);
    let record = RecordId::from([1; 32]);
    let other = Attests { record, leaves: BTreeMap::new(), confirms: BTreeSet::new() };
    let faults = read(&report(), &other).unwrap_err();
    assert_eq!(faults[0].what, What::Contradicts);
}
