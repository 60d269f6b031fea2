//! Drawings as files: SVG in millimetres, PNG in black and white with its resolution.

use super::drawing::Drawing;
use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use std::fmt::Write as _;

/// An SVG of a drawing in micrometres.
pub(super) fn svg(drawing: &Drawing, title: &str) -> String {
    page(drawing.width, drawing.height, title, &path(drawing, (0, 0)))
}

/// An SVG of paths on a page in micrometres.
pub(super) fn page(width: u32, height: u32, title: &str, paths: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" viewBox=\"0 0 {width} {height}\" \
         shape-rendering=\"crispEdges\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{paths}</svg>\n",
        millimetres(width),
        millimetres(height),
        escaped(title),
    )
}

/// The dark parts of a drawing, moved to a place on the page.
pub(super) fn path(drawing: &Drawing, (right, down): (u32, u32)) -> String {
    let mut path = String::from("<path fill=\"#000\" d=\"");
    for bar in &drawing.bars {
        let (x, y) = (bar.x.saturating_add(right), bar.y.saturating_add(down));
        // Writing to a string does not fail.
        let _ = write!(path, "M{x} {y}h{0}v{1}h-{0}z", bar.width, bar.height);
    }
    path.push_str("\"/>\n");
    path
}

fn millimetres(um: u32) -> String {
    let (whole, rest) = (um.checked_div(1000), um.checked_rem(1000));
    format!("{}.{:03}", whole.unwrap_or(0), rest.unwrap_or(0))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A PNG of a drawing in dots, one bit each.
pub(super) fn png(drawing: &Drawing, dots_per_inch: u32) -> Option<Vec<u8>> {
    let row_bytes = usize::try_from(drawing.width.div_ceil(8)).ok()?;
    let rows = usize::try_from(drawing.height).ok()?;
    let mut pixels = vec![0xff_u8; row_bytes.checked_mul(rows)?];
    for bar in &drawing.bars {
        for y in bar.y..bar.y.checked_add(bar.height)? {
            let begins = usize::try_from(y).ok()?.checked_mul(row_bytes)?;
            let row = pixels.get_mut(begins..begins.checked_add(row_bytes)?)?;
            for x in bar.x..bar.x.checked_add(bar.width)? {
                let byte = row.get_mut(usize::try_from(x.checked_div(8)?).ok()?)?;
                *byte &= !(0x80_u8 >> x.checked_rem(8)?);
            }
        }
    }
    // Dots a metre, of 254 ten-thousandths in an inch.
    let a_metre = dots_per_inch.checked_mul(10_000)?.checked_add(127)?.checked_div(254)?;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, drawing.width, drawing.height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_pixel_dims(Some(PixelDimensions {
        xppu: a_metre,
        yppu: a_metre,
        unit: Unit::Meter,
    }));
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}
