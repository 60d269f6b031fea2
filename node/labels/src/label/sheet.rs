//! Many labels on sheets of A4, row by row.

use super::{Label, Symbol, picture};
use crate::error::LabelError;
use std::ops::RangeInclusive;

/// Most labels that are drawn at once.
pub const MAX_LABELS: usize = 1000;

/// Columns that a sheet can have.
pub const SHEET_COLUMNS: RangeInclusive<u32> = 1..=8;

/// A4 in micrometres.
const SHEET: (u32, u32) = (210_000, 297_000);
/// What printers leave free at the edges.
const EDGE: u32 = 8_000;
/// Between labels, so that they can be cut apart.
const GAP: u32 = 2_000;

/// Draws labels as pages of SVG.
///
/// # Errors
/// [`LabelError::TooMany`], [`LabelError::Columns`], [`LabelError::Module`]; [`LabelError::TooLarge`] if a label does
/// not fit into its column.
pub fn sheet(
    labels: &[Label],
    symbol: &Symbol,
    module_um: u32,
    columns: u32,
) -> Result<Vec<String>, LabelError> {
    if labels.len() > MAX_LABELS {
        return Err(LabelError::TooMany);
    }
    if !SHEET_COLUMNS.contains(&columns) {
        return Err(LabelError::Columns);
    }
    let drawings: Vec<_> =
        labels.iter().map(|label| label.draw_um(symbol, module_um)).collect::<Result<_, _>>()?;
    let width = drawings.iter().map(|drawing| drawing.width).max().unwrap_or(0);
    let height = drawings.iter().map(|drawing| drawing.height).max().unwrap_or(0);
    let cell_height = height.saturating_add(GAP);
    let (across, down) = (free(SHEET.0), free(SHEET.1));
    let cell_width = across.checked_div(columns).ok_or(LabelError::Columns)?;
    let rows = down.checked_div(cell_height).ok_or(LabelError::TooLarge)?;
    if width.saturating_add(GAP) > cell_width || rows == 0 {
        return Err(LabelError::TooLarge);
    }
    let a_page = usize::try_from(rows.saturating_mul(columns)).map_err(|_| LabelError::TooLarge)?;
    let mut pages = Vec::new();
    for page in drawings.chunks(a_page) {
        let mut paths = String::new();
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        for (drawing, (column, row)) in page.iter().zip(places) {
            let spare = cell_width.saturating_sub(drawing.width).checked_div(2).unwrap_or(0);
            let x = EDGE.saturating_add(column.saturating_mul(cell_width)).saturating_add(spare);
            let y = EDGE.saturating_add(row.saturating_mul(cell_height));
            paths.push_str(&picture::path(drawing, (x, y)));
        }
        pages.push(picture::page(SHEET.0, SHEET.1, "Labels", &paths));
    }
    Ok(pages)
}

fn free(side: u32) -> u32 {
    side.saturating_sub(EDGE.saturating_mul(2))
}
