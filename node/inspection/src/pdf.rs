//! The report as a PDF on A4. Text is text in it, to be searched and copied, in fonts that are part of the file. A character that no
//! font has is told by its number, never left out.

mod fonts;
mod sheet;
#[cfg(test)]
mod tests;

use heatmark_evidence::capsule::Outcome;
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::TextDirection;

use crate::ReportError;
use crate::report::{Block, blocks};
use crate::view::{Inspection, loud};
use fonts::Fonts;
use sheet::{HEIGHT, Mark, Sheet, Style, WIDTH};

/// A colour: red, green, blue.
pub(super) type Colour = (u8, u8, u8);

const BLACK: Colour = (26, 26, 26);
const GREY: Colour = (96, 96, 96);
const TITLE: Style = Style { size: 17.0, bold: true, colour: BLACK };
const HEADING: Style = Style { size: 11.0, bold: true, colour: BLACK };
const SMALL: Style = Style { size: 8.0, bold: false, colour: GREY };

/// The inspection as a PDF. Further fonts are asked for what the own ones do not have, in their order.
///
/// # Errors
/// [`ReportError`].
pub fn pdf(inspection: &Inspection, further: &[Vec<u8>]) -> Result<Vec<u8>, ReportError> {
    let title = format!("Incoming inspection: {}", loud(inspection.stands()));
    of_blocks(&blocks(inspection), title, further)
}

/// Blocks as a PDF.
pub(crate) fn of_blocks(
    blocks: &[Block],
    title: String,
    further: &[Vec<u8>],
) -> Result<Vec<u8>, ReportError> {
    let fonts = Fonts::new(further)?;
    let mut sheet = Sheet::new(&fonts);
    for block in blocks {
        lay(&mut sheet, block);
    }
    draw(&fonts, &sheet.finish(), title)
}

fn lay(sheet: &mut Sheet<'_>, block: &Block) {
    match block {
        Block::Title(text) => sheet.paragraph(text, TITLE, 8.0),
        Block::Verdict(outcome, says) => {
            let style = Style { size: 12.5, bold: true, colour: colour(*outcome) };
            sheet.verdict(&format!("{} — {says}", loud(*outcome)), style);
        }
        Block::Heading(text) => sheet.heading(text, HEADING),
        Block::Facts(facts) => sheet.facts(facts),
        Block::Table(table) => sheet.table(table),
        Block::Note(text) => {
            sheet.space(12.0);
            sheet.paragraph(text, SMALL, 6.0);
        }
        Block::Signature => sheet.signature(&["Inspector", "Date", "Signature"]),
    }
}

pub(super) const fn colour(outcome: Outcome) -> Colour {
    match outcome {
        Outcome::Accept => (20, 83, 45),
        Outcome::Hold => (122, 74, 0),
        Outcome::Reject => (153, 27, 27),
    }
}

fn draw(fonts: &Fonts<'_>, pages: &[Vec<Mark>], title: String) -> Result<Vec<u8>, ReportError> {
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title).language("en".to_owned()));
    for marks in pages {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or(ReportError::Pdf)?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for mark in marks {
            put(&mut surface, fonts, mark);
        }
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|_| ReportError::Pdf)
}

fn put(surface: &mut Surface<'_>, fonts: &Fonts<'_>, mark: &Mark) {
    match mark {
        Mark::Text { x, y, text, style } => {
            surface.set_fill(Some(fill(style.colour)));
            let mut at = *x;
            for (face, run) in fonts.runs(text, style.bold) {
                let point = Point::from_xy(at, *y);
                let font = face.font.clone();
                surface.draw_text(point, font, style.size, run, false, TextDirection::Auto);
                at += face.width(run, style.size);
            }
        }
        Mark::Box { left, top, right, bottom, colour } => {
            let area = Rect::from_ltrb(*left, *top, *right, *bottom);
            let mut builder = PathBuilder::new();
            area.into_iter().for_each(|area| builder.push_rect(area));
            if let Some(path) = builder.finish() {
                surface.set_fill(Some(fill(*colour)));
                surface.draw_path(&path);
            }
        }
    }
}

fn fill((red, green, blue): Colour) -> Fill {
    let paint = rgb::Color::new(red, green, blue).into();
    Fill { paint, opacity: NormalizedF32::ONE, rule: krilla::paint::FillRule::default() }
}
