//! Anything at all, and what was written by a program that knows what it wrote.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A value of GS1's set 82.
fn value() -> impl Strategy<Value = String> {
    "[!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z]{1,20}"
        // What spells a separator, or an identifier in brackets, is taken for one.
        .prop_filter("spells", |text| !text.contains('<') && !text.contains('('))
}

fn gtin() -> impl Strategy<Value = String> {
    "[0-9]{13}".prop_map(|body| {
        let check = crate::value::check_digit(&body).unwrap();
        format!("{body}{check}")
    })
}

/// Pieces of which scans are made, so that random ones get past the first check.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "]d2",
            "]C1",
            "\u{1d}",
            "<GS>",
            "\u{1e}",
            "\u{4}",
            "[)>",
            "06",
            "05",
            "12",
            "DD",
            "(01)",
            "0109506000134352",
            "10",
            "21",
            "17261130",
            "3103",
            "000500",
            "https://",
            "/01/",
            "/10/",
            "?",
            "%41",
            "&17=",
            "MFR C1234",
            "/SER ",
            "*",
            "1T",
            "7Q",
            "25S",
            "urn:heatmark:capsule:",
            "^]",
        ])
        .prop_map(str::to_owned),
        "[0-9A-Z]{0,6}",
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(input in vec(any::<u8>(), 0..300), year in 0_u16..=9999) {
        let _ = scan(&input, year);
    }

    #[test]
    fn any_mixture_is_read_or_refused(pieces in vec(piece(), 0..24), year in any::<u16>()) {
        if let Ok(scan) = scan(pieces.concat().as_bytes(), year) {
            prop_assert!(!scan.readings.is_empty());
            prop_assert!(scan.readings.len() <= MAX_READINGS);
            for (place, reading) in scan.readings.iter().enumerate() {
                prop_assert!(!scan.readings[..place].contains(reading), "twice: {reading:?}");
            }
        }
    }

    #[test]
    fn digits_of_any_length_are_read_or_refused(input in "[0-9]{0,400}") {
        let _ = scan(input.as_bytes(), YEAR);
    }

    #[test]
    fn what_is_written_with_separators_is_read_back(gtin in gtin(), lot in value(), serial in value()) {
        for input in [
            format!("]d201{gtin}10{lot}\u{1d}21{serial}"),
            format!("\u{1d}10{lot}\u{1d}21{serial}\u{1d}01{gtin}"),
            format!("[)>\u{1e}05\u{1d}01{gtin}\u{1d}10{lot}\u{1d}21{serial}\u{1e}\u{4}"),
            format!("(01){gtin}(10){lot}(21){serial}"),
        ] {
            let scan = scan(input.as_bytes(), YEAR).unwrap();
            prop_assert_eq!(scan.readings.len(), 1);
            prop_assert_eq!(scan.readings[0].gtin.as_ref(), Some(&gtin));
            prop_assert_eq!(scan.readings[0].lot.as_ref(), Some(&lot));
            prop_assert_eq!(scan.readings[0].serial.as_ref(), Some(&serial));
        }
    }

    #[test]
    fn without_separators_the_right_reading_is_among_them(gtin in gtin(), lot in "[A-Z0-9]{1,8}", serial in "[A-Z]{1,6}") {
        let scan = scan(format!("01{gtin}10{lot}21{serial}").as_bytes(), YEAR).unwrap();
        let right = |it: &Reading| it.lot.as_ref() == Some(&lot) && it.serial.as_ref() == Some(&serial);
        prop_assert!(scan.more || scan.readings.iter().any(right), "{:?}", scan);
        for reading in &scan.readings {
            let whole: String =
                reading.elements.iter().map(|it| format!("{}{}", it.identifier, it.value)).collect();
            prop_assert_eq!(whole, format!("01{gtin}10{lot}21{serial}"));
        }
    }

    #[test]
    fn data_identifiers_are_read_back(lot in "[A-Z0-9][ -~]{0,20}[A-Z0-9]", part in "[A-Z0-9]{1,20}") {
        let lot = lot.replace('^', "-").replace(['<', '{', '[', '\\'], "+");
        let input = format!("[)>\u{1e}06\u{1d}1T{lot}\u{1d}1P{part}\u{1e}\u{4}");
        let scan = scan(input.as_bytes(), YEAR).unwrap();
        prop_assert_eq!(scan.readings[0].lot.as_ref(), Some(&lot));
        prop_assert_eq!(scan.readings[0].part_number.as_ref(), Some(&part));
    }

    #[test]
    fn one_wrong_digit_of_an_article_is_never_read(gtin in gtin(), place in 0_usize..14, more in 1_u8..10) {
        let mut digits = gtin.into_bytes();
        digits[place] = b'0' + (digits[place] - b'0' + more) % 10;
        let gtin = String::from_utf8(digits).unwrap();
        let scan = scan(format!("]d201{gtin}10A\u{1d}21B").as_bytes(), YEAR);
        prop_assert!(matches!(scan, Err(ScanError::Value { .. })), "read");
    }
}
