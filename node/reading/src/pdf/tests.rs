//! Words of PDFs that are made here, whole and bent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use proptest::prelude::*;

use super::*;

/// A PDF in Helvetica: for each page, texts with their places in points from the lower left corner.
pub(crate) fn pdf(pages: &[&[(u32, u32, &str)]]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
    ];
    let mut kids = String::new();
    for texts in pages {
        let mut content = "BT /F1 10 Tf ".to_owned();
        for (x, y, text) in *texts {
            content.push_str(&format!("1 0 0 1 {x} {y} Tm ({text}) Tj "));
        }
        content.push_str("ET");
        let number = objects.len() + 1;
        kids.push_str(&format!("{number} 0 R "));
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            number + 1
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len());
    let mut file = "%PDF-1.4\n".to_owned();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let xref = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for offset in offsets {
        file.push_str(&format!("{offset:010} 00000 n \n"));
    }
    file.push_str(&format!(
        "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n",
        objects.len() + 1
    ));
    file.into_bytes()
}

#[test]
fn words_stand_where_the_page_shows_them() {
    let layout = words_of_pdf(pdf(&[
        &[(72, 770, "Heat  H-77"), (300, 770, "kg"), (72, 700, "next line")],
        &[],
    ]))
    .unwrap();
    assert_eq!(layout.pages.len(), 2);
    let words = &layout.pages[0].words;
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["Heat", "H-77", "kg", "next", "line"]);
    // 72 points from the left are an inch; 770 of 842 from below are an inch from the top.
    assert!((words[0].x - 25.4).abs() < 0.2 && (words[0].y - 25.4).abs() < 0.2, "{:?}", words[0]);
    // "Heat" in Helvetica at 10 points is 722 + 556 + 556 + 278 thousandths of 10 points wide.
    assert!((words[0].width - 21.12 * 25.4 / 72.0).abs() < 0.1, "{:?}", words[0]);
    assert!(layout.pages[1].words.is_empty() && !layout.is_scan());
    assert!(words_of_pdf(pdf(&[&[]])).unwrap().is_scan());
}

#[test]
fn what_is_no_pdf_and_what_has_too_many_pages_is_refused() {
    assert!(words_of_pdf(b"no PDF at all".to_vec()).is_err());
    assert!(words_of_pdf(Vec::new()).is_err());
    let empty: &[(u32, u32, &str)] = &[];
    assert!(words_of_pdf(pdf(&[empty; MAX_PAGES])).is_ok());
    assert!(words_of_pdf(pdf(&[empty; MAX_PAGES + 1])).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_bent_pdf_gives_words_or_an_error(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut file = pdf(&[&[(72, 770, "Heat H-77")]]);
        let at = at.index(file.len());
        file[at] = byte;
        if cut {
            file.truncate(at);
        }
        if let Ok(layout) = words_of_pdf(file) {
            let json = serde_json::to_vec(&layout).unwrap();
            prop_assert!(Layout::decode(&json).is_ok());
        }
    }
}
