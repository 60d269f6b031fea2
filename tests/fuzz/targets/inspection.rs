//! What an inspection is given: orders from an ERP, policies, readings.

use heatmark_fuzz::{Shape, Target};
use heatmark_inspection::{Demands, Order, Reading};

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn orders() {
    let seeds = seeds(&[
        "number = '4711'\nline = 10\nproduct = 'ring'\nmass = '1500 kg'\nmass_tolerance = '0.5 %'\npieces = 49\n\
         [[dimension]]\nfield = 'product/shape/D'\nnominal = '400 mm'\ntolerance = '0.5 mm'\n",
        r#"{"number": "4711", "mass": "1.5 t", "limit": [{"property": "mechanical/HBW", "maximum": "220 HBW"}]}"#,
    ]);
    let run = |input: &[u8]| Order::parse(input).is_ok();
    Target::new("orders", seeds, run).of(Shape::Text).may_allocate(400, 4 << 20).fuzz();
}

#[test]
fn policies() {
    let seeds = seeds(&[
        "max_age_hours = 4\ndepth = 'batch'\n[origin]\nmelt_country = ['DE']\n[[limits]]\nspecification = 'a'\nas = 'proved'\n",
        "[[require]]\nproperty = 'heat'\nas = 'shown'\n[readings]\nrequired = ['chemistry/Cr']\n\
         [[readings.within]]\nproperty = 'chemistry/*'\ntolerance = '0.5 %'\n",
    ]);
    let limits = "standard = 's'\nsample = 'heat'\nrounding = 'absolute'\n\
                  [[limit]]\nproperty = 'chemistry/C'\nmaximum = '0.030'\nunit = '%'\n";
    let run =
        move |input: &[u8]| Demands::parse(input, &mut |_: &str| Ok(limits.to_owned())).is_ok();
    Target::new("policies of inspections", seeds, run)
        .of(Shape::Text)
        .may_allocate(4_000, 16 << 20)
        .fuzz();
}

#[test]
fn readings() {
    let seeds = seeds(&[
        "property,value,unit,instrument\nchemistry/Cr,16.9,%,PMI-3\n",
        "property;value\nmechanical/HBW;<195 HBW\n",
        "[[reading]]\nproperty = 'chemistry/Cr'\nvalue = '16.9 %'\n",
        r#"{"reading": [{"property": "chemistry/Cr", "value": 16.9, "unit": "%"}]}"#,
    ]);
    let run = |input: &[u8]| match Reading::parse(input) {
        Ok(readings) => {
            assert!(!readings.is_empty());
            true
        }
        Err(_) => false,
    };
    Target::new("readings", seeds, run).of(Shape::Text).may_allocate(1_000, 8 << 20).fuzz();
}
