//! A PDF's text as words with places. The words are found by a program that has no other task (`pdf_words`), and
//! come from there as JSON that is checked here. Distances are in millimetres from a page's upper left corner.

use serde::{Deserialize, Serialize};

use crate::ReadingError;

/// Most pages that are read of one file.
pub const MAX_PAGES: usize = 100;
/// Most words of one file.
pub const MAX_WORDS: usize = 100_000;

/// The text of a file; a scan has pages without words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Its pages, in order.
    pub pages: Vec<Page>,
}

/// The words of a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Words, line by line, from left to right.
    pub words: Vec<Word>,
}

/// A word: what stands between blanks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Left end.
    pub x: f32,
    /// The line that it stands on.
    pub y: f32,
    /// Its width.
    pub width: f32,
    /// The size of its letters.
    pub size: f32,
    /// Its letters.
    pub text: String,
}

impl Layout {
    /// Reads what the program for words gave.
    ///
    /// # Errors
    /// `Whole` when it is no such thing or has more than fits.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadingError> {
        let layout: Self = serde_json::from_slice(bytes)
            .map_err(|_| ReadingError::Whole("the PDF's text could not be read"))?;
        let words = layout.pages.iter().map(|page| page.words.len());
        if layout.pages.len() > MAX_PAGES || words.sum::<usize>() > MAX_WORDS {
            return Err(ReadingError::Whole("the PDF has more pages or words than are read"));
        }
        Ok(layout)
    }

    /// Whether there is no text at all: a scan.
    #[must_use]
    pub fn is_scan(&self) -> bool {
        self.pages.iter().all(|page| page.words.is_empty())
    }
}

impl Word {
    pub(crate) fn right(&self) -> f32 {
        self.x + self.width
    }

    pub(crate) fn centre(&self) -> f32 {
        self.x + self.width / 2.0
    }

    fn is_on_line_of(&self, other: &Self) -> bool {
        (self.y - other.y).abs() <= 0.4 * self.size.max(other.size)
    }
}

/// A line of words, from left to right.
pub(crate) type Line<'a> = Vec<&'a Word>;

/// The lines of a part of a page, from top to bottom.
pub(crate) fn lines<'a>(page: &'a Page, region: Option<[f32; 4]>) -> Vec<Line<'a>> {
    let mut words: Vec<&Word> = page
        .words
        .iter()
        .filter(|word| {
            region.is_none_or(|[left, top, right, bottom]| {
                word.centre() >= left && word.centre() <= right && word.y >= top && word.y <= bottom
            })
        })
        .collect();
    words.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut lines: Vec<Line<'a>> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.first().is_some_and(|first| word.is_on_line_of(first)) => {
                line.push(word);
            }
            _ => lines.push(vec![word]),
        }
    }
    for line in &mut lines {
        line.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    lines
}

/// The words of a line with single blanks between them.
pub(crate) fn text(line: &[&Word]) -> String {
    let words: Vec<&str> = line.iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}
