//! Templates: the sample on a PDF of its layout, what it leaves unread, and what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use heatmark_records::forms;
use proptest::prelude::*;

use super::*;
use crate::pdf::tests::pdf;
use crate::{document, words_of_pdf};

const KESSELBACH: &str = include_str!("../../samples/kesselbach.toml");

#[rustfmt::skip]
const PAGE: &[(u32, u32, &str)] = &[
    (72, 800, "Kesselbach Edelstahl AG"), (330, 800, "Inspection certificate 3.1"),
    (72, 770, "Certificate No.: KB-5102"), (330, 770, "Date 06.10.2026"),
    (72, 750, "Product"), (140, 750, "Hot rolled plate 20 mm"), (330, 750, "Heat 553908"), (450, 750, "Order TR-1"),
    (72, 730, "Net weight 1912.5 kg"),
    (140, 700, "C"), (200, 700, "Si"), (260, 700, "Cr"),
    (72, 685, "min"), (260, 685, "16.5"),
    (72, 670, "max"), (140, 670, "0.03"), (200, 670, "0.75"), (260, 670, "18.0"),
    (72, 655, "Actual"), (140, 655, "0.021"), (200, 655, "0.44"), (260, 655, "16.82"),
    (72, 620, "Rm 598 MPa"),
];

fn read(template: &str, page: &[(u32, u32, &str)]) -> Result<Reading, ReadingError> {
    Template::parse(template).unwrap().read(&words_of_pdf(pdf(&[page])).unwrap())
}

fn stated(reading: &Reading, path: &str) -> Option<String> {
    let (_, value) = reading.fields.iter().find(|(known, _)| known == path)?;
    Some(to_text(value))
}

fn without(text: &str) -> Vec<(u32, u32, &'static str)> {
    PAGE.iter().copied().filter(|(_, _, known)| *known != text).collect()
}

#[test]
fn every_field_of_the_layout_is_read_from_its_place() {
    let reading = read(KESSELBACH, PAGE).unwrap();
    assert_eq!((reading.unread.len(), reading.faults.len()), (0, 0), "{reading:?}");
    for (path, value) in [
        ("certificate/number", r#""KB-5102""#),
        ("certificate/issued", r#""2026-10-06""#),
        ("product/name", r#""Hot rolled plate 20 mm""#),
        ("heat", r#""553908""#),
        ("product/mass", r#"{"value":"1912.5","unit":"kg"}"#),
        ("chemistry/C", r#"{"value":"0.021","unit":"%","maximum":"0.03"}"#),
        ("chemistry/Cr", r#"{"value":"16.82","unit":"%","minimum":"16.5","maximum":"18.0"}"#),
        ("mechanical/Rm", r#"{"value":"598","unit":"MPa"}"#),
    ] {
        assert_eq!(stated(&reading, path).as_deref(), Some(value), "{path}");
    }
    let template = Template::parse(KESSELBACH).unwrap();
    let content = template.certificate(&reading, document(b"the PDF", "application/pdf"));
    let certificate = forms::read(&content).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(certificate.origin().unwrap().mass_mg, 1_912_500_000);
}

#[test]
fn what_is_not_found_is_listed_and_what_is_required_is_a_fault() {
    let reading = read(KESSELBACH, &without("Rm 598 MPa")).unwrap();
    assert_eq!(reading.unread, ["mechanical/Rm"]);
    let reading = read(KESSELBACH, &without("Heat 553908")).unwrap();
    assert_eq!(reading.faults, [Fault::new("heat", Wrong::Missing)]);
    let reading = read(KESSELBACH, &without("0.021")).unwrap();
    assert_eq!(reading.unread, ["chemistry/C"], "a neighbour's value is not taken");
    let mut page = without("Date 06.10.2026");
    page.push((330, 770, "Date 6 October 2026"));
    let reading = read(KESSELBACH, &page).unwrap();
    assert_eq!(reading.faults, [Fault::new("certificate/issued", Wrong::NotADate)]);
}

#[test]
fn a_region_is_read_alone() {
    let template = format!(
        "{KESSELBACH}\n[[field]]\npath = \"order/number\"\nregion = [150.0, 28.0, 200.0, 36.0]\npattern = \"Order (\\\\S+)\"\n"
    );
    assert_eq!(
        stated(&read(&template, PAGE).unwrap(), "order/number").as_deref(),
        Some(r#""TR-1""#)
    );
    let elsewhere = template.replace("[150.0, 28.0, 200.0, 36.0]", "[0.0, 28.0, 100.0, 36.0]");
    assert_eq!(read(&elsewhere, PAGE).unwrap().unread, ["order/number"]);
}

#[test]
fn another_layout_is_refused() {
    let error = read(KESSELBACH, &without("Inspection certificate 3.1")).unwrap_err();
    assert_eq!(error.to_string(), "not of the layout that the template is for");
}

#[test]
fn a_template_that_cannot_work_is_refused_with_the_rule() {
    for (from, to, line) in [
        ("after = \"Heat\"", "from = \"Heat\"", "are for mappings"),
        ("row = \"Actual\"\nmaximum-row", "maximum-row", "`column` and `row` go together"),
        ("([0-9.]+) kg", "([0-9.]+ kg", "no regular expression"),
        ("([0-9.]+) kg", "((a{1000}){1000}){1000}", "too large"),
        ("contains = [", "contains = []\nlines = [", "unknown field"),
        ("after = \"Heat\"", "page = 0", "pages count from 1"),
    ] {
        let error = Template::parse(&KESSELBACH.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(line), "{line}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_bent_template_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = KESSELBACH.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(template) = Template::parse(&String::from_utf8_lossy(&bytes)) {
            let layout = words_of_pdf(pdf(&[PAGE])).unwrap();
            drop(template.read(&layout));
        }
    }
}
