//! Values: exactness, one encoding, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn measured(quantity: Quantity) -> Value {
    Value::Measured(Measured { unit: "%".into(), quantity })
}

#[test]
fn reads_decimals_exactly_as_written() {
    for (text, mantissa, scale, shown) in [
        ("0", 0, 0, "0"),
        ("-0", 0, 0, "0"),
        ("0.150", 150, 3, "0.150"),
        ("0.1", 1, 1, "0.1"),
        ("-40", -40, 0, "-40"),
        ("-0.05", -5, 2, "-0.05"),
        ("1e3", 1000, 0, "1000"),
        ("1.5E-5", 15, 6, "0.000015"),
        ("12.50e+1", 1250, 1, "125.0"),
        ("0e2", 0, 0, "0"),
    ] {
        let read = number(text);
        assert_eq!((read.mantissa(), read.scale()), (mantissa, scale), "{text}");
        assert_eq!(read.to_string(), shown, "{text}");
    }
}

#[test]
fn refuses_what_is_no_decimal_or_out_of_range() {
    let long = "1".repeat(31);
    for text in [
        "", "-", ".5", "5.", "01", "1e", "1e+", "1 ", "0x1", "1,5", "NaN", "--1", "1e99999",
        "1e31", "1e-31", &long, "٣",
    ] {
        assert_eq!(Decimal::parse(text), Err(RecordError::BadDecimal), "{text:?}");
    }
}

#[test]
fn keeps_precision_apart_and_quantity_together() {
    let (short, long) = (number("0.15"), number("0.150"));
    assert_ne!(short, long);
    assert!(short.cmp_quantity(&long).is_eq());
    assert!(number("-40").cmp_quantity(&number("-39.9")).is_lt());
    let huge = Decimal::new(10_i128.pow(30) - 1, 0).unwrap();
    let tiny = Decimal::new(1, 30).unwrap();
    assert!(huge.cmp_quantity(&tiny).is_gt() && tiny.cmp_quantity(&huge).is_lt());
    assert!(Decimal::new(-(10_i128.pow(30) - 1), 0).unwrap().cmp_quantity(&tiny).is_lt());
}

#[test]
fn refuses_days_and_times_that_do_not_exist() {
    for text in [
        "2026-02-28",
        "2024-02-29",
        "2018-10-23T09:30:10-01:00",
        "2026-01-01T23:59:60Z",
        "2026-01-01T00:00:00.123Z",
    ] {
        assert!(Moment::new(text).is_ok(), "{text}");
    }
    for text in [
        "2026-02-29",
        "1900-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-04-31",
        "26-04-30",
        "2026-4-30",
        "30.04.2026",
        "2026-04-30T",
        "2026-04-30T24:00:00Z",
        "2026-04-30T10:00:00",
        "2026-04-30T10:00:00.Z",
        "2026-04-30 10:00:00Z",
        "2026-04-3é",
        "",
        "2026-04-30T10:60:00Z",
        "2026-04-30T10:00:00+24:00",
    ] {
        assert_eq!(Moment::new(text), Err(RecordError::BadMoment), "{text}");
    }
}

#[test]
fn refuses_values_without_meaning() {
    let upside_down = Quantity::Range { low: number("2"), high: number("1"), inclusive: true };
    assert_eq!(measured(upside_down).check(), Err(RecordError::EmptyRange));
    assert_eq!(measured(Quantity::Several(Vec::new())).check(), Err(RecordError::ValueTooLong));
    assert_eq!(Value::Text("a\u{7}".into()).check(), Err(RecordError::BadText));
    assert_eq!(Value::Text("a".repeat(MAX_TEXT_BYTES + 1)).check(), Err(RecordError::ValueTooLong));
    let unit = Value::Measured(Measured { unit: "%\n".into(), quantity: Quantity::Balance });
    assert_eq!(unit.check(), Err(RecordError::BadText));
}

#[test]
fn a_range_of_one_quantity_in_two_precisions_is_a_range() {
    let range = Quantity::Range { low: number("0.150"), high: number("0.15"), inclusive: true };
    assert_eq!(measured(range).check(), Ok(()));
}

#[test]
fn encodes_each_kind_as_specified() {
    let cases = [
        (Value::Text("Å".into()), "01c385".to_owned()),
        (Value::Moment(Moment::new("2026-03-31").unwrap()), "02323032362d30332d3331".to_owned()),
        (
            Value::Document(Document {
                sha256: [7; 32],
                length_bytes: 258,
                media_type: "image/png".into(),
            }),
            format!("03{}0000000000000102696d6167652f706e67", "07".repeat(32)),
        ),
        (
            measured(Quantity::Number(Relation::Less, number("0.001"))),
            format!("0401250102{}0103", "00".repeat(15)),
        ),
        (
            measured(Quantity::Number(Relation::Equal, number("-40"))),
            format!("0401250101{}d800", "ff".repeat(15)),
        ),
        (
            measured(Quantity::Range { low: number("1"), high: number("2"), inclusive: false }),
            format!("0401250200{z}0100{z}0200", z = "00".repeat(15)),
        ),
        (
            measured(Quantity::Several(vec![
                (Relation::Equal, number("5")),
                (Relation::Greater, number("6")),
            ])),
            format!("04012503000201{z}050004{z}0600", z = "00".repeat(15)),
        ),
        (measured(Quantity::Balance), "04012504".to_owned()),
        (measured(Quantity::Verdict(true)), "0401250501".to_owned()),
    ];
    for (value, encoding) in cases {
        assert_eq!(hex::encode(value.encode()), encoding, "{value:?}");
        assert_eq!(Value::decode(&value.encode()), Ok(value));
    }
}

#[test]
fn refuses_encodings_that_are_not_canonical() {
    for encoding in [
        "",
        "00",
        "05",
        "01ff",
        "0401250502",
        "0401250106",
        "04012504ff",
        "04022504",
        "040125020201",
        "04012503ffff",
        "0225",
    ] {
        assert!(Value::decode(&hex::decode(encoding).unwrap()).is_err(), "{encoding}");
    }
    let above_range = format!("0401250101{}00", "7f".repeat(16));
    assert_eq!(Value::decode(&hex::decode(above_range).unwrap()), Err(RecordError::BadDecimal));
    let above_scale = format!("0401250101{}1f", "00".repeat(16));
    assert_eq!(Value::decode(&hex::decode(above_scale).unwrap()), Err(RecordError::BadDecimal));
}

proptest! {
    #[test]
    fn decoding_never_panics_and_accepts_only_what_encodes_alike(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(value) = Value::decode(&bytes) {
            prop_assert_eq!(value.encode(), bytes);
        }
    }

    #[test]
    fn a_decimal_shown_reads_as_itself(mantissa in -(10_i128.pow(30) - 1)..10_i128.pow(30), scale in 0..=MAX_SCALE) {
        let decimal = Decimal::new(mantissa, scale).unwrap();
        prop_assert_eq!(Decimal::parse(&decimal.to_string()), Ok(decimal));
    }

    #[test]
    fn parsing_never_panics(text in "[-+0-9.eE ]{0,40}") {
        let _ = Decimal::parse(&text);
        let _ = Moment::new(&text);
    }
}
