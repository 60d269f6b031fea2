//! What stands beside certificates, and files read by a mapping or a template, with the mapping or template itself.

use crate::seeds;
use heatmark_fuzz::{Shape, Target};
use heatmark_reading::{Layout, Mapping, Page, Template, Word, json_of_toml};
use heatmark_records::forms;

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(seeds::place("node/reading/samples").join(name)).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(sample(name)).unwrap()
}

#[test]
fn notes_beside_a_certificate() {
    let plate = std::fs::read(seeds::place("devnet/certificates/316l-plate.json")).unwrap();
    let notes = br#"{"melt":{"shop":"Witten 2","smelter":"CID002567","time":"2026-09-11T04:30:00+02:00"},
"chemistry":{"H":{"value":"1.4 ppm","maximum":"0.001 %"}},"mechanical":{"Z quarter":["60 %","61 %"]},"tests":{"ut":true}}"#;
    let run = move |input: &[u8]| match forms::read_with(&plate, input) {
        Ok(certificate) => {
            assert!(certificate.form_name().ends_with("Metals 0.1.1"));
            true
        }
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.to_string().len() < 2_000));
            false
        }
    };
    Target::new("beside", vec![notes.to_vec()], run)
        .of(Shape::Text)
        .may_allocate(4_000, 16 << 20)
        .fuzz();
}

#[test]
fn mapped_csv() {
    let mapping = Mapping::parse(&text("laboratory.toml")).unwrap();
    let run = move |input: &[u8]| mapping.read(input).is_ok();
    Target::new("mapped-csv", vec![sample("laboratory.csv")], run)
        .of(Shape::Text)
        .may_allocate(4_000, 16 << 20)
        .fuzz();
}

#[test]
fn mapping_file() {
    let csv = sample("laboratory.csv");
    let run = move |input: &[u8]| match std::str::from_utf8(input).map(Mapping::parse) {
        Ok(Ok(mapping)) => {
            let _ = mapping.read(&csv);
            true
        }
        _ => false,
    };
    let seeds = vec![sample("laboratory.toml"), sample("erp.toml")];
    Target::new("mapping", seeds, run).of(Shape::Text).may_allocate(4_000, 16 << 20).fuzz();
}

#[test]
fn template_file() {
    let word = |x: f32, y: f32, text: &str| {
        let width = 2.0;
        Word { x, y, width, size: 3.5, text: text.to_owned() }
    };
    let words = vec![
        word(25.0, 20.0, "Kesselbach"),
        word(40.0, 20.0, "Edelstahl"),
        word(55.0, 20.0, "AG"),
        word(25.0, 30.0, "Heat"),
        word(35.0, 30.0, "553908"),
    ];
    let layout = Layout { pages: vec![Page { words }] };
    let run = move |input: &[u8]| match std::str::from_utf8(input).map(Template::parse) {
        Ok(Ok(template)) => {
            let _ = template.read(&layout);
            true
        }
        _ => false,
    };
    Target::new("template", vec![sample("kesselbach.toml")], run)
        .of(Shape::Text)
        .may_allocate(4_000, 16 << 20)
        .fuzz();
}

#[test]
fn notes_in_toml() {
    let run =
        |input: &[u8]| std::str::from_utf8(input).is_ok_and(|text| json_of_toml(text).is_ok());
    Target::new("notes", vec![sample("laboratory.toml")], run)
        .of(Shape::Text)
        .may_allocate(4_000, 16 << 20)
        .fuzz();
}
