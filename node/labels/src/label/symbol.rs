//! The modules of a symbol, dark and light, and the light margin that its standard asks for.

use datamatrix::{DataMatrixBuilder, SymbolList};
use qrcode::{Color, EcLevel, QrCode};

/// A symbol as rows of modules.
pub(super) struct Modules {
    /// Modules of a row.
    pub(super) width: usize,
    /// Whether each is dark, row by row.
    pub(super) dark: Vec<bool>,
    /// Light modules on every side.
    pub(super) margin: u32,
}

/// A QR code at error correction M, of which a seventh may be damaged.
pub(super) fn qr(link: &str) -> Option<Modules> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).ok()?;
    let width = code.width();
    let dark = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
    Some(Modules { width, dark, margin: 4 })
}

/// A square GS1 DataMatrix. The first function character stands in front; between elements stands the
/// separator character, which the General Specifications allow in its place (section 7.8.3).
pub(super) fn data_matrix(elements: &str) -> Option<Modules> {
    let code = DataMatrixBuilder::new()
        .with_fnc1_start(true)
        .with_macros(false)
        .with_symbol_list(SymbolList::default().enforce_square())
        .encode(elements.as_bytes())
        .ok()?;
    let bitmap = code.bitmap();
    Some(Modules { width: bitmap.width(), dark: bitmap.bits().to_vec(), margin: 2 })
}
