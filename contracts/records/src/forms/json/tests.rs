//! JSON: agrees with serde_json on what JSON is, except where it is stricter on purpose.
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

fn what(text: &str) -> What {
    parse(text.as_bytes()).unwrap_err().what
}

#[test]
fn numbers_keep_their_digits() {
    let read = parse(b"[0.150, -1.0E+2, 123456789012345678901234567890]").unwrap();
    let numbers = ["0.150", "-1.0E+2", "123456789012345678901234567890"];
    assert_eq!(read.items(), numbers.map(|n| Json::Number(n.into())));
}

#[test]
fn texts_are_unescaped() {
    let read = parse(r#""\u00c5 \ud83d\ude00 \n\t\"\\\/""#.as_bytes()).unwrap();
    assert_eq!(read, Json::Text("Å 😀 \n\t\"\\/".into()));
}

#[test]
fn refuses_what_is_not_json_and_says_where() {
    for text in [
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "01",
        "1.",
        "+1",
        ".5",
        "\"\\x\"",
        "\"\n\"",
        "\"\\ud800\"",
        "\"\\ude00\"",
        "[1] 2",
        "nul",
        "\"open",
        "{\"a\" 1}",
        "{1:2}",
        "\"\\u12g4\"",
        "1e",
        "\u{feff}\u{feff}1",
        "\"\\ud800\\u0041\"",
    ] {
        assert_eq!(what(text), What::NotJson, "{text:?}");
    }
    assert_eq!(parse(b"{\n  \"a\": 1,\n  \"b\" 2\n}").unwrap_err().place, "line 3, column 7");
    assert_eq!(parse(&[0xff]).unwrap_err().what, What::NotText);
    assert_eq!(parse(&vec![b' '; MAX_FILE_BYTES + 1]).unwrap_err().what, What::TooLarge);
}

#[test]
fn refuses_a_name_twice_in_one_object() {
    assert_eq!(what(r#"{"a":1,"b":{"a":2},"a":3}"#), What::NameTwice);
    assert_eq!(what(r#"{"a":1,"\u0061":3}"#), What::NameTwice);
}

#[test]
fn refuses_nesting_above_64_and_floods_of_values() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(what(&nested(MAX_DEPTH + 1)), What::TooDeep);
    assert_eq!(what(&"[".repeat(1_000_000)), What::TooDeep);
    let flood = format!("[{}0]", "0,".repeat(1_000_000));
    assert_eq!(what(&flood), What::Field(RecordError::TooManyFields));
}

#[test]
fn ignores_a_byte_order_mark() {
    assert_eq!(parse("\u{feff}{}".as_bytes()), Ok(Json::Object(Vec::new())));
}

fn out_of_range(text: &str) -> bool {
    let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
    error.to_string().starts_with("number out of range")
}

fn json_like() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just(" ".to_owned()),
        "\"[a-c\\\\u00e9\"]{0,6}\"",
        "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{0,2})?",
    ];
    proptest::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn accepts_what_serde_json_accepts(text in json_like()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match parse(text.as_bytes()) {
            // A number that no float can hold is JSON all the same.
            Ok(_) => prop_assert!(theirs.is_ok() || out_of_range(&text), "{text:?}"),
            Err(fault) if fault.what == What::NameTwice => {}
            Err(_) => prop_assert!(theirs.is_err(), "{text:?}"),
        }
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }
}
