//! Blocks laid out on pages of A4: lines are broken, rows that do not fit go on on the next page, heads are repeated there. Nothing
//! is cut off, however long it is.

use super::fonts::Fonts;
use super::{BLACK, Colour, GREY, colour};
use crate::report::{Row, Table};

/// A4 in points.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 42.0;
const BOTTOM: f32 = HEIGHT - 54.0;
/// From one base line to the next, of the size.
const LEADING: f32 = 1.32;
const PAD: f32 = 3.0;
const CELL: Style = Style { size: 8.2, bold: false, colour: BLACK };
const HEAD: Style = Style { size: 7.6, bold: true, colour: GREY };
const RULE: Colour = (208, 208, 208);
const DARK_RULE: Colour = (140, 140, 140);
const SHADE: Colour = (246, 246, 244);

/// How a text is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) colour: Colour,
}

/// Something on a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    /// A line of text, by its base line.
    Text { x: f32, y: f32, text: String, style: Style },
    /// A filled box.
    Box { left: f32, top: f32, right: f32, bottom: f32, colour: Colour },
}

/// Pages that are being filled.
pub(super) struct Sheet<'f> {
    fonts: &'f Fonts<'f>,
    pages: Vec<Vec<Mark>>,
    page: Vec<Mark>,
    y: f32,
}

impl Style {
    const fn leading(self) -> f32 {
        self.size * LEADING
    }
}

impl<'f> Sheet<'f> {
    pub(super) const fn new(fonts: &'f Fonts<'f>) -> Self {
        Self { fonts, pages: Vec::new(), page: Vec::new(), y: MARGIN }
    }

    /// The pages, each with its number.
    pub(super) fn finish(mut self) -> Vec<Vec<Mark>> {
        self.turn();
        let count = self.pages.len();
        let style = Style { size: 7.5, bold: false, colour: GREY };
        for (page, number) in self.pages.iter_mut().zip(1..) {
            let text = format!("Incoming inspection · page {number} of {count}");
            let x = WIDTH - MARGIN - self.fonts.width(&text, style.size, false);
            page.push(Mark::Text { x, y: HEIGHT - 30.0, text, style });
        }
        self.pages
    }

    fn turn(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y = MARGIN;
    }

    /// Begins another page unless there is room, or nothing is on this one.
    fn room(&mut self, height: f32) -> bool {
        let turned = self.y + height > BOTTOM && !self.page.is_empty();
        if turned {
            self.turn();
        }
        turned
    }

    fn line(&mut self, x: f32, text: String, style: Style) {
        let y = self.y + style.size;
        self.page.push(Mark::Text { x, y, text, style });
    }

    fn rule(&mut self, colour: Colour, thick: f32) {
        let (left, right, top) = (MARGIN, WIDTH - MARGIN, self.y);
        self.page.push(Mark::Box { left, top, right, bottom: top + thick, colour });
    }

    /// Breaks a text into lines of a width.
    fn wrap(&self, text: &str, style: Style, width: f32) -> Vec<String> {
        let text = self.fonts.drawable(text);
        let fits = |line: &str| self.fonts.width(line, style.size, style.bold) <= width;
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split_whitespace() {
            let joined = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if fits(&joined) {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            // A word that is wider than the column is broken wherever it has to be.
            for c in word.chars() {
                line.push(c);
                if !fits(&line) && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// Leaves something free.
    pub(super) fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// A paragraph with space behind it.
    pub(super) fn paragraph(&mut self, text: &str, style: Style, behind: f32) {
        for line in self.wrap(text, style, WIDTH - MARGIN * 2.0) {
            self.room(style.leading());
            self.line(MARGIN, line, style);
            self.y += style.leading();
        }
        self.y += behind;
    }

    /// A heading stays with what follows it.
    pub(super) fn heading(&mut self, text: &str, style: Style) {
        self.y += 12.0;
        self.room(style.leading() * 5.0);
        self.paragraph(text, style, 3.0);
    }

    /// What it came to, in a box of its own.
    pub(super) fn verdict(&mut self, text: &str, style: Style) {
        let lines = self.wrap(text, style, WIDTH - MARGIN * 2.0 - 24.0);
        let height = lines.iter().map(|_| style.leading()).sum::<f32>() + 14.0;
        self.room(height);
        let (top, bottom) = (self.y, self.y + height);
        let right = WIDTH - MARGIN;
        self.page.push(Mark::Box { left: MARGIN, top, right, bottom, colour: SHADE });
        let stripe = MARGIN + 5.0;
        self.page.push(Mark::Box {
            left: MARGIN,
            top,
            right: stripe,
            bottom,
            colour: style.colour,
        });
        self.y += 7.0;
        for line in lines {
            self.line(MARGIN + 16.0, line, style);
            self.y += style.leading();
        }
        self.y = bottom + 8.0;
    }

    /// Names with what they are, in two columns.
    pub(super) fn facts(&mut self, facts: &[(String, String)]) {
        let style = Style { colour: GREY, ..CELL };
        let names = facts.iter().map(|(name, _)| self.fonts.width(name, CELL.size, false));
        let widest = names.fold(70.0_f32, f32::max).min(190.0);
        let columns =
            [(MARGIN, widest), (MARGIN + widest + 12.0, WIDTH - MARGIN * 2.0 - widest - 12.0)];
        for (name, value) in facts {
            let cells = [(name, style), (value, CELL)];
            let cells = cells
                .into_iter()
                .zip(columns)
                .map(|((text, style), (x, width))| (x, self.wrap(text, style, width), style));
            let cells: Vec<Cell> = cells.collect();
            self.cells(&cells, None);
            self.y += 1.5;
        }
    }

    /// A table, whose head is repeated on every page.
    pub(super) fn table(&mut self, table: &Table) {
        let columns = columns(&table.widths);
        self.head(table, &columns);
        for row in &table.rows {
            let cells = self.row(row, &columns);
            self.y += PAD;
            self.cells(&cells, Some((table, &columns)));
            self.y += PAD;
            self.rule(RULE, 0.5);
        }
    }

    fn row(&self, row: &Row, columns: &[(f32, f32)]) -> Vec<Cell> {
        let mut marked =
            row.mark.map(|outcome| Style { bold: true, colour: colour(outcome), ..CELL });
        let cells = row.cells.iter().zip(columns);
        let cells = cells.map(|(text, (x, width))| {
            let style = marked.take().unwrap_or(CELL);
            (*x, self.wrap(text, style, width - PAD * 2.0), style)
        });
        cells.collect()
    }

    fn head(&mut self, table: &Table, columns: &[(f32, f32)]) {
        self.room(HEAD.leading() + CELL.leading() * 2.0);
        for (name, (x, _)) in table.head.iter().zip(columns) {
            self.line(*x, (*name).to_owned(), HEAD);
        }
        self.y += HEAD.leading() + 1.0;
        self.rule(DARK_RULE, 0.8);
        self.y += 0.8;
    }

    /// Cells side by side, line by line, on as many pages as it takes.
    fn cells(&mut self, cells: &[Cell], head: Option<(&Table, &[(f32, f32)])>) {
        let most = cells.iter().map(|(_, lines, _)| lines.len()).max().unwrap_or(0);
        for at in 0..most {
            if self.room(CELL.leading() + PAD)
                && let Some((table, columns)) = head
            {
                self.head(table, columns);
                self.y += PAD;
            }
            for (x, lines, style) in cells {
                if let Some(line) = lines.get(at) {
                    self.line(*x, line.clone(), *style);
                }
            }
            self.y += CELL.leading();
        }
    }

    /// Lines to sign on, side by side.
    pub(super) fn signature(&mut self, names: &[&str]) {
        self.room(70.0);
        self.y += 46.0;
        let widths: Vec<u16> = names.iter().map(|_| 1).collect();
        for (name, (x, width)) in names.iter().zip(columns(&widths)) {
            let (top, right) = (self.y, x + width - 18.0);
            self.page.push(Mark::Box { left: x, top, right, bottom: top + 0.7, colour: BLACK });
            self.y += 3.0;
            self.line(x, (*name).to_owned(), HEAD);
            self.y = top;
        }
        self.y += 20.0;
    }
}

/// Where it begins, its lines, and how they are drawn.
type Cell = (f32, Vec<String>, Style);

/// Where each column begins, and how wide it is.
fn columns(widths: &[u16]) -> Vec<(f32, f32)> {
    let whole: f32 = widths.iter().map(|width| f32::from(*width)).sum();
    let mut x = MARGIN;
    let mut columns = Vec::with_capacity(widths.len());
    for width in widths {
        let width = (WIDTH - MARGIN * 2.0) * f32::from(*width) / whole.max(1.0);
        columns.push((x, width));
        x += width;
    }
    columns
}
