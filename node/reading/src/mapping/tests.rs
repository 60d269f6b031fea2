//! Mappings: the two samples end to end, and every way in which a file may not be what its mapping says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly, and read sample files"
)]

use heatmark_records::forms::{self, Certificate};
use heatmark_records::{Path, Value};
use proptest::prelude::*;

use super::*;

const LABORATORY: &str = include_str!("../../samples/laboratory.toml");
const LABORATORY_CSV: &str = include_str!("../../samples/laboratory.csv");
const ERP: &str = include_str!("../../samples/erp.toml");
const ERP_JSON: &str = include_str!("../../samples/erp.json");

fn certificate(record: &Record) -> Certificate {
    let content = record.content.as_ref().unwrap_or_else(|faults| panic!("{faults:?}"));
    forms::read(content).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn said(certificate: &Certificate, path: &str) -> String {
    let value = certificate.fields.get(&Path::new(path).unwrap());
    match value.unwrap_or_else(|| panic!("no {path}")) {
        Value::Text(text) => text.clone(),
        Value::Moment(moment) => moment.as_str().to_owned(),
        Value::Measured(measured) => match &measured.quantity {
            heatmark_records::Quantity::Number(relation, number) => {
                format!("{relation:?} {number} {}", measured.unit)
            }
            other => format!("{other:?} {}", measured.unit),
        },
        Value::Document(_) => "document".to_owned(),
    }
}

fn faults(mapping: &str, file: &str) -> Vec<String> {
    let mapping = Mapping::parse(mapping).unwrap_or_else(|error| panic!("{error}"));
    match mapping.read(file.as_bytes()) {
        Err(error) => vec![error.to_string()],
        Ok(records) => records
            .iter()
            .filter_map(|record| record.content.as_ref().err())
            .flatten()
            .map(ToString::to_string)
            .collect(),
    }
}

#[test]
fn rows_of_one_certificate_become_one_record_with_points_units_and_limits() {
    let mapping = Mapping::parse(LABORATORY).unwrap();
    let records = mapping.read(LABORATORY_CSV.as_bytes()).unwrap();
    let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
    assert_eq!(names, ["P-2026-311", "P-2026-312"]);
    let plate = certificate(&records[0]);
    assert_eq!(plate.form_name(), "Heatmark 1");
    for (path, expected) in [
        ("heat", "553908"),
        ("certificate/issued", "2026-10-06"),
        ("melt/time", "2026-09-11T04:30:00+02:00"),
        ("chemistry/C", "Equal 0.021 %"),
        ("chemistry/C/maximum", "Equal 0.03 %"),
        ("chemistry/S", "Less 0.002 %"),
        ("chemistry/Cr/minimum", "Equal 16.5 %"),
        ("mechanical/Rm", "Equal 1204.5 MPa"),
        ("mechanical/Rm#2", "Equal 598 MPa"),
        ("source/mapping", "laboratory"),
    ] {
        assert_eq!(said(&plate, path), expected, "{path}");
    }
    assert_eq!(plate.origin().unwrap().mass_mg, 1_912_000_000);
    let outside = certificate(&records[1]);
    assert_eq!(said(&outside, "chemistry/C/concession"), "QN-2026-114");
    assert!(outside.fields.get(&Path::new("chemistry/Ni").unwrap()).is_none(), "a dash is nothing");
}

#[test]
fn without_its_concession_the_node_refuses_what_is_outside_its_limits() {
    let file = LABORATORY_CSV.replace("QN-2026-114", "");
    let records = Mapping::parse(LABORATORY).unwrap().read(file.as_bytes()).unwrap();
    let told = forms::read(records[1].content.as_ref().unwrap()).unwrap_err();
    assert_eq!(
        told.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["chemistry/C: outside the limits stated beside it, and no concession is named"]
    );
}

#[test]
fn json_of_another_form_becomes_a_record_with_its_digits() {
    let records = Mapping::parse(ERP).unwrap().read(ERP_JSON.as_bytes()).unwrap();
    assert_eq!(records.len(), 1);
    let bar = certificate(&records[0]);
    for (path, expected) in [
        ("certificate/issued", "2026-11-03"),
        ("product/mass", "Equal 2480.50 KGM"),
        ("chemistry/C/minimum", "Equal 0.30 %"),
        ("chemistry/H", "Equal 1.4 ppm"),
        ("chemistry/Fe", "Balance %"),
        ("mechanical/KV#2", "Equal 84.5 J"),
        ("melt/remelt", "VAR"),
        ("melt/ingot", "3"),
    ] {
        assert_eq!(said(&bar, path), expected, "{path}");
    }
    assert_eq!(bar.origin().unwrap().mass_mg, 2_480_500_000);
}

#[test]
fn each_fault_has_its_row_and_column_and_never_the_cell() {
    let bent = |from: &str, to: &str| faults(LABORATORY, &LABORATORY_CSV.replacen(from, to, 1));
    for (from, to, line) in [
        ("0,021", "0.021x", "row 2, column Wert: not a number"),
        ("16,82", "16,8,2", "row 3, column Wert: not a number"),
        ("06.10.2026;1.4404", "2026-10-06;1.4404", "the rows of one certificate say different"),
        ("P-2026-311", "", "row 2, column Zeugnis: required, and missing"),
        ("Wert", "Value", "row 2, column Wert: there is no such column"),
        ("Symbol", "Art", "column Art: this name stands twice in the header"),
        ("0,021;%", "0,021", "row 2: not as many cells as the header has columns"),
    ] {
        let told = bent(from, to);
        assert!(told.iter().any(|fault| fault.contains(line)), "{line}: {told:?}");
        assert!(told.iter().all(|fault| !fault.contains("0.021x")), "{told:?}");
    }
    assert_eq!(faults(LABORATORY, ""), ["the file holds no record"]);
    assert_eq!(
        faults(ERP, "{"),
        ["line 1, column 2: not JSON: the file is cut off or mistyped here"]
    );
    assert_eq!(
        faults(ERP, &ERP_JSON.replace("0.341", "[0.341]")),
        ["deliveries/0/samples/0/v: not a single value"]
    );
}

#[test]
fn a_file_in_another_encoding_is_read_as_the_mapping_says() {
    let mapping =
        LABORATORY.replace("delimiter = \";\"", "delimiter = \";\"\nencoding = \"windows-1252\"");
    let file: Vec<u8> = LABORATORY_CSV
        .replace("Blech 20", "Böden 20")
        .chars()
        .map(|c| u8::try_from(c).unwrap())
        .collect();
    let records = Mapping::parse(&mapping).unwrap().read(&file).unwrap();
    assert_eq!(said(&certificate(&records[0]), "product/name"), "Böden 20 mm");
    let error = Mapping::parse(LABORATORY).unwrap().read(&file).unwrap_err();
    assert_eq!(error.to_string(), "not text in the encoding that the mapping names");
}

#[test]
fn a_mapping_that_cannot_work_is_refused_with_the_rule() {
    for (from, to, line) in [
        ("format = \"csv\"", "format = \"xml\"", "line 3: "),
        ("from = \"Zeugnis\"", "form = \"Zeugnis\"", "unknown field `form`"),
        ("date = \"DD.MM.YYYY\"", "date = \"DD.MM.YY\"", "`date` needs YYYY, MM and DD"),
        ("offset = \"+02:00\"\n", "", "a time needs its `offset`"),
        ("from = \"Schmelze\"", "after = \"Schmelze\"", "are for templates"),
        ("from = \"Schmelze\"", "required = true", "a rule needs `from` or `value`"),
        ("delimiter = \";\"", "delimiter = \"€\"", "one ASCII character"),
    ] {
        let error = Mapping::parse(&LABORATORY.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(line), "{line}: {error}");
    }
}

#[test]
fn more_records_than_fit_are_refused() {
    let mut file = LABORATORY_CSV.lines().next().unwrap().to_owned();
    for number in 0..=MAX_RECORDS {
        file.push_str(&format!("\nP-{number};;;;;;;;;;;;;"));
    }
    assert_eq!(
        faults(LABORATORY, &file),
        ["more rows, columns or records than are read from one file; split it"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_bent_file_never_panics_and_gives_json_that_reads(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(), erp in any::<bool>()
    ) {
        let (mapping, file) = if erp { (ERP, ERP_JSON) } else { (LABORATORY, LABORATORY_CSV) };
        let mut bytes = file.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(records) = Mapping::parse(mapping).unwrap().read(&bytes) {
            for record in records {
                match record.content {
                    Ok(content) => prop_assert!(forms::json::parse(&content).is_ok()),
                    Err(faults) => prop_assert!(!faults.is_empty()),
                }
            }
        }
    }

    #[test]
    fn a_bent_mapping_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = LABORATORY.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mapping) = Mapping::parse(&String::from_utf8_lossy(&bytes)) {
            drop(mapping.read(LABORATORY_CSV.as_bytes()));
        }
    }
}
