//! Labels: what they say, checked as a scan is, and how they are drawn: a QR code with a GS1 Digital Link or a GS1
//! DataMatrix, with the elements in print beneath.

mod drawing;
mod picture;
mod sheet;
mod symbol;

use crate::error::{LabelError, Wrong};
use crate::value::{self, Day};
use drawing::Drawing;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::RangeInclusive;

pub use sheet::{MAX_LABELS, SHEET_COLUMNS, sheet};

/// Sides of a module in micrometres that a label may be printed with, after the GS1 General Specifications.
pub const MODULE_UM: RangeInclusive<u32> = 254..=1000;

/// Micrometres of an inch.
const INCH_UM: u32 = 25_400;

/// Side of a dot of the print beneath the symbol in micrometres: characters two millimetres high.
const PRINT_DOT_UM: u32 = 167;

/// Longest beginning of a link in characters.
const MAX_RESOLVER: usize = 200;

/// Unreserved characters of RFC 3986 stand as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a label is to say.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The article's GTIN, 8, 12, 13 or 14 digits.
    pub gtin: &'a str,
    /// The lot, 1 to 20 characters of GS1's set 82.
    pub lot: &'a str,
    /// The serial, likewise.
    pub serial: Option<&'a str>,
    /// The day after which it is not to be used.
    pub expiry: Option<Day>,
}

/// What a label says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    gtin: String,
    lot: String,
    serial: Option<String>,
    expiry: Option<Day>,
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbol {
    /// A QR code with a GS1 Digital Link.
    Qr(Resolver),
    /// A GS1 DataMatrix.
    DataMatrix,
}

/// The beginning of links: `https://id.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver(String);

impl Resolver {
    /// Takes the beginning of a link, with or without a slash at its end.
    ///
    /// # Errors
    /// [`LabelError::Resolver`].
    pub fn new(text: &str) -> Result<Self, LabelError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or("");
        let allowed = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/')
        };
        let formed = host.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.len() <= MAX_RESOLVER
            && text.bytes().all(allowed)
            && !text.ends_with('/')
            && !rest.unwrap_or("").contains("//");
        if formed { Ok(Self(text.to_owned())) } else { Err(LabelError::Resolver) }
    }
}

/// A printer's resolution and the module that it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printer {
    dots_per_inch: u32,
    module_dots: u32,
}

impl Printer {
    /// Takes the module's side in micrometres and the printer's dots an inch. A module becomes a whole number of
    /// dots, so that all modules are printed alike: the number nearest to the side asked for that scanners read.
    ///
    /// # Errors
    /// [`LabelError::Module`], or [`LabelError::Dots`] if no such number of dots has a fitting side.
    pub fn new(module_um: u32, dots_per_inch: u32) -> Result<Self, LabelError> {
        if !MODULE_UM.contains(&module_um) {
            return Err(LabelError::Module);
        }
        if !(100..=2400).contains(&dots_per_inch) {
            return Err(LabelError::Dots);
        }
        let nearest = nearest(module_um.saturating_mul(dots_per_inch), INCH_UM);
        // A step up or down, since the nearest number of dots can lie just outside what scanners read.
        [nearest, nearest.saturating_add(1), nearest.saturating_sub(1)]
            .into_iter()
            .map(|module_dots| Self { dots_per_inch, module_dots })
            .find(|printer| printer.module_dots >= 2 && MODULE_UM.contains(&printer.module_um()))
            .ok_or(LabelError::Dots)
    }

    /// The side of a module as printed, in micrometres.
    #[must_use]
    pub fn module_um(self) -> u32 {
        nearest(self.module_dots.saturating_mul(INCH_UM), self.dots_per_inch)
    }

    /// Dots of a module's side.
    #[must_use]
    pub fn module_dots(self) -> u32 {
        self.module_dots
    }

    fn print_dots(self) -> u32 {
        nearest(PRINT_DOT_UM.saturating_mul(self.dots_per_inch), INCH_UM).max(1)
    }
}

/// A quotient, rounded.
fn nearest(dividend: u32, divisor: u32) -> u32 {
    let half = divisor.checked_div(2).unwrap_or(0);
    dividend.saturating_add(half).checked_div(divisor).unwrap_or(0)
}

impl Label {
    /// Checks what a label is to say. `year` is the present one: a label has two digits for the year.
    ///
    /// # Errors
    /// What is wrong with it; nothing is filled in or cut.
    pub fn new(content: &Content<'_>, year: u16) -> Result<Self, LabelError> {
        let gtin = value::gtin(content.gtin).map_err(LabelError::Gtin)?;
        if gtin.bytes().all(|digit| digit == b'0') {
            return Err(LabelError::Gtin(Wrong::Character));
        }
        let fits =
            |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(value::is_set_82);
        if !fits(content.lot) {
            return Err(LabelError::Lot);
        }
        if !content.serial.is_none_or(fits) {
            return Err(LabelError::Serial);
        }
        let told = |day: Day| value::six_digit_day(&day.six(), year) == Ok((day, false));
        if !content.expiry.is_none_or(told) {
            return Err(LabelError::Expiry);
        }
        Ok(Self {
            gtin,
            lot: content.lot.to_owned(),
            serial: content.serial.map(str::to_owned),
            expiry: content.expiry,
        })
    }

    /// The element string without the first function character: elements of fixed length first, so that one separator
    /// is enough.
    #[must_use]
    pub fn element_string(&self) -> String {
        let mut text = format!("01{}", self.gtin);
        if let Some(expiry) = self.expiry {
            text.push_str("17");
            text.push_str(&expiry.six());
        }
        text.push_str("10");
        text.push_str(&self.lot);
        if let Some(serial) = &self.serial {
            text.push_str("\u{1d}21");
            text.push_str(serial);
        }
        text
    }

    /// The GS1 Digital Link.
    #[must_use]
    pub fn link(&self, resolver: &Resolver) -> String {
        let encode = |text| utf8_percent_encode(text, ENCODED);
        let mut link = format!("{}/01/{}/10/{}", resolver.0, self.gtin, encode(&self.lot));
        if let Some(serial) = &self.serial {
            link.push_str(&format!("/21/{}", encode(serial)));
        }
        if let Some(expiry) = self.expiry {
            link.push_str(&format!("?17={}", expiry.six()));
        }
        link
    }

    /// The elements as they are printed beneath the symbol, one a line.
    #[must_use]
    pub fn print(&self) -> Vec<String> {
        let mut lines = vec![format!("(01) {}", self.gtin), format!("(10) {}", self.lot)];
        lines.extend(self.serial.as_ref().map(|serial| format!("(21) {serial}")));
        lines.extend(self.expiry.map(|expiry| format!("(17) {}", expiry.six())));
        lines
    }

    /// Draws the label as SVG that measures what it is to measure on paper. The print is drawn as well, so that it
    /// looks the same wherever it is opened.
    ///
    /// # Errors
    /// [`LabelError::Module`]; [`LabelError::Symbol`].
    pub fn svg(&self, symbol: &Symbol, module_um: u32) -> Result<String, LabelError> {
        Ok(picture::svg(&self.draw_um(symbol, module_um)?, &self.print().join(" ")))
    }

    /// Draws the label as PNG for a printer, a pixel a dot, and says its resolution in it.
    ///
    /// # Errors
    /// [`LabelError::Symbol`].
    pub fn png(&self, symbol: &Symbol, printer: Printer) -> Result<Vec<u8>, LabelError> {
        let drawing = self.draw(symbol, printer.module_dots, printer.print_dots())?;
        picture::png(&drawing, printer.dots_per_inch).ok_or(LabelError::Symbol)
    }

    fn draw_um(&self, symbol: &Symbol, module_um: u32) -> Result<Drawing, LabelError> {
        if !MODULE_UM.contains(&module_um) {
            return Err(LabelError::Module);
        }
        self.draw(symbol, module_um, PRINT_DOT_UM)
    }

    fn draw(&self, symbol: &Symbol, module: u32, dot: u32) -> Result<Drawing, LabelError> {
        let modules = match symbol {
            Symbol::Qr(resolver) => symbol::qr(&self.link(resolver)),
            Symbol::DataMatrix => symbol::data_matrix(&self.element_string()),
        };
        drawing::draw(&modules.ok_or(LabelError::Symbol)?, &self.print(), module, dot)
            .ok_or(LabelError::Symbol)
    }
}

#[cfg(test)]
mod tests;
