#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests fail loudly")]

use super::*;

fn told(text: &str) -> Vec<String> {
    let readings = Reading::parse(text.as_bytes()).unwrap();
    let told = |reading: &Reading| {
        let result = quantity::measured_text(&reading.result);
        format!("{} {result} {}", reading.property, reading.instrument)
    };
    readings.iter().map(told).collect()
}

#[test]
fn readings_are_the_same_in_every_form() {
    let expected = ["chemistry/Cr 16.9 % PMI-3", "mechanical/HBW 195 HBW "];
    let toml = "[[reading]]\nproperty = 'chemistry/Cr'\nvalue = '16.9'\nunit = '%'\ninstrument = 'PMI-3'\n\
                [[reading]]\nproperty = 'mechanical/HBW'\nvalue = '195 HBW'\n";
    let json = r#"{"reading": [{"property": "chemistry/Cr", "value": 16.9, "unit": "%", "instrument": "PMI-3"},
                  {"property": "mechanical/HBW", "value": 195, "unit": "HBW"}]}"#;
    let csv =
        "property;value;unit;instrument\nchemistry/Cr;16.9;%;PMI-3\nmechanical/HBW;195;HBW;\n";
    let commas = "\u{feff}property,value,unit,instrument\nchemistry/Cr,16.9,%,PMI-3\nmechanical/HBW,195 HBW,,\n";
    for text in [toml, json, csv, commas] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_result_is_refused_and_not_left_out() {
    for text in [
        "property,value,unit\nchemistry/Cr,\"16,9\",%\n",
        "property,value\nchemistry/Cr\n",
        "property,value,colour\nchemistry/Cr,16.9,red\n",
        "property,value\n",
        "[[reading]]\nproperty = 'chemistry/Cr'\nvalue = 16.9\n",
        "[[reading]]\nproperty = ''\nvalue = '16.9'\n",
        "reading = []",
        "",
    ] {
        assert!(Reading::parse(text.as_bytes()).is_err(), "{text}");
    }
    let many = "property,value\n".to_owned() + &"chemistry/Cr,16.9\n".repeat(MAX_READINGS + 1);
    assert_eq!(Reading::parse(many.as_bytes()), Err(InputError::TooMany(MAX_READINGS)));
}
