//! What scanners type: every form as it should be, more ways in which it should not be, and anything at all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

mod random;
mod refused;

use super::*;

const YEAR: u16 = 2026;

/// A reading as one line: what it names, then its elements.
fn line(reading: &Reading) -> String {
    let mut words: Vec<String> = [
        ("gtin", &reading.gtin),
        ("lot", &reading.lot),
        ("serial", &reading.serial),
        ("part", &reading.part_number),
        ("customer-part", &reading.customer_part_number),
        ("package", &reading.package),
        ("order", &reading.order),
        ("line", &reading.order_line),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
    .collect();
    words.extend(reading.suppliers.iter().map(|it| format!("{}={}", it.scheme.code(), it.number)));
    words.extend(reading.amounts.iter().map(ToString::to_string));
    words.extend(reading.dates.iter().map(|date| format!("{} {date}", date.kind.code())));
    words.extend(reading.capsule.iter().map(ToString::to_string));
    words.join(", ")
}

fn lines(input: &str) -> Vec<String> {
    let scan = scan(input.as_bytes(), YEAR).unwrap_or_else(|error| panic!("{input}: {error}"));
    assert!(!scan.readings.is_empty());
    scan.readings.iter().map(line).collect()
}

fn form(input: &str) -> Form {
    scan(input.as_bytes(), YEAR).unwrap_or_else(|error| panic!("{input}: {error}")).form
}

#[track_caller]
fn reads(input: &str, expected_form: Form, expected: &str) {
    assert_eq!(lines(input), [expected], "{input}");
    assert_eq!(form(input), expected_form, "{input}");
}

const RING: &str = "gtin=09506000134352, lot=RING/48-2, serial=0007";

#[test]
fn element_strings_with_separators_in_any_spelling() {
    for separator in [
        "\u{1d}", "<GS>", "<gs>", "{GS}", "[GS]", "^]", "\\x1d", "\\x1D", "\\u001d", "\u{241d}",
        "\\035", "<FNC1>", "[FNC1]",
    ] {
        for start in ["]d2", "]C1", "]Q3", "]e0", "]J1", "", separator] {
            for end in ["", "\r\n", "\t", "\n", separator, "<CR><LF>"] {
                // A scanner that sends separators as such spells nothing.
                if separator == "\u{1d}" && end.contains('<') {
                    continue;
                }
                let input = format!("{start}010950600013435210RING/48-2{separator}210007{end}");
                reads(&input, Form::Elements, RING);
            }
        }
    }
}

#[test]
fn what_spells_a_separator_is_text_where_separators_arrive_as_such() {
    reads("]d210A<GS>B\u{1d}217", Form::Elements, "lot=A<GS>B, serial=7");
}

#[test]
fn element_strings_in_brackets() {
    reads("(01)09506000134352(10)RING/48-2(21)0007", Form::ElementsInBrackets, RING);
    reads(" (01) 09506000134352 (10) RING/48-2 (21) 0007\n", Form::ElementsInBrackets, RING);
    reads("]C0(01)09506000134352(10)RING/48-2(21)0007", Form::ElementsInBrackets, RING);
    reads("]d2(01)09506000134352(10)RING/48-2(21)0007", Form::ElementsInBrackets, RING);
    // A bracket that encloses no identifier is part of the lot.
    reads(
        "(01)09506000134352(10)A(B)(5)(21)7",
        Form::ElementsInBrackets,
        "gtin=09506000134352, lot=A(B)(5), serial=7",
    );
}

#[test]
fn everything_that_goods_carry_is_named() {
    reads(
        "]d201095060001343521727020011261104310300123437250\u{1d}400PO-4711\u{1d}4124012345000016422276\u{1d}10H48213",
        Form::Elements,
        "gtin=09506000134352, lot=H48213, order=PO-4711, GLN=4012345000016, 1.234 kg, 250 pieces, \
         expires 2027-02-28 (end of the month), produced 2026-11-04",
    );
    reads("]C100340123451234567895", Form::ElementsUnseparated, "package=340123451234567895");
    reads(
        "(01)09506000134352(7003)2703312359(3202)001250(15)261231(13)261101",
        Form::ElementsInBrackets,
        "gtin=09506000134352, 12.50 lb, expires 2027-03-31 23:59, best-before 2026-12-31, packed 2026-11-01",
    );
    reads(
        "(8010)4012345RING-7(8011)42(240)X-1(241)C-9",
        Form::ElementsInBrackets,
        "serial=42, part=X-1, customer-part=C-9",
    );
}

#[test]
fn elements_stay_in_order_with_what_is_not_named() {
    let scan = scan(b"]d201095060001343529912ABC\x1d91secret", YEAR).unwrap();
    let elements: Vec<_> = scan.readings[0]
        .elements
        .iter()
        .map(|it| (it.identifier.as_str(), it.value.as_str()))
        .collect();
    assert_eq!(elements, [("01", "09506000134352"), ("99", "12ABC"), ("91", "secret")]);
}

#[test]
fn without_separators_every_reading_is_given_and_the_uncut_one_first() {
    let input = "010950600013435210RING48210007";
    assert_eq!(form(input), Form::ElementsUnseparated);
    let readings = lines(input);
    assert_eq!(readings[0], "gtin=09506000134352, lot=RING48210007");
    assert!(readings.contains(&"gtin=09506000134352, lot=RING48, serial=0007".to_owned()));
    // The same behind a mark, since a scanner may send the mark and drop the separators.
    assert_eq!(lines(&format!("]d2{input}")), readings);
}

#[test]
fn without_separators_what_belongs_to_nothing_comes_last() {
    // A count belongs to a package or to contained articles, and there is neither.
    assert_eq!(
        lines("010950600013435210AB37215"),
        [
            "gtin=09506000134352, lot=AB37215",
            "gtin=09506000134352, lot=AB37, serial=5",
            "gtin=09506000134352, lot=AB, 215 pieces",
        ]
    );
}

#[test]
fn without_separators_what_cannot_be_uncut_is_cut() {
    // 24 characters after (10) are too many for one lot.
    let readings = lines("01095060001343521748123110AB-48213-2026-X21S-000123");
    assert!(readings.contains(
        &"gtin=09506000134352, lot=AB-48213-2026-X, serial=S-000123, expires 2048-12-31".to_owned()
    ));
    assert!(readings.iter().all(|reading| reading.starts_with("gtin=09506000134352, lot=AB-")));
}

#[test]
fn without_variable_lengths_there_is_one_reading() {
    reads(
        "01095060001343521727013111261104",
        Form::ElementsUnseparated,
        "gtin=09506000134352, expires 2027-01-31, produced 2026-11-04",
    );
}

#[test]
fn too_many_readings_are_cut_off_and_it_says_so() {
    let scan = scan(b"0109506000134352102122243037909192939495969798", YEAR).unwrap();
    assert_eq!(scan.readings.len(), MAX_READINGS);
    assert!(scan.more);
}

#[test]
fn article_number_alone() {
    for number in ["9506000134352", "09506000134352", "]E09506000134352"] {
        assert_eq!(lines(number)[0], "gtin=09506000134352", "{number}");
    }
    assert_eq!(lines("]E495211237")[0], "gtin=00000095211237");
    assert_eq!(form("9506000134352"), Form::ArticleNumber);
    // Eight digits can be a lot as well: both are given.
    let both = lines("10123454");
    assert_eq!(both, ["gtin=00000010123454", "lot=123454"]);
}

#[test]
fn digital_links() {
    let link = |text: &str| reads(text, Form::Link, RING);
    link("https://id.gs1.org/01/09506000134352/10/RING%2F48-2/21/0007");
    link("HTTPS://ID.EXAMPLE.COM/01/09506000134352/10/RING%2f48-2/21/0007/");
    link("http://example.com/a/b/01/9506000134352/10/RING%2F48-2/21/0007#top");
    link("https://example.com:8443/gtin/09506000134352/lot/RING%2F48-2/ser/0007");
    link("]Q1https://example.com/01/09506000134352?10=RING%2F48-2&21=0007&linkType=gs1:pip");
    link("https://example.com/01/09506000134352?10=RING%2F48-2;21=0007\r\n");
    reads(
        "https://id.gs1.org/01/09506000134352/10/A?17=270131&3103=000500&lang=de",
        Form::Link,
        "gtin=09506000134352, lot=A, 0.500 kg, expires 2027-01-31",
    );
    reads("https://id.gs1.org/00/340123451234567895", Form::Link, "package=340123451234567895");
}

#[test]
fn messages_with_data_identifiers() {
    reads(
        "[)>\u{1e}06\u{1d}1P65B-3\u{1d}1T48213\u{1d}S0007\u{1d}12V123456789\u{1d}Q250\u{1d}14D20270131\u{1d}KPO-4711\u{1d}4K0010\u{1e}\u{4}\r\n",
        Form::Message,
        "lot=48213, serial=0007, part=65B-3, order=PO-4711, line=0010, DUNS=123456789, 250, expires 2027-01-31",
    );
    reads(
        "[)><RS>06<GS>P4711<GS>VLIEF-9<GS>T1<GS>7Q12.50KG<GS>17VC1234<RS><EOT>",
        Form::Message,
        "lot=1, customer-part=4711, customer=LIEF-9, CAGE=C1234, 12.50 kg",
    );
    reads(
        "[)>^^06^]25SUN123456789S-77^]30PNEW^]1POLD^^^D",
        Form::Message,
        "serial=S-77, part=OLD, DUNS=123456789",
    );
    reads("[)>\u{1e}06\u{1d}18VDC1234\u{1d}T7\u{1e}", Form::Message, "lot=7, CAGE=C1234");
    reads(
        "[)>\u{1e}06\u{1d}18VOD42\u{1d}25TUN123456789L1\u{4}",
        Form::Message,
        "lot=L1, ISO-15459=OD42, DUNS=123456789",
    );
    reads(
        "[)>\u{1e}06\u{1d}18SC1234S1\u{1d}15D31012027\u{1e}\u{4}",
        Form::Message,
        "serial=S1, CAGE=C1234, expires 2027-01-31",
    );
}

#[test]
fn messages_of_other_formats_and_of_several() {
    reads(
        "[)>\u{1e}05\u{1d}0109506000134352\u{1d}10RING/48-2\u{1d}210007\u{1e}\u{4}",
        Form::Message,
        RING,
    );
    reads(
        "[)>\u{1e}12\u{1d}MFR C1234\u{1d}PNR 65B/3\u{1d}SER 0007\u{1e}\u{4}",
        Form::Message,
        "serial=0007, part=65B/3, CAGE=C1234",
    );
    reads(
        "[)>\u{1e}05\u{1d}0109506000134352\u{1e}06\u{1d}1T48213\u{1e}DD\u{1d}DUN 123456789\u{1e}\u{4}",
        Form::Message,
        "gtin=09506000134352, lot=48213, DUNS=123456789",
    );
}

#[test]
fn data_identifiers_without_a_message() {
    reads("1T48213", Form::DataIdentifier, "lot=48213");
    reads("]A0S0007", Form::DataIdentifier, "serial=0007");
    reads("1PX-9\u{1d}1T48213\u{1d}Q12", Form::DataIdentifier, "lot=48213, part=X-9, 12");
}

#[test]
fn text_elements() {
    let expected = "lot=L-9, serial=0007, part=65B/3, CAGE=C1234";
    for input in [
        "MFR C1234/PNR 65B/3/SER 0007/LOT L-9",
        "*MFR C1234*PNR 65B/3*SER 0007*LOT L-9*",
        "CAG C1234\u{1d}PNR 65B/3\u{1d}SER 0007\u{1d}BTN L-9",
        "MFR C1234/ PNR 65B/3 / SER 0007 /LTN L-9",
    ] {
        reads(input, Form::TextElements, expected);
    }
    reads(
        "SPL C1234/PNO OLD/PNR NEW/UCN U1/SER S1/XYZ anything",
        Form::TextElements,
        "serial=S1, part=NEW, CAGE=C1234",
    );
    reads("USN C1234S-77", Form::TextElements, "serial=S-77, CAGE=C1234");
    reads("PNO OLD/SEQ 9", Form::TextElements, "serial=9, part=OLD");
}

#[test]
fn capsules_as_text_link_and_record() {
    let hash = "00c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabb";
    for input in [
        hash.to_owned(),
        hash.to_uppercase(),
        format!("urn:heatmark:capsule:{hash}"),
        format!("URN:HEATMARK:CAPSULE:{hash}\n"),
        format!("https://example.com/c/{hash}?from=tag#x"),
    ] {
        reads(&input, Form::Capsule, hash);
    }
    let text = [b"\xd1\x01\x43T\x02en".as_slice(), hash.as_bytes()].concat();
    let link = [b"\xd1\x01\x52U\x13heatmark:capsule:".as_slice(), hash.as_bytes()].concat();
    let long =
        [b"\xc1\x01\x00\x00\x00\x52U\x13heatmark:capsule:".as_slice(), hash.as_bytes()].concat();
    for record in [text, link, long] {
        let scan = scan(&record, YEAR).unwrap();
        assert_eq!((scan.form, line(&scan.readings[0])), (Form::Capsule, hash.to_owned()));
    }
    let label = scan(b"\xd1\x01\x2eU\x04id.example.com/01/09506000134352/10/A/21/0007", YEAR);
    assert_eq!(line(&label.unwrap().readings[0]), "gtin=09506000134352, lot=A, serial=0007");
}

#[test]
fn hash_of_decimal_digits_alone_stays_among_the_readings() {
    let digits = "1234".repeat(16);
    let all = lines(&digits);
    assert_eq!(all.last().unwrap(), &digits);
}
