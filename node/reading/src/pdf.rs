//! The words of a PDF. A PDF is a program, so to speak: this runs in a process of its own, which ends when it takes
//! too long or too much (`heatmark cert publish` starts it). Images, paths and scripts are not looked at.
//! Refuses what is encrypted or no PDF, and stops at 100 pages and at 100,000 words.

#[cfg(test)]
pub(crate) mod tests;

use hayro_cmap::BfString;
use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::util::TransformExt;
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps,
    InterpreterCache, InterpreterSettings, SoftMask, interpret_page,
};
use hayro_syntax::Pdf;

use crate::ReadingError;
use crate::layout::{Layout, MAX_PAGES, MAX_WORDS, Page, Word};

/// Largest PDF, in bytes.
pub const MAX_PDF_BYTES: usize = 32 << 20;
/// A point is 1/72 inch.
const MM_PER_POINT: f64 = 25.4 / 72.0;
/// Letters of one page beyond this many are passed over.
const MAX_LETTERS: usize = 500_000;
/// A gap of this share of the letters' size parts two words.
const BLANK: f64 = 0.2;
/// Units of an em in a PDF's glyph space.
const EM: f64 = 1000.0;

/// Reads a PDF's words with their places.
///
/// # Errors
/// `Whole` when it cannot be read.
pub fn words_of_pdf(bytes: Vec<u8>) -> Result<Layout, ReadingError> {
    if bytes.len() > MAX_PDF_BYTES {
        return Err(ReadingError::Whole("the PDF is larger than 32 MiB"));
    }
    let pdf = Pdf::new(bytes)
        .map_err(|_| ReadingError::Whole("not a PDF that can be read, or an encrypted one"))?;
    let cache = InterpreterCache::new();
    let mut layout = Layout::default();
    let mut words = 0_usize;
    if pdf.pages().len() > MAX_PAGES {
        return Err(ReadingError::Whole("the PDF has more than 100 pages"));
    }
    for page in pdf.pages().iter() {
        let (width, height) = page.render_dimensions();
        let area = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
        let transform = page.initial_transform(true).to_kurbo();
        let settings = InterpreterSettings::default();
        let mut context = Context::new(transform, area, &cache, pdf.xref(), settings);
        let mut letters = Letters::default();
        interpret_page(page, &mut context, &mut letters);
        let page = Page { words: letters.words() };
        words = words.saturating_add(page.words.len());
        if words > MAX_WORDS {
            return Err(ReadingError::Whole("the PDF has more than 100,000 words"));
        }
        layout.pages.push(page);
    }
    Ok(layout)
}

/// A letter on the page, in points.
struct Letter {
    x: f64,
    right: f64,
    y: f64,
    size: f64,
    text: String,
}

/// Takes down the letters of a page as they are drawn.
#[derive(Default)]
struct Letters(Vec<Letter>);

impl Letters {
    #[allow(clippy::arithmetic_side_effects, reason = "floats do not overflow into anything")]
    fn take(&mut self, glyph: &Glyph<'_>, place: Affine) {
        if self.0.len() >= MAX_LETTERS {
            return;
        }
        let text = match glyph.as_unicode() {
            Some(BfString::Char(letter)) => letter.to_string(),
            Some(BfString::String(letters)) => letters,
            None => return,
        };
        let origin = place * Point::ZERO;
        let size = (place * Point::new(0.0, EM)).distance(origin);
        let advance = match glyph {
            Glyph::Outline(outline) => outline.advance_width().map_or(EM / 2.0, f64::from),
            Glyph::Type3(_) => EM / 2.0,
        };
        let right = (place * Point::new(advance, 0.0)).x;
        let numbers = [origin.x, origin.y, size, right];
        if numbers.iter().all(|number| number.is_finite() && number.abs() < 1e5) {
            self.0.push(Letter { x: origin.x, right, y: origin.y, size, text });
        }
    }

    /// The letters put together: a word ends at a blank, at a gap and at the end of its line.
    fn words(mut self) -> Vec<Word> {
        self.0.sort_by(|a, b| a.y.total_cmp(&b.y));
        let mut lines: Vec<Vec<Letter>> = Vec::new();
        for letter in self.0 {
            let same =
                |first: &Letter| (letter.y - first.y).abs() <= 0.3 * letter.size.max(first.size);
            match lines.last_mut() {
                Some(line) if line.first().is_some_and(same) => line.push(letter),
                _ => lines.push(vec![letter]),
            }
        }
        let mut words = Vec::new();
        for mut line in lines {
            line.sort_by(|a, b| a.x.total_cmp(&b.x));
            let mut open: Option<Letter> = None;
            for letter in line {
                if letter.text.chars().all(|c| c.is_whitespace() || c.is_control()) {
                    words.extend(open.take().map(Letter::into_word));
                    continue;
                }
                open = match open {
                    Some(mut word) if letter.x - word.right <= BLANK * word.size => {
                        word.text.push_str(&letter.text);
                        word.right = word.right.max(letter.right);
                        Some(word)
                    }
                    Some(word) => {
                        words.push(word.into_word());
                        Some(letter)
                    }
                    None => Some(letter),
                };
            }
            words.extend(open.map(Letter::into_word));
        }
        words
    }
}

impl Letter {
    fn into_word(self) -> Word {
        Word {
            x: in_mm(self.x),
            y: in_mm(self.y),
            width: in_mm(self.right - self.x),
            size: in_mm(self.size),
            text: self.text.chars().filter(|c| !c.is_control()).collect(),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "places on a page need no more digits")]
fn in_mm(points: f64) -> f32 {
    (points * MM_PER_POINT) as f32
}

impl<'a> Device<'a> for Letters {
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    #[allow(clippy::arithmetic_side_effects, reason = "floats do not overflow into anything")]
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            self.take(glyph, props.transform * glyph.transform());
        }
    }
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
