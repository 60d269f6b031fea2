#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;
use heatmark_records::{Document, Heading, Secret};

const CLASSES: &str = r#"
    [[class]]
    name = "magnet assays"
    agents = ["AGENT-1", "AGENT-2"]
    threshold = 2
    policy = "assays.toml"
    [class.records]
    form = ["Heatmark 1"]
    product = ["magnet*"]
    standard = ["IEC 60404-8-1", "EN 60404*"]
    [class.records.field]
    "certificate/type" = ["3.1", "3.2"]
    [[class.section]]
    name = "assay"
    fields = ["assay/*", "tests/*"]
"#;
const POLICY: &str = "[[clause]]\nname = \"audit\"\nsections = [\"assay\"]\nopen_to = \"anyone\"\nprice = \"free\"\n";

fn text() -> String {
    CLASSES.replace("AGENT-1", &"a1".repeat(32)).replace("AGENT-2", &"a2".repeat(32))
}

fn read(text: &str) -> Result<RetentionClasses, ClassError> {
    RetentionClasses::parse(text, &mut |name| match name {
        "assays.toml" => Ok(POLICY.to_owned()),
        "bad.toml" => Ok("[[clause]]".to_owned()),
        _ => Err("it is not there".to_owned()),
    })
}

fn opening(form: &str, changed: &[(&str, &str)]) -> Opening {
    let mut said: BTreeMap<&str, &str> = BTreeMap::from([
        ("product/name", "magnet blocks"),
        ("product/standard", "EN 60404-8-1"),
        ("certificate/type", "3.1"),
        ("assay/Nd", "29.4 %"),
    ]);
    said.extend(changed.iter().copied());
    said.retain(|_, text| !text.is_empty());
    let mut fields = Fields::new();
    for (path, text) in said {
        fields.insert(Path::new(path).unwrap(), Value::Text(text.to_owned())).unwrap();
    }
    let report = Document { sha256: [9; 32], length_bytes: 7, media_type: String::new() };
    fields.insert(Path::new("assay/report").unwrap(), Value::Document(report)).unwrap();
    let heading = Heading {
        network: [1; 32],
        form: form.to_owned(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: None,
    };
    Opening::seal(heading, fields, Secret::new([4; 32])).unwrap()
}

#[test]
fn a_record_is_of_a_class_if_all_that_is_asked_for_fits() {
    let classes = read(&text()).unwrap();
    assert_eq!(classes.count(), 1);
    let due = classes.due(&opening("Heatmark 1", &[]));
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].class, "magnet assays");
    assert_eq!(due[0].documents, [DueDocument { sha256: vec![9; 32], bytes: 7 }]);
    for (form, changed) in [
        ("Metals 0.1.1", &[][..]),
        ("Heatmark 1", &[("product/name", "steel bar")]),
        ("Heatmark 1", &[("product/name", "")]),
        ("Heatmark 1", &[("product/standard", "EN 10204")]),
        ("Heatmark 1", &[("certificate/type", "2.2")]),
        ("Heatmark 1", &[("certificate/type", "")]),
    ] {
        assert_eq!(classes.due(&opening(form, changed)), [], "{form} {changed:?}");
    }
}

#[test]
fn what_a_record_does_not_have_is_not_taken_and_documents_only_where_they_are_wanted() {
    let record = opening("Heatmark 1", &[]);
    let classes = read(&text()).unwrap();
    let taken = classes.class("magnet assays").unwrap().take(record.fields()).unwrap();
    assert_eq!(taken[0].fields, Selection::new(vec!["assay/*".to_owned()]).unwrap());
    let without = format!("{}    documents = false\n", text());
    let due = read(&without).unwrap().due(&record);
    assert_eq!((due.len(), due[0].documents.len()), (1, 0));
    let nothing = text().replace("\"assay/*\", ", "");
    assert_eq!(read(&nothing).unwrap().due(&record), []);
    assert_eq!(RetentionClasses::default().due(&record), []);
}

#[test]
fn classes_that_make_no_sense_are_refused() {
    let again = text();
    let twice = format!("{again}{again}");
    assert_eq!(read(&twice), Err(ClassError::Name("magnet assays".to_owned())));
    let agent = "a2".repeat(32);
    let same = "a1".repeat(32);
    for (from, to) in [
        ("\"magnet assays\"", "\"\""),
        ("\"magnet assays\"", "\" assays\""),
        (agent.as_str(), "Lab AB"),
        (agent.as_str(), same.as_str()),
        ("threshold = 2", "threshold = 0"),
        ("threshold = 2", "threshold = 3"),
        ("threshold = 2", "threshold = 2\nthreshhold = 2"),
        ("\"assays.toml\"", "\"other.toml\""),
        ("\"assays.toml\"", "\"bad.toml\""),
        ("\"certificate/type\"", "\"certificate//type\""),
        ("[\"3.1\", \"3.2\"]", "[]"),
        ("\"magnet*\"", "\"\""),
        ("form = ", "forms = "),
        ("name = \"assay\"", "name = \"tests\""),
        ("[\"assay/*\", \"tests/*\"]", "[]"),
    ] {
        let text = text().replacen(from, to, 1);
        assert!(text != self::text() && read(&text).is_err(), "{from} {to}");
    }
    let begin = "[class.records]";
    let of_all = text();
    let (head, tail) = of_all.split_once(begin).unwrap();
    let (_, section) = tail.split_once("    [[class.section]]").unwrap();
    let any = format!("{head}{begin}\n[[class.section]]{section}");
    assert_eq!(read(&any), Err(ClassError::Records("magnet assays".to_owned())));
    let long = format!("{}# {}", text(), "x".repeat(MAX_CLASSES_BYTES));
    assert_eq!(read(&long), Err(ClassError::TooLong));
}
