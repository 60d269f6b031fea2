//! Labels are read back by a decoder that is not ours, from the very files that are printed, and scanned to what they
//! were made of; and what cannot be printed is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use crate::{Form, Reading, scan};
use proptest::prelude::*;
use rxing::{BarcodeFormat, RXingResultMetadataType, RXingResultMetadataValue};

const YEAR: u16 = 2026;
const GTIN: &str = "09506000134352";

fn label(lot: &str, serial: Option<&str>, expiry: Option<Day>) -> Label {
    Label::new(&Content { gtin: GTIN, lot, serial, expiry }, YEAR).unwrap()
}

fn ring() -> Label {
    label("RING/48-2", Some("0007"), Day::new(2027, 1, 31))
}

fn resolver() -> Symbol {
    Symbol::Qr(Resolver::new("https://id.example.com/").unwrap())
}

/// Grey pixels.
struct Pixels {
    width: u32,
    height: u32,
    grey: Vec<u8>,
    dots_a_metre: u32,
}

fn pixels_of_png(bytes: &[u8]) -> Pixels {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut grey = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut grey).unwrap();
    let info = reader.info();
    let dims = info.pixel_dims.unwrap();
    assert_eq!((dims.xppu, dims.unit), (dims.yppu, png::Unit::Meter));
    Pixels { width: info.width, height: info.height, grey, dots_a_metre: dims.xppu }
}

fn number(text: &str, before: &str) -> u32 {
    let rest = &text[text.find(before).unwrap() + before.len()..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap()].parse().unwrap()
}

/// Fills the bars of an SVG's paths, `grain` micrometres a pixel.
fn pixels_of_svg(svg: &str, grain: u32) -> Pixels {
    let width = number(svg, "viewBox=\"0 0 ") / grain;
    let height = number(svg, &format!("viewBox=\"0 0 {} ", number(svg, "viewBox=\"0 0 "))) / grain;
    let mut grey = vec![255; (width * height) as usize];
    for path in svg.split(" d=\"").skip(1) {
        let path = path.split('"').next().unwrap();
        for bar in path.split('M').skip(1) {
            let numbers: Vec<u32> = bar
                .split(|c: char| !c.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().unwrap())
                .collect();
            let [x, y, w, h, back] = numbers[..] else { panic!("{bar}") };
            assert_eq!(w, back);
            for row in y.div_ceil(grain)..(y + h).div_ceil(grain) {
                for column in x.div_ceil(grain)..(x + w).div_ceil(grain) {
                    grey[(row * width + column) as usize] = 0;
                }
            }
        }
    }
    Pixels { width, height, grey, dots_a_metre: 1_000_000 / grain }
}

/// What the other decoder reads: text, and the mark that a scanner would send.
fn decoded(pixels: &Pixels, format: BarcodeFormat) -> (String, String) {
    let found = rxing::helpers::detect_in_luma(
        pixels.grey.clone(),
        pixels.width,
        pixels.height,
        Some(format),
    )
    .unwrap_or_else(|error| panic!("{format:?} is not read: {error}"));
    let mark =
        match found.getRXingResultMetadata().get(&RXingResultMetadataType::SYMBOLOGY_IDENTIFIER) {
            Some(RXingResultMetadataValue::SymbologyIdentifier(mark)) => mark.clone(),
            other => panic!("no mark: {other:?}"),
        };
    (found.getText().to_owned(), mark)
}

#[track_caller]
fn says(reading: &Reading, label: &Label) {
    assert_eq!(reading.gtin.as_ref(), Some(&label.gtin));
    assert_eq!(reading.lot.as_ref(), Some(&label.lot));
    assert_eq!(reading.serial, label.serial);
    assert_eq!(
        reading.expiry().map(|date| (date.day, date.whole_month)),
        label.expiry.map(|day| (day, false))
    );
}

fn read_back(label: &Label, pixels: &Pixels, symbol: &Symbol) {
    let (format, form) = match symbol {
        Symbol::Qr(_) => (BarcodeFormat::QR_CODE, Form::Link),
        Symbol::DataMatrix => (BarcodeFormat::DATA_MATRIX, Form::Elements),
    };
    let (text, mark) = decoded(pixels, format);
    if let Symbol::Qr(resolver) = symbol {
        assert_eq!((text.as_str(), mark.as_str()), (label.link(resolver).as_str(), "]Q1"));
    } else {
        assert_eq!(mark, "]d2", "the first function character is missing");
        assert_eq!(text.trim_start_matches('\u{1d}'), label.element_string());
    }
    let typed = format!("{mark}{text}\r");
    let scanned = scan(typed.as_bytes(), YEAR).unwrap();
    if label.serial.is_some() {
        assert_eq!(scanned.form, form);
    }
    says(&scanned.readings[0], label);
}

#[test]
fn png_is_read_by_another_decoder_at_every_usual_resolution() {
    for dots in [203, 300, 600, 1200] {
        for module in [400, 600, 1000] {
            let printer = Printer::new(module, dots).unwrap();
            for symbol in [resolver(), Symbol::DataMatrix] {
                let bytes = ring().png(&symbol, printer).unwrap();
                read_back(&ring(), &pixels_of_png(&bytes), &symbol);
            }
        }
    }
}

#[test]
fn svg_is_read_by_another_decoder() {
    for symbol in [resolver(), Symbol::DataMatrix] {
        for module in [300, 500, 1000] {
            let svg = ring().svg(&symbol, module).unwrap();
            read_back(&ring(), &pixels_of_svg(&svg, 100), &symbol);
        }
    }
}

#[test]
fn every_label_on_a_sheet_is_read() {
    let labels: Vec<Label> =
        (0..4).map(|n| label("48213", Some(&format!("S-{n}")), None)).collect();
    let pages = sheet(&labels, &Symbol::DataMatrix, 500, 4).unwrap();
    assert_eq!(pages.len(), 1);
    let page = pixels_of_svg(&pages[0], 100);
    assert_eq!((page.width, page.height), (2100, 2970));
    // The columns apart, as scissors would have them.
    for (column, label) in labels.iter().enumerate() {
        let (width, height) = (485, 400);
        let left = 80 + 485 * column;
        let grey = (0..height)
            .flat_map(|row| page.grey[row * 2100 + left..row * 2100 + left + width].to_vec())
            .collect();
        let cut = Pixels { width: 485, height: 400, grey, dots_a_metre: 10_000 };
        read_back(label, &cut, &Symbol::DataMatrix);
    }
}

#[test]
fn sheets_hold_what_they_can_and_refuse_the_rest() {
    let labels = vec![ring(); 100];
    let pages = sheet(&labels, &Symbol::DataMatrix, 500, 4).unwrap();
    let drawn: usize = pages.iter().map(|page| page.matches("<path").count()).sum();
    assert_eq!(drawn, 100);
    assert!(pages.len() > 1);
    assert_eq!(sheet(&labels, &resolver(), 1000, 8), Err(LabelError::TooLarge));
    assert_eq!(sheet(&labels, &Symbol::DataMatrix, 500, 0), Err(LabelError::Columns));
    assert_eq!(sheet(&labels, &Symbol::DataMatrix, 500, 9), Err(LabelError::Columns));
    assert_eq!(sheet(&labels, &Symbol::DataMatrix, 100, 2), Err(LabelError::Module));
    assert_eq!(sheet(&vec![ring(); MAX_LABELS + 1], &resolver(), 300, 1), Err(LabelError::TooMany));
    assert_eq!(sheet(&[], &resolver(), 300, 1), Ok(vec![]));
}

#[test]
fn module_is_a_whole_number_of_dots_and_the_file_tells_its_size() {
    for (module, dots, expected_dots, expected_um) in [
        (500, 600, 12, 508),
        (500, 300, 6, 508),
        (500, 203, 4, 500),
        (254, 200, 2, 254),
        (400, 1200, 19, 402),
    ] {
        let printer = Printer::new(module, dots).unwrap();
        assert_eq!((printer.module_dots(), printer.module_um()), (expected_dots, expected_um));
    }
    // The nearest number of dots would be too small for scanners, so it is one more.
    assert_eq!(Printer::new(254, 300).unwrap().module_um(), 254);
    assert_eq!(Printer::new(260, 203).unwrap().module_um(), 375);
    let pixels =
        pixels_of_png(&ring().png(&Symbol::DataMatrix, Printer::new(500, 600).unwrap()).unwrap());
    assert_eq!(pixels.dots_a_metre, 23_622);
}

#[test]
fn quiet_zone_is_light_on_all_sides() {
    let printer = Printer::new(500, 300).unwrap();
    for (symbol, modules) in [(resolver(), 4), (Symbol::DataMatrix, 1)] {
        let pixels = pixels_of_png(&ring().png(&symbol, printer).unwrap());
        let margin = (modules * printer.module_dots()) as usize;
        let width = pixels.width as usize;
        for (place, grey) in pixels.grey.iter().enumerate().take(width * margin) {
            assert_eq!(*grey, 255, "{place}");
        }
        for row in pixels.grey.chunks(width).take(width / 2) {
            assert!(row[..margin].iter().chain(&row[width - margin..]).all(|grey| *grey == 255));
        }
    }
}

#[test]
fn svg_says_its_size_and_escapes_what_it_says() {
    let svg = label("A<&>\"B", Some("'7"), None).svg(&Symbol::DataMatrix, 500).unwrap();
    assert!(svg.contains("<title>(01) 09506000134352 (10) A&lt;&amp;&gt;\"B (21) '7</title>"));
    let width = number(&svg, "viewBox=\"0 0 ");
    assert!(svg.contains(&format!("width=\"{}.{:03}mm\"", width / 1000, width % 1000)));
    assert_eq!(svg.matches('<').count(), svg.matches('>').count());
}

#[test]
fn what_is_printed_beneath_is_what_the_symbol_says() {
    assert_eq!(
        ring().print(),
        ["(01) 09506000134352", "(10) RING/48-2", "(21) 0007", "(17) 270131"]
    );
    let typed = scan(ring().print().join("").as_bytes(), YEAR).unwrap();
    says(&typed.readings[0], &ring());
    assert_eq!(ring().element_string(), "01095060001343521727013110RING/48-2\u{1d}210007");
    let Symbol::Qr(resolver) = resolver() else { panic!() };
    assert_eq!(
        ring().link(&resolver),
        "https://id.example.com/01/09506000134352/10/RING%2F48-2/21/0007?17=270131"
    );
}

#[test]
fn what_no_label_can_say_is_refused() {
    let base = Content { gtin: GTIN, lot: "A", serial: None, expiry: None };
    let refused = |content: &Content<'_>| Label::new(content, YEAR).unwrap_err();
    for gtin in ["", "1", "09506000134353", "0950600013435", "0950600013435a", "00000000000000"] {
        assert!(matches!(refused(&Content { gtin, ..base }), LabelError::Gtin(_)), "{gtin}");
    }
    for text in ["", "123456789012345678901", "A B", "Ä", "A\u{1d}B", "A#", "A^B", "A\n"] {
        assert_eq!(refused(&Content { lot: text, ..base }), LabelError::Lot, "{text:?}");
        assert_eq!(
            refused(&Content { serial: Some(text), ..base }),
            LabelError::Serial,
            "{text:?}"
        );
    }
    for (year, month, day) in [(1976, 12, 31), (2077, 1, 1), (2126, 1, 31), (1926, 1, 31)] {
        let expiry = Day::new(year, month, day);
        assert_eq!(refused(&Content { expiry, ..base }), LabelError::Expiry, "{year}");
    }
}

#[test]
fn resolvers_that_are_no_beginning_of_a_link_are_refused() {
    for text in [
        "",
        "id.example.com",
        "ftp://id.example.com",
        "https://",
        "https:///x",
        "https://id.example.com?x=1",
        "https://id.example.com/#x",
        "https://id.example.com//",
        "https://id example.com",
        "https://münchen.example",
        "https://a@b/",
        "https://id.example.com/%41",
    ] {
        assert_eq!(Resolver::new(text), Err(LabelError::Resolver), "{text}");
    }
    assert_eq!(Resolver::new(&format!("https://{}", "a".repeat(200))), Err(LabelError::Resolver));
    assert!(Resolver::new("http://localhost:8080/a/b").is_ok());
}

#[test]
fn modules_and_printers_out_of_range_are_refused() {
    for module in [0, 100, 253, 1001, u32::MAX] {
        assert_eq!(Printer::new(module, 600), Err(LabelError::Module), "{module}");
        assert_eq!(ring().svg(&Symbol::DataMatrix, module), Err(LabelError::Module), "{module}");
    }
    for dots in [0, 99, 2401, u32::MAX] {
        assert_eq!(Printer::new(500, dots), Err(LabelError::Dots), "{dots}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_label_scans_to_what_it_was_made_of(
        lot in "[!\"%&'*+,\\-./0-9:;=>?A-Z_a-z]{1,20}",
        serial in prop::option::of("[!\"%&'*+,\\-./0-9:;=>?A-Z_a-z]{1,20}"),
        day in prop::option::of((1977_u16..=2076, 1_u8..=12, 1_u8..=28)),
    ) {
        let label = label(&lot, serial.as_deref(), day.and_then(|(y, m, d)| Day::new(y, m, d)));
        for symbol in [resolver(), Symbol::DataMatrix] {
            let bytes = label.png(&symbol, Printer::new(600, 203).unwrap()).unwrap();
            read_back(&label, &pixels_of_png(&bytes), &symbol);
        }
    }
}
