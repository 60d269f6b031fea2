//! Where everything on a label lies, as dark rectangles on a grid of whole numbers: micrometres for SVG, dots for PNG.
//! One composition serves both, so that what is tested of one holds for the other.

use super::symbol::Modules;
use spleen_font::{FONT_6X12, PSF2Font};

/// Columns and rows of a character.
const CHARACTER: (u32, u32) = (6, 12);
/// Dots between the edge and the print, and beneath it.
const EDGE_DOTS: u32 = 6;

/// A dark rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A label on its grid.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bars: Vec<Bar>,
}

/// Lays the symbol out with its print beneath, both in the middle. `module` and `dot` are sides on the grid.
pub(super) fn draw(modules: &Modules, lines: &[String], module: u32, dot: u32) -> Option<Drawing> {
    let columns = u32::try_from(modules.width).ok()?;
    let rows = u32::try_from(modules.dark.len()).ok()?.checked_div(columns)?;
    let margins = modules.margin.checked_mul(2)?;
    let symbol_width = columns.checked_add(margins)?.checked_mul(module)?;
    let symbol_height = rows.checked_add(margins)?.checked_mul(module)?;
    let longest = u32::try_from(lines.iter().map(String::len).max().unwrap_or(0)).ok()?;
    let print_dots = longest.checked_mul(CHARACTER.0)?.checked_add(EDGE_DOTS.checked_mul(2)?)?;
    let print_height = u32::try_from(lines.len())
        .ok()?
        .checked_mul(CHARACTER.1)?
        .checked_add(EDGE_DOTS)?
        .checked_mul(dot)?;
    let width = symbol_width.max(print_dots.checked_mul(dot)?);
    let mut drawing =
        Drawing { width, height: symbol_height.checked_add(print_height)?, bars: Vec::new() };
    let margin = modules.margin.checked_mul(module)?;
    let left = middle(width, symbol_width)?.checked_add(margin)?;
    for (row, cells) in modules.dark.chunks(modules.width).enumerate() {
        let y = margin.checked_add(u32::try_from(row).ok()?.checked_mul(module)?)?;
        drawing.add_row(cells, (left, y), module)?;
    }
    let font = PSF2Font::new(FONT_6X12).ok()?;
    for (place, line) in lines.iter().enumerate() {
        let line_width =
            u32::try_from(line.len()).ok()?.checked_mul(CHARACTER.0)?.checked_mul(dot)?;
        let x = middle(width, line_width)?;
        let down = u32::try_from(place).ok()?.checked_mul(CHARACTER.1)?.checked_mul(dot)?;
        drawing.add_line(&font, line, (x, symbol_height.checked_add(down)?), dot)?;
    }
    Some(drawing)
}

fn middle(outer: u32, inner: u32) -> Option<u32> {
    outer.checked_sub(inner)?.checked_div(2)
}

impl Drawing {
    /// Adds the dark cells of a row, those that touch as one bar.
    fn add_row(&mut self, cells: &[bool], (left, y): (u32, u32), side: u32) -> Option<()> {
        let mut begun: Option<Bar> = None;
        for (column, dark) in cells.iter().enumerate() {
            let x = left.checked_add(u32::try_from(column).ok()?.checked_mul(side)?)?;
            match (&mut begun, dark) {
                (Some(bar), true) => bar.width = bar.width.checked_add(side)?,
                (None, true) => begun = Some(Bar { x, y, width: side, height: side }),
                (_, false) => self.bars.extend(begun.take()),
            }
        }
        self.bars.extend(begun);
        Some(())
    }

    fn add_line(
        &mut self,
        font: &PSF2Font<'_>,
        line: &str,
        (left, top): (u32, u32),
        dot: u32,
    ) -> Option<()> {
        let rows = usize::try_from(CHARACTER.1).ok()?;
        for row in 0..rows {
            let mut cells = Vec::with_capacity(line.len().saturating_mul(6));
            for character in line.bytes() {
                let byte = *font.glyph_by_idx(u32::from(character))?.get(row)?;
                cells.extend([7, 6, 5, 4, 3, 2].map(|bit| byte & (1 << bit) != 0));
            }
            let y = top.checked_add(u32::try_from(row).ok()?.checked_mul(dot)?)?;
            self.add_row(&cells, (left, y), dot)?;
        }
        Some(())
    }
}
