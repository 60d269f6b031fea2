//! Fonts of a report: DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic and many signs, and whatever further ones are given.
//! Refuses files that are no fonts.

use krilla::text::Font;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, GlyphId, MetadataProvider};

use crate::ReportError;
use crate::report::{is_hidden, named};

const REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSans-Bold.ttf");
/// Widths are asked for at this size, so that nothing is lost to rounding.
const LARGE: f32 = 1_000.0;

/// One font, to be drawn and to be measured.
pub(super) struct Face<'f> {
    pub(super) font: Font,
    measured: FontRef<'f>,
}

/// The fonts that a report is drawn in.
pub(super) struct Fonts<'f> {
    regular: Face<'f>,
    bold: Face<'f>,
    further: Vec<Face<'f>>,
}

impl<'f> Face<'f> {
    fn new(bytes: &'f [u8]) -> Option<Self> {
        let measured = FontRef::from_index(bytes, 0).ok()?;
        let font = Font::new(bytes.to_vec().into(), 0)?;
        Some(Self { font, measured })
    }

    fn glyph(&self, c: char) -> Option<GlyphId> {
        self.measured.charmap().map(c).filter(|glyph| *glyph != GlyphId::NOTDEF)
    }

    /// How wide a text is drawn.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let metrics = self.measured.glyph_metrics(Size::new(LARGE), LocationRef::default());
        let advance = |c: char| metrics.advance_width(self.glyph(c)?);
        text.chars().filter_map(advance).sum::<f32>() * size / LARGE
    }
}

impl<'f> Fonts<'f> {
    pub(super) fn new(further: &'f [Vec<u8>]) -> Result<Self, ReportError> {
        let own = |bytes| Face::new(bytes).ok_or(ReportError::Pdf);
        let given = further.iter().zip(1..);
        let given = given.map(|(bytes, n)| Face::new(bytes).ok_or(ReportError::Font(n)));
        Ok(Self {
            regular: own(REGULAR)?,
            bold: own(BOLD)?,
            further: given.collect::<Result<_, _>>()?,
        })
    }

    /// The first font that has a character.
    fn face(&self, c: char, bold: bool) -> Option<&Face<'f>> {
        let own = if bold { [&self.bold, &self.regular] } else { [&self.regular, &self.bold] };
        own.into_iter().chain(&self.further).find(|face| face.glyph(c).is_some())
    }

    /// A text in which every character can be drawn: others are told by their number.
    pub(super) fn drawable(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if is_hidden(c) || self.face(c, false).is_none() {
                out.push_str(&named(c));
            } else {
                out.push(c);
            }
        }
        out
    }

    /// A text in pieces of one font each.
    pub(super) fn runs<'t>(&self, text: &'t str, bold: bool) -> Vec<(&Face<'f>, &'t str)> {
        let mut runs: Vec<(&Face<'f>, &'t str)> = Vec::new();
        let mut start = 0;
        let mut current: Option<&Face<'f>> = None;
        for (at, c) in text.char_indices() {
            let face = self.face(c, bold).unwrap_or(&self.regular);
            if let Some(before) = current.filter(|before| !std::ptr::eq(*before, face)) {
                runs.extend(text.get(start..at).map(|run| (before, run)));
                start = at;
            }
            current = Some(face);
        }
        if let Some(last) = current {
            runs.extend(text.get(start..).map(|run| (last, run)));
        }
        runs
    }

    /// How wide a text is drawn, whatever fonts it takes.
    pub(super) fn width(&self, text: &str, size: f32, bold: bool) -> f32 {
        self.runs(text, bold).into_iter().map(|(face, run)| face.width(run, size)).sum()
    }
}
