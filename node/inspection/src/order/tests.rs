#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;

#[test]
fn an_order_is_the_same_as_toml_and_from_an_erp() {
    let toml = "number = '4500012345'\nline = 10\nproduct = 'ring 400 mm'\nspecification = 'ASTM A240'\nrevision = '23'\n\
                condition = 'solution annealed'\nmass = '1500 kg'\nmass_tolerance = '0.1 %'\npieces = 49\n\
                [[dimension]]\nfield = 'product/shape/OuterDiameter'\nnominal = '400 mm'\ntolerance = '0.5 mm'\n\
                [[limit]]\nproperty = 'mechanical/HBW'\nminimum = '180 HBW'\nmaximum = '220 HBW'\n";
    let json = r#"{"number": "4500012345", "line": 10, "product": "ring 400 mm", "specification": "ASTM A240", "revision": 23,
        "condition": "solution annealed", "mass": "1500 kg", "mass_tolerance": "0.1 %", "pieces": 49,
        "dimension": [{"field": "product/shape/OuterDiameter", "minimum": "399.5 mm", "maximum": "400.5 mm"}],
        "limit": [{"property": "mechanical/HBW", "minimum": "180 HBW", "maximum": "220 HBW"}]}"#;
    let order = Order::parse(toml.as_bytes()).unwrap();
    assert_eq!(order, Order::parse(json.as_bytes()).unwrap());
    assert_eq!(order.title(), "4500012345 line 10");
    assert_eq!(order.mass_mg, Some((1_498_500_000, 1_501_500_000)));
    assert_eq!(order.dimensions[0].minimum.unwrap().to_string(), "399.5");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    for text in [
        "line = 1",
        "number = 1\nmas = '5 kg'",
        "number = 1\nmass = '5'",
        "number = 1\nmass = '5,5 kg'",
        "number = 1\nmass_tolerance = '1 kg'",
        "number = 1\npieces = 'some'",
        "number = 1\npieces = -1",
        "number = 1\n[[dimension]]\nfield = 'a'\nnominal = '4 mm'\ntolerance = '1 %'",
        "number = 1\n[[dimension]]\nfield = 'a'\nnominal = '4 mm'\ntolerance = '-1 mm'",
        "number = 1\n[[dimension]]\nfield = 'a'\nminimum = '4 mm'\nmaximum = '3 mm'",
        "number = 1\n[[dimension]]\nfield = 'a'\nminimum = '4 mm'\nmaximum = '1 cm'",
        "number = 1\n[[dimension]]\nfield = 'a'",
        "number = 1\n[[limit]]\nproperty = '//'\nminimum = '4'",
        "number = 1.5",
        "{\"number\": ",
    ] {
        assert!(Order::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(Order::parse(&[0xff]), Err(InputError::NotText));
}
