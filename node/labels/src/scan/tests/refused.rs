//! What is refused, and what the refusal says.

use super::*;
use crate::error::Wrong;

#[track_caller]
fn refused(input: &str) -> ScanError {
    match scan(input.as_bytes(), YEAR) {
        Err(error) => error,
        Ok(scan) => panic!("{input}: {scan:?}"),
    }
}

#[track_caller]
fn wrong(input: &str, identifier: &str, what: Wrong) {
    match refused(input) {
        ScanError::Value { identifier: named, what: said, .. } => {
            assert_eq!((named.as_str(), said), (identifier, what), "{input}");
        }
        other => panic!("{input}: {other}"),
    }
}

#[test]
fn nothing_and_too_much() {
    for input in ["", " ", "\r\n\t", "]d2", "<CR>", "]C0"] {
        assert_eq!(refused(input), ScanError::Empty, "{input:?}");
    }
    let limit = MAX_SCAN_BYTES;
    assert_eq!(refused(&"9".repeat(limit + 1)), ScanError::TooLong { limit });
    assert!(!matches!(refused(&"9".repeat(limit)), ScanError::TooLong { .. }));
}

#[test]
fn characters_that_no_label_has() {
    for input in ["(10)Größe", "10AB\u{7}C", "01 \u{0}", "(10)A\nB", "1T4\u{a0}8", "10\u{661}2"] {
        assert_eq!(refused(input), ScanError::NotAscii, "{input:?}");
    }
    assert_eq!(scan(b"\xff\xfe10", YEAR), Err(ScanError::NotAscii));
}

#[test]
fn wrong_check_digits_say_whose() {
    for (input, identifier) in [
        ("]d20109506000134353", "01"),
        ("(01)09506000134353(10)A", "01"),
        ("010950600013435310ABC", "01"),
        ("]C100340123451234567894", "00"),
        ("]d2010950600013435210A\u{1d}4124012345000017", "412"),
        ("(414)4012345000010", "414"),
        ("(402)40123450000123457", "402"),
        ("(02)09506000134351(37)5", "02"),
        ("(8003)09506000134353X1", "8003"),
        ("https://id.gs1.org/01/09506000134353/10/A", "01"),
        ("https://id.gs1.org/gtin/9506000134353", "01"),
        ("https://id.gs1.org/414/4012345000017", "414"),
        ("[)>\u{1e}05\u{1d}0109506000134353\u{1e}\u{4}", "01"),
        ("9506000134353", "01"),
        ("]E095211238", "01"),
    ] {
        wrong(input, identifier, Wrong::CheckDigit);
    }
}

#[test]
fn days_and_times_that_do_not_exist() {
    for (input, identifier, what) in [
        ("(17)260230", "17", Wrong::Day),
        ("(17)261301", "17", Wrong::Day),
        ("(15)260000", "15", Wrong::Day),
        ("(13)261131", "13", Wrong::Day),
        ("]d20109506000134352\u{1d}17260431", "17", Wrong::Day),
        ("(7003)2602292359", "7003", Wrong::Day),
        ("(7003)2602282400", "7003", Wrong::Time),
        ("(17)2602", "17", Wrong::Length),
        ("(17)26022x", "17", Wrong::Character),
        ("(17)26022", "17", Wrong::Length),
        ("[)>\u{1e}06\u{1d}14D20260229\u{1e}\u{4}", "14D", Wrong::Day),
        ("[)>\u{1e}06\u{1d}14D260228\u{1e}\u{4}", "14D", Wrong::Day),
        ("[)>\u{1e}06\u{1d}15D20270131\u{1e}\u{4}", "15D", Wrong::Day),
        ("https://id.gs1.org/01/09506000134352?17=261131", "17", Wrong::Day),
    ] {
        wrong(input, identifier, what);
    }
}

#[test]
fn lengths_and_characters_that_an_identifier_does_not_have() {
    for (input, identifier, what) in [
        ("(10)", "10", Wrong::Length),
        ("(10)123456789012345678901", "10", Wrong::Length),
        ("]d210A B\u{1d}211", "10", Wrong::Character),
        ("(10)A#B", "10", Wrong::Character),
        ("(21)A@B", "21", Wrong::Character),
        ("(01)0950600013435", "01", Wrong::Length),
        ("(01)095060001343520", "01", Wrong::Length),
        ("(01)0950600013435X", "01", Wrong::Character),
        ("(37)123456789", "37", Wrong::Length),
        ("(37)12a", "37", Wrong::Character),
        ("(3103)00050", "3103", Wrong::Length),
        ("(310x)000500(10)A(37)x", "310x", Wrong::Length),
        ("(8010)ring", "8010", Wrong::Character),
        ("(8003)19506000134352", "8003", Wrong::Character),
        ("https://id.gs1.org/01/09506000134352/10/A%20B", "10", Wrong::Character),
        ("https://id.gs1.org/01/09506000134352/21/", "21", Wrong::Length),
        ("https://id.gs1.org/01/09506000134352?10=", "10", Wrong::Length),
    ] {
        if input.starts_with("(310x)") {
            assert_eq!(refused(input), ScanError::NoIdentifier(1));
        } else if input.ends_with("/21/") {
            assert_eq!(refused(input), ScanError::OtherLink);
        } else {
            wrong(input, identifier, what);
        }
    }
}

#[test]
fn unknown_identifiers_say_which() {
    for (input, identifier) in [
        ("]d20509506000134352", "05"),
        ("]d20109506000134352\u{1d}3109000500", "3109"),
        ("(01)09506000134352(55)A", "55"),
        ("(0100)1", "0100"),
        ("]C12361", "236"),
        ("https://id.gs1.org/01/09506000134352?55=A", "55"),
        ("[)>\u{1e}05\u{1d}0509506000134352\u{1e}\u{4}", "05"),
    ] {
        assert_eq!(refused(input), ScanError::UnknownApplication(identifier.into()), "{input:?}");
    }
}

#[test]
fn the_same_thing_twice_with_different_values() {
    for input in [
        "]d210A\u{1d}10B",
        "(10)A(10)B",
        "(01)09506000134352(01)04012345123456",
        "https://id.gs1.org/01/09506000134352/10/A?10=B",
    ] {
        assert_eq!(
            refused(input),
            ScanError::Twice(if input.contains("(01)0401") { "01" } else { "10" }.into())
        );
    }
    for input in [
        "[)>\u{1e}06\u{1d}1T1\u{1d}1T2\u{1e}\u{4}",
        "[)>\u{1e}05\u{1d}10A\u{1e}06\u{1d}1TB\u{1e}\u{4}",
        "LOT 1/BTN 2",
    ] {
        assert_eq!(refused(input), ScanError::Contradicts("lots"), "{input:?}");
    }
    assert_eq!(refused("SER 1/SER 2"), ScanError::Contradicts("serials"));
    // The same twice is no contradiction.
    reads("(10)A(10)A", Form::ElementsInBrackets, "lot=A");
}

#[test]
fn separators_with_nothing_between() {
    for input in [
        "]d210A\u{1d}\u{1d}21B",
        "]d2\u{1d}\u{1d}10A",
        "[)>\u{1e}06\u{1d}1T1\u{1d}\u{1d}S2\u{1e}\u{4}",
        "[)>\u{1e}06\u{1d}\u{1e}\u{4}",
        "[)>\u{1e}06\u{1d}1T\u{1e}\u{4}",
        "[)>\u{1e}12\u{1d}\u{1d}SER 1\u{1e}\u{4}",
        "[)>\u{1e}05\u{1d}\u{1e}\u{4}",
        "MFR C1234**SER 1",
    ] {
        assert_eq!(refused(input), ScanError::EmptyElement, "{input:?}");
    }
}

#[test]
fn messages_that_are_cut_or_of_another_kind() {
    for input in [
        "[)>",
        "[)>\u{1e}",
        "[)>\u{1e}06\u{1d}1T48213",
        "[)>\u{1e}06\u{1d}1T48213\u{1d}",
        "[)>\u{1e}0",
        "[)>\u{1e}06\u{1d}1T1\u{1e}\u{4}06\u{1d}S2\u{1e}\u{4}",
        "[)>\u{1e}\u{1e}\u{4}",
    ] {
        assert_eq!(refused(input), ScanError::CutOff, "{input:?}");
    }
    for input in ["[)>061T48213S7", "[)>06 1T48213", "[)>\u{1e}061T48213\u{1e}\u{4}"] {
        assert_eq!(refused(input), ScanError::SeparatorsDropped, "{input:?}");
    }
    // Too many ways to cut it, and none found among those that were tried.
    let endless = format!("0109506000134352{}", "10212224037909192".repeat(12));
    assert_eq!(refused(&endless), ScanError::SeparatorsDropped);
    for (input, format) in [
        ("[)>\u{1e}01\u{1d}96123\u{1e}\u{4}", "01"),
        ("[)>\u{1e}07free text\u{1e}\u{4}", "07"),
        ("[)>\u{1e}06\u{1d}1T1\u{1e}09x\u{1e}\u{4}", "09"),
    ] {
        assert_eq!(refused(input), ScanError::OtherFormat(format.into()), "{input:?}");
    }
    for input in [
        "[)>\u{1e}06\u{1d}1T1\u{1d}no identifier\u{1e}\u{4}",
        "[)>\u{1e}06\u{1d}1T1\u{1d}1234T1\u{1e}\u{4}",
        "[)>\u{1e}12\u{1d}SER 1\u{1d}PNR65B\u{1e}\u{4}",
        "SER 1*PN 2",
    ] {
        assert_eq!(refused(input), ScanError::NoIdentifier(2), "{input:?}");
    }
}

#[test]
fn companies_and_amounts_that_are_none() {
    for (field, identifier, what) in [
        ("17VC123", "17V", Wrong::Company),
        ("17Vc1234", "17V", Wrong::Company),
        ("12V12345678", "12V", Wrong::Company),
        ("3V40x", "3V", Wrong::Company),
        ("18VDC12345", "18V", Wrong::Length),
        ("18SC1", "18S", Wrong::Length),
        ("18SC1234", "18S", Wrong::Length),
        ("25SUN123456789", "25S", Wrong::Length),
        ("25SUN12345678x1", "25S", Wrong::Company),
        ("Qmany", "Q", Wrong::Amount),
        ("Q-5", "Q", Wrong::Amount),
        ("Q1.", "Q", Wrong::Amount),
        ("Q.5", "Q", Wrong::Amount),
        ("Q1.2.3", "Q", Wrong::Amount),
        ("Q1.1234567", "Q", Wrong::Amount),
        ("Q99999999999999999999", "Q", Wrong::Amount),
        ("7QKG", "7Q", Wrong::Amount),
        ("7Q12", "7Q", Wrong::Amount),
        ("7Q12kg", "7Q", Wrong::Amount),
    ] {
        wrong(&format!("[)>\u{1e}06\u{1d}{field}\u{1e}\u{4}"), identifier, what);
    }
    wrong("MFR C12/SER 1", "MFR", Wrong::Company);
    wrong("DUN 12", "DUN", Wrong::Company);
}

#[test]
fn links_of_something_else() {
    for input in [
        "https://example.com/",
        "https://example.com",
        "https://example.com/about/us",
        "https://example.com/10/A/21/B",
        "https://example.com/01/09506000134352/99/A",
        "https://example.com/414/4012345000016/10/A",
        "https://example.com/?01=09506000134352",
    ] {
        assert_eq!(refused(input), ScanError::OtherLink, "{input}");
    }
    for input in [
        "https://id.gs1.org/ARFKk4XB0CDKWcnpq",
        "https://id.gs1.org/01/09506000134352/AQnYUc1gmi",
        "https://example.com/c/00c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aab",
    ] {
        assert_eq!(refused(input), ScanError::Compressed, "{input}");
    }
    for input in [
        "https:///01/09506000134352",
        "https://example.com/01/09506000134352/10/%ZZ",
        "https://example.com/01/09506000134352/10/A%4",
        "https://example.com/01/09506000134352/10/%ff",
    ] {
        assert!(matches!(refused(input), ScanError::BadLink(_)), "{input}");
    }
    let long = format!("https://example.com{}", "/a".repeat(65));
    assert!(matches!(refused(&long), ScanError::BadLink(_)));
}

#[test]
fn hashes_that_are_none() {
    for input in [
        "00c0ffee",
        "urn:heatmark:capsule:00c0ffee",
        "urn:heatmark:capsule:",
        "urn:heatmark:lot:00c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabb",
        "g0c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabb",
        "+0c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabb",
    ] {
        let error = refused(input);
        assert!(
            matches!(
                error,
                ScanError::NoForm | ScanError::Value { .. } | ScanError::UnknownApplication(_)
            ),
            "{input}: {error}"
        );
    }
}

#[test]
fn records_that_are_cut_or_of_another_kind() {
    for record in [
        b"\xd1".as_slice(),
        b"\xd1\x01",
        b"\xd1\x01\x05T\x02en",
        b"\xd1\x01\x01T\x3f",
        b"\xd1\x01\x05T\x82en10",
        b"\xd1\x01\x05U\x77a.b",
        b"\xd1\x02\x02Sp\x01\x01",
        b"\xf1\x01\x05T\x02en1",
        b"\xc1\x01\xff\xff\xff\xffT\x02en1",
    ] {
        assert_eq!(scan(record, YEAR), Err(ScanError::OtherRecord), "{record:?}");
    }
}

#[test]
fn plain_words_are_not_guessed_at() {
    for input in ["hello", "48213", "Lot 48213", "(", "()", "(1)", "]", "]d", "*", "/", "{}", "-"] {
        let error = refused(input);
        assert!(
            matches!(error, ScanError::NoForm | ScanError::NoIdentifier(_)),
            "{input}: {error}"
        );
    }
}

#[test]
fn refusals_show_no_values() {
    for input in [
        "(01)09506000134352(10)SECRET#",
        "]d210SECRET VALUE\u{1d}21x",
        "(01)09506000134352(10)SECRET(10)OTHER",
        "[)>\u{1e}06\u{1d}17VSECRET\u{1e}\u{4}",
        "https://id.gs1.org/01/09506000134352/10/SECRET%20",
        "SER SECRET/SER OTHER",
    ] {
        let error = refused(input).to_string();
        assert!(!error.contains("SECRET"), "{error}");
    }
}
