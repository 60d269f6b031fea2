#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use super::fonts::Fonts;
use super::sheet::{HEIGHT, Mark, Sheet, WIDTH};
use crate::report::{Row, Table};

fn texts(pages: &[Vec<Mark>]) -> String {
    let marks = pages.iter().flatten();
    let texts = marks.filter_map(|mark| match mark {
        Mark::Text { text, .. } => Some(text.as_str()),
        Mark::Box { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn table(rows: Vec<Row>) -> Table {
    Table { head: vec!["One", "Two"], widths: vec![30, 70], rows }
}

fn row(one: &str, two: &str) -> Row {
    Row { mark: None, cells: vec![one.to_owned(), two.to_owned()] }
}

#[test]
fn nothing_is_cut_off_however_long_it_is_and_heads_are_repeated() {
    let fonts = Fonts::new(&[]).unwrap();
    let mut sheet = Sheet::new(&fonts);
    let words: Vec<String> = (0..4_000).map(|n| format!("w{n}")).collect();
    let unbroken = "x".repeat(600);
    sheet.table(&table(vec![row("long", &words.join(" ")), row(&unbroken, "end")]));
    let pages = sheet.finish();
    assert!(pages.len() > 2);
    let drawn = texts(&pages);
    for word in &words {
        assert!(drawn.split_whitespace().any(|drawn| drawn == word), "{word}");
    }
    assert_eq!(drawn.matches('x').count(), 600);
    for page in &pages {
        assert!(texts(std::slice::from_ref(page)).starts_with("One"), "every page has its head");
        for mark in page {
            let Mark::Text { x, y, text, style } = mark else { continue };
            let right = x + fonts.width(text, style.size, style.bold);
            assert!((0.0..HEIGHT).contains(y) && right < WIDTH - 30.0, "{text}");
        }
    }
}

#[test]
fn characters_that_cannot_be_drawn_are_told() {
    let fonts = Fonts::new(&[]).unwrap();
    assert_eq!(fonts.drawable("Kesselbach Łódź Сталь Αθήνα"), "Kesselbach Łódź Сталь Αθήνα");
    assert_eq!(fonts.drawable("宝钢"), "[U+5B9D][U+94A2]");
    assert_eq!(fonts.drawable("a\u{202e}b\nc"), "a[U+202E]b[U+000A]c");
    assert!(Fonts::new(&[b"no font".to_vec()]).is_err());
}
