//! What is written of an inspection: for the ERP, on paper, as a record, to the supplier. All say the same, and nothing in a file
//! becomes more than text.

use heatmark_evidence::capsule::Outcome;
use heatmark_inspection::{
    Disposition, DispositionError, Inspection, html, json, pdf, record, record_name, request, text,
};
use heatmark_records::forms;

use crate::stories::{Dock, demands};
use crate::{ORDER, POLICY, READINGS};

fn held() -> Inspection {
    let mut dock = Dock::billets();
    dock.leave_out(&["melt/shop", "product/condition"]);
    dock.inspect(ORDER, POLICY, READINGS)
}

#[test]
fn the_erp_is_told_everything_under_names_that_stay() {
    let inspection = held();
    let told = json(&inspection);
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let expected = [
        "schema",
        "verdict",
        "stands",
        "at",
        "order",
        "by",
        "lots",
        "lines",
        "readings",
        "disposition",
    ];
    assert_eq!(names(&told), expected);
    assert_eq!(told["schema"], "heatmark/inspection/1");
    assert_eq!((&told["verdict"], &told["stands"]), (&"hold".into(), &"hold".into()));
    let expected = ["lot", "check", "outcome", "about", "code", "words", "evidence", "next"];
    assert_eq!(names(&told["lines"][0]), expected);
    assert_eq!(names(&told["lots"][0]), ["file", "name", "capsule", "verdict", "proved"]);
    let proved = &told["lots"][0]["proved"];
    assert_eq!((&proved["mass_mg"], &proved["pieces"]), (&2_000_000_000_u64.into(), &2.into()));
    assert_eq!(proved["history"][1]["kind"], "transfer");
    assert_eq!(told["order"], "4500012345 line 10");
    // The table of the specification names each of them.
    let specification = include_str!("../../../../proto/README.md");
    let section = specification.split("\n## 14.").nth(1).unwrap();
    let mut all = names(&told);
    all.extend(names(&told["lines"][0]));
    all.extend(names(&told["lots"][0]));
    all.extend(names(proved));
    all.extend(names(&proved["history"][0]));
    all.extend(names(&proved["records"][0]));
    all.extend(names(&told["readings"][0]));
    for name in all {
        assert!(section.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

#[test]
fn people_read_what_is_open_and_what_to_do() {
    let inspection = held();
    let told = text(&inspection);
    assert!(told.starts_with("HOLD   order 4500012345 line 10\n"), "{told}");
    assert!(told.contains("claim-missing") && told.contains("order-untold"), "{told}");
    assert!(told.matches("next: ").count() >= 2, "{told}");
    let mut turned = held();
    "4711\u{202e}\u{1b}[2J".clone_into(&mut turned.order);
    assert!(text(&turned).starts_with("HOLD   order 4711[U+202E][U+001B][2J\n"));
    assert!(told.contains("as of block") && told.contains("2000 kg, 2 pieces"), "{told}");
}

#[test]
fn a_report_is_one_file_that_runs_and_loads_nothing() {
    let mut inspection = held();
    "<script>alert('x')</script>\u{202e}&\"".clone_into(&mut inspection.order);
    let page = html(&inspection);
    for outside in ["<script", "src=", "href=", "url(", "@import", "\u{202e}"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;[U+202E]&amp;&quot;"));
    assert!(page.contains("Content-Security-Policy"));
    for line in inspection.open() {
        assert!(page.contains(line.code), "{}", line.code);
    }
}

#[test]
fn paper_has_the_same_in_every_script() {
    let mut inspection = held();
    "Łódź, Сталь, Αθήνα, 宝钢".clone_into(&mut inspection.order);
    let bytes = pdf(&inspection, &[]).unwrap();
    assert!(bytes.starts_with(b"%PDF-"));
    // Read by the library that reads mills' certificates.
    let read = hayro_syntax::Pdf::new(bytes).unwrap();
    assert!(read.pages().len() >= 2, "a report of this length has several pages");
    assert!(pdf(&inspection, &[b"no font".to_vec()]).is_err());
}

#[test]
fn a_decision_against_the_evidence_needs_a_reason_and_is_what_stands() {
    let mut inspection = held();
    let decide = |by: &str, outcome, reason: &str| Disposition {
        by: by.into(),
        outcome,
        reason: reason.into(),
    };
    for (disposition, error) in [
        (decide(" ", Outcome::Hold, ""), DispositionError::Nobody),
        (decide("Anna Berg", Outcome::Accept, " "), DispositionError::NoReason),
        (decide("Anna\nBerg", Outcome::Hold, ""), DispositionError::Words),
        (decide("Anna Berg", Outcome::Accept, &"x".repeat(513)), DispositionError::Words),
    ] {
        assert_eq!(inspection.dispose(disposition), Err(error));
        assert_eq!(inspection.stands(), Outcome::Hold);
        assert_eq!(record(&inspection), None);
    }
    let reason = "the melt shop is on the paper";
    inspection.dispose(decide("Anna Berg", Outcome::Accept, reason)).unwrap();
    assert_eq!((inspection.outcome, inspection.stands()), (Outcome::Hold, Outcome::Accept));
    assert!(text(&inspection).contains("Disposed: ACCEPT by Anna Berg: the melt shop"));
    assert!(html(&inspection).contains(reason));
    assert_eq!(json(&inspection)["disposition"]["decision"], "accept");
}

#[test]
fn what_was_decided_is_a_record_that_can_be_published() {
    let mut inspection = held();
    let disposition =
        Disposition { by: "Anna Berg".into(), outcome: Outcome::Hold, reason: String::new() };
    inspection.dispose(disposition).unwrap();
    let bytes = record(&inspection).unwrap();
    let certificate = forms::read(&bytes).map_err(|faults| format!("{faults:?}")).unwrap();
    assert_eq!(certificate.form_name(), "inspection Heatmark 1");
    let said: Vec<&str> = certificate.fields.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        "inspection/inspector",
        "inspection/verdict",
        "inspection/disposition",
        "inspection/lot/1/capsule",
        "inspection/lot/1/header",
        "inspection/finding/1",
        "inspection/reading/1",
    ] {
        assert!(said.contains(&path), "{path}: {said:?}");
    }
    let name = record_name(&inspection).unwrap();
    assert!(name.starts_with("hold of lot-1.capsule by Anna Berg, evidence hold"), "{name}");
    // Others' fields stay out of it.
    assert!(!String::from_utf8(bytes).unwrap().contains("17.01"));
}

#[test]
fn the_supplier_is_asked_for_what_it_can_supply() {
    let inspection = held();
    let own = [7; 32];
    let asked = request(&inspection, &demands(POLICY), Some(&own)).unwrap();
    let world = Dock::billets().world;
    let assembler = *world.town.id(crate::world::ASSEMBLER).as_bytes();
    assert_eq!(asked.suppliers, [assembler].into());
    let asked = request(&inspection, &demands(POLICY), Some(&assembler)).unwrap();
    let mill = *world.town.id(crate::world::MILL).as_bytes();
    assert_eq!(asked.suppliers, [mill].into());
    assert!(asked.name.starts_with("request-") && asked.name.ends_with(".txt"));
    for part in ["melt/shop", "as cast", "Record ", "On the log", "4500012345"] {
        assert!(asked.text.contains(part), "{part}: {}", asked.text);
    }
    // What own instruments said is nobody's business.
    assert!(!asked.text.contains("16.9"), "{}", asked.text);
    let fine = Dock::billets().inspect(ORDER, POLICY, READINGS);
    assert_eq!(request(&fine, &demands(POLICY), None), None);
}
